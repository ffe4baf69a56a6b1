//! Damaged files: what they do not concern stays, and nothing panics.

use std::fs;
use std::path::Path;

use lcd_results::{NewRun, Page, Recovery, Results, ResultsError, RunFilter};
use serde_json::{Value, json};

mod support;
use support::{Snapshot, ended, fast_directory, log, run_of, signature};

/// A store with something of everything, which is closed.
fn store() -> tempfile::TempDir {
    let dir = fast_directory();
    let (results, _) = Results::open(dir.path()).unwrap();
    for number in 0..60_u32 {
        let bytes = number.to_le_bytes().repeat(100);
        results.add_module("m", &bytes, json!({"text": "x".repeat(3000)})).unwrap();
        let id = results.create_run(NewRun { campaign: None, ..run_of("a") }).unwrap().summary.id;
        results.start_run(id, json!({"class": "kvm"})).unwrap();
        results.spool(id, "wasm").unwrap().append(format!("{number}\n").as_bytes()).unwrap();
        let mut finished = ended("diverge");
        finished.signature = Some(signature(&number.to_string()));
        finished.logs = vec![log("wasm", 1.0)];
        results.finish_run(id, finished).unwrap();
    }
    drop(results);
    dir
}

/// A copy of a store, without its empty directories.
fn copy(from: &Path) -> tempfile::TempDir {
    fn files(from: &Path, to: &Path) {
        for entry in fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let to = to.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                files(&entry.path(), &to);
            } else {
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                fs::copy(entry.path(), &to).unwrap();
            }
        }
    }
    let dir = fast_directory();
    files(from, dir.path());
    dir
}

fn open(dir: &Path) -> (Results, Recovery) {
    Results::open(dir).unwrap()
}

fn names(results: &Results) -> Vec<String> {
    let modules = results.modules(Page::first(100)).unwrap();
    modules.into_iter().rev().map(|module| module.name).collect()
}

/// A small store, whose last two lines are about modules `p` and `q`, and where these begin.
fn two_last_lines() -> (tempfile::TempDir, Vec<u8>, [usize; 2]) {
    let dir = fast_directory();
    let (results, _) = open(dir.path());
    for name in ["a", "b"] {
        results.add_module(name, name.as_bytes(), Value::Null).unwrap();
    }
    results.create_run(run_of("a")).unwrap();
    let journal = || fs::read(dir.path().join("journal")).unwrap();
    let starts = ["p", "q"].map(|name| {
        let start = journal().len();
        results.add_module(name, name.as_bytes(), Value::Null).unwrap();
        start
    });
    drop(results);
    let journal = journal();
    (dir, journal, starts)
}

#[test]
fn a_journal_that_ends_anywhere_keeps_its_whole_lines() {
    let (dir, journal, [p, q]) = two_last_lines();
    for end in p..journal.len() {
        let dir = copy(dir.path());
        fs::write(dir.path().join("journal"), &journal[..end]).unwrap();
        // With an index that has more than the journal, and without one.
        if end % 2 == 0 {
            fs::remove_file(dir.path().join("results.sqlite")).unwrap();
        }
        let (results, recovery) = open(dir.path());
        let whole: &[&str] = if end < q { &["a", "b"] } else { &["a", "b", "p"] };
        assert_eq!(names(&results), whole, "{end}");
        let torn = if end < q { end - p } else { end - q };
        assert_eq!(recovery.cut, torn as u64);
        assert!(recovery.rebuilt.is_some() && recovery.damaged.is_empty());
        // And it goes on from there.
        results.add_module("r", b"r", Value::Null).unwrap();
        assert_eq!(results.create_run(run_of("a")).unwrap().summary.id, 2);
        let snapshot = Snapshot::of(&results);
        drop(results);
        let (results, recovery) = open(dir.path());
        assert_eq!(recovery, Recovery::default());
        assert_eq!(Snapshot::of(&results), snapshot);
    }
}

#[test]
fn a_changed_byte_costs_no_other_line() {
    let (dir, journal, [p, q]) = two_last_lines();
    let header = journal.iter().position(|byte| *byte == b'\n').unwrap();
    // The ends of lines are special; of the others, some.
    let ends = [header, q - 1, journal.len() - 1];
    let bytes = (0..header).step_by(5).chain((p..journal.len()).step_by(3)).chain(ends);
    for index in bytes {
        let dir = copy(dir.path());
        let mut journal = journal.clone();
        journal[index] ^= 1 << (index % 8);
        fs::write(dir.path().join("journal"), &journal).unwrap();
        fs::remove_file(dir.path().join("results.sqlite")).unwrap();
        let (results, recovery) = open(dir.path());
        let kept: &[&str] = match index {
            // Two lines that have become one are both damaged.
            _ if index == header => &["b", "p", "q"],
            _ if index < header => &["a", "b", "p", "q"],
            _ if index == q - 1 => &["a", "b"],
            _ if index < q => &["a", "b", "q"],
            _ => &["a", "b", "p"],
        };
        assert_eq!(names(&results), kept, "byte {index}");
        let last = index + 1 == journal.len();
        assert_eq!(recovery.damaged.is_empty(), last, "byte {index}: {recovery:?}");
        assert_eq!(recovery.cut > 0, last);
        assert_eq!(results.runs(&RunFilter::default(), Page::first(9)).unwrap().len(), 1);
        results.add_module("r", b"r", Value::Null).unwrap();
        // What may have been named by the damaged line is kept for somebody to find.
        let blob = results.module_bytes(&results.module_named("b").unwrap().unwrap().id).unwrap();
        assert_eq!(blob.unwrap(), b"b");
        drop(results);
        let (results, again) = open(dir.path());
        assert_eq!(again.damaged, recovery.damaged, "it is said again");
        assert_eq!(names(&results).last().unwrap(), "r");
    }
}

#[test]
fn a_journal_of_which_nothing_is_left_is_refused() {
    let (dir, ..) = two_last_lines();
    let refused = || matches!(Results::open(dir.path()), Err(ResultsError::Damaged { .. }));
    fs::write(dir.path().join("journal"), b"").unwrap();
    assert!(refused());
    fs::write(dir.path().join("journal"), b"something else\n\0\0\n").unwrap();
    assert!(refused());
    fs::remove_file(dir.path().join("journal")).unwrap();
    assert!(refused(), "beginning anew would remove all blobs");
    assert_eq!(support::blobs(dir.path()).len(), 4);
}

/// Bytes that mean nothing.
fn garbage(len: usize, seed: usize) -> Vec<u8> {
    let mut state = seed as u64 | 1;
    let next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

#[test]
fn a_damaged_index_is_made_anew() {
    let dir = store();
    let (results, _) = open(dir.path());
    let expected = Snapshot::of(&results);
    drop(results);
    let index = fs::read(dir.path().join("results.sqlite")).unwrap();
    let pages = index.len() / 4096;
    assert!(pages > 40, "{pages}");
    let damages = (0..pages)
        .step_by(3)
        .map(|page| {
            let mut index = index.clone();
            index[page * 4096..][..4096].copy_from_slice(&garbage(4096, page));
            index
        })
        .chain([index[..index.len() / 2].to_vec(), index[..5000].to_vec(), garbage(10_000, 7)]);
    for (number, damaged) in damages.enumerate() {
        let dir = copy(dir.path());
        fs::write(dir.path().join("results.sqlite"), &damaged).unwrap();
        let (results, recovery) = open(dir.path());
        let rebuilt = recovery.rebuilt.unwrap_or_else(|| panic!("{number}: nothing was noticed"));
        let aside = rebuilt.set_aside.expect("the old one is kept");
        assert!(aside.exists() && aside != dir.path().join("results.sqlite"));
        assert!(recovery.damaged.is_empty());
        assert_eq!(Snapshot::of(&results), expected, "{number}");
        drop(results);
        assert_eq!(open(dir.path()).1, Recovery::default());
    }
    // One that a crash left empty is nothing to keep.
    fs::write(dir.path().join("results.sqlite"), b"").unwrap();
    let (results, recovery) = open(dir.path());
    assert!(recovery.rebuilt.is_some_and(|rebuilt| rebuilt.set_aside.is_none()));
    assert_eq!(Snapshot::of(&results), expected);
}

#[test]
fn an_index_damaged_while_it_is_open_loses_nothing() {
    let dir = store();
    let path = dir.path().join("results.sqlite");
    let pages = fs::metadata(&path).unwrap().len() / 4096;
    for round in 0..4 {
        let (results, _) = open(dir.path());
        let before = Snapshot::of(&results);
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        for page in (round..pages).step_by(2) {
            use std::os::unix::fs::FileExt;
            file.write_all_at(&garbage(4096, page as usize), page * 4096).unwrap();
        }
        // Whatever it says now, it says it: Damaged, where the damage is seen.
        let mut added = Vec::new();
        let mut seen = 0;
        for number in 0..200_u32 {
            let bytes = format!("{round} {number}").into_bytes();
            match results.add_module("late", &bytes, Value::Null) {
                Ok((module, _)) => added.push((module.id, bytes)),
                Err(ResultsError::Damaged { .. } | ResultsError::Index { .. }) => seen += 1,
                Err(error) => panic!("{error}"),
            }
            seen += usize::from(results.runs(&RunFilter::default(), Page::first(100)).is_err());
            seen += usize::from(results.run(u64::from(number)).is_err());
            seen += usize::from(results.statistics().is_err());
            seen += usize::from(results.divergences(Page::first(100)).is_err());
        }
        assert!(seen > 0 || !added.is_empty());
        drop(results);
        let (results, recovery) = open(dir.path());
        assert!(recovery.rebuilt.is_some() && recovery.damaged.is_empty(), "{recovery:?}");
        let after = Snapshot::of(&results);
        assert_eq!(after.runs, before.runs);
        assert_eq!(after.modules.len(), before.modules.len() + added.len());
        for (id, bytes) in added {
            assert_eq!(results.module_bytes(&id).unwrap(), Some(bytes));
        }
    }
}

#[test]
fn lines_about_things_that_are_gone_are_removed() {
    let dir = fast_directory();
    let (results, _) = open(dir.path());
    let campaign = lcd_results::NewCampaign {
        name: "c".into(),
        request: Value::Null,
        runs: vec![run_of("a"), run_of("b")],
    };
    results.create_campaign(campaign).unwrap();
    for id in [1, 2] {
        results.start_run(id, Value::Null).unwrap();
        results.finish_run(id, ended("agree")).unwrap();
    }
    results.delete_run(1).unwrap();
    for round in 0..600_u32 {
        let (module, _) = results.add_module("m", b"always the same", json!(round)).unwrap();
        results.delete_module(&module.id).unwrap();
    }
    results.add_module("m", b"always the same", json!("the last")).unwrap();
    let gone = results.create_run(run_of("a")).unwrap().summary.id;
    results.start_run(gone, Value::Null).unwrap();
    results.finish_run(gone, ended("agree")).unwrap();
    results.delete_run(gone).unwrap();
    let before = Snapshot::of(&results);
    let bytes = results.statistics().unwrap().disk.journal;
    drop(results);
    let (results, recovery) = open(dir.path());
    assert!(recovery.compacted > 1200, "{recovery:?}");
    assert_eq!(recovery.rebuilt, None);
    assert!(results.statistics().unwrap().disk.journal * 50 < bytes);
    assert_eq!(Snapshot::of(&results), before);
    drop(results);
    assert_eq!(open(dir.path()).1, Recovery::default());
    fs::remove_file(dir.path().join("results.sqlite")).unwrap();
    let (results, recovery) = open(dir.path());
    assert!(recovery.damaged.is_empty(), "{recovery:?}");
    assert_eq!(Snapshot::of(&results), before);
    assert_eq!(results.create_run(run_of("a")).unwrap().summary.id, gone + 1);
}
