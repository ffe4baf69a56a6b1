//! A process that is killed at any moment loses nothing that it was told is kept.
//!
//! `LCD_CRASHES` says how often.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use lcd_results::{Finished, NewCampaign, NewRun, NewWorld, Results, RunState};
use serde_json::{Value, json};

mod support;
use support::{Snapshot, ended, log, run_of, signature};

/// Set for the process that is killed: the directory.
const STORE: &str = "LCD_RESULTS_CRASHING";
const THREADS: u64 = 3;

/// One thread of the process that is killed: does everything there is to do, and says what is
/// acknowledged.
fn work(results: &Results, thread: u64) {
    let say = |text: String| {
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "@{text}").and_then(|()| out.flush());
    };
    for round in 0.. {
        let bytes = format!("{thread} {round} {}", std::process::id()).repeat(50);
        let (module, _) = results.add_module("m", bytes.as_bytes(), Value::Null).unwrap();
        say(format!("module {} {bytes}", module.id));
        let world = world_id(&module.id);
        results
            .add_world(NewWorld {
                id: world.clone(),
                name: "w".into(),
                about: json!(round),
                source: None,
                domains: 1,
                bundle: bytes.as_bytes(),
            })
            .unwrap();
        say(format!("world {world} {bytes}"));
        let run = |name| NewRun { world_id: Some(world.clone()), ..run_of(name) };
        let mut runs = vec![results.create_run(run("a")).unwrap().summary.id];
        say(format!("created {}", runs[0]));
        if round % 3 == 0 {
            let new = NewCampaign {
                name: "c".into(),
                request: Value::Null,
                runs: vec![run("b"), run("c")],
            };
            let campaign = results.create_campaign(new).unwrap().id;
            say(format!("campaign {campaign}"));
        }
        // This, and whatever an earlier process left in the queue: other threads may be faster.
        runs.extend(results.queued_runs().unwrap().into_iter().filter(|id| id % THREADS == thread));
        for id in runs {
            if results.start_run(id, json!({"class": "kvm"})).is_err() {
                continue;
            }
            say(format!("started {id}"));
            let mut spool = results.spool(id, "wasm").unwrap();
            for line in 0..lines_of(id) {
                spool.append(format!("{id} {line}\n").as_bytes()).unwrap();
                spool.flush().unwrap();
            }
            drop(spool);
            let finished = Finished {
                signature: Some(signature(&(id % 2).to_string())),
                logs: vec![log("wasm", 1.0)],
                ..ended("diverge")
            };
            results.finish_run(id, finished).unwrap();
            say(format!("finished {id}"));
            if id % 4 == 0 {
                say(format!("deleting {id}"));
                results.delete_run(id).unwrap();
                say(format!("deleted {id}"));
            }
        }
    }
}

fn lines_of(run: u64) -> u64 {
    run % 7
}

fn world_id(module: &str) -> String {
    module.chars().take(32).collect()
}

/// Not a test by itself: the process that is killed.
#[test]
fn crashing() {
    let Some(store) = std::env::var_os(STORE) else { return };
    let (results, _) = Results::open(Path::new(&store)).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let results = &results;
            scope.spawn(move || work(results, thread));
        }
    });
}

/// What processes were told, over all rounds.
#[derive(Default)]
struct Told {
    modules: BTreeMap<String, String>,
    worlds: BTreeMap<String, String>,
    campaigns: Vec<u64>,
    /// The last that was said about each run.
    runs: BTreeMap<u64, String>,
}

impl Told {
    fn line(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap();
        match verb {
            "module" | "world" => {
                let (id, bytes) = rest.split_once(' ').unwrap();
                let kept = if verb == "module" { &mut self.modules } else { &mut self.worlds };
                kept.insert(id.into(), bytes.into());
            }
            "campaign" => self.campaigns.push(rest.parse().unwrap()),
            _ => {
                let id = rest.parse().unwrap();
                let before = self.runs.insert(id, verb.into());
                assert!(verb != "created" || before.is_none(), "run {id} was created twice");
            }
        }
    }

    fn check(&self, snapshot: &Snapshot) {
        let modules: BTreeMap<_, _> =
            snapshot.modules.iter().map(|(module, bytes)| (&module.id, bytes)).collect();
        for (id, bytes) in &self.modules {
            assert_eq!(modules[id], bytes.as_bytes());
        }
        let worlds: BTreeMap<_, _> =
            snapshot.worlds.iter().map(|(world, bundle)| (&world.id, bundle)).collect();
        for (id, bytes) in &self.worlds {
            assert_eq!(worlds[id], bytes.as_bytes());
        }
        for id in &self.campaigns {
            let campaign = snapshot.campaigns.iter().find(|campaign| campaign.id == *id);
            assert!(campaign.is_some(), "campaign {id} is not there");
        }
        let runs: BTreeMap<_, _> =
            snapshot.runs.iter().map(|(run, logs)| (run.summary.id, (run, logs))).collect();
        for (id, verb) in &self.runs {
            let state = runs.get(id).map(|(run, _)| run.summary.state);
            let possible: &[_] = match verb.as_str() {
                // Whatever came next may have happened without anybody having been told.
                "created" => {
                    &[Some(RunState::Queued), Some(RunState::Interrupted), Some(RunState::Finished)]
                }
                "started" => &[Some(RunState::Interrupted), Some(RunState::Finished)],
                "finished" => &[Some(RunState::Finished)],
                "deleting" => &[Some(RunState::Finished), None],
                _ => &[None],
            };
            assert!(possible.contains(&state), "run {id} was {verb} and is {state:?}");
        }
        for (id, (run, logs)) in runs {
            let all: Vec<_> = (0..lines_of(id)).map(|line| format!("{id} {line}")).collect();
            match run.summary.state {
                RunState::Queued => assert!(logs.is_empty() && run.result.is_none()),
                RunState::Finished => assert_eq!(logs[..], [all]),
                RunState::Interrupted => {
                    assert!(logs.iter().all(|lines| all.starts_with(lines)), "{logs:?}");
                }
                state => panic!("run {id} is {state}"),
            }
        }
    }
}

/// When to kill.
enum Moment {
    /// After so many acknowledged changes, and a little while.
    Said(u64, Duration),
    /// After this long, which may be while it is still opening.
    After(Duration),
}

/// Lets a process work for a while, kills it, and listens to what it had to say.
fn crash(store: &Path, moment: &Moment, told: &mut Told) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crashing", "--nocapture"])
        .env(STORE, store)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said = 0;
    let mut hear = |line: String| {
        if let Some(line) = line.strip_prefix('@') {
            told.line(line);
            said += 1;
        }
        said
    };
    match moment {
        Moment::Said(count, while_) => {
            while hear(out.next().expect("it goes on until it is killed")) < *count {}
            std::thread::sleep(*while_);
        }
        Moment::After(while_) => std::thread::sleep(*while_),
    }
    child.kill().unwrap();
    for line in out {
        hear(line);
    }
    child.wait().unwrap();
    said
}

#[test]
fn what_is_acknowledged_survives_a_kill() {
    if std::env::var_os(STORE).is_some() {
        return;
    }
    let rounds = std::env::var("LCD_CRASHES").ok().and_then(|n| n.parse().ok()).unwrap_or(25_u64);
    let dir = tempfile::tempdir().unwrap();
    let random = RandomState::new();
    let mut told = Told::default();
    let mut said = 0;
    for round in 0..rounds {
        let hash = random.hash_one(round);
        let moment = match round % 4 {
            3 => Moment::After(Duration::from_micros(hash % 30_000)),
            _ => Moment::Said(1 + hash % 60, Duration::from_micros((hash >> 16) % 4_000)),
        };
        said += crash(dir.path(), &moment, &mut told);
        if round % 3 == 2 {
            // Killed again before anybody has put things right.
            continue;
        }
        let (results, recovery) = Results::open(dir.path()).unwrap();
        assert_eq!((&recovery.damaged[..], &recovery.rebuilt), (&[][..], &None));
        let snapshot = Snapshot::of(&results);
        told.check(&snapshot);
        assert_eq!(std::fs::read_dir(dir.path().join("spool")).unwrap().count(), 0);
        assert_eq!(std::fs::read_dir(dir.path().join("blobs/new")).unwrap().count(), 0);
        drop(results);
        if round % 5 == 0 {
            std::fs::remove_file(dir.path().join("results.sqlite")).unwrap();
            let (results, recovery) = Results::open(dir.path()).unwrap();
            assert!(recovery.damaged.is_empty());
            assert_eq!(Snapshot::of(&results), snapshot, "the journal knows all of it");
        }
    }
    println!("{rounds} crashes, {said} acknowledged changes, {} runs", told.runs.len());
    assert!(said > rounds / 2);
}
