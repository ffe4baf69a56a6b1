//! Hypercalls at random: no argument makes the microkernel do what the backend may not be asked
//! for, and everything comes back in the end.

use std::cell::Cell;
use std::rc::Rc;

use lcd_tests::elf::{Elf, READ_EXECUTE, Segment};
use shared_model::abi::Status;
use shared_model::bundle::Bundle;
use shared_model::construct::blueprint;
use shared_model::domain::DomainId;
use shared_model::event::EventKind;
use shared_model::loader;
use shared_model::microkernel::{Microkernel, Step};
use shared_model::world::{DomainPlan, World};

use super::checked::Checked;

const NAMES: &[&str] = &["small", "other", "absent", "broken"];

fn bundle() -> Bundle {
    let mut bundle = Bundle::new(World::single(DomainPlan::new("main", "small")));
    bundle.world.limits.pages = 400;
    let segment = Segment::new(0x40_0000, READ_EXECUTE, &[0xc3]);
    let elf = Elf::executable(0x40_0000, vec![segment]).bytes();
    for (name, bytes) in [("small", &elf[..]), ("other", &elf), ("broken", &elf[..80])] {
        let file = bundle.add_file(name, bytes);
        bundle.modules.insert(name.into(), vec![file]);
    }
    bundle
}

/// A microkernel whose threads call at random.
fn kernel(seed: u64) -> (Microkernel<Checked>, Rc<Cell<usize>>) {
    let bundle = bundle();
    let program = loader::link(&bundle.module("small").expect("it is there")).expect("it links");
    let utcb = blueprint(&program, &[]).expect("it fits").utcb;
    let checked = Checked::new(seed, utcb, NAMES);
    let live_frames = checked.live_frames();
    (Microkernel::new(checked, bundle), live_frames)
}

/// The statuses of the hypercalls in the log.
fn statuses(kernel: &Microkernel<Checked>) -> Vec<Status> {
    let status = |kind: &EventKind| match kind {
        EventKind::Hypercall { status, .. } => Some(*status),
        _ => None,
    };
    kernel.events().iter().filter_map(|event| status(&event.kind)).collect()
}

#[test]
fn random_hypercalls_harm_nobody_and_leave_nothing() {
    const CALLS: usize = 20_000;
    let (mut made, mut succeeded, mut seeds) = (0, 0, 0);
    while made < CALLS {
        seeds += 1;
        let (mut kernel, live_frames) = kernel(seeds);
        // The backend refuses now and then; a boot that fails leaves nothing that runs.
        let _ = kernel.boot();
        for _ in 0..4000 {
            if kernel.step(1000) == Step::Idle {
                break;
            }
        }
        let all = statuses(&kernel);
        made += all.len();
        succeeded += all.iter().filter(|status| **status == Status::Ok).count();
        kernel.finish();
        let domains: Vec<DomainId> = kernel.domains().map(|(id, ..)| id).collect();
        for domain in domains {
            // Another's end may have been this one's.
            let _ = kernel.destroy_domain(domain);
        }
        assert_eq!((kernel.domains().count(), live_frames.get()), (0, 0), "seed {seeds}");
    }
    println!("{made} hypercalls from {seeds} seeds, {succeeded} of them succeeded");
    assert!(succeeded * 20 > made, "too few mean anything: {succeeded} of {made}");
}

#[test]
fn the_same_seed_makes_the_same_log() {
    let log = |seed| {
        let (mut kernel, _) = kernel(seed);
        let _ = kernel.boot();
        for _ in 0..2000 {
            kernel.step(1000);
        }
        kernel.finish();
        kernel.log().to_json_lines()
    };
    assert_eq!(log(3), log(3));
}
