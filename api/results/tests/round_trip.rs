//! What is given to the store comes back, also after closing and opening it again.

use lcd_results::{
    Finished, NewCampaign, NewRun, NewWorld, Page, Recovery, Results, ResultsError, RunFilter,
    RunKind, RunState,
};
use serde_json::{Value, json};

mod support;
use support::{blobs, ended, lines, log, run_of, signature};

/// Opens a store in which nothing is to be put right.
fn open(dir: &tempfile::TempDir) -> Results {
    let (results, recovery) = Results::open(dir.path()).expect("the store opens");
    assert_eq!(recovery, Recovery::default());
    results
}

#[test]
fn modules_and_worlds_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let results = open(&dir);
    // Numbers that not every reader of JSON gets right to the last digit.
    let about = json!({"x": 0.1 + 0.2, "y": [1e300, -0.0, u64::MAX], "text": "\u{0}\n\"ü"});
    let bytes = b"module bytes".repeat(1000);
    let (module, new) = results.add_module("first", &bytes, about.clone()).unwrap();
    assert!(new);
    assert_eq!((module.name.as_str(), module.size, &module.about), ("first", 12_000, &about));
    let (same, new) = results.add_module("second", &bytes, Value::Null).unwrap();
    assert!(!new);
    assert_eq!(same, module, "the same bytes are the same module");
    let (other, _) = results.add_module("first", b"", Value::Null).unwrap();

    let id = "0123456789abcdef0123456789abcdef".to_owned();
    let new_world = || NewWorld {
        id: id.clone(),
        name: "w".into(),
        about: about.clone(),
        source: Some("[world]".into()),
        domains: 3,
        bundle: b"bundle",
    };
    let (world, new) = results.add_world(new_world()).unwrap();
    assert!(new);
    assert!(!results.add_world(new_world()).unwrap().1);
    let mut bad = new_world();
    bad.id = "../../../../etc/passwd-0000000000".into();
    assert!(matches!(results.add_world(bad), Err(ResultsError::Invalid { .. })));

    let check = |results: &Results| {
        assert_eq!(results.module(&module.id).unwrap(), Some(module.clone()));
        assert_eq!(results.module_bytes(&module.id).unwrap(), Some(bytes.clone()));
        assert_eq!(results.module_bytes(&other.id).unwrap(), Some(Vec::new()));
        assert_eq!(results.module_named("first").unwrap(), Some(other.clone()));
        assert_eq!(results.module_named("second").unwrap(), None);
        assert_eq!(results.modules(Page::first(1)).unwrap(), std::slice::from_ref(&other));
        let rest = results.modules(Page::after(other.sequence, 9)).unwrap();
        assert_eq!(rest, std::slice::from_ref(&module));
        assert_eq!(results.world(&id).unwrap(), Some(world.clone()));
        assert_eq!(results.world_named("w").unwrap(), Some(world.clone()));
        assert_eq!(results.worlds(Page::first(5)).unwrap(), std::slice::from_ref(&world));
        assert_eq!(results.world_bundle(&id).unwrap(), Some(b"bundle".to_vec()));
        assert_eq!(results.world_bundle("0").unwrap(), None);
    };
    check(&results);
    drop(results);
    let results = open(&dir);
    check(&results);

    results.delete_module(&module.id).unwrap();
    assert_eq!(results.module(&module.id).unwrap(), None);
    assert!(matches!(results.delete_module(&module.id), Err(ResultsError::NotFound { .. })));
    assert_eq!(blobs(dir.path()).len(), 2, "the deleted module's blob is gone, at once");
    let run = results.create_run(NewRun { world_id: Some(id.clone()), ..run_of("w") }).unwrap();
    assert!(matches!(results.delete_world(&id), Err(ResultsError::InUse { .. })));
    let cancelled = Finished { state: RunState::Cancelled, ..ended("") };
    assert!(matches!(
        results.finish_run(run.summary.id, cancelled.clone()),
        Err(ResultsError::Invalid { .. })
    ));
    results.finish_run(run.summary.id, Finished { outcome: None, ..cancelled }).unwrap();
    results.delete_world(&id).unwrap();
    assert!(matches!(
        results.create_run(NewRun { world_id: Some(id.clone()), ..run_of("w") }),
        Err(ResultsError::NotFound { .. })
    ));
}

#[test]
fn a_run_goes_from_the_queue_to_its_log() {
    let dir = tempfile::tempdir().unwrap();
    let results = open(&dir);
    let run = results.create_run(run_of("a")).unwrap();
    let id = run.summary.id;
    assert_eq!((id, run.summary.state), (1, RunState::Queued));
    assert_eq!(results.queued_runs().unwrap(), [1]);
    assert!(matches!(results.spool(id, "wasm"), Err(ResultsError::NotFound { .. })));
    assert!(matches!(
        results.finish_run(id, ended("agree")),
        Err(ResultsError::State { state: RunState::Queued, .. })
    ));
    results.start_run(id, json!({"class": "kvm", "cpu": "x"})).unwrap();
    assert!(matches!(results.start_run(id, json!(1)), Err(ResultsError::State { .. })));
    assert!(matches!(results.delete_run(id), Err(ResultsError::InUse { .. })));
    assert!(matches!(results.spool(id, "../x"), Err(ResultsError::Invalid { .. })));

    assert!(results.spool_reader(id, "wasm").unwrap().is_none());
    let mut writer = results.spool(id, "wasm").unwrap();
    writer.append(b"{\"n\":1}\n{\"n\":2}\n").unwrap();
    assert!(matches!(writer.append(b"{\"n\":"), Err(ResultsError::Invalid { .. })));
    let mut reader = results.spool_reader(id, "wasm").unwrap().expect("there is a spool");
    let mut line = Vec::new();
    assert!(!reader.next_line(&mut line).unwrap(), "nothing is flushed yet");
    writer.flush().unwrap();
    assert!(reader.next_line(&mut line).unwrap());
    assert_eq!(line, b"{\"n\":1}");
    writer.append(b"{\"n\":3}\n").unwrap();
    drop(writer);

    let finished = Finished {
        signature: Some(signature("rax")),
        logs: vec![log("wasm", 0.1 + 0.2), log("native", f64::NAN)],
        ..ended("diverge")
    };
    let summary = results.finish_run(id, finished.clone()).unwrap();
    assert_eq!(summary.signature, Some(signature("rax")));
    assert!(matches!(results.finish_run(id, finished), Err(ResultsError::State { .. })));
    for expected in [&b"{\"n\":2}"[..], b"{\"n\":3}"] {
        assert!(reader.next_line(&mut line).unwrap(), "an open spool can be read to its end");
        assert_eq!(line, expected);
    }
    assert!(!reader.next_line(&mut line).unwrap());
    assert!(results.spool_reader(id, "wasm").unwrap().is_none());

    let check = |results: &Results| {
        let run = results.run(id).unwrap().expect("the run is there");
        assert_eq!(run.summary, summary);
        assert_eq!(run.request, json!({"world": "a"}));
        assert_eq!(run.host, Some(json!({"class": "kvm", "cpu": "x"})));
        assert_eq!(run.result, Some(json!({"outcome": "diverge"})));
        let times: Vec<_> =
            run.logs.iter().map(|log| (log.backend.as_str(), log.seconds, log.bytes)).collect();
        assert_eq!(times, [("native", 0.0, 0), ("wasm", 0.1 + 0.2, 24)]);
        assert_eq!(lines(results, id, "wasm"), ["{\"n\":1}", "{\"n\":2}", "{\"n\":3}"]);
        assert!(lines(results, id, "native").is_empty());
        assert_eq!(results.run_log(id, "other").unwrap(), None);
        let log = results.run_log(id, "wasm").unwrap().unwrap();
        let mut reader = results.log_reader(&log).unwrap();
        assert_eq!(reader.skip_lines(2).unwrap(), 2);
        let mut line = Vec::new();
        assert!(reader.next_line(&mut line).unwrap());
        assert_eq!(line, b"{\"n\":3}");
        assert_eq!(reader.skip_lines(2).unwrap(), 0);
        let [entry] = &results.history("a", 10).unwrap()[..] else { panic!("one entry") };
        assert_eq!(entry.host_class.as_deref(), Some("kvm"));
        assert_eq!(entry.backends[1].seconds, 0.1 + 0.2);
    };
    check(&results);
    drop(results);
    check(&open(&dir));
}

#[test]
fn lists_come_in_pages_and_filtered() {
    let dir = tempfile::tempdir().unwrap();
    let results = open(&dir);
    for number in 0..10 {
        let world = if number % 2 == 0 { "even" } else { "odd" };
        let kind = if number < 5 { RunKind::Run } else { RunKind::Comparison };
        let id = results.create_run(NewRun { kind, ..run_of(world) }).unwrap().summary.id;
        if number < 8 {
            results.start_run(id, json!({"class": "kvm"})).unwrap();
        }
        if number < 6 {
            let finished = if number % 3 == 0 {
                Finished { signature: Some(signature(world)), ..ended("diverge") }
            } else {
                ended("agree")
            };
            results.finish_run(id, finished).unwrap();
        }
    }
    let ids = |filter: RunFilter, page| -> Vec<u64> {
        results.runs(&filter, page).unwrap().into_iter().map(|run| run.id).collect()
    };
    let all = RunFilter::default;
    let ten = Page::first(10);
    assert_eq!(ids(all(), Page::first(3)), [10, 9, 8]);
    assert_eq!(ids(all(), Page::after(8, 3)), [7, 6, 5]);
    assert_eq!(ids(all(), Page::after(1, 3)), [0; 0]);
    assert_eq!(ids(all(), Page { before: Some(u64::MAX), limit: usize::MAX }).len(), 10);
    assert_eq!(ids(RunFilter { state: Some(RunState::Queued), ..all() }, ten), [10, 9]);
    assert_eq!(ids(RunFilter { outcome: Some("diverge".into()), ..all() }, ten), [4, 1]);
    assert_eq!(ids(RunFilter { world: Some("odd".into()), ..all() }, ten), [10, 8, 6, 4, 2]);
    let both = RunFilter { kind: Some(RunKind::Run), world: Some("even".into()), ..all() };
    assert_eq!(ids(both, ten), [5, 3, 1]);
    let same = RunFilter { signature: Some(signature("even").id()), ..all() };
    assert_eq!(ids(same, ten), [1]);
    assert_eq!(ids(RunFilter { campaign: Some(1), ..all() }, ten), [0; 0]);

    let history: Vec<u64> =
        results.history("even", 2).unwrap().iter().map(|entry| entry.run).collect();
    assert_eq!(history, [3, 5], "the last two, the oldest first");
    let statistics = results.statistics().unwrap();
    assert_eq!(statistics.runs.total, 10);
    assert_eq!(statistics.runs.states[&RunState::Finished], 6);
    assert_eq!(statistics.runs.states[&RunState::Running], 2);
    assert_eq!(statistics.runs.outcomes["agree"], 4);
    assert_eq!(statistics.divergences, 2);
    assert!(statistics.disk.journal > 1000 && statistics.disk.index > 1000);
}

#[test]
fn the_same_divergences_are_one_group() {
    let dir = tempfile::tempdir().unwrap();
    let results = open(&dir);
    for (world, field) in [("a", "rax"), ("b", "rax"), ("a", "rip"), ("a", "rax")] {
        let id = results.create_run(run_of(world)).unwrap().summary.id;
        results.start_run(id, Value::Null).unwrap();
        let finished = Finished { signature: Some(signature(field)), ..ended("diverge") };
        results.finish_run(id, finished).unwrap();
    }
    let groups = results.divergences(Page::first(10)).unwrap();
    let shown: Vec<_> = groups
        .iter()
        .map(|group| (group.signature.field.as_str(), group.count, group.newest_run))
        .collect();
    assert_eq!(shown, [("rax", 3, 4), ("rip", 1, 3)]);
    assert_eq!(groups[0].worlds, ["a", "b"]);
    assert_eq!(groups[0].world_count, 2);
    assert_eq!(groups[0].id, signature("rax").id());
    assert_eq!(results.divergences(Page::after(4, 1)).unwrap(), groups[1..]);
    assert_eq!(results.divergence(&groups[1].id).unwrap().as_ref(), Some(&groups[1]));

    let first = results.run(2).unwrap().unwrap().summary.finished_at.unwrap();
    results.delete_run(4).unwrap();
    results.delete_run(1).unwrap();
    results.delete_run(3).unwrap();
    let groups = results.divergences(Page::first(10)).unwrap();
    assert_eq!(groups.len(), 1, "a group without runs is gone");
    assert_eq!((groups[0].count, groups[0].newest_run), (1, 2));
    assert_eq!((groups[0].first_seen, groups[0].last_seen), (first, first));
    assert_eq!(groups[0].worlds, ["b"]);
}

#[test]
fn a_campaign_is_all_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let results = open(&dir);
    let missing = NewRun { world_id: Some("0".repeat(32)), ..run_of("b") };
    let new = |runs| NewCampaign { name: "c".into(), request: json!([1]), runs };
    assert!(matches!(
        results.create_campaign(new(vec![run_of("a"), missing])),
        Err(ResultsError::NotFound { .. })
    ));
    assert_eq!(results.runs(&RunFilter::default(), Page::first(9)).unwrap(), []);
    let campaign = results.create_campaign(new(vec![run_of("a"), run_of("b")])).unwrap();
    assert_eq!((campaign.id, campaign.runs.total), (1, 2), "no number is lost either");
    assert_eq!(results.queued_runs().unwrap(), [1, 2]);
    results.start_run(1, Value::Null).unwrap();
    results.finish_run(1, ended("agree")).unwrap();
    let campaign = results.campaign(1).unwrap().unwrap();
    assert_eq!(campaign.runs.states[&RunState::Finished], 1);
    assert_eq!(campaign.runs.outcomes["agree"], 1);
    let stopped = results.stop_campaign(1).unwrap();
    assert!(stopped.stopped_at.is_some());
    assert_eq!(results.stop_campaign(1).unwrap(), stopped);
    assert!(matches!(results.delete_campaign(1), Err(ResultsError::InUse { .. })));
    let end = Finished { state: RunState::Cancelled, outcome: None, ..ended("x") };
    results.finish_run(2, end).unwrap();
    // A run of its own beside it, which stays.
    results.create_run(run_of("a")).unwrap();
    results.delete_campaign(1).unwrap();
    assert_eq!(results.campaign(1).unwrap(), None);
    assert_eq!(results.campaigns(Page::first(9)).unwrap(), []);
    assert_eq!(results.run(1).unwrap(), None);
    assert_eq!(results.statistics().unwrap().runs.total, 1);
    drop(results);
    let results = open(&dir);
    assert_eq!(results.create_campaign(new(Vec::new())).unwrap().id, 2, "numbers are used once");
    assert_eq!(results.create_run(run_of("a")).unwrap().summary.id, 4);
}

#[test]
fn a_damaged_blob_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let results = open(&dir);
    let (module, _) = results.add_module("m", &b"0123456789".repeat(100), Value::Null).unwrap();
    let path = dir.path().join("blobs").join(&module.id[..2]).join(format!("{}.zst", module.id));
    let good = std::fs::read(&path).unwrap();
    for index in 0..good.len() {
        let mut bad = good.clone();
        bad[index] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        match results.module_bytes(&module.id) {
            Ok(bytes) => assert_eq!(bytes, Some(b"0123456789".repeat(100)), "byte {index}"),
            Err(error) => assert!(
                matches!(&error, ResultsError::Damaged { path: named, .. } if named.ends_with(path.file_name().unwrap())),
                "{error}"
            ),
        }
    }
    std::fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert!(matches!(results.module_bytes(&module.id), Err(ResultsError::Damaged { .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(results.module_bytes(&module.id), Err(ResultsError::Damaged { .. })));
    // Uploading it again is a cure.
    results.add_module("m", &b"0123456789".repeat(100), Value::Null).unwrap();
    assert_eq!(results.module_bytes(&module.id).unwrap(), Some(b"0123456789".repeat(100)));
}

#[test]
fn values_that_could_not_be_read_again_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let results = open(&dir);
    let deep = (0..200).fold(Value::Null, |value, _| json!([value]));
    assert!(matches!(results.add_module("m", b"", deep), Err(ResultsError::Invalid { .. })));
    assert_eq!(results.modules(Page::first(1)).unwrap(), []);
}

#[test]
fn many_threads_change_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let results = open(&dir);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let results = &results;
            scope.spawn(move || {
                for round in 0..20 {
                    let run = results.create_run(run_of("a")).unwrap().summary.id;
                    results.start_run(run, Value::Null).unwrap();
                    results.spool(run, "wasm").unwrap().append(b"{}\n").unwrap();
                    let finished = Finished { logs: vec![log("wasm", 1.0)], ..ended("agree") };
                    results.finish_run(run, finished).unwrap();
                    assert_eq!(lines(results, run, "wasm"), ["{}"]);
                    // All threads name, and drop, the same two blobs.
                    let bytes = [round as u8 % 2; 10];
                    let (module, _) = results.add_module("m", &bytes, Value::Null).unwrap();
                    // Another thread may have deleted it already.
                    let found = results.module_bytes(&module.id).unwrap();
                    assert!(found.is_none_or(|found| found == bytes));
                    let _ = results.delete_module(&module.id);
                    if (thread + round) % 2 == 0 {
                        results.delete_run(run).unwrap();
                    }
                }
            });
        }
    });
    let statistics = results.statistics().unwrap();
    assert_eq!((statistics.runs.total, statistics.modules), (80, 0));
    assert_eq!(results.create_run(run_of("a")).unwrap().summary.id, 161);
    assert_eq!(lines(&results, results.history("a", 1).unwrap()[0].run, "wasm"), ["{}"]);
    drop(results);
    open(&dir);
}
