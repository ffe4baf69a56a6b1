//! `--parallel`, `--seed` and `--preempt`.

use std::fs;

use serde_json::Value;

use crate::command::{SETUP, SUCCESS, USAGE, backends, lcd};

fn header(log: &std::path::Path) -> Value {
    let log = fs::read_to_string(log).unwrap();
    serde_json::from_str(log.lines().next().unwrap()).unwrap()
}

#[test]
fn a_parallel_run_is_repeated_and_compared() {
    if !backends().contains(&"native") {
        let done = lcd(&["run", "--parallel", "parallel-token"]).expect(SETUP);
        assert!(done.stderr.to_lowercase().contains("kvm"), "{}", done.stderr);
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("log");
    let log_argument = log.to_str().unwrap();
    let done = lcd(&["run", "--parallel", "parallel-token", "--log", log_argument]).expect(SUCCESS);
    assert!(done.stderr.contains("repeated in the simulator: all"), "{}", done.stderr);
    assert_eq!(header(&log)["schedule"], "parallel");
    let report = lcd(&["run", "--parallel", "parallel-calls", "--format", "json"]).expect(SUCCESS);
    assert_eq!(report.json()["repeated"]["outcome"], "agree");
    // Without the option, a world that is meant for it is not repeated.
    let report = lcd(&["run", "parallel-calls", "--format", "json"]).expect(SUCCESS).json();
    assert!(report.get("repeated").is_none());
    let report = lcd(&["diff", "--parallel", "printk", "--format", "json"]).expect(SUCCESS).json();
    assert_eq!(report["summary"]["agree"], 1);
}

#[test]
fn a_seed_gives_the_same_order_again() {
    let place = tempfile::tempdir().unwrap();
    let run = |name: &str, options: &[&str]| {
        let log = place.path().join(name);
        let start = ["run", "--backend", "sim", "parallel-calls", "--log", log.to_str().unwrap()];
        lcd(&[&start, options].concat()).expect(SUCCESS);
        (header(&log)["schedule"].clone(), fs::read(log).unwrap())
    };
    let (schedule, log) = run("a", &["--seed", "5", "--preempt", "100"]);
    assert_eq!(schedule, serde_json::json!({ "seeded": { "seed": 5, "preempt": 100 } }));
    assert!(run("b", &["--seed", "5", "--preempt", "100"]).1 == log);
    assert!(run("c", &["--seed", "6", "--preempt", "100"]).1 != log);
    assert_eq!(run("d", &["--seed", "5"]).0, serde_json::json!({ "seeded": { "seed": 5 } }));
}

#[test]
fn backends_that_do_not_count_are_left_out_of_interrupted_turns() {
    let diff = |options: &[&str]| {
        let start = ["diff", "parallel-calls", "--format", "json"];
        lcd(&[&start, options].concat()).expect(SUCCESS).json()["cases"][0].clone()
    };
    let case = diff(&["--seed", "1"]);
    let expected = if backends().len() == 2 { "agree" } else { "skipped" };
    assert_eq!(case["outcome"], expected);
    let case = diff(&["--seed", "1", "--preempt", "50"]);
    assert_eq!(case["outcome"], "skipped");
    let reason = case["backends"][0]["skipped"].as_str().unwrap();
    assert!(reason.contains("counts"), "{reason}");
    assert!(case["backends"][1].get("skipped").is_none());
}

#[test]
fn options_that_exclude_each_other_are_refused() {
    for wrong in [
        &["run", "printk", "--preempt", "5"][..],
        &["run", "printk", "--seed", "1", "--preempt", "0"],
        &["run", "printk", "--seed", "-1"],
        &["diff", "printk", "--parallel", "--seed", "1"],
    ] {
        lcd(wrong).expect(USAGE);
    }
    let done = lcd(&["run", "printk", "--parallel", "--backend", "sim"]).expect(SETUP);
    assert!(done.stderr.contains("--parallel runs on hardware"), "{}", done.stderr);
    let native = ["run", "printk", "--seed", "1", "--preempt", "9", "--backend", "native"];
    let done = lcd(&native).expect(SETUP);
    assert!(done.stderr.contains("--preempt"), "{}", done.stderr);
}
