//! A disk without space: refusals say so, reading goes on, and with space everything does.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::client::Client;
use crate::server::{Options, Server, eventually};
use crate::subjects::{in_simulator, unique, world_of};

/// Set for the process that may mount: the directory to mount at.
const MOUNT: &str = "LCD_SERVE_FULL";
const SKIPPED: &str = "skipped: ";
const DONE: &str = "went on with space";

#[test]
fn a_full_disk_refuses_what_it_cannot_keep() {
    let place = tempfile::tempdir().expect("a temporary directory");
    // In a namespace of its own, so that nobody else sees the mount and it goes with the process.
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--"])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "faults::full_disk::in_a_small_file_system", "--nocapture"])
        .env(MOUNT, place.path())
        .output();
    let output = match run {
        Ok(output) => output,
        Err(error) => return println!("{SKIPPED}cannot run unshare: {error}"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.starts_with("unshare:") {
        return println!("{SKIPPED}{errors}");
    }
    assert!(output.status.success(), "{text}\n{errors}");
    if let Some(line) = text.lines().find(|line| line.contains(SKIPPED)) {
        return println!("{line}");
    }
    assert!(text.contains(DONE), "{text}\n{errors}");
}

/// Not a test by itself: what the process that may mount does.
#[test]
fn in_a_small_file_system() {
    let Some(mount) = std::env::var_os(MOUNT) else { return };
    let mount = Path::new(&mount);
    let mounted =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(mount).status();
    if !mounted.as_ref().is_ok_and(|status| status.success()) {
        return println!("{SKIPPED}cannot mount: {mounted:?}");
    }
    fill_and_free(mount);
    println!("{DONE}");
}

/// Uploads modules of a size until one is refused.
fn upload_until_full(client: &Client, seeds: &mut u64, size: usize) -> Vec<String> {
    let mut stored = Vec::new();
    loop {
        *seeds += 1;
        let reply = client.upload_module("m.ko", &unique(*seeds, size));
        match reply.status {
            201 => stored.push(reply.json()["id"].as_str().expect("an id").into()),
            507 => return stored,
            status => panic!("{status}: {}", reply.text()),
        }
        assert!(stored.len() < 100_000, "it never gets full");
    }
}

fn fill_and_free(mount: &Path) {
    let ballast = mount.join("ballast");
    fs::write(&ballast, vec![1; 2 << 20]).expect("there is space");
    let server = Server::start(mount, Options::default());
    let client = &server.client;
    let before = client.start(&in_simulator("printk"));
    client.over(before);
    let mut seeds = 0;
    let mut stored = Vec::new();
    for size in [400_000, 40_000, 4000, 100] {
        stored.extend(upload_until_full(client, &mut seeds, size));
    }
    // And now really nothing is left.
    let mut blocks = Vec::new();
    loop {
        let block = mount.join(format!("block{}", blocks.len()));
        let written = fs::write(&block, [1; 4096]);
        blocks.push(block);
        if written.is_err() {
            break;
        }
    }
    client.upload_module("m.ko", &unique(1 << 40, 10_000)).expect(507);
    let world = world_of("w", stored.last().expect("some were stored"));
    client.upload_world(&world).expect(507);
    // Small changes may fit into what the journal has set aside, but not for ever.
    let refused = eventually("a run is refused", || {
        let reply = client.post_json("/api/v1/runs", &in_simulator("printk"));
        assert!(matches!(reply.status, 202 | 429 | 507), "{}", reply.text());
        (reply.status == 507).then_some(reply)
    });
    assert!(!refused.detail().is_empty());
    let campaign = client.post_json("/api/v1/campaigns", &json!({ "worlds": ["printk"] }));
    assert!(matches!(campaign.status, 202 | 507), "{}", campaign.text());
    // Reading goes on.
    client.is_well();
    for id in [stored.first(), stored.last()].into_iter().flatten() {
        client.get(&format!("/api/v1/modules/{id}/content")).expect(200);
    }
    for path in ["runs", "modules", "worlds", "statistics", &format!("runs/{before}/log")] {
        client.get(&format!("/api/v1/{path}")).expect(200);
    }
    // Deleting makes room.
    client.delete(&format!("/api/v1/modules/{}", stored[0])).expect(204);
    for path in blocks.iter().chain([&ballast]) {
        let _ = fs::remove_file(path);
    }
    client.upload_module("m.ko", &unique(1 << 41, 10_000)).expect(201);
    client.upload_world(&world).expect(201);
    let run = client.over(client.start(&in_simulator("printk")));
    assert_eq!(run["outcome"], "passed", "{run:#}");
    client.get("/readyz").expect(200);
    // What could not be stored of runs that ended meanwhile is settled by a restart.
    let counts = client.get("/api/v1/statistics").expect(200).json();
    server.stop();
    let server = Server::start(mount, Options::default());
    let now = server.client.get("/api/v1/statistics").expect(200).json();
    for field in ["modules", "worlds", "campaigns", "runs"] {
        assert_eq!(now[field], counts[field], "{field}");
    }
    let id = &stored[stored.len() - 1];
    server.client.get(&format!("/api/v1/modules/{id}/content")).expect(200);
}
