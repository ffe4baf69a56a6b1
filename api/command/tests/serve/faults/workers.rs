//! A worker that is killed under its run.

use std::fs;

use crate::server::{Server, eventually, signal};
use crate::subjects::{in_simulator, spinning};

/// The processes whose parent is this one (proc(5), `stat`: the state and the parent come after the
/// name, which stands in brackets), with the time that each has used.
fn children(parent: u32) -> Vec<(u32, u64)> {
    let entries = fs::read_dir("/proc").expect("proc").map_while(Result::ok);
    let child = |entry: fs::DirEntry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let used = fields.get(11)?.parse().ok()?;
        (fields.get(1)?.parse() == Ok(parent)).then_some((process, used))
    };
    entries.filter_map(child).collect()
}

#[test]
fn a_run_whose_worker_is_killed_fails_and_the_server_goes_on() {
    let server = Server::fresh();
    let client = &server.client;
    let world = spinning(client);
    for (name, number) in [("KILL", 9), ("ABRT", 6)] {
        let run = client.start(&in_simulator(&world));
        let mut stream =
            client.follow(&format!("/api/v1/runs/{run}/stream"), None).expect("a stream");
        stream.until("log");
        // The one that spins is the one that uses more and more time.
        let before = children(server.process());
        let busy = eventually("a worker is busy", || {
            let now = children(server.process());
            let used = |&(process, used): &(u32, u64)| {
                let then = before.iter().find(|(other, _)| *other == process);
                (used - then.map_or(used, |(_, then)| *then), process)
            };
            now.iter().map(used).max().filter(|(used, _)| *used >= 20).map(|(_, process)| process)
        });
        signal(name, busy);
        let ended = client.over(run);
        assert_eq!(ended["state"], "failed", "{ended:#}");
        let reason = ended["reason"].as_str().expect("a reason");
        assert!(reason.contains(&format!("signal {number}:")), "{reason}");
        assert_eq!(stream.until("end").data["state"], "failed");
        assert_eq!(ended["logs"][0]["complete"], false, "{ended:#}");
        let next = client.over(client.start(&in_simulator("printk")));
        assert_eq!(next["outcome"], "passed", "{next:#}");
    }
    assert_eq!(client.metric("lcd_workers_died_total"), 2.0);
}

#[test]
fn workers_that_wait_and_are_killed_are_replaced() {
    let server = Server::fresh();
    let client = &server.client;
    client.over(client.start(&in_simulator("printk")));
    for (process, _) in children(server.process()) {
        signal("KILL", process);
    }
    for _ in 0..4 {
        let run = client.over(client.start(&in_simulator("printk")));
        assert_eq!(run["outcome"], "passed", "{run:#}");
    }
}

#[test]
fn workers_end_with_their_server() {
    let server = Server::fresh();
    let world = spinning(&server.client);
    let run = server.client.start(&in_simulator(&world));
    server.client.until(run, &["running"]);
    let workers = children(server.process());
    assert!(!workers.is_empty());
    server.kill();
    for (process, _) in workers {
        eventually("a worker ends with its server", || {
            let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
            // One that nobody has waited for yet has ended, too.
            let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
            state.is_none_or(|state| state == "Z").then_some(())
        });
    }
}
