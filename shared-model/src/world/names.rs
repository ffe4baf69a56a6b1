//! The names of a world: what there is to hold capabilities to.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::World;
use super::error::{Flaw, Path};
use crate::domain::DOMAINS_MAX;
use crate::rights::Rights;

/// What a name stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Memory,
    Endpoint,
    Notification,
    Channel,
    Ports,
    Interrupt,
    Domain,
}

impl Kind {
    /// The key that declares it.
    pub(super) const fn section(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Endpoint => "endpoint",
            Self::Notification => "notification",
            Self::Channel => "channel",
            Self::Ports => "ports",
            Self::Interrupt => "interrupt",
            Self::Domain => "domain",
        }
    }

    /// A thing of this kind, in a sentence.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Endpoint => "an endpoint",
            Self::Notification => "a notification",
            Self::Channel => "a channel",
            Self::Ports => "a range of ports",
            Self::Interrupt => "an interrupt",
            Self::Domain => "a domain",
        }
    }

    /// The rights that mean anything for it.
    pub(super) fn rights(self) -> Rights {
        let common = Rights::READ_WRITE | Rights::GRANT;
        match self {
            Self::Memory => common | Rights::EXECUTE,
            Self::Endpoint => common | Rights::CALL,
            _ => common,
        }
    }

    /// The largest badge that its capabilities can have.
    pub(super) const fn badge_max(self) -> u64 {
        match self {
            Self::Endpoint | Self::Notification => u64::MAX,
            Self::Channel => 1,
            _ => 0,
        }
    }
}

/// What every name stands for: the kind, and which of this kind.
#[derive(Debug)]
pub(crate) struct Names<'w>(BTreeMap<&'w str, (Kind, usize)>);

impl<'w> Names<'w> {
    /// The names of a world, if each stands for one thing.
    pub(super) fn of(world: &'w World) -> Result<Self, Flaw> {
        let mut names = BTreeMap::new();
        for (kind, i, name) in declared(world) {
            let at = || Path::of(kind.section()).item(i);
            if kind == Kind::Domain && i == DOMAINS_MAX {
                let message = format!("a run has at most {DOMAINS_MAX} domains at a time");
                return Err(at().flaw(message));
            }
            if name.is_empty() {
                let message = format!("{} needs a name that is not empty", kind.text());
                return Err(at().key("name").flaw(message));
            }
            if let Some((other, _)) = names.insert(name, (kind, i)) {
                let message = format!(
                    "`{name}` is declared already, as {}: objects and domains share one set of \
                     names, so rename one of the two",
                    other.text()
                );
                return Err(at().key("name").flaw(message));
            }
        }
        Ok(Self(names))
    }

    /// What a name stands for.
    ///
    /// # Errors
    /// What to say about a name that nothing has.
    pub(crate) fn get(&self, name: &str) -> Result<(Kind, usize), String> {
        self.0.get(name).copied().ok_or_else(|| {
            let all = self.0.keys().copied();
            format!("nothing is named `{name}`{}", hint(name, all, "declare it"))
        })
    }

    /// The one of this kind that a name stands for.
    ///
    /// # Errors
    /// What to say about a name that means nothing, or something else.
    pub(crate) fn get_kind(&self, kind: Kind, name: &str) -> Result<usize, String> {
        match self.0.get(name) {
            Some(&(found, index)) if found == kind => Ok(index),
            Some((found, _)) => {
                Err(format!("`{name}` is {}, and this must be {}", found.text(), kind.text()))
            }
            None => {
                let section = kind.section();
                let all = self.0.iter().filter(|(_, (found, _))| *found == kind);
                let otherwise = format!("declare it in a [[{section}]]");
                let hint = hint(name, all.map(|(name, _)| *name), &otherwise);
                Err(format!("no {section} is named `{name}`{hint}"))
            }
        }
    }
}

/// Everything that has a name, in the order of kinds and then of the file.
fn declared(world: &World) -> impl Iterator<Item = (Kind, usize, &str)> {
    fn list<T>(
        kind: Kind,
        plans: &[T],
        name: fn(&T) -> &String,
    ) -> impl Iterator<Item = (Kind, usize, &str)> {
        plans.iter().enumerate().map(move |(i, plan)| (kind, i, name(plan).as_str()))
    }
    list(Kind::Memory, &world.memory, |plan| &plan.name)
        .chain(list(Kind::Endpoint, &world.endpoints, |plan| &plan.name))
        .chain(list(Kind::Notification, &world.notifications, |plan| &plan.name))
        .chain(list(Kind::Channel, &world.channels, |plan| &plan.name))
        .chain(list(Kind::Ports, &world.ports, |plan| &plan.name))
        .chain(list(Kind::Interrupt, &world.interrupts, |plan| &plan.name))
        .chain(list(Kind::Domain, &world.domains, |plan| &plan.name))
}

/// What to do about a name that is not among `all`.
fn hint<'a>(name: &str, all: impl Iterator<Item = &'a str>, otherwise: &str) -> String {
    // Names are compared by characters squared, and can be as long as the file.
    const LENGTH_MAX: usize = 64;
    let close = |other: &&str| other.len() <= LENGTH_MAX && name.len() <= LENGTH_MAX;
    let best = all
        .filter(close)
        .map(|other| (distance(name, other), other))
        .min()
        .filter(|&(distance, other)| distance <= other.chars().count().div_ceil(3));
    match best {
        Some((_, other)) => format!(": did you mean `{other}`?"),
        None => format!(": {otherwise}"),
    }
}

/// Characters to insert, delete or replace to make one word of the other (Levenshtein's).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = core::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, hint};

    #[test]
    fn distances_are_levenshteins() {
        for (one, other, expected) in
            [("", "", 0), ("", "ab", 2), ("disk", "dsik", 2), ("kitten", "sitting", 3)]
        {
            assert_eq!((distance(one, other), distance(other, one)), (expected, expected));
        }
    }

    #[test]
    fn a_hint_is_given_only_for_a_similar_name() {
        let names = || ["disk", "network"].into_iter();
        assert_eq!(hint("dsk", names(), "x"), ": did you mean `disk`?");
        assert_eq!(hint("printer", names(), "declare it"), ": declare it");
        assert_eq!(hint(&"d".repeat(1 << 20), names(), "declare it"), ": declare it");
    }
}
