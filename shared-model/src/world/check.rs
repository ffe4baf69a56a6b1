//! What the types of a world cannot say, checked for world files and for bundles alike.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use super::{Argument, DomainPlan, Expectation, PagePlan, World};
use crate::capability::SLOTS;
use crate::construct::ARGUMENTS_MAX;
use crate::domain::DOMAINS_MAX;
use crate::exit::End;
use crate::layout;
use crate::rights::Rights;

/// The part of a world that is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    /// Its name.
    Name,
    /// The domain of this index.
    Domain(usize),
    /// The module of this index.
    Module(usize),
    /// The expectation of this index.
    Expect(usize),
}

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Flaw {
    pub(super) part: Part,
    pub(super) message: String,
}

/// The first thing that is wrong with a world.
pub(super) fn check(world: &World) -> Result<(), Flaw> {
    let flaw = |part| move |message: String| Flaw { part, message };
    if world.name.is_empty() {
        return Err(flaw(Part::Name)("a world needs a name".into()));
    }
    let mut names = BTreeSet::new();
    for (i, plan) in world.domains.iter().enumerate() {
        let fail = flaw(Part::Domain(i));
        if i == DOMAINS_MAX {
            return Err(fail(format!("a run has at most {DOMAINS_MAX} domains at a time")));
        }
        if plan.name.is_empty() {
            return Err(fail("a domain needs a name".into()));
        }
        if !names.insert(&*plan.name) {
            return Err(fail(format!("a domain named `{}` is declared already", plan.name)));
        }
    }
    for (i, plan) in world.domains.iter().enumerate() {
        check_domain(plan, &names).map_err(flaw(Part::Domain(i)))?;
    }
    // A domain's module is known by its file's name, in the same table as declared modules.
    let mut modules: BTreeMap<_, _> =
        world.domains.iter().map(|plan| (&*plan.module, (&*plan.module, false))).collect();
    for (i, plan) in world.modules.iter().enumerate() {
        let fail = flaw(Part::Module(i));
        let name = &plan.name;
        match modules.insert(name, (&plan.file, true)) {
            Some((_, true)) => {
                return Err(fail(format!("a module named `{name}` is declared already")));
            }
            Some((file, false)) if file != plan.file => {
                let message = format!(
                    "a domain's module is `{name}`, so no other file can have that name: rename it"
                );
                return Err(fail(message));
            }
            _ => {}
        }
    }
    for (i, expectation) in world.expect.iter().enumerate() {
        check_expectation(expectation).map_err(flaw(Part::Expect(i)))?;
    }
    Ok(())
}

fn check_domain(plan: &DomainPlan, names: &BTreeSet<&str>) -> Result<(), String> {
    if plan.call.as_ref().is_some_and(|call| call.is_empty()) {
        return Err("`call` is empty: name a function, or leave it out".into());
    }
    let mut slots = BTreeSet::new();
    let held = plan.pages.iter().map(|page| page.slot);
    for slot in held.chain(plan.domains.iter().map(|grant| grant.slot)) {
        if !(1..SLOTS).contains(&slot) {
            return Err(format!("slot {slot} is not between 1 and {}", SLOTS - 1));
        }
        if !slots.insert(slot) {
            return Err(format!("slot {slot} is used twice"));
        }
    }
    if let Some(grant) = plan.domains.iter().find(|grant| !names.contains(&*grant.name)) {
        return Err(format!("no domain is named `{}`", grant.name));
    }
    let mut places = BTreeSet::new();
    for page in &plan.pages {
        check_page(page)?;
        if let Some(at) = page.at.filter(|&at| !places.insert(at)) {
            return Err(format!("two pages are mapped at {at}"));
        }
    }
    if plan.args.len() > ARGUMENTS_MAX {
        let number = plan.args.len();
        return Err(format!("{number} arguments; a function is given at most {ARGUMENTS_MAX}"));
    }
    for argument in &plan.args {
        match argument {
            Argument::Bytes { hex } if crate::hex::decode(hex).is_none() => {
                return Err(format!("`{hex}` is not pairs of hexadecimal digits"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_page(page: &PagePlan) -> Result<(), String> {
    let Some(at) = page.at else { return Ok(()) };
    match layout::window_rights(at) {
        Some(_) if at.is_page_aligned() && page.rights.contains(Rights::READ) => Ok(()),
        Some(_) if at.is_page_aligned() => {
            Err(format!("a page that is mapped must be readable, and slot {} is not", page.slot))
        }
        _ => Err(format!(
            "{at} is not a page of a window: the data window is {} to {:#x}, the code window {} \
             to {:#x}",
            layout::DATA_WINDOW,
            layout::DATA_WINDOW.0 + layout::DATA_WINDOW_SIZE,
            layout::CODE_WINDOW,
            layout::CODE_WINDOW.0 + layout::CODE_WINDOW_SIZE,
        )),
    }
}

fn check_expectation(expectation: &Expectation) -> Result<(), String> {
    match &expectation.end {
        Some(end) if !End::WORDS.contains(&end.as_str()) => {
            Err(format!("`{end}` is no way to end: use one of {}", End::WORDS.join(", ")))
        }
        _ => Ok(()),
    }
}
