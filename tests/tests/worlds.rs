//! Every bundled world, on every backend that is there.

use std::fmt::Write as _;

use bundled_worlds::WORLDS;
use lcd::Backend;
use lcd::assemble;
use lcd::differential::{self, Case, Field, Outcome, Summary};

/// Whether a world is meant to end at the run's limit: two runs that the clock ended cannot be
/// compared beyond that.
fn expects_a_timeout(case: &Case) -> bool {
    let world = WORLDS.iter().find(|world| world.name == case.name).expect("it is bundled");
    world.toml.contains("end = \"timeout\"")
}

fn is_as_it_should_be(case: &Case, native: bool) -> bool {
    let fine = match case.outcome {
        Outcome::Agree => true,
        // Alone, the simulator is only compared with what the world expects.
        Outcome::Skipped => !native || case.backends.is_empty(),
        Outcome::Poisoned => expects_a_timeout(case),
        Outcome::Diverge => false,
    };
    fine && case.unmet.is_empty() && case.backends.iter().all(|run| run.error.is_none())
}

#[test]
fn every_bundled_world_agrees_and_meets_its_expectations() {
    let native = lcd_tests::native();
    let field: Field = vec![(Backend::Native, native.clone()), (Backend::Sim, Ok(()))];
    let (mut cases, mut failed, mut table) = (Vec::new(), Vec::new(), String::new());
    for world in WORLDS {
        let case = match assemble::bundled(world) {
            Ok(bundle) => differential::case(&bundle, &field, None),
            Err(error) => differential::skipped(world.name, error.to_string()),
        };
        let reason = case.reason.as_deref().unwrap_or_default();
        writeln!(table, "{:<24} {:?} {} {reason}", case.name, case.outcome, case.events).unwrap();
        if !is_as_it_should_be(&case, native.is_ok()) {
            failed.push(format!("{}: {reason} {:?}", case.name, case.unmet));
        }
        cases.push(case);
    }
    let Summary { agree, diverge, poisoned, skipped } = Summary::of(&cases);
    println!("{table}{agree} agree, {diverge} diverge, {poisoned} poisoned, {skipped} skipped");
    if let Err(reason) = &native {
        println!("native skipped for all {} worlds: {reason}", cases.len());
    }
    assert!(failed.is_empty(), "{} worlds failed:\n{}", failed.len(), failed.join("\n"));
    assert!(cases.len() >= 20);
    if native.is_ok() {
        assert!(agree >= 20, "only {agree} worlds were compared");
    }
}

#[test]
fn together_the_worlds_show_the_ends_that_a_domain_can_come_to() {
    for word in ["exit", "exception", "fault", "unprovided", "port", "killed", "destroyed"] {
        assert!(lcd::model::exit::End::WORDS.contains(&word));
        let line = format!("end = \"{word}\"");
        assert!(WORLDS.iter().any(|world| world.toml.contains(&line)), "no world ends by {word}");
    }
}
