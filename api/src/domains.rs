//! The Rust facade: domains as objects, on either backend.
//!
//! A [`Host`] owns one machine and one host thread that drives it. Handles to domains and threads
//! send it requests; a request interrupts what is running, so that a spinning thread can be
//! killed at any time.
//!
//! A [`Host`] can also run code of its own in a domain: see [`Host::spawn`]. Such code has a host
//! thread of its own, which runs while the machine stands still and the other way round: the
//! driving thread gives it its turn and waits for its next hypercall. So the log does not depend
//! on how fast either is. While it waits, requests are served as always.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use native_vmx::KickHandle;
use shared_model::arch::Kick as _;
use shared_model::bundle::Bundle;
use shared_model::domain::{DomainId, LifecycleError, ThreadId, ThreadReport, ThreadState};
use shared_model::event::Log;
use shared_model::exit::End;
use shared_model::rights::Rights;
use shared_model::session::{Progress, Request, Response};
use shared_model::world::{DomainPlan, World};
use thiserror::Error;

use crate::assemble::{self, AssembleError, Modules};
use crate::backend::{Backend, BackendError, Machine};
use crate::hosted::{self, Body, Deed, HostContext, HostError, Turn};

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

    /// Makes a module one that domains of this machine can be configured with, and returns the
    /// name by which they ask for it.
    ///
    /// # Errors
    /// [`Error::Modules`] if the module is not found.
    pub fn provide(&self, module: &str) -> Result<String, Error> {
        let bundle = assemble::module(module, &self.modules)?;
        let name = bundle.world.domains[0].module.clone();
        self.link.ask(Ask::AddModules(Box::new(bundle)))?;
        Ok(name)
    }

    /// Creates a host domain that runs one of the bundled services, by its name: see
    /// [`shared_model::services::NAMES`].
    ///
    /// Its thread exists and is not started.
    ///
    /// # Errors
    /// [`Error::Backend`] if there is no such service.
    pub fn service(&self, name: &str, service: &str) -> Result<Domain, Error> {
        let (name, service) = (String::from(name), Some(String::from(service)));
        let created = self.link.request(Request::CreateHostDomain { name, service })?;
        self.host_domain(&created)
    }

    /// Creates a host domain whose code is a closure of this process. What it can do is in
    /// [`HostContext`]; what it returns, its thread exits with.
    ///
    /// The closure runs on a host thread of its own, and only while it is its domain's turn. When
    /// the domain is destroyed, its thread killed or the host dropped, its calls return
    /// [`HostError::Ended`]; before its first turn, it is not run at all. If it panics, that ends
    /// its domain and nothing else.
    ///
    /// Its thread exists and is not started.
    ///
    /// ```
    /// use std::time::Duration;
    /// use lcd::model::host::Message;
    /// use lcd::model::rights::Rights;
    /// use lcd::{Backend, Host};
    ///
    /// let host = Host::new(Backend::Sim)?;
    /// let doubler = host.spawn("doubler", |cx| {
    ///     // Slot 3 is where the client, below, puts its endpoint.
    ///     let call = cx.receive(3)?;
    ///     cx.reply(&Message::new(&[call.message[0] * 2]))?;
    ///     Ok(0)
    /// })?;
    /// let client = host.spawn("client", |cx| {
    ///     cx.create_endpoint(4)?;
    ///     cx.grant(10, 4, 3, Rights::READ | Rights::GRANT, 0)?;
    ///     cx.run_domain(10)?;
    ///     let answer = cx.call(4, &Message::new(&[21]))?;
    ///     Ok(answer.message[0] as i64)
    /// })?;
    /// client.give(10, &doubler, Rights::ALL)?;
    /// client.init_thread().start()?;
    ///
    /// let end = client.init_thread().wait(Duration::from_secs(10))?;
    /// assert_eq!(end.ok_or("still running")?.to_string(), "exited with 42");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Backend`] if there is no room for another domain.
    pub fn spawn(
        &self,
        name: &str,
        body: impl FnOnce(&mut HostContext) -> Result<i64, HostError> + Send + 'static,
    ) -> Result<Domain, Error> {
        let spawn = Ask::Spawn { name: name.into(), body: Box::new(body) };
        match self.link.ask(spawn)? {
            Answer::Response(created) => self.host_domain(&created),
            Answer::Log(_) => Err(Error::Gone),
        }
    }

    fn host_domain(&self, created: &Response) -> Result<Domain, Error> {
        let &Response::HostDomain(id, thread) = created else { return Err(Error::Gone) };
        let link = || Arc::clone(&self.link);
        Ok(Domain { link: link(), id, init_thread: Thread { link: link(), id: thread } })
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
        self.link.send(Message::Ask { ask: Ask::Stop, answer });
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

    /// Gives this domain a capability to another one of the same host.
    ///
    /// # Errors
    /// [`Error::Backend`] if the slot is taken, or either domain was destroyed.
    pub fn give(&self, slot: u64, other: &Self, rights: Rights) -> Result<(), Error> {
        let give = Request::GiveDomain { holder: self.id, slot, domain: other.id, rights };
        self.link.request(give).map(drop)
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

/// What comes to the driving thread.
pub(crate) enum Message {
    /// From a handle.
    Ask { ask: Ask, answer: Sender<Result<Answer, BackendError>> },
    /// From the code of a host thread whose turn it is.
    Deed(ThreadId, Deed),
}

pub(crate) enum Ask {
    Request(Request),
    AddModules(Box<Bundle>),
    Spawn { name: String, body: Body },
    Log,
    Stop,
}

pub(crate) enum Answer {
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
        self.send(Message::Ask { ask, answer });
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
fn drive(machine: Machine, messages: &Receiver<Message>, link: &Link) {
    let publish = |kick| *link.running.lock().unwrap_or_else(PoisonError::into_inner) = kick;
    let mut driver =
        Driver { machine, sender: link.sender.clone(), hosted: BTreeMap::new(), acting: None };
    let mut idle = true;
    loop {
        publish(driver.machine.current().map(|(_, kick, _)| kick));
        let message = match messages.try_recv() {
            Ok(message) => Some(message),
            Err(TryRecvError::Empty) if !idle && driver.acting.is_none() => None,
            Err(TryRecvError::Empty) => match messages.recv() {
                Ok(message) => Some(message),
                Err(_) => return,
            },
            Err(TryRecvError::Disconnected) => return,
        };
        match message {
            Some(Message::Ask { ask: Ask::Stop, .. }) => return,
            Some(Message::Ask { ask, answer }) => {
                // Whoever asked may have gone.
                let _ = answer.send(driver.asked(ask));
                idle = false;
            }
            Some(Message::Deed(thread, deed)) => {
                driver.done(thread, deed);
                idle = false;
            }
            None => match driver.machine.run() {
                Ok(Progress::Host(thread)) => driver.give_turn(thread),
                Ok(progress) => idle = progress == Progress::Idle,
                // Later requests will say what is wrong with the machine.
                Err(_) => idle = true,
            },
        }
        driver.leave_the_dead();
    }
}

/// A machine, and the host code that runs on it.
struct Driver {
    machine: Machine,
    /// For the code, to say what it does next.
    sender: Sender<Message>,
    /// The way to the code of each live host thread that this process runs.
    hosted: BTreeMap<ThreadId, Sender<Turn>>,
    /// The one whose code runs now: the machine waits for its next hypercall.
    acting: Option<ThreadId>,
}

impl Driver {
    fn asked(&mut self, ask: Ask) -> Result<Answer, BackendError> {
        match ask {
            Ask::Request(request) => self.machine.request(request).map(Answer::Response),
            Ask::AddModules(bundle) => {
                self.machine.add_modules(&bundle).map(|()| Answer::Response(Response::Done))
            }
            Ask::Spawn { name, body } => self.spawn(name, body).map(Answer::Response),
            Ask::Log => self.machine.log().map(|log| Answer::Log(Box::new(log))),
            Ask::Stop => Ok(Answer::Response(Response::Done)),
        }
    }

    fn spawn(&mut self, name: String, body: Body) -> Result<Response, BackendError> {
        let created = self.machine.request(Request::CreateHostDomain { name, service: None })?;
        if let Response::HostDomain(domain, thread) = created {
            match hosted::start(domain, thread, body, self.sender.clone()) {
                Ok(turns) => drop(self.hosted.insert(thread, turns)),
                Err(error) => {
                    self.machine.request(Request::Destroy(domain))?;
                    return Err(LifecycleError::Exhausted(error.to_string()).into());
                }
            }
        }
        Ok(created)
    }

    /// Lets the code of a host thread go on, with how its last hypercall ended.
    fn give_turn(&mut self, thread: ThreadId) {
        let result = self.machine.request(Request::HostResult(thread));
        if let (Some(turns), Ok(Response::HostResult(result))) = (self.hosted.get(&thread), result)
            && turns.send(Turn::Result(result)).is_ok()
        {
            self.acting = Some(thread);
        } else {
            self.give_up(thread);
        }
    }

    /// Does what the code of a host thread asks for. One that has ended meanwhile can ask for
    /// nothing.
    fn done(&mut self, thread: ThreadId, deed: Deed) {
        if self.acting != Some(thread) {
            return;
        }
        let request = match deed {
            Deed::Access(request) => {
                let response = self.machine.request(request);
                if let (Some(turns), Ok(response)) = (self.hosted.get(&thread), response) {
                    // Its end is a deed of its own.
                    let _ = turns.send(Turn::Response(response));
                } else {
                    self.give_up(thread);
                }
                return;
            }
            Deed::Call(call) => Request::HostCall { thread, call },
            Deed::Panicked(message) => Request::HostPanicked { thread, message },
        };
        self.acting = None;
        if self.machine.request(request).is_err() {
            self.give_up(thread);
        }
    }

    /// Nobody makes the thread's hypercalls.
    fn give_up(&mut self, thread: ThreadId) {
        self.acting = self.acting.filter(|&acting| acting != thread);
        // It may have ended already.
        let _ = self.machine.request(Request::Kill(thread));
    }

    /// Forgets the code of threads that have ended: its calls fail from then on.
    fn leave_the_dead(&mut self) {
        let machine = &mut self.machine;
        self.hosted.retain(|&thread, _| match machine.request(Request::Report(thread)) {
            Ok(Response::Report(report)) => report.state != ThreadState::Dead,
            _ => false,
        });
        self.acting = self.acting.filter(|acting| self.hosted.contains_key(acting));
    }
}
