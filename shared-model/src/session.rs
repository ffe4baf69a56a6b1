//! A microkernel as something to talk to: requests and responses that can cross a WebAssembly
//! boundary, so that both backends are driven by the same few words.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::abi::Status;
use crate::address::{Frame, GuestVirtual};
use crate::arch::Arch;
use crate::bundle::Bundle;
use crate::domain::{DomainId, LifecycleError, ThreadId, ThreadReport};
use crate::event::{Event, Log, LogHeader};
use crate::host::{ACCESS_MAX, HostCall, HostResult, hexadecimal};
use crate::microkernel::{Microkernel, Schedule, Step};
use crate::rights::Rights;
use crate::world::Argument;

/// What can be asked of a session, besides running it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Take turns in another order than the usual one: before anything else.
    Schedule(Schedule),
    /// Create and start what the world declares.
    Boot,
    /// Create an empty domain.
    CreateDomain {
        /// Its name.
        name: String,
    },
    /// Load a module into an empty domain.
    Load {
        /// The domain.
        domain: DomainId,
        /// The module, by the name the bundle knows it.
        module: String,
        /// Functions to call, if not the default.
        call: Option<Vec<String>>,
        /// Arguments of the last of them.
        arguments: Vec<Argument>,
    },
    /// Create a host domain, with a thread that is not started.
    CreateHostDomain {
        /// Its name.
        name: String,
        /// The service it runs; without one, it is run with [`Request::HostCall`].
        service: Option<String>,
    },
    /// Give a domain a capability to another.
    GiveDomain {
        /// Who gets it.
        holder: DomainId,
        /// In which slot.
        slot: u64,
        /// The other.
        domain: DomainId,
        /// What it allows.
        rights: Rights,
    },
    /// How the last hypercall of a host thread ended, whose turn it is: see [`Progress::Host`].
    HostResult(ThreadId),
    /// Make its next hypercall.
    HostCall {
        /// The thread.
        thread: ThreadId,
        /// The hypercall.
        call: HostCall,
    },
    /// End a host thread whose code broke down.
    HostPanicked {
        /// The thread.
        thread: ThreadId,
        /// What it said.
        message: String,
    },
    /// Read memory that a host domain holds a capability to.
    HostRead {
        /// The host domain.
        domain: DomainId,
        /// The capability.
        slot: u64,
        /// Bytes into the block.
        offset: u64,
        /// How many bytes, at most [`crate::host::ACCESS_MAX`].
        length: u64,
    },
    /// Write such memory.
    HostWrite {
        /// The host domain.
        domain: DomainId,
        /// The capability.
        slot: u64,
        /// Bytes into the block.
        offset: u64,
        /// The bytes.
        #[serde(with = "hexadecimal")]
        bytes: Vec<u8>,
    },
    /// Lend pages, zeroed but for what they begin with.
    Lend {
        /// How many.
        pages: u64,
        /// What they begin with.
        #[serde(with = "hexadecimal")]
        contents: Vec<u8>,
    },
    /// Give a domain a capability to lent memory.
    GiveLent {
        /// The memory.
        memory: Frame,
        /// Who gets it.
        domain: DomainId,
        /// In which slot.
        slot: u64,
        /// What it allows.
        rights: Rights,
    },
    /// Read lent memory.
    ReadLent {
        /// The memory.
        memory: Frame,
        /// Bytes into it.
        offset: u64,
        /// How many bytes.
        length: u64,
    },
    /// Write lent memory.
    WriteLent {
        /// The memory.
        memory: Frame,
        /// Bytes into it.
        offset: u64,
        /// The bytes.
        #[serde(with = "hexadecimal")]
        bytes: Vec<u8>,
    },
    /// End a loan; the answer is what was in the memory.
    TakeBack(Frame),
    /// Start a thread.
    Start(ThreadId),
    /// End a thread.
    Kill(ThreadId),
    /// Destroy a domain.
    Destroy(DomainId),
    /// Let others run before a thread that was kicked goes on.
    EndTurn(ThreadId),
    /// End every thread, because the run's limit is reached.
    TimeOut,
    /// Add the digests of memory to the log; nothing runs afterwards.
    Finish,
    /// What is known of a thread.
    Report(ThreadId),
    /// What a domain wrote.
    Console(DomainId),
    /// Which function an address of a domain is in.
    Symbolize(DomainId, GuestVirtual),
    /// What the log is a log of.
    Header,
    /// Some of what has happened so far.
    Events {
        /// How many events at the log's beginning are left out.
        from: usize,
        /// How many come at most.
        limit: usize,
    },
}

/// The answer to a [`Request`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// It is done.
    Done,
    /// A domain was created.
    Domain(DomainId),
    /// A thread was created.
    Thread(ThreadId),
    /// Memory was lent.
    Lent(Frame),
    /// A host domain was created, with its thread.
    HostDomain(DomainId, ThreadId),
    /// How a hypercall of a host thread ended.
    HostResult(HostResult),
    /// What was read.
    Bytes(#[serde(with = "hexadecimal")] Vec<u8>),
    /// An access to memory was refused, and nothing has changed.
    Refused(Status),
    /// What is known of a thread.
    Report(ThreadReport),
    /// Text, if there is any.
    Text(Option<String>),
    /// What the log is a log of.
    Header(LogHeader),
    /// Events in their order, fewer than asked for only if there are no more yet.
    Events(Vec<Event>),
}

/// How far [`Session::run`] came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// No thread is ready: the run is over, unless something is started.
    Idle,
    /// There is more to do.
    More,
    /// A thread was kicked.
    Kicked(ThreadId),
    /// It is the turn of a host thread without a service. The caller takes the result of its last
    /// hypercall ([`Request::HostResult`]) and makes its next ([`Request::HostCall`]); until then,
    /// every run comes to this.
    Host(ThreadId),
}

/// A microkernel, and the words to drive it.
#[derive(Debug)]
pub struct Session<A: Arch> {
    kernel: Microkernel<A>,
}

impl<A: Arch> Session<A> {
    /// A session over a backend with the modules of a bundle. Nothing runs yet.
    pub fn new(arch: A, bundle: Bundle) -> Self {
        Self { kernel: Microkernel::new(arch, bundle) }
    }

    /// The microkernel, to look at and to kick.
    pub const fn kernel(&self) -> &Microkernel<A> {
        &self.kernel
    }

    /// The microkernel, to go on by single steps.
    pub const fn kernel_mut(&mut self) -> &mut Microkernel<A> {
        &mut self.kernel
    }

    /// Adds the modules of another bundle.
    pub fn add_modules(&mut self, bundle: &Bundle) {
        for name in bundle.modules.keys() {
            let parts = bundle.module(name).unwrap_or_default();
            let files: Vec<_> = parts.iter().map(|part| (part.name, part.bytes)).collect();
            self.kernel.add_module(name, &files);
        }
    }

    /// Does what a request asks for.
    ///
    /// # Errors
    /// [`LifecycleError`]; nothing has changed then, except that a boot that fails leaves what it
    /// had created.
    pub fn handle(&mut self, request: Request) -> Result<Response, LifecycleError> {
        let kernel = &mut self.kernel;
        let done = |()| Response::Done;
        match request {
            Request::Schedule(schedule) => kernel.set_schedule(schedule).map(done),
            Request::Boot => kernel.boot().map(done),
            Request::CreateDomain { name } => kernel.create_domain(&name).map(Response::Domain),
            Request::Load { domain, module, call, arguments } => kernel
                .load_module(domain, &module, call.as_deref(), &arguments)
                .map(Response::Thread),
            Request::CreateHostDomain { name, service } => kernel
                .create_host_domain(&name, service.as_deref())
                .map(|(domain, thread)| Response::HostDomain(domain, thread)),
            Request::GiveDomain { holder, slot, domain, rights } => {
                kernel.give_domain(holder, slot, domain, rights).map(done)
            }
            Request::HostResult(thread) => kernel.host_result(thread).map(Response::HostResult),
            Request::HostCall { thread, call } => kernel.host_call(thread, &call).map(done),
            Request::HostPanicked { thread, message } => {
                kernel.host_panicked(thread, &message).map(done)
            }
            Request::HostRead { domain, slot, offset, length } => {
                Ok(host_read(kernel, domain, slot, offset, length))
            }
            Request::HostWrite { domain, slot, offset, bytes } => {
                let written = kernel.host_write(domain, slot, offset, &bytes);
                Ok(written.map_or_else(Response::Refused, done))
            }
            Request::Lend { pages, contents } => kernel.lend(pages, &contents).map(Response::Lent),
            Request::GiveLent { memory, domain, slot, rights } => {
                kernel.give_lent(memory, domain, slot, rights).map(done)
            }
            Request::ReadLent { memory, offset, length } => {
                kernel.lent_read(memory, offset, length).map(Response::Bytes)
            }
            Request::WriteLent { memory, offset, bytes } => {
                kernel.lent_write(memory, offset, &bytes).map(done)
            }
            Request::TakeBack(memory) => kernel.take_back(memory).map(Response::Bytes),
            Request::Start(thread) => kernel.start_thread(thread).map(done),
            Request::Kill(thread) => kernel.kill_thread(thread).map(done),
            Request::Destroy(domain) => kernel.destroy_domain(domain).map(done),
            Request::EndTurn(thread) => {
                kernel.end_turn(thread);
                Ok(Response::Done)
            }
            Request::TimeOut => {
                kernel.time_out();
                Ok(Response::Done)
            }
            Request::Finish => {
                kernel.finish();
                Ok(Response::Done)
            }
            Request::Report(thread) => kernel.thread_report(thread).map(Response::Report),
            Request::Console(domain) => {
                kernel.console(domain).map(|text| Response::Text(Some(text)))
            }
            Request::Symbolize(domain, address) => {
                Ok(Response::Text(kernel.symbolize(domain, address)))
            }
            Request::Header => Ok(Response::Header(kernel.header())),
            Request::Events { from, limit } => {
                Ok(Response::Events(self.events(from, limit).to_vec()))
            }
        }
    }

    /// Runs until nothing is ready, something was kicked, or about `budget` instructions are
    /// used up, on a backend that counts them. On another it takes at most `steps` exits.
    pub fn run(&mut self, budget: u64, steps: u32) -> Progress {
        let start = self.kernel.retired();
        for _ in 0..steps {
            let used = match (start, self.kernel.retired()) {
                (Some(start), Some(now)) => now - start,
                _ => 0,
            };
            if used >= budget {
                break;
            }
            match self.kernel.step(budget - used) {
                Step::Continued | Step::Budget(_) => {}
                Step::Kicked(thread) => return Progress::Kicked(thread),
                Step::Host(thread) => return Progress::Host(thread),
                Step::Idle => return Progress::Idle,
            }
        }
        Progress::More
    }

    /// Of what has happened so far, at most `limit` events after the first `from`.
    pub fn events(&self, from: usize, limit: usize) -> &[Event] {
        let after = self.kernel.event_log().since(from);
        &after[..after.len().min(limit)]
    }

    /// The log so far.
    pub fn log(&self) -> Log {
        self.kernel.log()
    }
}

fn host_read<A: Arch>(
    kernel: &Microkernel<A>,
    domain: DomainId,
    slot: u64,
    offset: u64,
    length: u64,
) -> Response {
    if length > ACCESS_MAX {
        return Response::Refused(Status::Invalid);
    }
    let mut bytes = alloc::vec![0; length as usize];
    match kernel.host_read(domain, slot, offset, &mut bytes) {
        Ok(()) => Response::Bytes(bytes),
        Err(status) => Response::Refused(status),
    }
}

/// A request and its answer as JSON, for a boundary that carries bytes.
///
/// # Errors
/// A message if the request is not one.
pub fn handle_json<A: Arch>(session: &mut Session<A>, request: &[u8]) -> Result<Vec<u8>, String> {
    let request = parse(request)?;
    write(&session.handle(request))
}

// These two are the same for every backend, and large: they are not to become part of anything.
#[inline(never)]
fn parse(request: &[u8]) -> Result<Request, String> {
    serde_json::from_slice(request).map_err(|error| format!("not a request: {error}"))
}

#[inline(never)]
fn write(answer: &Result<Response, LifecycleError>) -> Result<Vec<u8>, String> {
    serde_json::to_vec(answer).map_err(|error| format!("the answer cannot be written: {error}"))
}
