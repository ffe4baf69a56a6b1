//! Who holds what, once more, and so simply that it is plainly right: each capability remembers
//! all that it was ever derived from, so a revoke removes whoever remembers the revoked one, and
//! a delete removes one and need not move anything.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::super::Microkernel;
use super::super::scripted::Scripted;
use crate::abi::Status;
use crate::capability::{Object, Slot, SpaceId, cptr};
use crate::domain::{DomainId, DomainState};
use crate::rights::Rights;

#[derive(Clone, Debug)]
struct Held {
    id: u64,
    /// Oldest first.
    derived_from: Vec<u64>,
    object: Object,
    rights: Rights,
}

/// The authority of everybody.
#[derive(Clone, Debug, Default)]
pub(super) struct Reference {
    held: BTreeMap<Slot, Held>,
    next: u64,
}

impl Reference {
    /// What a microkernel that was just booted has given out.
    pub(super) fn of(kernel: &Microkernel<Scripted>) -> Self {
        let mut reference = Self::default();
        let domains = kernel.domains.keys().map(|&id| SpaceId::Domain(id));
        for space in [SpaceId::Host].into_iter().chain(domains) {
            for (slot, found) in kernel.capabilities.in_space(space) {
                let parent = kernel.capabilities.parent(slot).expect("it was just seen");
                let above = parent.map(|parent| reference.held[&parent].clone());
                reference.add(slot, found.object, found.rights, above.as_ref());
            }
        }
        reference
    }

    /// A new object's first capability.
    pub(super) fn insert(&mut self, slot: Slot, object: Object, rights: Rights) {
        self.add(slot, object, rights, None);
    }

    fn add(&mut self, slot: Slot, object: Object, rights: Rights, from: Option<&Held>) {
        let mut derived_from = from.map(|from| from.derived_from.clone()).unwrap_or_default();
        derived_from.extend(from.map(|from| from.id));
        let id = self.next;
        self.next += 1;
        let old = self.held.insert(slot, Held { id, derived_from, object, rights });
        assert!(old.is_none(), "{slot:?} is given twice");
    }

    fn find(&self, slot: Slot) -> Result<&Held, Status> {
        let own = matches!(slot.space, SpaceId::Domain(_));
        if own && slot.number == cptr::REPLY {
            // Nobody calls anybody here, so there is nothing to answer.
            return Err(Status::NotFound);
        }
        if own && slot.number < cptr::FIRST
            || slot.number == cptr::NULL
            || cptr::fields(slot.number).is_none()
        {
            return Err(Status::Invalid);
        }
        self.held.get(&slot).ok_or(Status::NotFound)
    }

    pub(super) fn delete(&mut self, slot: Slot) -> Result<(), Status> {
        self.find(slot)?;
        self.held.remove(&slot);
        self.forget_lost_domains();
        Ok(())
    }

    pub(super) fn revoke(&mut self, slot: Slot) -> Result<(), Status> {
        let id = self.find(slot)?.id;
        self.held.retain(|_, held| !held.derived_from.contains(&id));
        self.forget_lost_domains();
        Ok(())
    }

    /// `words` as the hypercall has them; `state` is of a domain.
    pub(super) fn grant(
        &mut self,
        holder: DomainId,
        words: [u64; 4],
        state: impl Fn(DomainId) -> DomainState,
    ) -> Result<(), Status> {
        let own = |number| Slot { space: SpaceId::Domain(holder), number };
        let mask = Rights::from_bits(words[3]).ok_or(Status::Invalid)?;
        let target = self.find(own(words[0]))?;
        let Object::Domain(to) = target.object else { return Err(Status::Invalid) };
        if !target.rights.contains(Rights::WRITE) {
            return Err(Status::NotPermitted);
        }
        if state(to) == DomainState::Dead {
            return Err(Status::BadState);
        }
        if words[1] == cptr::CALL {
            return Err(Status::Invalid);
        }
        let to = Slot { space: SpaceId::Domain(to), number: words[2] };
        if words[2] == cptr::REPLY {
            return Err(Status::Invalid);
        }
        match self.find(to) {
            Ok(_) => return Err(Status::Exists),
            Err(Status::NotFound) => {}
            Err(status) => return Err(status),
        }
        let source = self.find(own(words[1]))?.clone();
        if !source.rights.contains(Rights::GRANT) {
            return Err(Status::NotPermitted);
        }
        self.add(to, source.object, source.rights & mask, Some(&source));
        Ok(())
    }

    /// Copies within a space. `mask` as the hypercall has it.
    pub(super) fn copy(&mut self, from: Slot, to: Slot, mask: u64) -> Result<(), Status> {
        let mask = Rights::from_bits(mask).ok_or(Status::Invalid)?;
        if self.held.contains_key(&to) {
            return Err(Status::Exists);
        }
        let source = self.find(from)?.clone();
        self.add(to, source.object, source.rights & mask, Some(&source));
        Ok(())
    }

    /// Moves with all rights.
    pub(super) fn move_to(&mut self, from: Slot, to: Slot) -> Result<(), Status> {
        if self.held.contains_key(&to) {
            return Err(Status::Exists);
        }
        self.find(from)?;
        let moved = self.held.remove(&from).expect("it was just found");
        self.held.insert(to, moved);
        Ok(())
    }

    /// The number of what a slot holds: no other capability has it, ever.
    pub(super) fn number(&self, slot: Slot) -> Option<u64> {
        self.held.get(&slot).map(|held| held.id)
    }

    /// In the middle of a revoke: removes what the microkernel has removed, if it is derived from
    /// what has this number. Returns how much is left to remove.
    pub(super) fn remove_derived(&mut self, of: u64, kernel: &Microkernel<Scripted>) -> usize {
        if !self.held.values().any(|held| held.id == of) {
            return 0;
        }
        let is_derived = |held: &Held| held.derived_from.contains(&of);
        self.held
            .retain(|slot, held| !is_derived(held) || kernel.capabilities.lookup(*slot).is_ok());
        self.held.values().filter(|held| is_derived(held)).count()
    }

    /// The host destroys a domain.
    pub(super) fn destroy(&mut self, domain: DomainId) {
        self.held.retain(|_, held| held.object != Object::Domain(domain));
        self.forget_lost_domains();
    }

    /// A domain that nobody holds is gone, with all that it held.
    fn forget_lost_domains(&mut self) {
        loop {
            let named: BTreeSet<_> = self.held.values().map(|held| held.object).collect();
            let before = self.held.len();
            self.held.retain(|slot, _| match slot.space {
                SpaceId::Domain(holder) => named.contains(&Object::Domain(holder)),
                _ => true,
            });
            if self.held.len() == before {
                return;
            }
        }
    }

    /// Panics if the microkernel gives anybody more, less, or something else, or has another idea
    /// of what comes from what.
    pub(super) fn check(&self, kernel: &Microkernel<Scripted>) {
        let domains = kernel.domains.keys().map(|&id| SpaceId::Domain(id));
        let spaces = domains.chain([SpaceId::Host]);
        let found: BTreeMap<_, _> = spaces
            .flat_map(|space| kernel.capabilities.in_space(space))
            .map(|(slot, capability)| (slot, (capability.object, capability.rights)))
            .collect();
        let wanted: BTreeMap<_, _> =
            self.held.iter().map(|(slot, held)| (*slot, (held.object, held.rights))).collect();
        assert_eq!(found, wanted);
        let live: BTreeSet<_> = self.held.values().map(|held| held.id).collect();
        for (slot, held) in &self.held {
            let mut above = held.derived_from.iter().rev().filter(|id| live.contains(id));
            let parent = kernel.capabilities.parent(*slot).expect("it was just seen");
            assert_eq!(parent.map(|parent| self.held[&parent].id).as_ref(), above.next());
        }
    }
}
