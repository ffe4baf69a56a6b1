//! Whatever is done to the store, in whatever order, it answers as a few lists in memory do; also
//! after closing and opening it, and after its index is gone.

use std::collections::{BTreeMap, BTreeSet};

use lcd_results::{
    BackendTime, Campaign, Counts, Divergence, Finished, HistoryEntry, NewCampaign, NewRun,
    NewWorld, Page, Results, ResultsError, Run, RunFilter, RunKind, RunState, RunSummary,
};
use proptest::prelude::*;
use serde_json::{Value, json};

mod support;
use support::{Snapshot, ended, log, run_of, signature};

#[derive(Debug, Clone)]
enum Step {
    AddModule(u8),
    DeleteModule(u8),
    AddWorld(u8),
    DeleteWorld(u8),
    CreateRun {
        world: u8,
        uploaded: bool,
        campaign: bool,
        comparison: bool,
    },
    CreateCampaign(u8),
    Start(u8),
    Spool {
        run: u8,
        lines: u8,
    },
    Finish {
        run: u8,
        state: u8,
        outcome: u8,
    },
    DeleteRun(u8),
    StopCampaign(u8),
    DeleteCampaign(u8),
    /// With or without its index.
    Reopen(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let small = 0..4_u8;
    let any_run = 0..8_u8;
    prop_oneof![
        2 => small.clone().prop_map(Step::AddModule),
        1 => small.clone().prop_map(Step::DeleteModule),
        2 => small.clone().prop_map(Step::AddWorld),
        1 => small.clone().prop_map(Step::DeleteWorld),
        6 => (small.clone(), any::<[bool; 3]>()).prop_map(|(world, [uploaded, campaign, comparison])| {
            Step::CreateRun { world, uploaded, campaign, comparison }
        }),
        2 => small.clone().prop_map(Step::CreateCampaign),
        8 => any_run.clone().prop_map(Step::Start),
        4 => (any_run.clone(), small.clone()).prop_map(|(run, lines)| Step::Spool { run, lines }),
        8 => (any_run.clone(), 0..6_u8, small.clone())
            .prop_map(|(run, state, outcome)| Step::Finish { run, state, outcome }),
        3 => any_run.prop_map(Step::DeleteRun),
        1 => small.clone().prop_map(Step::StopCampaign),
        2 => small.prop_map(Step::DeleteCampaign),
        2 => any::<bool>().prop_map(Step::Reopen),
    ]
}

/// The store as it should be. Only times, sequences and sizes are taken from its own answers.
#[derive(Default)]
struct Reference {
    modules: Vec<(lcd_results::Module, Vec<u8>)>,
    worlds: Vec<(lcd_results::World, Vec<u8>)>,
    campaigns: Vec<Campaign>,
    runs: Vec<Run>,
    /// Lines of spools and logs of each run, of the one backend that writes any.
    lines: BTreeMap<u64, Vec<String>>,
    last_run: u64,
    last_campaign: u64,
}

impl Reference {
    /// The run that a step means: one of the last eight.
    fn pick(&self, number: u8) -> Option<u64> {
        self.last_run.checked_sub(u64::from(number)).filter(|id| *id > 0)
    }

    fn run(&mut self, id: u64) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.summary.id == id)
    }

    fn going_on(&self, condition: impl Fn(&RunSummary) -> bool) -> bool {
        self.runs.iter().any(|run| !run.summary.state.is_over() && condition(&run.summary))
    }

    fn counts(&self, campaign: Option<u64>) -> Counts {
        let mut counts = Counts::default();
        for Run { summary, .. } in &self.runs {
            if campaign.is_some() && summary.campaign != campaign {
                continue;
            }
            counts.total += 1;
            *counts.states.entry(summary.state).or_default() += 1;
            if let Some(outcome) = &summary.outcome {
                *counts.outcomes.entry(outcome.clone()).or_default() += 1;
            }
        }
        counts
    }

    fn divergences(&self) -> Vec<Divergence> {
        let mut groups: BTreeMap<String, Vec<&RunSummary>> = BTreeMap::new();
        for Run { summary, .. } in &self.runs {
            if let Some(signature) = &summary.signature {
                groups.entry(signature.id()).or_default().push(summary);
            }
        }
        let mut found: Vec<_> = groups
            .into_iter()
            .map(|(id, runs)| {
                let worlds: BTreeSet<_> = runs.iter().map(|run| run.world.clone()).collect();
                let seen = || runs.iter().filter_map(|run| run.finished_at);
                Divergence {
                    id,
                    signature: runs[0].signature.clone().unwrap(),
                    count: runs.len() as u64,
                    first_seen: seen().min().unwrap(),
                    last_seen: seen().max().unwrap(),
                    world_count: worlds.len() as u64,
                    worlds: worlds.into_iter().collect(),
                    newest_run: runs.iter().map(|run| run.id).max().unwrap(),
                }
            })
            .collect();
        found.sort_by_key(|group| std::cmp::Reverse(group.newest_run));
        found
    }

    fn history(&self, world: &str) -> Vec<HistoryEntry> {
        let mut entries: Vec<_> = self
            .runs
            .iter()
            .filter(|run| run.summary.world == world && run.summary.state == RunState::Finished)
            .map(|run| HistoryEntry {
                run: run.summary.id,
                at: run.summary.finished_at.unwrap(),
                outcome: run.summary.outcome.clone(),
                host_class: Some("kvm".into()),
                backends: run
                    .logs
                    .iter()
                    .map(|log| BackendTime {
                        backend: log.backend.clone(),
                        seconds: log.seconds,
                        instructions: log.instructions,
                    })
                    .collect(),
            })
            .collect();
        entries.sort_by_key(|entry| (entry.at, entry.run));
        entries
    }

    fn snapshot(&self) -> Snapshot {
        let newest_first = |mut runs: Vec<Run>| {
            runs.sort_by_key(|run| std::cmp::Reverse(run.summary.id));
            runs
        };
        Snapshot {
            modules: self.modules.iter().rev().cloned().collect(),
            worlds: self.worlds.iter().rev().cloned().collect(),
            campaigns: self
                .campaigns
                .iter()
                .rev()
                .map(|campaign| Campaign {
                    runs: self.counts(Some(campaign.id)),
                    ..campaign.clone()
                })
                .collect(),
            runs: newest_first(self.runs.clone())
                .into_iter()
                .map(|run| {
                    let lines = self.lines.get(&run.summary.id).cloned().unwrap_or_default();
                    let logs = run.logs.iter().map(|_| lines.clone()).collect();
                    (run, logs)
                })
                .collect(),
            divergences: self.divergences(),
            counts: self.counts(None),
            histories: Snapshot::WORLDS.iter().map(|world| self.history(world)).collect(),
        }
    }
}

fn not_found<T>(answer: &Result<T, ResultsError>) -> bool {
    matches!(answer, Err(ResultsError::NotFound { .. }))
}

fn in_use<T>(answer: &Result<T, ResultsError>) -> bool {
    matches!(answer, Err(ResultsError::InUse { .. }))
}

fn module_bytes(number: u8) -> Vec<u8> {
    // A world's bundle has the same bytes as a module: they share a blob.
    vec![number; 10 * usize::from(number)]
}

fn world_id(number: u8) -> String {
    format!("{number:032x}")
}

fn take(results: &Results, reference: &mut Reference, step: &Step) {
    match *step {
        Step::AddModule(number) => {
            let bytes = module_bytes(number);
            let (module, new) =
                results.add_module("m", &bytes, json!({"n": f64::from(number) / 3.0})).unwrap();
            match reference.modules.iter().find(|(_, there)| *there == bytes) {
                Some((there, _)) => assert_eq!((&module, new), (there, false)),
                None => {
                    assert!(new);
                    reference.modules.push((module, bytes));
                }
            }
        }
        Step::DeleteModule(number) => {
            let bytes = module_bytes(number);
            match reference.modules.iter().position(|(_, there)| *there == bytes) {
                Some(index) => {
                    let (module, _) = reference.modules.remove(index);
                    results.delete_module(&module.id).unwrap();
                }
                None => assert!(not_found(&results.delete_module(&"0".repeat(64)))),
            }
        }
        Step::AddWorld(number) => {
            let bundle = module_bytes(number);
            let (world, new) = results
                .add_world(NewWorld {
                    id: world_id(number),
                    name: "w".into(),
                    about: Value::Null,
                    source: (number > 1).then(|| "text".into()),
                    domains: number.into(),
                    bundle: &bundle,
                })
                .unwrap();
            match reference.worlds.iter().find(|(there, _)| there.id == world_id(number)) {
                Some((there, _)) => assert_eq!((&world, new), (there, false)),
                None => {
                    assert!(new);
                    reference.worlds.push((world, bundle));
                }
            }
        }
        Step::DeleteWorld(number) => {
            let id = world_id(number);
            let used = reference.going_on(|run| run.world_id.as_ref() == Some(&id));
            let answer = results.delete_world(&id);
            match reference.worlds.iter().position(|(world, _)| world.id == id) {
                None => assert!(not_found(&answer)),
                Some(_) if used => assert!(in_use(&answer)),
                Some(index) => {
                    answer.unwrap();
                    reference.worlds.remove(index);
                }
            }
        }
        Step::CreateRun { world, uploaded, campaign, comparison } => {
            let new = NewRun {
                campaign: campaign.then_some(reference.last_campaign),
                restarted_from: comparison.then_some(7),
                kind: if comparison { RunKind::Comparison } else { RunKind::Run },
                world_id: uploaded.then(|| world_id(world)),
                ..run_of(Snapshot::WORLDS[usize::from(world) % 3])
            };
            let missing =
                new.campaign.is_some_and(|id| !reference.campaigns.iter().any(|c| c.id == id))
                    || new.world_id.as_ref().is_some_and(|id| {
                        !reference.worlds.iter().any(|(world, _)| world.id == *id)
                    });
            let answer = results.create_run(new.clone());
            if missing {
                assert!(not_found(&answer));
                return;
            }
            reference.last_run += 1;
            let created_at = answer.as_ref().unwrap().summary.created_at;
            let expected = queued(reference.last_run, new, created_at);
            assert_eq!(answer.unwrap(), expected);
            reference.runs.push(expected);
        }
        Step::CreateCampaign(number) => {
            let runs: Vec<_> =
                Snapshot::WORLDS[..usize::from(number)].iter().map(|world| run_of(world)).collect();
            let new = NewCampaign { name: "c".into(), request: json!(number), runs: runs.clone() };
            let campaign = results.create_campaign(new).unwrap();
            reference.last_campaign += 1;
            assert_eq!(campaign.id, reference.last_campaign);
            for run in runs {
                reference.last_run += 1;
                let run = NewRun { campaign: Some(campaign.id), ..run };
                reference.runs.push(queued(reference.last_run, run, campaign.created_at));
            }
            reference.campaigns.push(campaign);
        }
        Step::Start(number) => {
            let Some(id) = reference.pick(number) else { return };
            let host = json!({"class": "kvm", "n": 1.1});
            let answer = results.start_run(id, host.clone());
            match reference.run(id) {
                None => assert!(not_found(&answer)),
                Some(run) if run.summary.state == RunState::Queued => {
                    run.summary.state = RunState::Running;
                    run.summary.started_at = answer.as_ref().unwrap().started_at;
                    run.host = Some(host);
                    assert_eq!(answer.unwrap(), run.summary);
                }
                Some(_) => assert!(matches!(answer, Err(ResultsError::State { .. }))),
            }
        }
        Step::Spool { run, lines } => {
            let Some(id) = reference.pick(run) else { return };
            let running =
                reference.run(id).is_some_and(|run| run.summary.state == RunState::Running);
            let writer = results.spool(id, "wasm");
            if !running {
                assert!(not_found(&writer));
                return;
            }
            let mut writer = writer.unwrap();
            for line in 0..lines {
                let text = format!("{{\"run\":{id},\"line\":{line}}}");
                writer.append(format!("{text}\n").as_bytes()).unwrap();
                reference.lines.entry(id).or_default().push(text);
            }
        }
        Step::Finish { run, state, outcome } => {
            let Some(id) = reference.pick(run) else { return };
            finish(results, reference, id, RunState::ALL[usize::from(state)], outcome);
        }
        Step::DeleteRun(number) => {
            let Some(id) = reference.pick(number) else { return };
            let answer = results.delete_run(id);
            match reference.run(id).map(|run| run.summary.state) {
                None => assert!(not_found(&answer)),
                Some(state) if !state.is_over() => assert!(in_use(&answer)),
                Some(_) => {
                    answer.unwrap();
                    reference.runs.retain(|run| run.summary.id != id);
                }
            }
        }
        Step::StopCampaign(number) => {
            let id = reference.last_campaign.saturating_sub(number.into());
            let answer = results.stop_campaign(id);
            match reference.campaigns.iter_mut().find(|campaign| campaign.id == id) {
                None => assert!(not_found(&answer)),
                Some(campaign) => {
                    let stopped = answer.unwrap().stopped_at;
                    assert!(stopped.is_some());
                    campaign.stopped_at = campaign.stopped_at.or(stopped);
                }
            }
        }
        Step::DeleteCampaign(number) => {
            let id = reference.last_campaign.saturating_sub(number.into());
            let answer = results.delete_campaign(id);
            if !reference.campaigns.iter().any(|campaign| campaign.id == id) {
                assert!(not_found(&answer));
            } else if reference.going_on(|run| run.campaign == Some(id)) {
                assert!(in_use(&answer));
            } else {
                answer.unwrap();
                reference.campaigns.retain(|campaign| campaign.id != id);
                reference.runs.retain(|run| run.summary.campaign != Some(id));
            }
        }
        Step::Reopen(_) => {}
    }
}

fn queued(id: u64, new: NewRun, created_at: i64) -> Run {
    Run {
        summary: RunSummary {
            id,
            campaign: new.campaign,
            restarted_from: new.restarted_from,
            kind: new.kind,
            world: new.world,
            world_id: new.world_id,
            state: RunState::Queued,
            outcome: None,
            reason: None,
            signature: None,
            created_at,
            started_at: None,
            finished_at: None,
        },
        request: new.request,
        host: None,
        result: None,
        logs: Vec::new(),
    }
}

fn finish(results: &Results, reference: &mut Reference, id: u64, state: RunState, outcome: u8) {
    let outcome = ["agree", "diverge", "diverge", "poisoned"][usize::from(outcome)];
    let finished = Finished {
        state,
        reason: Some(outcome.to_uppercase()),
        signature: (outcome == "diverge").then(|| signature(&(id % 3).to_string())),
        logs: vec![log("wasm", 1.0 / id as f64)],
        ..ended(outcome)
    };
    let answer = results.finish_run(id, finished.clone());
    if !state.is_over() {
        assert!(matches!(answer, Err(ResultsError::Invalid { .. })), "{answer:?}");
        return;
    }
    let lines = reference.lines.get(&id).cloned().unwrap_or_default();
    let Some(run) = reference.run(id) else {
        assert!(not_found(&answer));
        return;
    };
    let allowed = match run.summary.state {
        RunState::Queued => state != RunState::Finished,
        RunState::Running => true,
        _ => false,
    };
    if !allowed {
        assert!(matches!(answer, Err(ResultsError::State { .. })), "{answer:?}");
        return;
    }
    let answer = answer.unwrap();
    run.summary.state = state;
    run.summary.outcome = finished.outcome;
    run.summary.reason = finished.reason;
    run.summary.signature = finished.signature;
    run.summary.finished_at = answer.finished_at;
    run.result = Some(finished.result);
    assert_eq!(answer, run.summary);
    let log = results.run_log(id, "wasm").unwrap().expect("the log is there");
    assert_eq!(log.bytes, lines.iter().map(|line| line.len() as u64 + 1).sum::<u64>());
    assert_eq!((log.seconds, log.events, log.complete), (1.0 / id as f64, 2, true));
    run.logs = vec![log];
}

/// Opens the store again, perhaps without its index. What was running is interrupted.
fn reopen(results: Results, reference: &mut Reference, rebuild: bool) -> Results {
    let path = results.path().to_owned();
    drop(results);
    if rebuild {
        std::fs::remove_file(path.join("results.sqlite")).unwrap();
    }
    let (results, recovery) = Results::open(&path).unwrap();
    assert_eq!((recovery.cut, &recovery.damaged[..]), (0, &[][..]));
    assert!(rebuild || recovery.rebuilt.is_none(), "{recovery:?}");
    let lines = reference.lines.clone();
    let mut interrupted = Vec::new();
    for run in &mut reference.runs {
        if run.summary.state != RunState::Running {
            continue;
        }
        let there = results.run(run.summary.id).unwrap().unwrap();
        let spooled = lines.get(&run.summary.id);
        assert_eq!(there.logs.len(), usize::from(spooled.is_some() || !there.logs.is_empty()));
        for log in &there.logs {
            assert!(!log.complete);
            assert_eq!(log.events, spooled.map_or(0, Vec::len) as u64);
        }
        run.summary.state = RunState::Interrupted;
        run.summary.reason = there.summary.reason;
        run.summary.finished_at = there.summary.finished_at;
        run.result = Some(Value::Null);
        run.logs = there.logs;
        interrupted.push(run.summary.id);
    }
    assert_eq!(recovery.interrupted, interrupted);
    results
}

/// A list in pages, and filtered, is the same as the list of all, filtered.
fn check_filters(results: &Results, reference: &Reference, size: usize) {
    let filters = [
        RunFilter::default(),
        RunFilter { state: Some(RunState::Finished), ..RunFilter::default() },
        RunFilter { outcome: Some("agree".into()), world: Some("a".into()), ..Default::default() },
        RunFilter { kind: Some(RunKind::Comparison), ..RunFilter::default() },
        RunFilter { campaign: Some(reference.last_campaign), ..RunFilter::default() },
        RunFilter { signature: Some(signature("1").id()), ..RunFilter::default() },
    ];
    for filter in filters {
        let mut expected: Vec<_> = reference
            .runs
            .iter()
            .map(|run| &run.summary)
            .filter(|run| {
                filter.state.is_none_or(|state| run.state == state)
                    && (filter.outcome.is_none() || run.outcome == filter.outcome)
                    && filter.world.as_ref().is_none_or(|world| run.world == *world)
                    && filter.kind.is_none_or(|kind| run.kind == kind)
                    && (filter.campaign.is_none() || run.campaign == filter.campaign)
                    && (filter.signature.is_none()
                        || run.signature.as_ref().map(|s| s.id()) == filter.signature)
            })
            .map(|run| run.id)
            .collect();
        expected.sort_by_key(|id| std::cmp::Reverse(*id));
        let mut found = Vec::new();
        let mut page = Page::first(size);
        loop {
            let part = results.runs(&filter, page).unwrap();
            assert!(part.len() <= size);
            let Some(last) = part.last() else { break };
            page = Page::after(last.id, size);
            found.extend(part.iter().map(|run| run.id));
        }
        assert_eq!(found, expected, "{filter:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn the_store_is_what_a_few_lists_are(
        steps in prop::collection::vec(step(), 1..60),
        size in 1..5_usize,
    ) {
        let dir = support::fast_directory();
        let mut results = Results::open(dir.path()).unwrap().0;
        let mut reference = Reference::default();
        for (number, step) in steps.iter().enumerate() {
            if let Step::Reopen(rebuild) = step {
                results = reopen(results, &mut reference, *rebuild);
            }
            take(&results, &mut reference, step);
            if number % 8 == 7 {
                check_filters(&results, &reference, size);
                prop_assert_eq!(Snapshot::of(&results), reference.snapshot(), "{}", number);
            }
        }
        results = reopen(results, &mut reference, true);
        prop_assert_eq!(Snapshot::of(&results), reference.snapshot());
    }
}
