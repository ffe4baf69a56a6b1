//! The suite that every backend passes, on this host's KVM. Without KVM it is skipped, with
//! the reason and the number of cases that did not run.

use std::thread;
use std::time::Duration;

use native_vmx::{KickHandle, NativeArch};
use shared_model::arch::Kick;
use shared_model::conformance::cases;

fn kick_soon(kick: KickHandle) {
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(5));
        kick.kick();
    });
}

#[test]
fn kvm_keeps_the_contract_of_arch() {
    let cases = cases::<NativeArch>();
    if let Err(reason) = NativeArch::new() {
        println!("skipped {} cases: {reason}", cases.len());
        return;
    }
    let mut failed = Vec::new();
    for case in &cases {
        let machine = NativeArch::new().expect("it could be made a moment ago");
        let run = std::panic::AssertUnwindSafe(|| case.run(machine, &kick_soon));
        let passed = std::panic::catch_unwind(run).is_ok();
        println!("{} {}", if passed { "pass" } else { "FAIL" }, case.name);
        if !passed {
            failed.push(case.name);
        }
    }
    assert!(failed.is_empty(), "{} of {} cases failed: {failed:#?}", failed.len(), cases.len());
}
