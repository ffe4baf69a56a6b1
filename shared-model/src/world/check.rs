//! What the types of a world cannot say, checked for world files and for bundles alike. What
//! domains hold is checked where it is worked out, in `distribution`.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use super::error::{Flaw, Path};
use super::names::{Kind, Names};
use super::objects::{
    CHANNEL_ORDER_MAX, MEMORY_NODES, MEMORY_PAGES_MAX, MemoryPlan, SERIAL_INPUT_MAX,
};
use super::{Argument, DomainPlan, Expectation, World};
use crate::address::PAGE_SIZE;
use crate::construct::ARGUMENTS_MAX;
use crate::exit::End;
use crate::layout::THREADS_MAX;

/// The first thing that is wrong with a world.
pub(super) fn check(world: &World) -> Result<(), Flaw> {
    if world.name.is_empty() {
        return Err(Path::of("name").flaw("a world needs a name that is not empty"));
    }
    if world.serial.input.len() > SERIAL_INPUT_MAX {
        let message = format!(
            "{} bytes arrive at the serial port, which has room for {SERIAL_INPUT_MAX}",
            world.serial.input.len()
        );
        return Err(Path::of("serial").key("input").flaw(message));
    }
    check_objects(world)?;
    let distribution = world.distribution()?;
    for (i, plan) in world.domains.iter().enumerate() {
        check_domain(plan, &distribution.names, &Path::of("domain").item(i))?;
    }
    check_modules(world)?;
    for (i, expectation) in world.expect.iter().enumerate() {
        check_expectation(expectation, &Path::of("expect").item(i))?;
    }
    Ok(())
}

fn check_objects(world: &World) -> Result<(), Flaw> {
    for (i, plan) in world.memory.iter().enumerate() {
        check_memory(plan, &Path::of("memory").item(i))?;
    }
    for (i, plan) in world.channels.iter().enumerate() {
        if plan.order > CHANNEL_ORDER_MAX {
            let order = plan.order;
            return Err(Path::of("channel").item(i).key("order").flaw(format!(
                "order {order} is too large: a channel has at most 1 << {CHANNEL_ORDER_MAX} pages"
            )));
        }
    }
    let mut ranges = BTreeMap::new();
    for (i, plan) in world.ports.iter().enumerate() {
        let path = Path::of("ports").item(i);
        let (first, last) = (plan.first, plan.last);
        if first > last {
            let message = format!("the last port, {last:#x}, is below the first, {first:#x}");
            return Err(path.key("last").flaw(message));
        }
        if let Some(other) = ranges.insert((first, last), &plan.name) {
            let message = format!("`{other}` has the same ports: leave one of the two out");
            return Err(path.key("first").flaw(message));
        }
    }
    let mut lines = BTreeMap::new();
    for (i, plan) in world.interrupts.iter().enumerate() {
        if let Some(other) = lines.insert(plan.line, &plan.name) {
            let message = format!("`{other}` is the same line: leave one of the two out");
            return Err(Path::of("interrupt").item(i).key("line").flaw(message));
        }
    }
    Ok(())
}

fn check_memory(plan: &MemoryPlan, path: &Path) -> Result<(), Flaw> {
    let flaw = |key, message: String| Err(path.clone().key(key).flaw(message));
    if !(1..=MEMORY_PAGES_MAX).contains(&plan.pages) {
        let message = format!("a block has 1 to {MEMORY_PAGES_MAX} pages, not {}", plan.pages);
        return flaw("pages", message);
    }
    if plan.node >= MEMORY_NODES {
        let last = MEMORY_NODES - 1;
        return flaw("node", format!("there is no memory node {}: use 0 to {last}", plan.node));
    }
    let size = plan.pages * PAGE_SIZE;
    let mut taken: BTreeMap<u64, u64> = BTreeMap::new();
    for (i, part) in plan.contents.iter().enumerate() {
        let path = path.clone().key("contents").item(i);
        let key = if part.hex.is_some() { "hex" } else { "text" };
        let bytes = match (&part.text, &part.hex) {
            (Some(_), Some(_)) => return Err(path.key("hex").flaw(EITHER)),
            (None, None) => return Err(path.flaw(EITHER)),
            (None, Some(hex)) if part.bytes().is_none() => {
                return Err(path.key("hex").flaw(not_hex(hex)));
            }
            _ => part.bytes().unwrap_or_default(),
        };
        let end = part.offset.saturating_add(bytes.len() as u64);
        if end > size {
            let message = format!(
                "these {} bytes from offset {} on do not fit the block, which has {size}: raise \
                 its `pages`",
                bytes.len(),
                part.offset
            );
            let key = if part.offset > size { "offset" } else { key };
            return Err(path.key(key).flaw(message));
        }
        if bytes.is_empty() {
            continue;
        }
        let before = taken.range(..end).next_back();
        if let Some((start, other)) = before.filter(|(_, other)| **other > part.offset) {
            let message = format!(
                "bytes {} to {end} of the block; those from {start} to {other} are given already",
                part.offset
            );
            return Err(path.key(key).flaw(message));
        }
        taken.insert(part.offset, end);
    }
    Ok(())
}

const EITHER: &str = "bytes are given as `text` or as `hex`: use one of the two";

fn not_hex(text: &str) -> String {
    // It can be as long as the file.
    let shown: String = text.chars().take(40).collect();
    let rest = if shown.len() < text.len() { "…" } else { "" };
    format!("`{shown}{rest}` is not pairs of hexadecimal digits")
}

fn check_domain(plan: &DomainPlan, names: &Names<'_>, path: &Path) -> Result<(), Flaw> {
    let flaw = |key, message: &str| Err(path.clone().key(key).flaw(message));
    let runs = "a domain runs a `module` or, in the host, a `service`: give it one of the two";
    match &plan.service {
        None if plan.module.is_empty() => return flaw("module", runs),
        Some(_) if !plan.module.is_empty() => return flaw("service", runs),
        Some(service) if service.is_empty() => return flaw("service", runs),
        Some(_) => {
            if let Some((key, _)) = module_keys(plan).into_iter().find(|(_, there)| *there) {
                let message = format!(
                    "`{key}` is about a module, and this domain runs a service of the host: \
                     leave it out"
                );
                return flaw(key, &message);
            }
        }
        None => {}
    }
    if plan.call.as_ref().is_some_and(|call| call.is_empty()) {
        return flaw("call", "`call` is empty: name a function, or leave it out");
    }
    check_arguments(&plan.args, path)?;
    if plan.threads.len() >= THREADS_MAX as usize {
        let path = path.clone().key("threads").item(THREADS_MAX as usize - 1);
        let message =
            format!("a domain has at most {THREADS_MAX} threads, its initial one included");
        return Err(path.flaw(message));
    }
    for (i, thread) in plan.threads.iter().enumerate() {
        let path = path.clone().key("threads").item(i);
        if thread.call.is_empty() {
            return Err(path.key("call").flaw("`call` is empty: name the thread's function"));
        }
        check_arguments(&thread.args, &path)?;
    }
    match &plan.faults {
        Some(faults) => match names.get_kind(Kind::Endpoint, faults) {
            Ok(_) => Ok(()),
            Err(message) => flaw("faults", &message),
        },
        None if plan.fault_badge != 0 => {
            flaw("fault_badge", "`fault_badge` without `faults`: say where faults are sent")
        }
        None => Ok(()),
    }
}

/// Keys that a host domain cannot have, and whether they are there.
fn module_keys(plan: &DomainPlan) -> [(&'static str, bool); 6] {
    [
        ("call", plan.call.is_some()),
        ("args", !plan.args.is_empty()),
        ("kill_after", plan.kill_after.is_some()),
        ("threads", !plan.threads.is_empty()),
        ("faults", plan.faults.is_some()),
        ("fault_badge", plan.fault_badge != 0),
    ]
}

fn check_arguments(args: &[Argument], path: &Path) -> Result<(), Flaw> {
    let path = || path.clone().key("args");
    if args.len() > ARGUMENTS_MAX {
        let number = args.len();
        return Err(path()
            .item(ARGUMENTS_MAX)
            .flaw(format!("{number} arguments; a function is given at most {ARGUMENTS_MAX}")));
    }
    for (i, argument) in args.iter().enumerate() {
        match argument {
            Argument::Bytes { hex } if crate::hex::decode(hex).is_none() => {
                return Err(path().item(i).key("hex").flaw(not_hex(hex)));
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_modules(world: &World) -> Result<(), Flaw> {
    // A domain's module is known by its file's name, in the same table as declared modules.
    let run: BTreeSet<_> = world.domains.iter().map(|plan| plan.module.as_str()).collect();
    let mut names = BTreeSet::new();
    for (i, plan) in world.modules.iter().enumerate() {
        let fail = |message| Err(Path::of("module").item(i).key("name").flaw(message));
        let name = plan.name.as_str();
        if !names.insert(name) {
            return fail(format!("a module named `{name}` is declared already: rename one"));
        }
        if run.contains(name) && name != plan.file {
            return fail(format!(
                "a domain's module is `{name}`, so no other file can have that name: rename it"
            ));
        }
    }
    Ok(())
}

fn check_expectation(expectation: &Expectation, path: &Path) -> Result<(), Flaw> {
    let flaw = |key, message: String| Err(path.clone().key(key).flaw(message));
    match (&expectation.domain, &expectation.serial) {
        (Some(_), Some(_)) => flaw(
            "serial",
            "the serial port is no domain's: expect `serial` in an [[expect]] of its own".into(),
        ),
        (None, None) => {
            let message =
                "an expectation is about a `domain` or about `serial`: add one of the two";
            Err(path.clone().flaw(message))
        }
        (None, Some(_)) => match expectation.domain_keys().next() {
            Some(key) => {
                flaw(key, format!("`{key}` is about a domain: add `domain`, or leave `{key}` out"))
            }
            None => Ok(()),
        },
        (Some(_), None) => match &expectation.end {
            Some(end) if !End::WORDS.contains(&end.as_str()) => flaw(
                "end",
                format!("`{end}` is no way to end: use one of {}", End::WORDS.join(", ")),
            ),
            _ => Ok(()),
        },
    }
}
