//! Looking at capabilities. Nothing here changes any.

use alloc::vec::Vec;

use super::cptr;
use super::{
    CapError, Capabilities, Capability, ChannelId, EndpointId, Id, NotificationId, Object, Ports,
    Seat, Slot, SpaceId, spaces,
};
use crate::address::Frame;
use crate::domain::{DomainId, ThreadId};
use crate::rights::Rights;

impl Capabilities {
    /// The capability in a slot.
    ///
    /// # Errors
    /// [`CapError::NoSlot`], [`CapError::NoSpace`] or [`CapError::Empty`].
    pub fn lookup(&self, slot: Slot) -> Result<Capability, CapError> {
        self.find(slot).map(|id| self.forest.capability(id))
    }

    /// The capability in a slot, if it allows `rights`.
    ///
    /// # Errors
    /// [`CapError::Lacks`], and as [`Capabilities::lookup`].
    pub fn expect(&self, slot: Slot, rights: Rights) -> Result<Capability, CapError> {
        self.typed(slot, rights, Some).map(|(_, capability)| capability)
    }

    /// The memory that a slot's capability names, own or lent, if it allows `rights`.
    ///
    /// # Errors
    /// [`CapError::WrongKind`], [`CapError::Lacks`], and as [`Capabilities::lookup`].
    pub fn page(&self, slot: Slot, rights: Rights) -> Result<(Frame, Capability), CapError> {
        self.typed(slot, rights, |object| match object {
            Object::Page(frame) | Object::Lent(frame) => Some(frame),
            _ => None,
        })
    }

    /// The domain that a slot's capability names, of either kind, if it allows `rights`.
    ///
    /// # Errors
    /// As [`Capabilities::page`].
    pub fn domain(&self, slot: Slot, rights: Rights) -> Result<DomainId, CapError> {
        self.named(slot, rights, |object| match object {
            Object::Domain(domain) | Object::HostDomain(domain) => Some(domain),
            _ => None,
        })
    }

    /// The endpoint that a slot's capability names, if it allows `rights`.
    ///
    /// # Errors
    /// As [`Capabilities::page`].
    pub fn endpoint(&self, slot: Slot, rights: Rights) -> Result<EndpointId, CapError> {
        self.named(slot, rights, |object| match object {
            Object::Endpoint(endpoint) => Some(endpoint),
            _ => None,
        })
    }

    /// The notification that a slot's capability names, if it allows `rights`.
    ///
    /// # Errors
    /// As [`Capabilities::page`].
    pub fn notification(&self, slot: Slot, rights: Rights) -> Result<NotificationId, CapError> {
        self.named(slot, rights, |object| match object {
            Object::Notification(notification) => Some(notification),
            _ => None,
        })
    }

    /// The channel that a slot's capability names, if it allows `rights`.
    ///
    /// # Errors
    /// As [`Capabilities::page`].
    pub fn channel(&self, slot: Slot, rights: Rights) -> Result<ChannelId, CapError> {
        self.named(slot, rights, |object| match object {
            Object::Channel(channel) => Some(channel),
            _ => None,
        })
    }

    /// The ports that a slot's capability names, if it allows `rights`.
    ///
    /// # Errors
    /// As [`Capabilities::page`].
    pub fn ports(&self, slot: Slot, rights: Rights) -> Result<Ports, CapError> {
        self.named(slot, rights, |object| match object {
            Object::Ports(ports) => Some(ports),
            _ => None,
        })
    }

    /// The interrupt line that a slot's capability names, if it allows `rights`.
    ///
    /// # Errors
    /// As [`Capabilities::page`].
    pub fn interrupt(&self, slot: Slot, rights: Rights) -> Result<u8, CapError> {
        self.named(slot, rights, |object| match object {
            Object::Interrupt(line) => Some(line),
            _ => None,
        })
    }

    /// The thread that a slot's capability allows to answer, if it allows `rights`.
    ///
    /// # Errors
    /// As [`Capabilities::page`].
    pub fn reply(&self, slot: Slot, rights: Rights) -> Result<ThreadId, CapError> {
        self.named(slot, rights, |object| match object {
            Object::Reply(thread) => Some(thread),
            _ => None,
        })
    }

    /// Whether a slot could take a capability now.
    ///
    /// # Errors
    /// [`CapError::NoSlot`], [`CapError::NoSpace`] or [`CapError::Occupied`].
    pub fn vacant(&self, slot: Slot) -> Result<(), CapError> {
        self.destination(slot).map(|_| ())
    }

    /// The slot of the capability that this one is a child of, if it is one.
    ///
    /// # Errors
    /// As [`Capabilities::lookup`].
    pub fn parent(&self, slot: Slot) -> Result<Option<Slot>, CapError> {
        let id = self.find(slot)?;
        Ok(self.forest.up(id).nth(1).map(|parent| self.slot_of(parent)))
    }

    /// The slots of a capability's children.
    ///
    /// # Errors
    /// As [`Capabilities::lookup`].
    pub fn children(&self, slot: Slot) -> Result<impl Iterator<Item = Slot> + '_, CapError> {
        let id = self.find(slot)?;
        Ok(self.forest.children(id).map(|child| self.slot_of(child)))
    }

    /// Every capability of a space, in the order of numbers, which is that of allocation.
    pub fn in_space(&self, space: SpaceId) -> impl Iterator<Item = (Slot, Capability)> + '_ {
        let found = self.spaces.find(space).map(|id| self.spaces.get(id).root);
        found.into_iter().flat_map(move |root| {
            let held = self.tables.iter(root);
            held.map(move |(number, id)| (Slot { space, number }, self.forest.capability(id)))
        })
    }

    /// Every capability there is, space by space.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, Capability)> + '_ {
        self.spaces.iter().flat_map(|(_, space)| self.in_space(space.id))
    }

    /// How many capabilities a space has.
    pub fn count(&self, space: SpaceId) -> u32 {
        self.spaces.find(space).map_or(0, |id| self.spaces.get(id).count)
    }

    /// The lowest number of a space that could take a capability, unless it is full or takes
    /// none.
    pub fn first_free(&self, space: SpaceId) -> Option<u64> {
        let state = self.spaces.get(self.spaces.find(space)?);
        let open = !state.closing;
        open.then(|| self.tables.first_free(state.root, spaces::reserved(space))).flatten()
    }

    /// How many capabilities name an object.
    pub fn references(&self, object: Object) -> u32 {
        self.forest.counted(object).map_or(0, |counted| counted.references)
    }

    /// Every slot that holds a capability to an object, in order. Looks at these alone.
    pub fn holders(&self, object: Object) -> Vec<Slot> {
        let mut slots: Vec<_> = self.forest.naming(object).map(|id| self.slot_of(id)).collect();
        slots.sort_unstable();
        slots
    }

    /// How many capabilities there are.
    pub fn len(&self) -> usize {
        self.forest.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that all this takes, what is kept for later included.
    pub fn heap_bytes(&self) -> usize {
        self.forest.heap_bytes() + self.tables.heap_bytes() + self.spaces.heap_bytes()
    }

    /// What `pick` makes of a slot's object, if it allows `rights`.
    fn named<T>(
        &self,
        slot: Slot,
        rights: Rights,
        pick: impl FnOnce(Object) -> Option<T>,
    ) -> Result<T, CapError> {
        self.typed(slot, rights, pick).map(|(named, _)| named)
    }

    fn typed<T>(
        &self,
        slot: Slot,
        rights: Rights,
        pick: impl FnOnce(Object) -> Option<T>,
    ) -> Result<(T, Capability), CapError> {
        let capability = self.lookup(slot)?;
        let named = pick(capability.object).ok_or(CapError::WrongKind(slot))?;
        if capability.rights.contains(rights) {
            Ok((named, capability))
        } else {
            Err(CapError::Lacks(slot, rights))
        }
    }

    /// The capability in a slot, by its place in the forest.
    #[inline(always)]
    pub(super) fn find(&self, slot: Slot) -> Result<Id, CapError> {
        self.held(slot).map(|(id, _)| id)
    }

    /// The capability in a slot, and where that slot is.
    #[inline(always)]
    pub(super) fn held(&self, slot: Slot) -> Result<(Id, Seat), CapError> {
        let seat = self.seat(slot)?;
        let id = self.tables.held(seat.table, seat.at).ok_or(CapError::Empty(slot))?;
        Ok((id, seat))
    }

    /// Where a slot is that can take a capability.
    #[inline(always)]
    pub(super) fn destination(&self, slot: Slot) -> Result<Seat, CapError> {
        let seat = self.seat(slot)?;
        if self.spaces.get(seat.space).closing {
            return Err(CapError::NoSpace(slot.space));
        }
        match self.tables.held(seat.table, seat.at) {
            Some(_) => Err(CapError::Occupied(slot)),
            None => Ok(seat),
        }
    }

    #[inline(always)]
    fn seat(&self, slot: Slot) -> Result<Seat, CapError> {
        let at = cptr::fields(slot.number).ok_or(CapError::NoSlot(slot))?;
        if at.level == 0 && spaces::reserved(slot.space) & 1 << at.slot != 0 {
            return Err(CapError::NoSlot(slot));
        }
        let space = self.spaces.find(slot.space).ok_or(CapError::NoSpace(slot.space))?;
        let table = self.tables.leaf(self.spaces.get(space).root, at);
        Ok(Seat { space, at, table })
    }

    /// Where the slot of a capability is.
    pub(super) fn seat_of(&self, id: Id) -> Seat {
        let node = self.forest.node(id);
        let at = cptr::fields(node.number()).expect("it is in a slot");
        let table = self.tables.leaf(self.spaces.get(node.space).root, at);
        Seat { space: node.space, at, table }
    }

    pub(super) fn slot_of(&self, id: Id) -> Slot {
        let node = self.forest.node(id);
        Slot { space: self.spaces.get(node.space).id, number: node.number() }
    }
}
