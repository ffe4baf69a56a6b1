//! Boot: what a world declares comes into being.
//!
//! Objects first, in the host's space; then the domains with what they run; then what the domains
//! hold, each capability after the one it is derived from; then where faults go and the further
//! threads. Only when all is in its place does anything start.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::Microkernel;
use super::blocks::{BLOCK_PAGES_MAX, NODES, ORDER_MAX, pages_of_order};
use super::ipc::Endpoint;
use super::memory::host_slot;
use super::notification::{Channel, Notification};
use crate::abi::Status;
use crate::address::GuestPhysical;
use crate::arch::Arch;
use crate::capability::{ChannelId, EndpointId, NotificationId, Object, Ports, Slot, SpaceId};
use crate::domain::{DomainId, FaultHandler, LifecycleError};
use crate::layout;
use crate::rights::Rights;
use crate::world::{
    CHANNEL_ORDER_MAX, ChannelPlan, Distribution, DomainPlan, Given, Kind, MEMORY_NODES,
    MEMORY_PAGES_MAX, Own, World,
};

// What a world file can ask for is what there is.
const _: () = assert!(
    MEMORY_PAGES_MAX == BLOCK_PAGES_MAX && MEMORY_NODES == NODES && CHANNEL_ORDER_MAX == ORDER_MAX
);

/// What a boot has created so far.
#[derive(Default)]
struct Booted {
    /// The host's original capability to everything that has a name.
    originals: BTreeMap<(Kind, usize), Slot>,
    domains: Vec<DomainId>,
}

impl<A: Arch> Microkernel<A> {
    /// Creates what the bundle's world declares, and starts the threads that start with it.
    ///
    /// # Errors
    /// When the world is not valid, a module cannot be loaded or the backend has no room; what was
    /// created stays, to be destroyed with the microkernel.
    pub fn boot(&mut self) -> Result<(), LifecycleError> {
        let world = self.bundle.world.clone();
        // A bundle that was made here was not checked.
        world.validate().map_err(LifecycleError::Load)?;
        let plan = world.distribution().map_err(|flaw| LifecycleError::Load(flaw.to_string()))?;
        let mut booted = Booted::default();
        self.boot_objects(&world, &mut booted)?;
        for domain in &world.domains {
            self.boot_domain(domain, &mut booted)?;
        }
        for own in &plan.own {
            self.boot_page(booted.domains[own.domain], own)?;
        }
        self.boot_capabilities(&plan, &booted)?;
        for (domain, &id) in world.domains.iter().zip(&booted.domains) {
            self.boot_faults(id, domain, &plan, &booted)?;
        }
        for (domain, &id) in world.domains.iter().zip(&booted.domains) {
            if domain.start {
                self.start_domain(id)?;
            }
        }
        self.serial_input(world.serial.input.as_bytes());
        self.choose_next();
        Ok(())
    }

    fn boot_objects(&mut self, world: &World, booted: &mut Booted) -> Result<(), LifecycleError> {
        for (i, plan) in world.memory.iter().enumerate() {
            let slot = self.create_memory(plan.pages, plan.node, plan.lent, &plan.bytes())?;
            booted.originals.insert((Kind::Memory, i), slot);
        }
        for i in 0..world.endpoints.len() {
            let id = EndpointId(self.next_object);
            self.boot_object((Kind::Endpoint, i), Object::Endpoint(id), booted)?;
            self.endpoints.insert(id, Endpoint::default());
            self.next_object += 1;
        }
        for i in 0..world.notifications.len() {
            let id = NotificationId(self.next_object);
            self.boot_object((Kind::Notification, i), Object::Notification(id), booted)?;
            self.notifications.insert(id, Notification::default());
            self.next_object += 1;
        }
        for (i, plan) in world.channels.iter().enumerate() {
            self.boot_channel(i, plan, booted)?;
        }
        for (i, plan) in world.ports.iter().enumerate() {
            let ports = Ports { first: plan.first, last: plan.last };
            self.boot_object((Kind::Ports, i), Object::Ports(ports), booted)?;
        }
        for (i, plan) in world.interrupts.iter().enumerate() {
            self.boot_object((Kind::Interrupt, i), Object::Interrupt(plan.line), booted)?;
        }
        Ok(())
    }

    fn boot_channel(
        &mut self,
        index: usize,
        plan: &ChannelPlan,
        booted: &mut Booted,
    ) -> Result<(), LifecycleError> {
        let named = format!("`{}`", plan.name);
        let pages = pages_of_order(plan.order).map_err(|status| refused(&named, status))?;
        let block = self.allocate_block(None, pages, 0);
        let block = block.map_err(|error| LifecycleError::Exhausted(error.to_string()))?;
        let id = ChannelId(self.next_object);
        let kept = self.boot_object((Kind::Channel, index), Object::Channel(id), booted);
        kept.inspect_err(|_| self.free_block(block))?;
        let bells = [Notification::default(), Notification::default()];
        self.channels.insert(id, Channel { block, bells });
        self.next_object += 1;
        Ok(())
    }

    /// Puts an object's original capability into the host's space.
    fn boot_object(
        &mut self,
        of: (Kind, usize),
        object: Object,
        booted: &mut Booted,
    ) -> Result<(), LifecycleError> {
        let slot = self.vacant_host_slot()?;
        let kept = self.capabilities.insert(slot, object, Rights::ALL);
        kept.map_err(|error| LifecycleError::Exhausted(error.to_string()))?;
        booted.originals.insert(of, slot);
        Ok(())
    }

    /// Creates a domain with what it runs, and its further threads.
    fn boot_domain(
        &mut self,
        plan: &DomainPlan,
        booted: &mut Booted,
    ) -> Result<(), LifecycleError> {
        let domain = match &plan.service {
            Some(service) => self.boot_service(plan, service)?,
            None => self.boot_module(plan)?,
        };
        booted.originals.insert((Kind::Domain, booted.domains.len()), host_slot(domain));
        booted.domains.push(domain);
        Ok(())
    }

    fn boot_module(&mut self, plan: &DomainPlan) -> Result<DomainId, LifecycleError> {
        let domain = self.create_domain(&plan.name)?;
        // Before it is built, so that what it is built from is within them.
        self.boot_quota(domain, plan);
        let thread = self.load_module(domain, &plan.module, plan.call.as_deref(), &plan.args)?;
        self.thread_mut(thread).kill_after = plan.kill_after;
        for plan in &plan.threads {
            let thread = self.add_world_thread(domain, &plan.call, &plan.args, !plan.start)?;
            self.thread_mut(thread).kill_after = plan.kill_after;
        }
        Ok(domain)
    }

    /// Creates a host domain that runs a service. Its capability is in its [`host_slot`].
    fn boot_service(
        &mut self,
        plan: &DomainPlan,
        service: &str,
    ) -> Result<DomainId, LifecycleError> {
        let (domain, _) = self.create_host_domain(&plan.name, Some(service))?;
        self.boot_quota(domain, plan);
        Ok(domain)
    }

    fn boot_quota(&mut self, domain: DomainId, plan: &DomainPlan) {
        for (resource, limit) in plan.quota.limits() {
            self.set_quota(domain, resource, limit);
        }
    }

    /// Gives a domain a page of its own.
    fn boot_page(&mut self, domain: DomainId, own: &Own<'_>) -> Result<(), LifecycleError> {
        let slot = Slot { space: SpaceId::Domain(domain), number: own.slot };
        let block = self.new_block(domain, 1, 0);
        let block = block.map_err(|error| LifecycleError::Exhausted(error.to_string()))?;
        if let Err(status) = self.add_root(slot, Object::Page(block), own.plan.rights) {
            self.free_block(block);
            return Err(refused("a page", status));
        }
        self.boot_mapping(slot, domain, own.plan.at, own.plan.rights)
            .map_err(|status| refused("a page", status))
    }

    /// Maps what a capability names, with as much of its rights as the window allows.
    fn boot_mapping(
        &mut self,
        slot: Slot,
        domain: DomainId,
        at: Option<GuestPhysical>,
        rights: Rights,
    ) -> Result<(), Status> {
        let Some(at) = at else { return Ok(()) };
        let window = layout::window_rights(at).unwrap_or_default();
        self.map_capability(slot, domain, at, rights & window)
    }

    fn boot_capabilities(
        &mut self,
        plan: &Distribution<'_>,
        booted: &Booted,
    ) -> Result<(), LifecycleError> {
        for given in &plan.given {
            let domain = booted.domains[given.domain];
            let (from, badge) = match given.parent {
                Some(parent) => {
                    let parent = &plan.given[parent];
                    (domain_slot(booted.domains[parent.domain], parent), parent.badge)
                }
                None => (booted.originals[&given.object], 0),
            };
            let to = domain_slot(domain, given);
            let mark = (given.badge != badge).then_some(given.badge);
            self.pass_capability(from, to, given.plan.rights, mark)
                .and_then(|()| self.boot_mapping(to, domain, given.plan.at, given.plan.rights))
                .map_err(|status| refused(&format!("`{}`", given.plan.object), status))?;
            if let Some(name) = given.plan.boot_name() {
                self.boot_entry(domain, given.slot, name)
                    .map_err(|status| refused(&format!("the name `{name}`"), status))?;
            }
        }
        Ok(())
    }

    /// Tells a domain what one of its slots is called. A host domain has no memory to read that in.
    fn boot_entry(&mut self, domain: DomainId, slot: u64, name: &str) -> Result<(), Status> {
        match self.domains.get(&domain).and_then(|domain| domain.home) {
            Some(_) => self.name_in_boot_info(domain, name, slot),
            None => Ok(()),
        }
    }

    /// Has a domain's faults sent to the endpoint that its plan names. They come from the host's own
    /// capability, with the plan's badge.
    fn boot_faults(
        &mut self,
        domain: DomainId,
        plan: &DomainPlan,
        world: &Distribution<'_>,
        booted: &Booted,
    ) -> Result<(), LifecycleError> {
        let Some(faults) = &plan.faults else { return Ok(()) };
        let index = world.names.get_kind(Kind::Endpoint, faults).map_err(LifecycleError::Load)?;
        let through = booted.originals[&(Kind::Endpoint, index)];
        let endpoint = self.capabilities.endpoint(through, Rights::WRITE);
        let endpoint = endpoint.map_err(|error| LifecycleError::Load(error.to_string()))?;
        self.bind_faults(domain, FaultHandler { endpoint, through, badge: plan.fault_badge });
        Ok(())
    }
}

/// Where a domain has a capability of a distribution.
fn domain_slot(domain: DomainId, given: &Given<'_>) -> Slot {
    Slot { space: SpaceId::Domain(domain), number: given.slot }
}

/// Something that a valid world asks for and that is refused all the same: a quota is too small,
/// or memory is full.
fn refused(object: &str, status: Status) -> LifecycleError {
    let hint = match status {
        Status::NoMemory => ": a quota or the memory is used up",
        _ => "",
    };
    LifecycleError::Exhausted(format!("{object} cannot be given: {status:?}{hint}"))
}
