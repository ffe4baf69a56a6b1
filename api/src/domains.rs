//! The Rust facade: domains as objects, on either backend.
//!
//! A [`Host`] owns one machine and one host thread that drives it. Handles to domains and threads
//! send it requests; a request interrupts what is running, so that a spinning thread can be
//! killed at any time.

use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use native_vmx::KickHandle;
use shared_model::arch::Kick as _;
use shared_model::bundle::Bundle;
use shared_model::domain::{DomainId, ThreadId, ThreadReport, ThreadState};
use shared_model::event::Log;
use shared_model::exit::End;
use shared_model::session::{Progress, Request, Response};
use shared_model::world::{DomainPlan, World};
use thiserror::Error;

use crate::assemble::{self, AssembleError, Modules};
use crate::backend::{Backend, BackendError, Machine};

/// Something could not be done with a domain.
#[derive(Debug, Error)]
pub enum Error {
    /// The backend or the model refused.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// A module could not be found or read.
    #[error(transparent)]
    Modules(#[from] AssembleError),
    /// The thread that drives the machine is gone: it panicked.
    #[error("the machine's host thread ended unexpectedly")]
    Gone,
}

/// A machine with a microkernel, on one backend.
///
/// Dropping it ends everything that runs on it.
pub struct Host {
    link: Arc<Link>,
    modules: Modules,
    driver: Option<thread::JoinHandle<()>>,
}

/// A domain. Dropping the handle leaves the domain as it is.
pub struct Domain {
    link: Arc<Link>,
    id: DomainId,
    init_thread: Thread,
}

/// A thread of a domain.
#[derive(Clone)]
pub struct Thread {
    link: Arc<Link>,
    id: ThreadId,
}

impl Host {
    /// A machine on `backend` whose modules come from the host's own module directory,
    /// `/lib/modules/$(uname -r)`.
    ///
    /// # Errors
    /// [`Error::Backend`] if the backend is not available here.
    pub fn new(backend: Backend) -> Result<Self, Error> {
        Self::with_modules(backend, Modules::default())
    }

    /// A machine whose modules come from `directory`.
    ///
    /// # Errors
    /// [`Error::Modules`] if the directory cannot be opened, and as [`Host::new`].
    pub fn with_module_path(backend: Backend, directory: &Path) -> Result<Self, Error> {
        Self::with_modules(backend, Modules::at(directory)?)
    }

    fn with_modules(backend: Backend, modules: Modules) -> Result<Self, Error> {
        let world = World::single(DomainPlan::new("host", ""));
        let machine = Machine::open(backend, &Bundle::new(World { domains: Vec::new(), ..world }))?;
        let (sender, receiver) = mpsc::channel();
        let link = Arc::new(Link { sender, running: Mutex::default() });
        let drivers = Arc::clone(&link);
        let driver = thread::spawn(move || drive(machine, &receiver, &drivers));
        Ok(Self { link, modules, driver: Some(driver) })
    }

    /// Creates a domain that will run a module: a name in the module path, or a file.
    ///
    /// Its init thread exists and is not started.
    ///
    /// # Errors
    /// [`Error::Modules`] if the module is not found, [`Error::Backend`] if it cannot be loaded.
    pub fn create(&self, module: &str) -> Result<Domain, Error> {
        let bundle = assemble::module(module, &self.modules)?;
        let plan = &bundle.world.domains[0];
        let (name, module) = (plan.name.clone(), plan.module.clone());
        self.link.ask(Ask::AddModules(Box::new(bundle.clone())))?;
        let Response::Domain(id) = self.link.request(Request::CreateDomain { name })? else {
            return Err(Error::Gone);
        };
        let load = Request::Load { domain: id, module, call: None, arguments: Vec::new() };
        match self.link.request(load) {
            Ok(Response::Thread(thread)) => {
                let init_thread = Thread { link: Arc::clone(&self.link), id: thread };
                Ok(Domain { link: Arc::clone(&self.link), id, init_thread })
            }
            other => {
                // A domain with nothing in it is of no use to the caller, who got no handle.
                let _ = self.link.request(Request::Destroy(id));
                Err(other.err().unwrap_or(Error::Gone))
            }
        }
    }

    /// Everything that has happened on this machine.
    ///
    /// # Errors
    /// [`Error::Gone`], or [`Error::Backend`] if the simulator failed.
    pub fn log(&self) -> Result<Log, Error> {
        match self.link.ask(Ask::Log)? {
            Answer::Log(log) => Ok(*log),
            Answer::Response(_) => Err(Error::Gone),
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let (answer, _ignored) = mpsc::channel();
        self.link.send(Message { ask: Ask::Stop, answer });
        if let Some(driver) = self.driver.take() {
            // If it panicked, there is nobody left to tell.
            let _ = driver.join();
        }
    }
}

impl Domain {
    /// The thread that runs the module's init function.
    pub const fn init_thread(&self) -> &Thread {
        &self.init_thread
    }

    /// What the domain has written to its console.
    ///
    /// # Errors
    /// [`Error::Backend`] if the domain was destroyed.
    pub fn console(&self) -> Result<String, Error> {
        match self.link.request(Request::Console(self.id))? {
            Response::Text(text) => Ok(text.unwrap_or_default()),
            _ => Err(Error::Gone),
        }
    }

    /// Ends the domain's thread, if it has not ended, and frees all that the domain had.
    ///
    /// # Errors
    /// [`Error::Gone`], or [`Error::Backend`] if somebody else destroyed it.
    pub fn destroy(self) -> Result<(), Error> {
        self.link.request(Request::Destroy(self.id)).map(drop)
    }
}

impl Thread {
    /// Lets the thread run.
    ///
    /// # Errors
    /// [`Error::Backend`] if it was started before.
    pub fn start(&self) -> Result<(), Error> {
        self.link.request(Request::Start(self.id)).map(drop)
    }

    /// Ends the thread, whatever it is doing.
    ///
    /// # Errors
    /// [`Error::Backend`] if it has ended already.
    pub fn kill(&self) -> Result<(), Error> {
        self.link.request(Request::Kill(self.id)).map(drop)
    }

    /// How the thread ended; nothing if it has not.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn end(&self) -> Result<Option<End>, Error> {
        Ok(self.report()?.ended.map(|(end, _)| end))
    }

    /// Its state and how it ended.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn report(&self) -> Result<ThreadReport, Error> {
        match self.link.request(Request::Report(self.id))? {
            Response::Report(report) => Ok(report),
            _ => Err(Error::Gone),
        }
    }

    /// Waits until the thread has ended, for at most `timeout`, and says how.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub fn wait(&self, timeout: Duration) -> Result<Option<End>, Error> {
        let deadline = Instant::now() + timeout;
        // Every look interrupts the machine, so they become rarer.
        let mut pause = Duration::from_millis(1);
        loop {
            let report = self.report()?;
            if report.state == ThreadState::Dead || Instant::now() >= deadline {
                return Ok(report.ended.map(|(end, _)| end));
            }
            thread::sleep(pause.min(deadline.saturating_duration_since(Instant::now())));
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}

/// The way to the driving thread.
struct Link {
    sender: Sender<Message>,
    /// What is on the processor now, or will be in a moment.
    running: Mutex<Option<KickHandle>>,
}

struct Message {
    ask: Ask,
    answer: Sender<Result<Answer, BackendError>>,
}

enum Ask {
    Request(Request),
    AddModules(Box<Bundle>),
    Log,
    Stop,
}

enum Answer {
    Response(Response),
    Log(Box<Log>),
}

impl Link {
    fn request(&self, request: Request) -> Result<Response, Error> {
        match self.ask(Ask::Request(request))? {
            Answer::Response(response) => Ok(response),
            Answer::Log(_) => Err(Error::Gone),
        }
    }

    fn ask(&self, ask: Ask) -> Result<Answer, Error> {
        let (answer, receiver) = mpsc::channel();
        self.send(Message { ask, answer });
        Ok(receiver.recv().map_err(|_| Error::Gone)??)
    }

    /// Sends, then kicks. The driver publishes its kick handle, then looks for messages, then
    /// runs; so a message is either seen by that look or followed by a kick of that run.
    fn send(&self, message: Message) {
        if self.sender.send(message).is_ok() {
            let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(kick) = &*running {
                kick.kick();
            }
        }
    }
}

/// The driving thread: requests first, then a piece of a run, until it is told to stop.
fn drive(mut machine: Machine, messages: &Receiver<Message>, link: &Link) {
    let publish = |kick| *link.running.lock().unwrap_or_else(PoisonError::into_inner) = kick;
    let mut idle = true;
    loop {
        publish(machine.current().map(|(_, kick, _)| kick));
        let message = match messages.try_recv() {
            Ok(message) => Some(message),
            Err(TryRecvError::Empty) if !idle => None,
            Err(TryRecvError::Empty) => match messages.recv() {
                Ok(message) => Some(message),
                Err(_) => return,
            },
            Err(TryRecvError::Disconnected) => return,
        };
        if let Some(Message { ask, answer }) = message {
            let result = match ask {
                Ask::Stop => return,
                Ask::Request(request) => machine.request(request).map(Answer::Response),
                Ask::AddModules(bundle) => {
                    machine.add_modules(&bundle).map(|()| Answer::Response(Response::Done))
                }
                Ask::Log => machine.log().map(|log| Answer::Log(Box::new(log))),
            };
            // Whoever asked may have gone.
            let _ = answer.send(result);
            idle = false;
            continue;
        }
        match machine.run() {
            Ok(progress) => idle = progress == Progress::Idle,
            // Later requests will say what is wrong with the machine.
            Err(_) => idle = true,
        }
    }
}
