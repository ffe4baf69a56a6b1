//! The suite that every backend passes, on the simulated machine. One case at a time, in
//! order: the first that fails stops the run with its name printed last.

use shared_model::arch::Kick as _;
use shared_model::conformance::cases;
use wasm_sim::{SimArch, SimKick};

/// The simulator looks at the kick while it runs, so one that is there already is soon enough;
/// one that arrives in the middle is the next test's.
fn kick_soon(kick: SimKick) {
    kick.kick();
}

#[test]
fn the_simulator_keeps_the_contract_of_arch() {
    let cases = cases::<SimArch>();
    assert!(cases.len() > 40, "the suite is there");
    for case in cases {
        println!("{}", case.name);
        case.run(SimArch::new(), &kick_soon);
    }
}

#[test]
fn a_kick_from_another_thread_ends_a_spin() {
    let spin = |kick: SimKick| {
        std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(5));
            kick.kick();
        });
    };
    let mut seen = 0;
    for case in cases::<SimArch>().iter().filter(|case| case.name.contains("kick")) {
        case.run(SimArch::new(), &spin);
        seen += 1;
    }
    assert!(seen >= 3, "the suite has cases with kicks");
}
