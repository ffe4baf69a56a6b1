//! A server that is killed at any moment loses nothing that it has acknowledged.
//!
//! `LCD_CRASHES` says how often it is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use lcd_tests::Random;
use serde_json::{Value, json};
use ureq::http::Method;

use crate::client::{BYTES, Client, JSON, Reply, TOML};
use crate::server::{Options, Server, eventually, has_panicked};
use crate::subjects::{log_of, unique, world_of};

/// Callers at the same time.
const CALLERS: u64 = 3;
const WORLD: &str = "revoke";

/// What callers were told.
#[derive(Clone, Default)]
struct Told {
    modules: BTreeMap<String, Vec<u8>>,
    worlds: Vec<String>,
    runs: Vec<u64>,
    campaigns: Vec<u64>,
    /// Runs that were seen finished.
    finished: BTreeSet<u64>,
    /// Runs that they asked to be deleted, whatever they were told then.
    deleted: BTreeSet<u64>,
}

impl Told {
    /// What was told later.
    fn add(&mut self, later: Self) {
        self.modules.extend(later.modules);
        self.worlds.extend(later.worlds);
        self.runs.extend(later.runs);
        self.campaigns.extend(later.campaigns);
        self.finished.extend(later.finished);
        self.deleted.extend(later.deleted);
    }
}

/// Does everything there is to do, until the server is gone.
fn call(client: &Client, mut random: Random, told: &Mutex<Told>, said: &AtomicU64) -> Option<()> {
    let told = || told.lock().expect("nobody panicked");
    let ask = |method: Method, path: &str, media_type: &str, body: &[u8]| -> Option<Reply> {
        // A broken answer is no acknowledgement.
        let reply = client.ask(&method, path, media_type, body).ok()?;
        assert!(reply.status < 500 || reply.status == 503, "{method} {path}: {}", reply.text());
        said.fetch_add(1, Ordering::Relaxed);
        Some(reply)
    };
    let field = |reply: &Reply, name: &str| reply.json()[name].clone();
    let number = |reply: &Reply| field(reply, "id").as_u64().expect("a number");
    loop {
        let bytes = unique(random.word(), 3000);
        let reply = ask(Method::POST, "/api/v1/modules?name=m.ko", BYTES, &bytes)?;
        let id = field(&reply, "id").as_str().expect("an id").to_owned();
        told().modules.insert(id.clone(), bytes);
        let reply = ask(Method::POST, "/api/v1/worlds", TOML, world_of("w", &id).as_bytes())?;
        told().worlds.push(field(&reply, "id").as_str().expect("an id").into());
        let asked = json!({ "world": WORLD, "kind": "run", "backends": ["sim"] }).to_string();
        let reply = ask(Method::POST, "/api/v1/runs", JSON, asked.as_bytes())?;
        told().runs.push(number(&reply));
        if random.once_in(4) {
            let asked = json!({ "worlds": [WORLD, "printk"], "backends": ["sim"] }).to_string();
            let reply = ask(Method::POST, "/api/v1/campaigns", JSON, asked.as_bytes())?;
            told().campaigns.push(number(&reply));
        }
        // Some of what is over by now, and which is not deleted below.
        let reply = ask(Method::GET, "/api/v1/runs?state=finished&limit=20&kind=run", "", &[])?;
        for run in reply.json()["items"].as_array().expect("items") {
            let id = run["id"].as_u64().expect("a number");
            if id % 5 != 0 {
                told().finished.insert(id);
            } else {
                told().deleted.insert(id);
                ask(Method::DELETE, &format!("/api/v1/runs/{id}"), "", &[])?;
            }
        }
    }
}

/// Lets callers call for a while and kills the server under them.
fn crash(server: Server, random: &mut Random, told: &Mutex<Told>) -> u64 {
    let said = AtomicU64::new(0);
    let (count, moment) = (random.below(60), Duration::from_micros(random.below(20_000)));
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            let (client, random) = (server.client.clone(), Random::new(random.word()));
            let said = &said;
            scope.spawn(move || call(&client, random, told, said));
        }
        let ended = AtomicBool::new(false);
        eventually("callers are answered", || {
            (said.load(Ordering::Relaxed) >= count || ended.load(Ordering::Relaxed)).then_some(())
        });
        std::thread::sleep(moment);
        let log = server.kill();
        assert!(!has_panicked(&log), "{log}");
    });
    said.load(Ordering::Relaxed)
}

/// Looks whether everything is there that callers were told of.
fn check(client: &Client, told: &Told, reference: &[u8]) {
    for (id, bytes) in &told.modules {
        let content = client.get(&format!("/api/v1/modules/{id}/content")).expect(200);
        assert!(content.body == *bytes, "module {id} is another");
    }
    for id in &told.worlds {
        client.get(&format!("/api/v1/worlds/{id}/bundle")).expect(200);
    }
    for id in &told.campaigns {
        assert_eq!(client.get(&format!("/api/v1/campaigns/{id}")).expect(200).json()["total"], 2);
    }
    for id in told.runs.iter().filter(|id| !told.deleted.contains(id)) {
        let run = client.get(&format!("/api/v1/runs/{id}")).expect(200).json();
        let state = run["state"].as_str().expect("a state");
        assert!(["queued", "running", "finished", "interrupted"].contains(&state), "{run:#}");
    }
    for id in told.finished.iter().filter(|id| !told.deleted.contains(id)) {
        let run = client.get(&format!("/api/v1/runs/{id}")).expect(200).json();
        assert_eq!(
            (&run["state"], &run["outcome"]),
            (&"finished".into(), &"passed".into()),
            "{run:#}"
        );
        let log = client.get(&format!("/api/v1/runs/{id}/log")).expect(200);
        let world = run["world"].as_str().expect("a world");
        assert!(world != WORLD || log.body == reference, "the log of run {id} is another");
    }
}

/// What was interrupted left a part of its log, and can be had in whole.
fn restart_interrupted(client: &Client, reference: &[u8]) {
    let interrupted = client.get("/api/v1/runs?state=interrupted&limit=500").expect(200).json();
    let interrupted = interrupted["items"].as_array().expect("items").clone();
    for run in &interrupted {
        let id = &run["id"];
        let log = client.get(&format!("/api/v1/runs/{id}/log"));
        if log.status == 200 && run["world"] == WORLD {
            assert!(reference.starts_with(&log.body), "the log of run {id} is no part of a whole");
            assert!(log.body.is_empty() || log.body.ends_with(b"\n"), "a line is cut");
        }
        client.get(&format!("/api/v1/runs/{id}/report")).expect(200);
    }
    if let Some(run) = interrupted.first() {
        let again = client.tell(&format!("/api/v1/runs/{}/restart", run["id"])).expect(202).json();
        let again = client.over(again["id"].as_u64().expect("a number"));
        assert_eq!(again["state"], "finished", "{again:#}");
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_server_is_killed() {
    let rounds = std::env::var("LCD_CRASHES").ok().and_then(|n| n.parse().ok()).unwrap_or(8_u64);
    let mut random = Random::new(std::process::id().into());
    let place = tempfile::tempdir().expect("a temporary directory");
    let reference = log_of(WORLD);
    let (mut all, mut said) = (Told::default(), 0);
    let mut server = Server::start(place.path(), Options::default());
    for _ in 0..rounds {
        let told = Mutex::new(Told::default());
        said += crash(server, &mut random, &told);
        server = Server::start(place.path(), Options::default());
        let told = told.into_inner().expect("nobody panicked");
        all.deleted.extend(&told.deleted);
        check(&server.client, &Told { deleted: all.deleted.clone(), ..told.clone() }, &reference);
        all.add(told);
    }
    let client = &server.client;
    restart_interrupted(client, &reference);
    // What waited is run.
    eventually("everything that waited is over", || {
        let states = client.get("/api/v1/statistics").expect(200).json()["states"].clone();
        let waiting = |state: &str| states[state].as_u64().unwrap_or(0);
        (waiting("queued") + waiting("running") == 0).then_some(())
    });
    check(client, &all, &reference);
    let states = client.get("/api/v1/statistics").expect(200).json()["states"].clone();
    assert_eq!(states["failed"], Value::Null, "{states}");
    println!(
        "{rounds} kills, {said} answers, {} modules, {} runs; {states}",
        all.modules.len(),
        all.runs.len()
    );
    assert!(said > rounds);
}
