//! What reading costs in a store with many runs. Says so with `--nocapture`; what it asserts
//! is only that nothing costs in proportion to how much there is.

use std::time::{Duration, Instant};

use lcd_results::{NewCampaign, Page, Results, RunFilter, RunState};
use serde_json::json;

mod support;
use support::{ended, fast_directory, log, run_of, signature};

const RUNS: u64 = 3000;

fn mean(name: &str, mut read: impl FnMut(u64)) {
    const TIMES: u64 = 300;
    let start = Instant::now();
    for time in 0..TIMES {
        read(time);
    }
    let all = start.elapsed();
    println!("{name}: {:?}", all / TIMES as u32);
    // Far more than it takes on any machine, and far less than anything that grows would.
    assert!(all < Duration::from_secs(20), "{TIMES} times {name} takes {all:?}");
}

#[test]
fn reading_is_cheap() {
    let dir = fast_directory();
    let (results, _) = Results::open(dir.path()).unwrap();
    let new = NewCampaign {
        name: "c".into(),
        request: json!({}),
        runs: (0..RUNS).map(|run| run_of(["a", "b", "c"][run as usize % 3])).collect(),
    };
    results.create_campaign(new).unwrap();
    for id in 1..=RUNS - 100 {
        results.start_run(id, json!({"class": "kvm", "cpu": "some processor"})).unwrap();
        let diverges = id % 50 == 0;
        let mut finished = ended(if diverges { "diverge" } else { "agree" });
        finished.signature = diverges.then(|| signature(&(id % 7).to_string()));
        finished.logs = vec![log("native", 0.5), log("wasm", 1.5)];
        results.finish_run(id, finished).unwrap();
    }
    let page = Page::first(50);
    let all = RunFilter::default;
    mean("run", |time| assert!(results.run(1 + time * 7 % RUNS).unwrap().is_some()));
    mean("runs, 50", |time| {
        let page = Page::after(RUNS - time, 50);
        assert_eq!(results.runs(&all(), page).unwrap().len(), 50);
    });
    let diverged = RunFilter { outcome: Some("diverge".into()), ..all() };
    mean("runs that diverge, 50", |_| assert_eq!(results.runs(&diverged, page).unwrap().len(), 50));
    let of_world = RunFilter { world: Some("a".into()), state: Some(RunState::Finished), ..all() };
    mean("finished runs of a world, 50", |_| {
        assert_eq!(results.runs(&of_world, page).unwrap().len(), 50);
    });
    mean("campaign", |_| assert_eq!(results.campaign(1).unwrap().unwrap().runs.total, RUNS));
    mean("divergences, 50", |_| assert_eq!(results.divergences(page).unwrap().len(), 7));
    mean("statistics", |_| assert_eq!(results.statistics().unwrap().runs.total, RUNS));
    mean("history, 50", |_| assert_eq!(results.history("a", 50).unwrap().len(), 50));
    mean("a line of a log", |time| {
        let log = results.run_log(1 + time, "wasm").unwrap().unwrap();
        results.log_reader(&log).unwrap().next_line(&mut Vec::new()).unwrap();
    });
    drop(results);
    let start = Instant::now();
    let (results, _) = Results::open(dir.path()).unwrap();
    println!("opening, {RUNS} runs: {:?}", start.elapsed());
    drop(results);
    std::fs::remove_file(dir.path().join("results.sqlite")).unwrap();
    let start = Instant::now();
    Results::open(dir.path()).unwrap();
    println!("rebuilding the index, {RUNS} runs: {:?}", start.elapsed());

    let dir = tempfile::tempdir().unwrap();
    let (results, _) = Results::open(dir.path()).unwrap();
    let start = Instant::now();
    (0..100).for_each(|_| drop(results.create_run(run_of("a")).unwrap()));
    println!("create a run, on a disk: {:?}", start.elapsed() / 100);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| (0..50).for_each(|_| drop(results.create_run(run_of("a")).unwrap())));
        }
    });
    println!("create a run, 16 at a time: {:?} each", start.elapsed() / 800);
}
