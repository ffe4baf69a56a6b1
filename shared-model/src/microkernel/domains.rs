//! Hypercalls about domains: create, configure, run, inspect, and what a domain is told about its
//! capabilities before it runs.

use alloc::string::{String, ToString};

use super::Microkernel;
use super::hypercall::{Answer, Outcome, Request};
use super::lifecycle::Entry;
use crate::abi::{NAME_MAX, Resource, Status, boot_info};
use crate::address::{GuestPhysical, GuestVirtual, LOWER_HALF_END, PAGE_SIZE};
use crate::arch::Arch;
use crate::capability::{Object, Slot, SpaceId};
use crate::domain::{DomainId, DomainState, LifecycleError, ThreadId, ThreadState};
use crate::event::EventKind;
use crate::exit::{End, Exited};
use crate::rights::Rights;

/// What a domain without a module is called.
const NAMELESS: &str = "domain";

impl<A: Arch> Microkernel<A> {
    pub(super) fn domain_create(&mut self, request: &Request) -> Answer {
        let slot = self.vacant_argument(request, 0)?;
        // Nothing comes into being that nobody could hold.
        self.charge(request.domain, Resource::Capabilities, 1)?;
        self.refund(request.domain, Resource::Capabilities, 1);
        let domain = self.new_domain("", Some(request.domain)).map_err(|_| Status::NoMemory)?;
        self.add_root(slot, Object::Domain(domain), Rights::ALL)
            .expect("the slot is vacant and on nobody else's account");
        Ok(Outcome::Done)
    }

    pub(super) fn domain_configure(&mut self, request: &mut Request) -> Answer {
        // A host domain is never empty, so its state refuses this.
        let domain = self.capabilities.domain(self.slot_argument(request, 0)?, Rights::WRITE)?;
        let [_, length, pc, sp, ..] = request.arguments;
        let pc = Some(GuestVirtual(pc)).filter(|pc| pc.0 != 0);
        let sp = Some(sp).filter(|&sp| sp != 0);
        let module = match length {
            0 => None,
            _ => Some(self.take_name(request, length)?),
        };
        if pc.is_some_and(|pc| pc.0 >= LOWER_HALF_END) {
            return Err(Status::Invalid);
        }
        let configured = match &module {
            Some(module) => self.load(domain, module, None, &[], Entry { pc, sp }),
            None => self.configure_bare(domain, pc.ok_or(Status::Invalid)?, sp),
        };
        match configured {
            Ok(_) => {
                self.name_after(domain, module.as_deref().unwrap_or(NAMELESS));
                Ok(Outcome::Done)
            }
            Err(error) => {
                let status = Status::from(&error);
                if let (LifecycleError::Load(_), Some(module)) = (&error, module) {
                    let error = error.to_string();
                    self.record(domain, None, EventKind::LoadFailed { module, error });
                }
                Err(status)
            }
        }
    }

    /// Names a domain that was created at run time after its module, and its number if a domain
    /// of that name exists or existed.
    pub(super) fn name_after(&mut self, domain: DomainId, module: &str) {
        let state = self.domains.get_mut(&domain).expect("it was just loaded");
        if !state.name.is_empty() {
            return;
        }
        let next = self.numbered.entry(module.into()).or_insert(1);
        let name = loop {
            let name = match *next {
                1 => String::from(module),
                number => alloc::format!("{module}.{number}"),
            };
            *next += 1;
            if self.names.insert(name.clone()) {
                break name;
            }
        };
        state.name.clone_from(&name);
        self.record(domain, None, EventKind::DomainNamed { name });
    }

    pub(super) fn domain_run(&mut self, request: &Request) -> Answer {
        let domain = self.capabilities.domain(self.slot_argument(request, 0)?, Rights::WRITE)?;
        self.start_domain(domain).map_err(|error| Status::from(&error))?;
        Ok(Outcome::Done)
    }

    pub(super) fn domain_inspect(&mut self, request: &mut Request) -> Answer {
        let domain = self.domain_argument(request, 0, Rights::READ)?;
        let domain = self.domains.get(&domain).ok_or(Status::BadState)?;
        let state = match domain.state {
            DomainState::Embryo => 0,
            DomainState::Configured => 1,
            DomainState::Running => 2,
            // The original's number for it.
            DomainState::Dead => 4,
        };
        let is_live = |&&thread: &&ThreadId| self.thread(thread).state != ThreadState::Dead;
        let live = domain.threads.iter().filter(is_live).count() as u64;
        let ended = domain.threads.first().and_then(|&first| self.thread(first).ended.as_ref());
        let (exited, value) = match ended {
            Some((End::Exit(Exited { value }), _)) => (1, value.cast_unsigned()),
            _ => (0, 0),
        };
        request.results = alloc::vec![state, live, exited, value];
        Ok(Outcome::Done)
    }

    pub(super) fn boot_name(&mut self, request: &mut Request) -> Answer {
        let domain = self.machine_domain(request, 0, Rights::WRITE)?;
        let [_, slot, length, ..] = request.arguments;
        let name = self.take_name(request, length)?;
        self.name_in_boot_info(domain, &name, slot)?;
        Ok(Outcome::Done)
    }

    /// Tells a configured domain what one of its slots is called, in place of what had that name
    /// before.
    pub(super) fn name_in_boot_info(
        &mut self,
        domain: DomainId,
        name: &str,
        slot: u64,
    ) -> Result<(), Status> {
        let state = self.domains.get(&domain).ok_or(Status::BadState)?;
        let (DomainState::Configured, Some(home)) = (state.state, state.home) else {
            return Err(Status::BadState);
        };
        let is_name = (1..=boot_info::NAME_MAX).contains(&name.len());
        if !is_name || name.chars().any(char::is_control) {
            return Err(Status::Invalid);
        }
        self.capabilities.lookup(Slot { space: SpaceId::Domain(domain), number: slot })?;
        let page = self.read_physical(domain, home.boot_info, PAGE_SIZE);
        let mut entry = [0; boot_info::ENTRY_SIZE];
        entry[..name.len()].copy_from_slice(name.as_bytes());
        entry[boot_info::ENTRY_SLOT..].copy_from_slice(&slot.to_le_bytes());
        let count = page[boot_info::COUNT].into();
        let mut entries = page[boot_info::ENTRIES..].chunks_exact(boot_info::ENTRY_SIZE);
        let same = |old: &[u8]| old[..boot_info::ENTRY_SLOT] == entry[..boot_info::ENTRY_SLOT];
        let index = entries.by_ref().take(count).position(same).unwrap_or(count);
        if index >= boot_info::ENTRIES_MAX {
            return Err(Status::NoMemory);
        }
        let mut put = |offset: usize, bytes: &[u8]| {
            let at = GuestPhysical(home.boot_info.0 + offset as u64);
            self.write_physical(domain, at, bytes);
        };
        put(boot_info::ENTRIES + index * boot_info::ENTRY_SIZE, &entry);
        put(boot_info::COUNT, &(count.max(index + 1) as u64).to_le_bytes());
        Ok(())
    }

    /// Whether a domain exists and can still act.
    pub(super) fn is_live_domain(&self, domain: DomainId) -> bool {
        self.domains.get(&domain).is_some_and(|domain| domain.state != DomainState::Dead)
    }

    /// A name from the caller's buffer.
    pub(super) fn take_name(&self, request: &mut Request, length: u64) -> Result<String, Status> {
        if length > NAME_MAX {
            return Err(Status::Invalid);
        }
        let bytes = self.take_bytes(request, length)?;
        let text = String::from_utf8(bytes).map_err(|_| Status::Invalid)?;
        request.text = Some(text.clone());
        Ok(text)
    }
}
