//! Whatever anybody does with devices: nothing panics, and everything stays bounded.

use alloc::vec::Vec;

use proptest::prelude::{Strategy, any, prop_assert, prop_oneof, proptest};
use proptest::sample::select;

use super::{
    ALONE, Bench, G, Hypercall, MAIN, Ports, R, Rights, SERIAL, SERIAL_LINE, TIMER, TIMER_LINE, W,
    bench_of,
};
use crate::abi::device as abi;
use crate::arch::Arch;
use crate::domain::{DomainId, ThreadState};
use crate::exit::Exit;
use crate::layout::SystemBlock;
use crate::microkernel::Step;

const CALLS: [Hypercall; 16] = [
    Hypercall::InterruptEnable,
    Hypercall::InterruptDisable,
    Hypercall::DeviceAssign,
    Hypercall::DeviceRelease,
    Hypercall::DeviceMap,
    Hypercall::DeviceUnmap,
    Hypercall::PortRead,
    Hypercall::InterruptBind,
    Hypercall::InterruptAcknowledge,
    Hypercall::NotificationPoll,
    Hypercall::NotificationCreate,
    Hypercall::Sleep,
    Hypercall::CapCopy,
    Hypercall::CapMove,
    Hypercall::CapDelete,
    Hypercall::CapRevoke,
];

#[derive(Clone, Debug)]
enum Act {
    Write { port: u16, width: u64, value: u32 },
    Call { call: Hypercall, words: Vec<u64> },
    Input(Vec<u8>),
    Fault { rax: u64, rdx: u64 },
}

fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        select(&[0, 5, TIMER, SERIAL, TIMER_LINE, SERIAL_LINE, 14, 15, 16, 17][..]),
        select(&[1, 2, 3, 4, 0x1000, 0x2000, 0x3f8, 0x40c, u64::MAX - 1][..]),
        0..u64::MAX,
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let port = prop_oneof![
        abi::SERIAL_FIRST..=abi::SERIAL_LAST,
        abi::TIMER_FIRST..=abi::TIMER_LAST,
        any::<u16>(),
    ];
    let value = prop_oneof![0_u32..300, any::<u32>()];
    let width = select(&[1, 1, 2, 4, 4][..]);
    prop_oneof![
        (port, width, value).prop_map(|(port, width, value)| Act::Write { port, width, value }),
        (select(&CALLS[..]), proptest::collection::vec(word(), 5))
            .prop_map(|(call, words)| Act::Call { call, words }),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Act::Input),
        (any::<u64>(), word()).prop_map(|(rax, rdx)| Act::Fault { rax, rdx }),
    ]
}

/// A bench whose one domain holds everything there is.
fn everything() -> Bench {
    let mut bench = bench_of(ALONE);
    let all = Ports { first: 0, last: u16::MAX };
    bench.kernel.give_ports(DomainId(0), 5, all, Rights::ALL).unwrap();
    bench.done(MAIN, Hypercall::NotificationCreate, &[14]);
    bench.done(MAIN, Hypercall::PageAllocate, &[15, R | W | G, 1]);
    bench.done(MAIN, Hypercall::PageAllocate, &[16, R | W | G, 0]);
    super::ports::code(&mut bench, MAIN, 0, &INSTRUCTIONS);
    bench
}

/// Every form of port instruction, and what is in the middle of some.
const INSTRUCTIONS: [u8; 16] = [
    0xec, 0xed, 0xee, 0xef, 0x66, 0xed, 0x66, 0xef, 0xe5, 0x40, 0xe7, 0x40, 0x48, 0xed, 0xe6, 0xc0,
];

/// Says whether the thread can go on.
fn carry_out(bench: &mut Bench, act: Act) -> bool {
    match act {
        Act::Write { port, width, value } => {
            let words = [5, port.into(), width, value.into()];
            bench.call(MAIN, Hypercall::PortWrite, &words);
        }
        Act::Call { call, words } => drop(bench.call(MAIN, call, &words)),
        Act::Input(bytes) => drop(bench.kernel.serial_input(&bytes)),
        Act::Fault { rax, rdx } => {
            let code = SystemBlock::place(&[]).unwrap().code_window().0;
            let rip = code + rax % INSTRUCTIONS.len() as u64;
            bench.kernel.arch.set_registers(MAIN, &super::registers(rip, rax, rdx));
            bench.kernel.emulate_port(MAIN, 13, 0);
        }
    }
    bench.audit();
    // A sleeper wakes up, as nobody else is there, unless it sleeps for ever.
    let sleeps = bench.kernel.thread(MAIN).state == ThreadState::Blocked;
    let goes_on = !sleeps || bench.kernel.step(1000) == Step::Continued;
    bench.audit();
    goes_on
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn nothing_panics_and_everything_stays_bounded(acts in proptest::collection::vec(act(), 1..60)) {
        let mut bench = everything();
        for act in acts {
            let before = bench.kernel.events().len();
            let goes_on = carry_out(&mut bench, act);
            // The act, its port, the output, an interrupt and a signal of each line, and time.
            prop_assert!(bench.kernel.events().len() - before <= 12);
            prop_assert!(bench.kernel.devices.line_count() <= 256);
            if !goes_on {
                return Ok(());
            }
        }
        prop_assert!(bench.kernel.serial_output().len() <= 4 << 20);
        bench.exit(MAIN, Exit::Shutdown);
        bench.kernel.finish();
    }
}
