//! A disk without space: what is kept stays, nothing else is, and with space it goes on.

use std::fs;
use std::path::Path;
use std::process::Command;

use lcd_results::{Finished, Page, Recovery, Results, ResultsError};
use serde_json::Value;

mod support;
use support::{Snapshot, ended, log, run_of};

/// Set for the process that may mount: the directory to mount at.
const MOUNT: &str = "LCD_RESULTS_FULL";
const SKIPPED: &str = "skipped: ";

#[test]
fn a_full_disk_refuses_and_keeps() {
    let dir = tempfile::tempdir().unwrap();
    // In a namespace of its own, so that nobody else sees the mount and it goes with the process.
    let exe = std::env::current_exe().unwrap();
    let run = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--"])
        .arg(exe)
        .args(["--exact", "in_a_small_file_system", "--nocapture"])
        .env(MOUNT, dir.path())
        .output();
    let output = match run {
        Ok(output) => output,
        Err(error) => return println!("skipped: cannot run unshare: {error}"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.starts_with("unshare:") {
        return println!("skipped: {errors}");
    }
    assert!(output.status.success(), "{text}\n{errors}");
    if let Some(line) = text.lines().find(|line| line.contains(SKIPPED)) {
        return println!("{line}");
    }
    assert!(text.contains("went on with space"), "{text}\n{errors}");
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
    println!("went on with space");
}

/// Bytes that do not compress.
fn noise(len: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn is_full<T: std::fmt::Debug>(answer: &Result<T, ResultsError>) -> bool {
    match answer {
        Ok(_) => false,
        Err(ResultsError::Full { .. }) => true,
        Err(error) => panic!("{error}"),
    }
}

fn fill_and_free(mount: &Path) {
    let store = mount.join("store");
    let ballast = mount.join("ballast");
    fs::write(&ballast, vec![1; 2 << 20]).unwrap();
    let (results, _) = Results::open(&store).unwrap();

    // Runs with logs until there is no space, smaller and smaller.
    let mut refused = 0;
    for (number, size) in [200_000, 20_000, 2_000, 10].into_iter().cycle().enumerate() {
        match round(&results, number, size) {
            Ok(()) => {}
            Err(ResultsError::Full { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
        if refused > 60 {
            break;
        }
        assert!(number < 100_000, "it never gets full");
    }
    // And now really nothing is left.
    let rest = mount.join("rest");
    let mut blocks = 0;
    while fs::write(mount.join(format!("rest{blocks}")), [1; 4096]).is_ok() {
        blocks += 1;
    }
    let full = Snapshot::of(&results);
    assert!(!full.modules.is_empty() && !full.runs.is_empty());
    for number in 0..50 {
        let answer = results.add_module("n", &noise(10_000, 1_000_000 + number), Value::Null);
        assert!(is_full(&answer), "{answer:?}");
    }
    // A few small ones may still fit into the last block of the journal.
    for _ in 0..200 {
        let _ = is_full(&results.create_run(run_of("b")));
    }
    let now = Snapshot::of(&results);
    assert_eq!((&now.modules, &now.worlds), (&full.modules, &full.worlds));
    assert!(now.runs.ends_with(&full.runs), "everything acknowledged can be read");

    // Deleting works also now.
    let largest = now.modules.iter().max_by_key(|(module, _)| module.size).unwrap().0.clone();
    results.delete_module(&largest.id).unwrap();
    assert_eq!(results.module(&largest.id).unwrap(), None);

    for block in 0..blocks {
        fs::remove_file(mount.join(format!("rest{block}"))).unwrap();
    }
    let _ = fs::remove_file(rest);
    fs::remove_file(ballast).unwrap();
    // What was running can end now, and other things begin.
    for (run, _) in Snapshot::of(&results).runs {
        if !run.summary.state.is_over() {
            let _ = results.start_run(run.summary.id, Value::Null);
            results.finish_run(run.summary.id, finished()).unwrap();
        }
    }
    round(&results, 1_000_000, 10_000).unwrap();
    let before = Snapshot::of(&results);
    drop(results);
    let (results, recovery) = Results::open(&store).unwrap();
    assert_eq!(recovery, Recovery::default());
    assert_eq!(Snapshot::of(&results), before);
    drop(results);
    fs::remove_file(store.join("results.sqlite")).unwrap();
    let (results, recovery) = Results::open(&store).unwrap();
    assert_eq!((recovery.cut, &recovery.damaged[..]), (0, &[][..]));
    assert_eq!(Snapshot::of(&results), before);
    assert_eq!(results.modules(Page::first(1)).unwrap()[0].size, 10_000);
}

fn finished() -> Finished {
    Finished { logs: vec![log("wasm", 1.0)], ..ended("agree") }
}

/// A module, and a run with a log of its bytes.
fn round(results: &Results, number: usize, size: usize) -> Result<(), ResultsError> {
    let bytes = noise(size, number);
    results.add_module("m", &bytes, Value::Null)?;
    let id = results.create_run(run_of("a"))?.summary.id;
    results.start_run(id, Value::Null)?;
    let mut spool = results.spool(id, "wasm")?;
    for part in bytes.chunks(50) {
        spool.append(format!("{part:?}\n").as_bytes())?;
    }
    spool.flush()?;
    drop(spool);
    results.finish_run(id, finished()).map(drop)
}
