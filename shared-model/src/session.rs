//! A microkernel as something to talk to: requests and responses that can cross a WebAssembly
//! boundary, so that both backends are driven by the same few words.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::address::GuestVirtual;
use crate::arch::Arch;
use crate::bundle::Bundle;
use crate::domain::{DomainId, LifecycleError, ThreadId, ThreadReport};
use crate::event::Log;
use crate::microkernel::{Microkernel, Step};
use crate::world::Argument;

/// What can be asked of a session, besides running it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
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
    /// Start a thread.
    Start(ThreadId),
    /// End a thread.
    Kill(ThreadId),
    /// Destroy a domain.
    Destroy(DomainId),
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
    /// What is known of a thread.
    Report(ThreadReport),
    /// Text, if there is any.
    Text(Option<String>),
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
            Request::Boot => kernel.boot().map(done),
            Request::CreateDomain { name } => kernel.create_domain(&name).map(Response::Domain),
            Request::Load { domain, module, call, arguments } => kernel
                .load_module(domain, &module, call.as_deref(), &arguments)
                .map(Response::Thread),
            Request::Start(thread) => kernel.start_thread(thread).map(done),
            Request::Kill(thread) => kernel.kill_thread(thread).map(done),
            Request::Destroy(domain) => kernel.destroy_domain(domain).map(done),
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
                Step::Idle => return Progress::Idle,
            }
        }
        Progress::More
    }

    /// The log so far.
    pub fn log(&self) -> Log {
        self.kernel.log()
    }
}

/// A request and its answer as JSON, for a boundary that carries bytes.
///
/// # Errors
/// A message if the request is not one.
pub fn handle_json<A: Arch>(session: &mut Session<A>, request: &[u8]) -> Result<Vec<u8>, String> {
    let request: Request =
        serde_json::from_slice(request).map_err(|error| format!("not a request: {error}"))?;
    let answer: Result<Response, LifecycleError> = session.handle(request);
    serde_json::to_vec(&answer).map_err(|error| format!("the answer cannot be written: {error}"))
}
