//! What hypercalls do. A call that cannot be done says why in its first message register and
//! changes nothing; it never ends its caller.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Microkernel;
use crate::abi::{Hypercall, NAME_MAX, Status, utcb};
use crate::address::GuestPhysical;
use crate::arch::Arch;
use crate::capability::{CapError, Object, Slot, SpaceId};
use crate::domain::{Action, DomainId, DomainState, LifecycleError, ThreadId};
use crate::event::EventKind;
use crate::exit::{End, Exited};
use crate::layout;
use crate::rights::Rights;
use crate::space::{Mapping, SpaceError};

/// Bytes a domain's console keeps.
const CONSOLE_MAX: usize = 4 << 20;

/// A hypercall as it arrives.
struct Request {
    thread: ThreadId,
    domain: DomainId,
    arguments: [u64; utcb::REGISTERS],
    /// What it carried, for the log: text, or bytes that are none.
    text: Option<String>,
    bytes: Option<String>,
}

impl Request {
    fn slot(&self, argument: usize) -> Slot {
        Slot { space: SpaceId::Domain(self.domain), number: self.arguments[argument] }
    }

    fn rights(&self, argument: usize) -> Result<Rights, Status> {
        Rights::from_bits(self.arguments[argument]).ok_or(Status::Invalid)
    }
}

/// How many arguments a call has, for the log.
const fn arity(call: Hypercall) -> usize {
    match call {
        Hypercall::Yield => 0,
        Hypercall::CapDelete
        | Hypercall::CapRevoke
        | Hypercall::DomainCreate
        | Hypercall::DomainRun
        | Hypercall::Exit
        | Hypercall::PageUnmap
        | Hypercall::ConsoleWrite => 1,
        Hypercall::DomainConfigure | Hypercall::PageAllocate => 2,
        Hypercall::PageMap => 3,
        Hypercall::CapGrant => 4,
    }
}

impl<A: Arch> Microkernel<A> {
    /// Does what a thread asked for and writes the status to its UTCB.
    pub(super) fn hypercall(&mut self, thread: ThreadId, number: u32) {
        let (domain, frame) = (self.thread(thread).domain, self.thread(thread).utcb);
        let mut bytes = [0; utcb::REGISTERS * 8];
        self.arch.frame_read(frame, utcb::MESSAGE, &mut bytes);
        let mut arguments = [0; utcb::REGISTERS];
        for (argument, word) in arguments.iter_mut().zip(bytes.chunks_exact(8)) {
            *argument = u64::from_le_bytes(word.try_into().expect("chunks are 8 bytes"));
        }
        let call = Hypercall::from_number(number);
        let mut request = Request { thread, domain, arguments, text: None, bytes: None };
        // The thread's own event comes before those it causes.
        let at = self.events.len();
        let count = call.map_or(0, arity);
        self.record(
            domain,
            Some(thread),
            EventKind::Hypercall {
                call,
                number,
                arguments: arguments[..count].to_vec(),
                text: None,
                bytes: None,
                status: Status::Ok,
            },
        );
        self.cause = Some(thread);
        let result = match call {
            Some(call) => self.dispatch(call, &mut request),
            None => Err(Status::NoSystemCall),
        };
        self.cause = None;
        let status = result.err().unwrap_or(Status::Ok);
        if let EventKind::Hypercall { text, bytes, status: recorded, .. } =
            &mut self.events[at].kind
        {
            (*text, *bytes, *recorded) = (request.text, request.bytes, status);
        }
        // A domain that destroyed itself has no UTCB any more.
        if self.domains.contains_key(&domain) {
            self.arch.frame_write(frame, utcb::MESSAGE, &(status as i64).to_le_bytes());
        }
    }

    fn dispatch(&mut self, call: Hypercall, request: &mut Request) -> Result<(), Status> {
        match call {
            Hypercall::CapDelete => {
                let removed = self.capabilities.delete(request.slot(0))?;
                self.after_removal(removed);
                Ok(())
            }
            Hypercall::CapRevoke => {
                let removed = self.capabilities.revoke(request.slot(0))?;
                removed.into_iter().for_each(|removed| self.after_removal(removed));
                Ok(())
            }
            Hypercall::CapGrant => self.cap_grant(request),
            Hypercall::DomainCreate => self.domain_create(request),
            Hypercall::DomainConfigure => self.domain_configure(request),
            Hypercall::DomainRun => self.domain_run(request),
            Hypercall::Exit => {
                let value = request.arguments[0].cast_signed();
                self.end(request.thread, End::Exit(Exited { value }));
                Ok(())
            }
            Hypercall::PageAllocate => self.page_allocate(request),
            Hypercall::PageMap => self.page_map(request),
            Hypercall::PageUnmap => self.page_unmap(request),
            Hypercall::ConsoleWrite => self.console_write(request),
            Hypercall::Yield => {
                self.ready.rotate_left(1);
                Ok(())
            }
        }
    }

    fn cap_grant(&mut self, request: &Request) -> Result<(), Status> {
        let mask = request.rights(3)?;
        let target = self.capabilities.domain(request.slot(0), Rights::WRITE)?;
        let alive = self.domains.get(&target).is_some_and(|to| to.state != DomainState::Dead);
        if !alive {
            return Err(Status::BadState);
        }
        let to = Slot { space: SpaceId::Domain(target), number: request.arguments[2] };
        self.capabilities.grant(request.slot(1), to, mask)?;
        self.record_capability(to);
        Ok(())
    }

    fn domain_create(&mut self, request: &Request) -> Result<(), Status> {
        let slot = request.slot(0);
        self.capabilities.vacant(slot)?;
        let domain = self.new_domain("").map_err(|_| Status::NoMemory)?;
        self.capabilities.insert(slot, Object::Domain(domain), Rights::ALL)?;
        self.record_capability(slot);
        Ok(())
    }

    fn domain_configure(&mut self, request: &mut Request) -> Result<(), Status> {
        let domain = self.capabilities.domain(request.slot(0), Rights::WRITE)?;
        let module = self.take_name(request, request.arguments[1])?;
        match self.load_module(domain, &module, None, &[]) {
            Ok(_) => {
                self.name_after(domain, &module);
                Ok(())
            }
            Err(error) => {
                let status = status_of(&error);
                if matches!(error, LifecycleError::Load(_)) {
                    let error = error.to_string();
                    self.record(domain, None, EventKind::LoadFailed { module, error });
                }
                Err(status)
            }
        }
    }

    /// Names a domain that was created at run time after its module, and its number if a domain
    /// of that name exists or existed.
    fn name_after(&mut self, domain: DomainId, module: &str) {
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

    fn domain_run(&mut self, request: &Request) -> Result<(), Status> {
        let domain = self.capabilities.domain(request.slot(0), Rights::WRITE)?;
        self.expect_state(domain, Action::Run, DomainState::Configured)
            .map_err(|error| status_of(&error))?;
        let thread = self.domains[&domain].thread.ok_or(Status::BadState)?;
        self.start_thread(thread).map_err(|error| status_of(&error))
    }

    fn page_allocate(&mut self, request: &Request) -> Result<(), Status> {
        let rights = request.rights(1)?;
        let slot = request.slot(0);
        self.capabilities.vacant(slot)?;
        self.new_page(request.domain, slot, rights).map_err(|_| Status::NoMemory)?;
        self.record_capability(slot);
        Ok(())
    }

    fn page_map(&mut self, request: &Request) -> Result<(), Status> {
        let at = GuestPhysical(request.arguments[1]);
        let rights = request.rights(2)?;
        let (frame, capability) = self.capabilities.page(request.slot(0), rights)?;
        let window = layout::window_rights(at).ok_or(Status::Invalid)?;
        let possible = window.contains(rights) && rights.contains(Rights::READ);
        if !possible || !at.is_page_aligned() {
            return Err(Status::Invalid);
        }
        if capability.mapped.is_some() {
            return Err(Status::Exists);
        }
        let mapping = Mapping { frame, rights };
        // Everything the space can object to is the caller's doing; what is left is the host's.
        match self.domains[&request.domain].space.lookup(at) {
            Ok(_) => return Err(Status::Exists),
            Err(SpaceError::NotMapped(_) | SpaceError::NoTable(_)) => {}
            Err(_) => return Err(Status::Invalid),
        }
        self.map(request.slot(0), request.domain, at, mapping).map_err(|_| Status::NoMemory)?;
        self.record_mapped(request.domain, at, mapping);
        Ok(())
    }

    fn page_unmap(&mut self, request: &Request) -> Result<(), Status> {
        self.capabilities.page(request.slot(0), Rights::NONE)?;
        if let Some((domain, at)) = self.capabilities.clear_mapped(request.slot(0))? {
            self.unmap(domain, at);
        }
        Ok(())
    }

    fn console_write(&mut self, request: &mut Request) -> Result<(), Status> {
        let bytes = self.take_bytes(request, request.arguments[0])?;
        let console = &mut self.domains.get_mut(&request.domain).expect("the caller's").console;
        if console.len() + bytes.len() > CONSOLE_MAX {
            return Err(Status::NoMemory);
        }
        console.extend(&bytes);
        // A character may be split between two calls, so nothing may be lost of either.
        match String::from_utf8(bytes) {
            Ok(text) => request.text = Some(text),
            Err(error) => request.bytes = Some(crate::hex::encode(error.as_bytes())),
        }
        Ok(())
    }

    fn take_bytes(&self, request: &Request, length: u64) -> Result<Vec<u8>, Status> {
        let length = usize::try_from(length).map_err(|_| Status::Invalid)?;
        if length > utcb::BUFFER_SIZE {
            return Err(Status::Invalid);
        }
        let mut bytes = alloc::vec![0; length];
        self.arch.frame_read(self.thread(request.thread).utcb, utcb::BUFFER, &mut bytes);
        Ok(bytes)
    }

    /// A name from the caller's buffer.
    fn take_name(&self, request: &mut Request, length: u64) -> Result<String, Status> {
        if length > NAME_MAX {
            return Err(Status::Invalid);
        }
        let bytes = self.take_bytes(request, length)?;
        let text = String::from_utf8(bytes).map_err(|_| Status::Invalid)?;
        request.text = Some(text.clone());
        Ok(text)
    }
}

impl From<CapError> for Status {
    fn from(error: CapError) -> Self {
        match error {
            CapError::Empty(_) => Self::NotFound,
            CapError::Occupied(_) | CapError::Mapped(_) => Self::Exists,
            CapError::NoSlot(_) | CapError::WrongKind(_) => Self::Invalid,
            CapError::Lacks(..) => Self::NotPermitted,
        }
    }
}

fn status_of(error: &LifecycleError) -> Status {
    match error {
        LifecycleError::NoDomain(_) | LifecycleError::NoThread(_) | LifecycleError::NoModule(_) => {
            Status::NotFound
        }
        LifecycleError::DomainState { .. } | LifecycleError::ThreadState { .. } => Status::BadState,
        LifecycleError::Load(_) => Status::Invalid,
        LifecycleError::Exhausted(_) => Status::NoMemory,
    }
}
