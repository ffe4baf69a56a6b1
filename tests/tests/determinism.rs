//! The same world gives the same log, byte for byte: again, and natively compiled or under
//! wasmtime.

use bundled_worlds::WORLDS;
use lcd::assemble;
use lcd::differential::alone;
use lcd::model::bundle::Bundle;
use lcd::model::event::Log;
use lcd::model::session::{Progress, Request, Session};
use lcd::{Backend, run_scheduled};
use wasm_sim::SimArch;

fn bundles() -> impl Iterator<Item = (&'static str, Bundle)> {
    WORLDS.iter().filter(|world| world.unavailable.is_none()).map(|world| {
        let bundle = assemble::bundled(world).unwrap_or_else(|error| panic!("{error}"));
        (world.name, bundle)
    })
}

fn under_wasmtime(bundle: &Bundle) -> String {
    let run = run_scheduled(bundle, Backend::Sim, None, alone(bundle));
    run.expect("the simulator is everywhere").log.to_json_lines()
}

/// Drives the simulator as a library, in slices of another size than the command line's: where
/// a slice ends must not show.
fn as_a_library(bundle: &Bundle, slice: u64) -> String {
    let mut session = Session::new(SimArch::new(), bundle.clone());
    session.handle(Request::Schedule(alone(bundle))).expect("nothing has happened yet");
    session.handle(Request::Boot).expect("it boots under wasmtime too");
    while session.run(slice, 1000) != Progress::Idle {}
    session.handle(Request::Finish).expect("a run can always be finished");
    session.log().to_json_lines()
}

/// Where two texts differ first, for a failure that can be read.
fn first_difference(left: &str, right: &str) -> String {
    let mut lines = left.lines().zip(right.lines()).enumerate();
    match lines.find(|(_, (a, b))| a != b) {
        Some((number, (a, b))) => format!("line {}:\n  {a}\n  {b}", number + 1),
        None => format!("{} and {} lines", left.lines().count(), right.lines().count()),
    }
}

#[track_caller]
fn assert_same(name: &str, left: &str, right: &str) {
    assert!(left == right, "{name}: {}", first_difference(left, right));
}

#[test]
fn two_runs_give_the_same_bytes() {
    for (name, bundle) in bundles() {
        assert_same(name, &under_wasmtime(&bundle), &under_wasmtime(&bundle));
    }
}

#[test]
fn the_compiled_simulator_and_the_wasm_give_the_same_bytes() {
    let mut compared = 0;
    for (name, bundle) in bundles() {
        assert_same(name, &under_wasmtime(&bundle), &as_a_library(&bundle, 3_333_333));
        compared += 1;
    }
    println!("{compared} worlds");
    assert!(compared >= 20);
}

#[test]
fn where_a_slice_ends_does_not_show() {
    for (name, bundle) in bundles().filter(|(name, _)| *name != "load" && *name != "timeout") {
        assert_same(name, &as_a_library(&bundle, 997), &as_a_library(&bundle, u64::MAX));
    }
}

#[test]
fn every_log_survives_being_written_and_read() {
    for (name, bundle) in bundles() {
        let lines = under_wasmtime(&bundle);
        let log = Log::from_json_lines(&lines).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_same(name, &log.to_json_lines(), &lines);
        assert_eq!(log.header.inputs, bundle.digest(), "{name}");
    }
}
