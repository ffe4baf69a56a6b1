//! Who holds what at the start, worked out: every name resolved, every slot chosen, and the
//! capabilities in an order in which each comes after the one it is derived from.
//!
//! To find this is also to check it, so that what the microkernel boots cannot be wrong.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::error::{Flaw, Path};
use super::names::{Kind, Names};
use super::{CapPlan, DomainPlan, PagePlan, World};
use crate::abi::boot_info;
use crate::address::{GuestPhysical, PAGE_SIZE};
use crate::capability::cptr;
use crate::layout;
use crate::rights::Rights;

/// A page of a domain's own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Own<'w> {
    /// The domain's index.
    pub(crate) domain: usize,
    /// The capability's slot there.
    pub(crate) slot: u64,
    /// What the file says of it.
    pub(crate) plan: &'w PagePlan,
}

/// A capability that a domain is given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'w> {
    /// The domain's index.
    pub(crate) domain: usize,
    /// Its slot there.
    pub(crate) slot: u64,
    /// What the file says of it.
    pub(crate) plan: &'w CapPlan,
    /// What it names: the kind, and which of this kind.
    pub(crate) object: (Kind, usize),
    /// Its badge, which may be its parent's; 0 is none.
    pub(crate) badge: u64,
    /// The capability it is derived from, an earlier one; the host's if there is none.
    pub(crate) parent: Option<usize>,
}

/// Who holds what.
#[derive(Debug)]
pub(crate) struct Distribution<'w> {
    /// What the world's names stand for.
    pub(crate) names: Names<'w>,
    /// Every page that is a domain's own.
    pub(crate) own: Vec<Own<'w>>,
    /// Every other capability, parents first and otherwise as in the file.
    pub(crate) given: Vec<Given<'w>>,
}

/// A capability of the file, with its place there.
#[derive(Clone, Copy)]
struct Cap<'w> {
    domain: usize,
    index: usize,
    plan: &'w CapPlan,
    object: (Kind, usize),
    slot: u64,
}

impl Cap<'_> {
    fn path(&self) -> Path {
        cap_path(self.domain, self.index)
    }
}

fn cap_path(domain: usize, index: usize) -> Path {
    Path::of("domain").item(domain).key("caps").item(index)
}

fn page_path(domain: usize, index: usize) -> Path {
    Path::of("domain").item(domain).key("pages").item(index)
}

impl World {
    /// Who holds what at the start.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(crate) fn distribution(&self) -> Result<Distribution<'_>, Flaw> {
        let names = Names::of(self)?;
        let (mut own, mut caps) = (Vec::new(), Vec::new());
        // Of each domain's capabilities to an object, the first.
        let mut first = BTreeMap::new();
        for (domain, plan) in self.domains.iter().enumerate() {
            let mut slots = slots(domain, plan)?.into_iter();
            check_boot_names(domain, &plan.caps)?;
            for (index, page) in plan.pages.iter().enumerate() {
                check_rights("a page", Kind::Memory, page.rights)
                    .map_err(|message| page_path(domain, index).key("rights").flaw(message))?;
            }
            own.extend(plan.pages.iter().zip(&mut slots).map(|(plan, slot)| Own {
                domain,
                slot,
                plan,
            }));
            let begin = caps.len();
            for (index, (plan, slot)) in plan.caps.iter().zip(&mut slots).enumerate() {
                let object = check_object(&names, plan)
                    .map_err(|(key, message)| cap_path(domain, index).key(key).flaw(message))?;
                first.entry((domain, object)).or_insert(caps.len());
                caps.push(Cap { domain, index, plan, object, slot });
            }
            self.check_places(domain, plan, &caps[begin..])?;
        }
        let parents: Result<Vec<_>, _> = caps
            .iter()
            .map(|cap| {
                let Some(under) = &cap.plan.under else { return Ok(None) };
                let fail = |message| cap.path().key("under").flaw(message);
                let holder = names.get_kind(Kind::Domain, under).map_err(fail)?;
                first.get(&(holder, cap.object)).copied().map(Some).ok_or_else(|| {
                    fail(format!(
                        "`{under}` has no capability to `{}` to derive this one from: give it \
                         one, or leave `under` out",
                        cap.plan.object
                    ))
                })
            })
            .collect();
        Ok(Distribution { given: ordered(&caps, &parents?)?, own, names })
    }

    /// Checks where what a domain holds is mapped.
    fn check_places(&self, domain: usize, plan: &DomainPlan, caps: &[Cap<'_>]) -> Result<(), Flaw> {
        let mut places = Places::default();
        let own = plan.pages.iter().enumerate().filter_map(|(index, page)| {
            Some((page_path(domain, index), "a page", page.rights, page.at?, Some(1)))
        });
        let given = caps.iter().filter_map(|cap| {
            let (kind, index) = cap.object;
            let name = cap.plan.object.as_str();
            Some((cap.path(), name, cap.plan.rights, cap.plan.at?, self.pages_of(kind, index)))
        });
        for (path, name, rights, at, pages) in own.chain(given) {
            let fail = |message| path.clone().key("at").flaw(message);
            if plan.service.is_some() {
                let message = "the domain runs in the host and has no memory to map this into: \
                               leave `at` out";
                return Err(fail(message.into()));
            }
            let pages = pages.ok_or_else(|| {
                fail(format!("`{name}` cannot be mapped: only memory and channels can"))
            })?;
            let end = check_window(at, pages).map_err(fail)?;
            if !rights.contains(Rights::READ) {
                let message = "what is mapped must be readable: add `r`, or leave `at` out";
                return Err(path.key("rights").flaw(message));
            }
            if at >= layout::CODE_WINDOW && !rights.contains(Rights::EXECUTE) {
                let message = "what is mapped in the code window can be executed: add `x`, or map \
                               it in the data window";
                return Err(path.key("rights").flaw(message));
            }
            places.take(name, at.0, end).map_err(fail)?;
        }
        Ok(())
    }
}

/// The parts of a domain's windows where something is mapped: by their start, their end and what
/// it is.
#[derive(Default)]
struct Places<'w>(BTreeMap<u64, (u64, &'w str)>);

impl<'w> Places<'w> {
    fn take(&mut self, name: &'w str, start: u64, end: u64) -> Result<(), String> {
        let last = self.0.range(..end).next_back();
        if let Some((other_start, (_, other))) = last.filter(|(_, (end, _))| *end > start) {
            return Err(format!(
                "`{name}` would be at {start:#x} to {end:#x}, where `{other}` is, which begins \
                 at {other_start:#x}: move one of the two"
            ));
        }
        self.0.insert(start, (end, name));
        Ok(())
    }
}

/// The end of a mapping, if it lies in one window.
fn check_window(at: GuestPhysical, pages: u64) -> Result<u64, String> {
    use layout::{CODE_WINDOW, CODE_WINDOW_SIZE, DATA_WINDOW, DATA_WINDOW_SIZE};
    let windows = format!(
        "the data window is {DATA_WINDOW} to {:#x}, the code window {CODE_WINDOW} to {:#x}",
        DATA_WINDOW.0 + DATA_WINDOW_SIZE,
        CODE_WINDOW.0 + CODE_WINDOW_SIZE,
    );
    let Some(window) = layout::window_rights(at).filter(|_| at.is_page_aligned()) else {
        return Err(format!("{at} is not the start of a page in a window: {windows}"));
    };
    let size = pages.saturating_mul(PAGE_SIZE);
    let last = GuestPhysical(at.0.saturating_add(size.saturating_sub(1)));
    if layout::window_rights(last) != Some(window) {
        return Err(format!("{pages} pages from {at} leave the window: {windows}"));
    }
    Ok(last.0 + 1)
}

/// What a capability names, if a capability to it can be like this. Otherwise the key that is
/// wrong.
fn check_object(
    names: &Names<'_>,
    plan: &CapPlan,
) -> Result<(Kind, usize), (&'static str, String)> {
    let object = names.get(&plan.object).map_err(|message| ("object", message))?;
    let kind = object.0;
    check_rights(&plan.object, kind, plan.rights).map_err(|message| ("rights", message))?;
    if plan.badge > kind.badge_max() {
        let text = kind.text();
        let can = match kind {
            Kind::Channel => "a capability to one has the badge 0 or 1, for one end or the other",
            _ => "only capabilities to endpoints, notifications and channels can have a badge",
        };
        return Err(("badge", format!("`{}` is {text}: {can}", plan.object)));
    }
    Ok(object)
}

fn check_rights(name: &str, kind: Kind, rights: Rights) -> Result<(), String> {
    if kind.rights().contains(rights) {
        return Ok(());
    }
    Err(format!(
        "`{name}` is {}, for which only the rights {} mean anything, and this asks for {}",
        kind.text(),
        letters(kind.rights()),
        letters(rights)
    ))
}

/// Rights as a world file writes them.
fn letters(rights: Rights) -> String {
    format!("\"{}\"", format!("{rights}").replace('-', ""))
}

/// The slots of a domain's capabilities: of its own pages, then of the others.
fn slots(domain: usize, plan: &DomainPlan) -> Result<Vec<u64>, Flaw> {
    let pages = plan.pages.iter().enumerate().map(|(i, page)| (page_path(domain, i), page.slot));
    let caps = plan.caps.iter().enumerate().map(|(i, cap)| (cap_path(domain, i), cap.slot));
    let wanted: Vec<_> = pages.chain(caps).collect();
    let mut taken = BTreeSet::new();
    for (path, slot) in &wanted {
        let Some(slot) = *slot else { continue };
        let fail = |message| path.clone().key("slot").flaw(message);
        check_slot(slot).map_err(fail)?;
        if !taken.insert(slot) {
            let message = format!("slot {slot} is used twice: choose another, or leave it out");
            return Err(fail(message));
        }
    }
    let mut free = (0..)
        .map_while(cptr::nth)
        .filter(|slot| check_slot(*slot).is_ok() && !taken.contains(slot));
    let slots = wanted.into_iter().map(|(path, slot)| {
        slot.or_else(|| free.next()).ok_or_else(|| {
            path.flaw("every slot of the domain is used: give it fewer capabilities")
        })
    });
    slots.collect()
}

fn check_slot(slot: u64) -> Result<(), String> {
    match cptr::fields(slot) {
        Some(_) if slot >= cptr::FIRST => Ok(()),
        Some(_) => Err(format!(
            "slot {slot} is reserved (0 names nothing, 1 and 2 are each thread's own): use {} or \
             more, or leave `slot` out",
            cptr::FIRST
        )),
        None => Err(format!(
            "there is no slot {slot:#x}: level 0 has the slots 3 to 0x1f, level 1 0x100000 to \
             0x1003ff, level 2 0x200000 to 0x207fff, level 3 0x300000 to 0x3fffff"
        )),
    }
}

/// Checks that the boot information of a domain has room, and no name twice.
fn check_boot_names(domain: usize, caps: &[CapPlan]) -> Result<(), Flaw> {
    let mut names = BTreeSet::new();
    for (index, plan) in caps.iter().enumerate() {
        let Some(name) = plan.boot_name() else { continue };
        let key = if plan.name.is_some() { "name" } else { "object" };
        let fail = |message: String| Err(cap_path(domain, index).key(key).flaw(message));
        if name.len() > boot_info::NAME_MAX || name.chars().any(char::is_control) {
            return fail(format!(
                "a name in the boot information has at most {} bytes and no control characters: \
                 give the capability a `name` like that, or `name = \"\"` for no entry",
                boot_info::NAME_MAX
            ));
        }
        if !names.insert(name) {
            return fail(format!(
                "the domain's boot information has a `{name}` already: give this capability \
                 another `name`, or `name = \"\"` for no entry"
            ));
        }
        if names.len() > boot_info::ENTRIES_MAX {
            return fail(format!(
                "the boot information has room for {} capabilities: give the others \
                 `name = \"\"`",
                boot_info::ENTRIES_MAX
            ));
        }
    }
    Ok(())
}

/// All capabilities in the order of the file, but each after its parent. The parents are given by
/// their places in `caps`.
fn ordered<'w>(caps: &[Cap<'w>], parents: &[Option<usize>]) -> Result<Vec<Given<'w>>, Flaw> {
    let mut given: Vec<Given<'w>> = Vec::new();
    // The place of each in `given`, once it has one.
    let mut placed: Vec<Option<usize>> = alloc::vec![None; caps.len()];
    let mut open = alloc::vec![false; caps.len()];
    for start in 0..caps.len() {
        // From here up to one that has its place, or to the host's; then down again.
        let mut way = Vec::new();
        let mut next = Some(start);
        while let Some(at) = next.filter(|&at| placed[at].is_none()) {
            if core::mem::replace(&mut open[at], true) {
                let message = "these `under` lead round in a circle, so that none of the \
                               capabilities has an origin: leave one of them out";
                return Err(caps[at].path().key("under").flaw(message));
            }
            way.push(at);
            next = parents[at];
        }
        for at in way.into_iter().rev() {
            let cap = &caps[at];
            let parent = parents[at].and_then(|parent| placed[parent]);
            let badge = match parent {
                Some(parent) => check_parent(cap, &given[parent])?,
                None => cap.plan.badge,
            };
            placed[at] = Some(given.len());
            let Cap { domain, slot, plan, object, .. } = *cap;
            given.push(Given { domain, slot, plan, object, badge, parent });
        }
    }
    Ok(given)
}

/// Checks a capability against the one it is derived from. Returns its badge.
fn check_parent(cap: &Cap<'_>, parent: &Given<'_>) -> Result<u64, Flaw> {
    let under = cap.plan.under.as_deref().unwrap_or_default();
    let object = &cap.plan.object;
    let rights = parent.plan.rights;
    if !rights.contains(Rights::GRANT) {
        let message = format!(
            "`{under}` has no right to pass `{object}` on: add `g` to the rights of its capability"
        );
        return Err(cap.path().key("under").flaw(message));
    }
    if !rights.contains(cap.plan.rights) {
        let message = format!(
            "`{under}` has only the rights {} to `{object}`, and a capability derived from that \
             cannot have more",
            letters(rights)
        );
        return Err(cap.path().key("rights").flaw(message));
    }
    match (parent.badge, cap.plan.badge) {
        (0, badge) | (badge, 0) => Ok(badge),
        (inherited, badge) if inherited == badge => Ok(badge),
        (inherited, _) => {
            let message = format!(
                "`{under}`'s capability to `{object}` has the badge {inherited}, which one \
                 derived from it keeps: leave `badge` out"
            );
            Err(cap.path().key("badge").flaw(message))
        }
    }
}
