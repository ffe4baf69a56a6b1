//! A database that is no longer one.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::client::Client;
use crate::server::{Options, Server, data};
use crate::subjects::{in_simulator, log_of, unique};

/// What is done to a file's bytes from one of them on.
type Spoil = dyn Fn(&mut Vec<u8>, usize);

/// All that can be read, but for what the server says of itself.
fn everything(client: &Client) -> Vec<Value> {
    let paths = [
        "modules",
        "worlds?origin=uploaded",
        "runs",
        "campaigns",
        "verdicts",
        "divergences",
        "history/revoke",
    ];
    paths.map(|path| client.get(&format!("/api/v1/{path}")).expect(200).json()).into()
}

fn spoil(path: &Path, from: usize, how: impl Fn(&mut Vec<u8>, usize)) {
    let mut bytes = fs::read(path).expect("the database");
    assert!(bytes.len() > from, "{} bytes", bytes.len());
    how(&mut bytes, from);
    fs::write(path, bytes).expect("it can be written");
}

#[test]
fn a_spoilt_database_is_made_anew_and_nothing_is_lost() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start(place.path(), Options::default());
    let client = &server.client;
    for seed in 0..20 {
        client.upload_module(&format!("m{seed}.ko"), &unique(seed, 100)).expect(201);
    }
    let run = client.start(&in_simulator("revoke"));
    client.over(run);
    let before = everything(client);
    server.stop();
    let database = data(place.path()).join("results.sqlite");
    let garbage = |bytes: &mut Vec<u8>, from: usize| bytes[from..].fill(0xa5);
    // A page in the middle and all after it, the first page, all but its beginning, nothing left.
    let spoils: [(usize, &Spoil); 4] = [
        (8192, &garbage),
        (0, &garbage),
        (4096, &|bytes, from| bytes.truncate(from)),
        (0, &|bytes, _| bytes.clear()),
    ];
    for (index, (from, how)) in spoils.into_iter().enumerate() {
        spoil(&database, from, how);
        let server = Server::start(place.path(), Options::default());
        let client = &server.client;
        assert_eq!(everything(client), before, "spoil {index}");
        let log = client.get(&format!("/api/v1/runs/{run}/log")).expect(200);
        assert!(log.body == log_of("revoke"));
        client.upload_module("same.ko", &unique(0, 100)).expect(200);
        let said = server.stop();
        assert!(said.contains("made anew from the journal"), "spoil {index}: {said}");
    }
    // A second start has nothing to say.
    let said = Server::start(place.path(), Options::default()).stop();
    assert!(!said.contains("made anew"), "{said}");
}

#[test]
fn a_database_that_is_spoilt_under_a_running_server_does_not_bring_it_down() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let server = Server::start(place.path(), Options::default());
    let client = &server.client;
    let module = client.upload_module("m.ko", &unique(1, 100)).expect(201).json();
    spoil(&data(place.path()).join("results.sqlite"), 0, |bytes, _| bytes.fill(0xa5));
    for _ in 0..3 {
        // Whatever it can still say, it says as it is described.
        client.get("/api/v1/modules");
        client.upload_module("n.ko", &unique(2, 100));
        client.is_well();
    }
    server.kill();
    let server = Server::start(place.path(), Options::default());
    let id = module["id"].as_str().expect("an id");
    server.client.get(&format!("/api/v1/modules/{id}/content")).expect(200);
}
