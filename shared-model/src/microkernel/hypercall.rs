//! Hypercalls: how one arrives, who serves it, and how its caller learns what became of it. A call
//! that cannot be done says why in the UTCB's status word and changes nothing; it never ends its
//! caller.

use alloc::string::String;
use alloc::vec::Vec;

use super::Microkernel;
use crate::abi::{Hypercall, Status, utcb};
use crate::arch::Arch;
use crate::capability::{CapError, Slot, SpaceId, cptr};
use crate::domain::{DomainId, LifecycleError, ThreadId, ThreadState};
use crate::event::EventKind;
use crate::exit::{End, Exited};
use crate::rights::Rights;

/// A hypercall as it arrives, and what it answers.
pub(super) struct Request {
    pub(super) call: Hypercall,
    pub(super) thread: ThreadId,
    pub(super) domain: DomainId,
    /// The message registers, or for a call with a message the endpoint and the limit of time.
    pub(super) arguments: [u64; utcb::REGISTERS],
    /// What it carried, for the log: text, or bytes that are none.
    pub(super) text: Option<String>,
    pub(super) bytes: Option<String>,
    /// What goes into message registers 1, 2, ….
    pub(super) results: Vec<u64>,
}

/// What became of a hypercall that was not refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outcome {
    /// It is done.
    Done,
    /// Its caller waits, or has work left; [`Microkernel::complete`] tells it the status.
    Waits,
}

/// What a hypercall's implementation returns.
pub(super) type Answer = Result<Outcome, Status>;

impl Request {
    /// The rights that an argument names.
    pub(super) fn rights(&self, argument: usize) -> Result<Rights, Status> {
        Rights::from_bits(self.arguments[argument]).ok_or(Status::Invalid)
    }

    /// The badge that an argument names, if it names one.
    pub(super) fn badge(&self, argument: usize) -> Option<u64> {
        Some(self.arguments[argument]).filter(|&badge| badge != 0)
    }
}

/// Whether all message registers are the call's message, so that its arguments are elsewhere.
pub(super) const fn carries_message(call: Hypercall) -> bool {
    matches!(
        call,
        Hypercall::SyncSend
            | Hypercall::SyncPollSend
            | Hypercall::SyncReceive
            | Hypercall::SyncPollReceive
            | Hypercall::SyncCall
            | Hypercall::SyncReply
            | Hypercall::SyncReplyReceive
    )
}

impl<A: Arch> Microkernel<A> {
    /// Does what a thread asked for, and tells it the status unless it has to wait for it.
    pub(super) fn hypercall(&mut self, thread: ThreadId, number: u32) {
        let domain = self.thread(thread).domain;
        let call = Hypercall::from_number(number);
        let arguments = self.arguments(thread, call);
        // The thread's own event comes before those it causes.
        let at = self.events.len();
        let count = call.map_or(0, |call| call.arguments().len());
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
        let Some(call) = call else {
            self.note_status(at, Status::NoSystemCall);
            self.write_status(thread, Status::NoSystemCall);
            return;
        };
        let (text, bytes, results) = (None, None, Vec::new());
        let mut request = Request { call, thread, domain, arguments, text, bytes, results };
        self.cause = Some(thread);
        let answer = self.dispatch(&mut request);
        self.cause = None;
        let status = match answer {
            Ok(Outcome::Done) => Status::Ok,
            Ok(Outcome::Waits) => Status::Waiting,
            Err(status) => status,
        };
        self.note_status(at, status);
        if let EventKind::Hypercall { text, bytes, .. } = self.events.kind_mut(at) {
            (*text, *bytes) = (request.text, request.bytes);
        }
        if status != Status::Waiting {
            self.write_words(thread, 1, &request.results);
            self.write_status(thread, status);
        }
    }

    fn arguments(&self, thread: ThreadId, call: Option<Hypercall>) -> [u64; utcb::REGISTERS] {
        let frame = self.thread(thread).utcb;
        let (from, count) = match call {
            Some(call) if carries_message(call) => (utcb::ENDPOINT, 2),
            _ => (utcb::MESSAGE, utcb::REGISTERS),
        };
        let mut words = [0; utcb::REGISTERS];
        self.read_words(frame, from, &mut words[..count]);
        words
    }

    fn dispatch(&mut self, request: &mut Request) -> Answer {
        self.refuse_for_hosts(request)?;
        match request.call {
            Hypercall::CapDelete => self.cap_delete(request),
            Hypercall::CapRevoke | Hypercall::CapRevokeUntil => self.cap_revoke(request),
            Hypercall::CapGrant => self.cap_grant(request),
            Hypercall::CapCopy => self.cap_copy(request),
            Hypercall::CapMove => self.cap_move(request),
            Hypercall::CapDerive => self.cap_derive(request),
            Hypercall::CapInspect => self.cap_inspect(request),
            Hypercall::CapLookup => self.cap_lookup(request),

            Hypercall::DomainCreate => self.domain_create(request),
            Hypercall::HostDomainCreate => self.host_domain_create(request),
            Hypercall::DomainConfigure => self.domain_configure(request),
            Hypercall::DomainRun => self.domain_run(request),
            Hypercall::DomainInspect => self.domain_inspect(request),
            Hypercall::BootName => self.boot_name(request),
            Hypercall::MemoryGrantAndMap => self.memory_grant_and_map(request),
            Hypercall::Exit => {
                let value = request.arguments[0].cast_signed();
                self.end(request.thread, End::Exit(Exited { value }));
                Ok(Outcome::Done)
            }

            Hypercall::SyncSend | Hypercall::SyncPollSend | Hypercall::SyncCall => {
                self.sync_send(request)
            }
            Hypercall::SyncReceive | Hypercall::SyncPollReceive => self.sync_receive(request),
            Hypercall::SyncReply => self.sync_reply(request),
            Hypercall::SyncReplyReceive => {
                self.sync_reply(request)?;
                self.sync_receive(request)
            }
            Hypercall::EndpointCreate => self.endpoint_create(request),
            Hypercall::EndpointCancel => self.endpoint_cancel(request),
            Hypercall::NotificationCreate => self.notification_create(request),
            Hypercall::NotificationSignal => self.notification_signal(request),
            Hypercall::NotificationWait | Hypercall::NotificationPoll => {
                self.notification_wait(request)
            }
            Hypercall::NotificationBind => self.notification_bind(request),
            Hypercall::ChannelCreate => self.channel_create(request),

            Hypercall::PageAllocate | Hypercall::PageAllocateNode | Hypercall::PageAllocateMany => {
                self.page_allocate(request)
            }
            Hypercall::PageMap => self.page_map(request),
            Hypercall::PageUnmap => self.page_unmap(request),
            Hypercall::MemoryStatistics => self.memory_statistics(request),
            Hypercall::QuotaSet => self.quota_set(request),
            Hypercall::QuotaGet => self.quota_get(request),

            Hypercall::ThreadCreate => self.thread_create(request),
            Hypercall::ThreadSuspend => self.thread_suspend(request),
            Hypercall::ThreadResume => self.thread_resume(request),
            Hypercall::ThreadSetRegisters => self.thread_set_registers(request),
            Hypercall::ThreadGetRegisters => self.thread_get_registers(request),
            Hypercall::ThreadKill => self.thread_kill(request),
            Hypercall::FaultBind => self.fault_bind(request),

            Hypercall::InterruptBind => self.interrupt_bind(request),
            Hypercall::InterruptAcknowledge => self.interrupt_acknowledge(request),
            Hypercall::InterruptEnable | Hypercall::InterruptDisable => {
                self.interrupt_enable(request)
            }
            Hypercall::DeviceAssign => self.device_assign(request),
            Hypercall::DeviceRelease => self.device_release(request),
            Hypercall::DeviceMap => self.device_map(request),
            Hypercall::DeviceUnmap => self.device_unmap(request),
            Hypercall::PortRead => self.port_read(request),
            Hypercall::PortWrite => self.port_write(request),

            Hypercall::ConsolePut => self.console_put(request),
            Hypercall::ConsoleWrite => self.console_write(request),
            Hypercall::DumpStack => self.dump_stack(request),
            Hypercall::Yield => {
                self.yield_turn(request.thread);
                Ok(Outcome::Done)
            }
            Hypercall::Time => {
                request.results.push(self.now);
                Ok(Outcome::Done)
            }
            Hypercall::Sleep => self.sleep(request),
        }
    }

    /// The place that a slot number means to a thread. Slot 2 is the call it received last; slot
    /// 1, through which it will be answered itself, cannot be named.
    pub(super) fn slot(&self, request: &Request, number: u64) -> Result<Slot, Status> {
        match number {
            cptr::CALL => Err(Status::Invalid),
            cptr::REPLY => Ok(self.reply_slot(request.thread)),
            _ => Ok(Slot { space: SpaceId::Domain(request.domain), number }),
        }
    }

    /// The place that an argument names.
    pub(super) fn slot_argument(&self, request: &Request, argument: usize) -> Result<Slot, Status> {
        self.slot(request, request.arguments[argument])
    }

    /// A vacant place that an argument names, where a new capability can go.
    pub(super) fn vacant_argument(
        &self,
        request: &Request,
        argument: usize,
    ) -> Result<Slot, Status> {
        let number = request.arguments[argument];
        let slot = Slot { space: SpaceId::Domain(request.domain), number };
        self.capabilities.vacant(slot)?;
        Ok(slot)
    }

    /// The domain that an argument names: 0 is the caller's own.
    pub(super) fn domain_argument(
        &self,
        request: &Request,
        argument: usize,
        rights: Rights,
    ) -> Result<DomainId, Status> {
        if request.arguments[argument] == 0 {
            return Ok(request.domain);
        }
        Ok(self.capabilities.domain(self.slot_argument(request, argument)?, rights)?)
    }

    /// Tells a thread how its hypercall ended, if there is still somebody to tell.
    pub(super) fn write_status(&mut self, thread: ThreadId, status: Status) {
        if self.thread(thread).state != ThreadState::Dead {
            let frame = self.thread(thread).utcb;
            self.arch.frame_write(frame, utcb::STATUS, &(status as i64).to_le_bytes());
        }
    }

    /// Writes message registers of a thread from the `first` on.
    pub(super) fn write_words(&mut self, thread: ThreadId, first: usize, words: &[u64]) {
        if words.is_empty() || self.thread(thread).state == ThreadState::Dead {
            return;
        }
        let frame = self.thread(thread).utcb;
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.arch.frame_write(frame, utcb::MESSAGE + first * 8, &bytes);
    }

    /// Reads words of a UTCB.
    pub(super) fn read_words(
        &self,
        frame: crate::address::Frame,
        offset: usize,
        words: &mut [u64],
    ) {
        let mut bytes = [0; utcb::REGISTERS * 8];
        let bytes = &mut bytes[..words.len() * 8];
        self.arch.frame_read(frame, offset, bytes);
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_le_bytes(bytes.try_into().expect("chunks are 8 bytes"));
        }
    }

    fn note_status(&mut self, at: usize, status: Status) {
        if let EventKind::Hypercall { status: recorded, .. } = self.events.kind_mut(at) {
            *recorded = status;
        }
    }

    /// Bytes from the caller's buffer.
    pub(super) fn take_bytes(&self, request: &Request, length: u64) -> Result<Vec<u8>, Status> {
        let length = usize::try_from(length).map_err(|_| Status::Invalid)?;
        if length > utcb::BUFFER_SIZE {
            return Err(Status::Invalid);
        }
        let mut bytes = alloc::vec![0; length];
        self.arch.frame_read(self.thread(request.thread).utcb, utcb::BUFFER, &mut bytes);
        Ok(bytes)
    }
}

impl From<CapError> for Status {
    fn from(error: CapError) -> Self {
        match error {
            CapError::Empty(_) => Self::NotFound,
            CapError::Occupied(_) | CapError::Mapped(_) => Self::Exists,
            CapError::NoSlot(_)
            | CapError::WrongKind(_)
            | CapError::Badged(_)
            | CapError::NotRoot(_) => Self::Invalid,
            CapError::Lacks(..) => Self::NotPermitted,
            CapError::HasChildren(_) => Self::Busy,
            CapError::NoSpace(_) => Self::BadState,
        }
    }
}

impl From<&LifecycleError> for Status {
    fn from(error: &LifecycleError) -> Self {
        match error {
            LifecycleError::NoDomain(_)
            | LifecycleError::NoThread(_)
            | LifecycleError::NotLent(_)
            | LifecycleError::NoModule(_)
            | LifecycleError::NoService(_) => Self::NotFound,
            LifecycleError::DomainState { .. }
            | LifecycleError::ThreadState { .. }
            | LifecycleError::Begun => Self::BadState,
            LifecycleError::Load(_) | LifecycleError::Outside { .. } => Self::Invalid,
            LifecycleError::Exhausted(_) => Self::NoMemory,
        }
    }
}
