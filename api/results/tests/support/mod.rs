//! What the suites share.

// Each suite uses a part of it.
#![allow(dead_code)]

use std::path::Path;

use lcd_results::{
    Campaign, Counts, Divergence, Finished, FinishedLog, HistoryEntry, Module, NewRun, Page,
    Results, Run, RunFilter, RunKind, RunState, Signature, World,
};
use serde_json::json;

pub(crate) fn run_of(world: &str) -> NewRun {
    NewRun {
        campaign: None,
        restarted_from: None,
        kind: RunKind::Comparison,
        world: world.into(),
        world_id: None,
        request: json!({"world": world}),
    }
}

pub(crate) fn ended(outcome: &str) -> Finished {
    Finished {
        state: RunState::Finished,
        outcome: Some(outcome.into()),
        reason: None,
        result: json!({"outcome": outcome}),
        signature: None,
        logs: Vec::new(),
    }
}

pub(crate) fn signature(field: &str) -> Signature {
    Signature { event: "exit".into(), field: field.into(), left: "1".into(), right: "2".into() }
}

pub(crate) fn log(backend: &str, seconds: f64) -> FinishedLog {
    FinishedLog {
        backend: backend.into(),
        events: 2,
        seconds,
        instructions: Some(40),
        complete: true,
    }
}

pub(crate) fn lines(results: &Results, run: u64, backend: &str) -> Vec<String> {
    let log = results.run_log(run, backend).unwrap().expect("there is a log");
    let mut reader = results.log_reader(&log).unwrap();
    let (mut lines, mut line) = (Vec::new(), Vec::new());
    while reader.next_line(&mut line).unwrap() {
        lines.push(String::from_utf8(line.clone()).unwrap());
    }
    lines
}

/// A directory in memory if there is such a thing: for suites that are not about what survives.
pub(crate) fn fast_directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The blobs in a store: names and sizes of their files.
pub(crate) fn blobs(store: &Path) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for shard in std::fs::read_dir(store.join("blobs")).unwrap() {
        for entry in std::fs::read_dir(shard.unwrap().path()).unwrap() {
            let entry = entry.unwrap();
            found.push((entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len()));
        }
    }
    found.sort();
    found
}

/// Everything that can be seen in a store, and every file of it read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) modules: Vec<(Module, Vec<u8>)>,
    pub(crate) worlds: Vec<(World, Vec<u8>)>,
    pub(crate) campaigns: Vec<Campaign>,
    /// With the lines of their logs.
    pub(crate) runs: Vec<(Run, Vec<Vec<String>>)>,
    pub(crate) divergences: Vec<Divergence>,
    pub(crate) counts: Counts,
    pub(crate) histories: Vec<Vec<HistoryEntry>>,
}

impl Snapshot {
    pub(crate) const WORLDS: [&str; 3] = ["a", "b", "c"];

    pub(crate) fn of(results: &Results) -> Self {
        let all = Page::first(usize::MAX);
        let modules = results.modules(all).unwrap().into_iter().map(|module| {
            let bytes = results.module_bytes(&module.id).unwrap().expect("a module has bytes");
            (module, bytes)
        });
        let worlds = results.worlds(all).unwrap().into_iter().map(|world| {
            let bundle = results.world_bundle(&world.id).unwrap().expect("a world has a bundle");
            (world, bundle)
        });
        let runs = results.runs(&RunFilter::default(), all).unwrap().into_iter().map(|summary| {
            let run = results.run(summary.id).unwrap().expect("a listed run is there");
            assert_eq!(run.summary, summary);
            let logs =
                run.logs.iter().map(|log| lines(results, summary.id, &log.backend)).collect();
            (run, logs)
        });
        let statistics = results.statistics().unwrap();
        let snapshot = Self {
            modules: modules.collect(),
            worlds: worlds.collect(),
            campaigns: results.campaigns(all).unwrap(),
            runs: runs.collect(),
            divergences: results.divergences(all).unwrap(),
            counts: statistics.runs,
            histories: Self::WORLDS
                .iter()
                .map(|world| results.history(world, usize::MAX).unwrap())
                .collect(),
        };
        assert_eq!(statistics.modules, snapshot.modules.len() as u64);
        assert_eq!(statistics.worlds, snapshot.worlds.len() as u64);
        assert_eq!(statistics.campaigns, snapshot.campaigns.len() as u64);
        assert_eq!(statistics.divergences, snapshot.divergences.len() as u64);
        let stored: u64 = blobs(results.path()).iter().map(|(_, size)| size).sum();
        assert_eq!(statistics.disk.blobs, stored, "every blob is named and counted");
        snapshot
    }
}
