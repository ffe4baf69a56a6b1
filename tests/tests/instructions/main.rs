//! Differential testing of instructions: random code runs on the simulator and on hardware, and
//! the hardware judges.
//!
//! A snippet is a few general-register instructions without loops, random registers, flags and
//! memory. After it, the exit (with a fault's vector, code and address), every register, every
//! flag that the manual defines and all memory must be the same. The numbers come from a fixed
//! seed: `LCD_FUZZ_SEED` chooses another, `LCD_FUZZ` how many snippets there are.
//!
//! When two machines differ, the snippet is reduced to the instructions that matter before it is
//! shown.

mod encode;
mod generate;
mod machine;

use std::collections::BTreeMap;
use std::env;
use std::fmt::Write as _;

use generate::{Features, STATUS, Snippet};
use lcd_tests::Random;
use machine::{Machine, Outcome};
use native_vmx::{HostClass, NativeArch};
use shared_model::exit::{Exit, exception_name};
use shared_model::registers::GENERAL_NAMES;
use wasm_sim::SimArch;

/// Seconds, not minutes, on a host where an exit takes a tenth of a millisecond.
const SNIPPETS: u64 = 10_000;
const SEED: u64 = 0x6c63_6400_0000_0001;

fn setting(name: &str, default: u64) -> u64 {
    match env::var(name) {
        Err(_) => default,
        Ok(text) => {
            let parsed = match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16),
                None => text.parse(),
            };
            parsed.unwrap_or_else(|error| panic!("{name}={text}: {error}"))
        }
    }
}

/// What is different between two outcomes, a line each.
fn differences(snippet: &Snippet, sim: &Outcome, native: &Outcome) -> Vec<String> {
    let mut found = Vec::new();
    let faulted = |exit: &Exit| {
        // Where both addresses are bad, a host that does not say which it found may not find out.
        let unclear = matches!(exit, Exit::Unsupported { what, .. } if what.contains("EFAULT"));
        matches!(exit, Exit::Exception { .. } | Exit::Fault { .. }) || unclear
    };
    let either = snippet.compares_memory_at(native.registers.rip)
        && faulted(&sim.exit)
        && faulted(&native.exit);
    if sim.exit != native.exit && !either {
        found.push(format!("exit: sim {:x?}, native {:x?}", sim.exit, native.exit));
    }
    let (s, n) = (&sim.registers, &native.registers);
    let names = GENERAL_NAMES.iter().copied().chain(["rip"]);
    let values = s.general.into_iter().chain([s.rip]).zip(n.general.into_iter().chain([n.rip]));
    for (name, (s, n)) in names.zip(values) {
        if s != n {
            found.push(format!("{name}: sim {s:#x}, native {n:#x}"));
        }
    }
    let flags = (s.rflags ^ n.rflags) & !sim.undefined_flags;
    if flags != 0 {
        let (s, n) = (s.rflags, n.rflags);
        found.push(format!("rflags: sim {s:#x}, native {n:#x}, differ in {flags:#x}"));
    }
    // The simulator must not call flags undefined that the manual defines, or nothing of them
    // would be compared.
    let stopped = faulted(&sim.exit) && snippet.repeats_comparison_at(sim.registers.rip);
    let known = if stopped { STATUS } else { snippet.may_be_undefined() };
    let claimed = sim.undefined_flags & !known;
    if claimed != 0 {
        found.push(format!("the simulator calls flags {claimed:#x} undefined"));
    }
    let bytes = sim.memory.iter().zip(&native.memory).enumerate();
    for (offset, (s, n)) in bytes.filter(|(_, (s, n))| s != n).take(4) {
        found.push(format!("data+{offset:#x}: sim {s:#x}, native {n:#x}"));
    }
    found
}

struct Pair {
    sim: Machine<SimArch>,
    native: Machine<NativeArch>,
    /// Whether the host's kernel interprets instructions that raise #GP.
    interpreted: bool,
}

/// Whether #UD came from the host's interpreter in place of the processor's #GP or #SS. Hosts
/// without hardware virtualization look at an instruction that raises those, in case it is one
/// of the kernel's, and their interpreter does not know the newer ones.
fn is_interpreter_s_answer(sim: &Exit, native: &Exit) -> bool {
    matches!(sim, Exit::Exception { vector: 12 | 13, code: 0, .. })
        && matches!(native, Exit::Exception { vector: 6, .. })
}

impl Pair {
    fn judge(&mut self, snippet: &Snippet) -> (Outcome, Vec<String>) {
        let sim = self.sim.run(snippet);
        if matches!(sim.exit, Exit::Unsupported { .. }) {
            return (sim, Vec::new());
        }
        let native = self.native.run(snippet);
        if self.interpreted && is_interpreter_s_answer(&sim.exit, &native.exit) {
            return (native, Vec::new());
        }
        let found = differences(snippet, &sim, &native);
        (sim, found)
    }

    /// Leaves out instructions as long as the machines still differ.
    fn reduce(&mut self, mut snippet: Snippet) -> Snippet {
        let mut i = 0;
        while i < snippet.instructions.len() {
            let smaller = snippet.without(i);
            if self.judge(&smaller).1.is_empty() {
                i += 1;
            } else {
                snippet = smaller;
            }
        }
        snippet
    }

    fn describe(&mut self, snippet: Snippet) -> String {
        let snippet = self.reduce(snippet);
        let mut text = format!("\n{}", snippet.listing());
        for line in self.judge(&snippet).1 {
            writeln!(text, "    {line}").unwrap();
        }
        let registers = snippet.registers;
        for (name, value) in GENERAL_NAMES.iter().zip(registers.general) {
            write!(text, " {name}={value:#x}").unwrap();
        }
        writeln!(text, " rflags={:#x}", registers.rflags).unwrap();
        text
    }
}

/// What an outcome is counted as.
fn kind(exit: &Exit) -> String {
    match exit {
        Exit::Hypercall { .. } => "to the end".into(),
        Exit::Exception { vector, .. } => exception_name(*vector).into(),
        Exit::Fault { access, .. } => format!("refused {access}"),
        Exit::Unsupported { what, .. } => format!("unsupported: {what}"),
        other => format!("{other:?}"),
    }
}

#[test]
fn random_instructions_do_the_same_on_hardware_and_in_the_simulator() {
    let (count, seed) = (setting("LCD_FUZZ", SNIPPETS), setting("LCD_FUZZ_SEED", SEED));
    let native = match NativeArch::new() {
        Ok(native) => native,
        Err(reason) => {
            println!("{count} snippets skipped: {reason}");
            return;
        }
    };
    println!("LCD_FUZZ={count} LCD_FUZZ_SEED={seed:#x}");
    let features = Features::of_this_processor();
    let interpreted = native_vmx::probe().class == HostClass::EmulatedRings;
    let (sim, native) = (Machine::new(SimArch::new()), Machine::new(native));
    let mut pair = Pair { sim, native, interpreted };
    let mut random = Random::new(seed);
    let (mut kinds, mut failures) = (BTreeMap::new(), Vec::new());
    let mut instructions = 0;
    for number in 0..count {
        let snippet = generate::snippet(&mut random, features);
        instructions += snippet.instructions.len();
        let (outcome, found) = pair.judge(&snippet);
        *kinds.entry(kind(&outcome.exit)).or_insert(0_u32) += 1;
        if !found.is_empty() {
            failures.push(format!("snippet {number}:{}", pair.describe(snippet)));
        }
        if failures.len() == 8 {
            break;
        }
    }
    println!("{instructions} instructions in {count} snippets: {kinds:?}");
    assert!(failures.is_empty(), "the machines differ:\n{}", failures.join("\n"));
    let ran = kinds.get("to the end").copied().unwrap_or(0);
    assert!(u64::from(ran) * 4 > count, "most snippets end early: {kinds:?}");
    let unsupported = kinds.keys().find(|kind| kind.starts_with("unsupported"));
    assert_eq!(unsupported, None, "the simulator lacks an instruction of the generator");
}

#[test]
fn the_same_seed_gives_the_same_snippets() {
    let listing = |seed| {
        let mut random = Random::new(seed);
        let all = (0..50).map(|_| generate::snippet(&mut random, Features::default()).listing());
        all.collect::<String>()
    };
    assert_eq!(listing(1), listing(1));
    assert_ne!(listing(1), listing(2));
}

#[test]
fn the_simulator_alone_never_stops_at_what_it_claims_to_know() {
    let mut machine = Machine::new(SimArch::new());
    let mut random = Random::new(7);
    for _ in 0..2000 {
        let snippet = generate::snippet(&mut random, Features::all());
        let outcome = machine.run(&snippet);
        let known = matches!(
            outcome.exit,
            Exit::Hypercall { .. } | Exit::Exception { .. } | Exit::Fault { .. }
        );
        assert!(known, "{:?}\n{}", outcome.exit, snippet.listing());
    }
}
