//! The simulator's WebAssembly module under wasmtime.
//!
//! The module is compiled into this crate. Everything of a run (machine, frames, microkernel)
//! lives in the instance's own memory; this side passes bytes in and out, in slices of
//! instructions, so that it stays in charge.

use shared_model::bundle::Bundle;
use shared_model::domain::{LifecycleError, ThreadId};
use shared_model::event::{Event, Log, LogHeader};
use shared_model::session::{Progress, Request, Response};
use thiserror::Error;
use wasmtime::{
    Cache, Config, Engine, Instance, Memory, Module, Store, StoreLimits, StoreLimitsBuilder,
    TypedFunc, WasmParams, WasmResults,
};

/// The simulator, as WebAssembly.
pub static SIMULATOR_WASM: &[u8] = include_bytes!(env!("LCD_SIM_WASM_PATH"));

/// The version of the interface that this crate speaks.
const INTERFACE: u32 = 2;

/// Bytes of memory that a simulator may use: frames of its domains and the log.
const MEMORY_MAX: usize = 2 << 30;

/// Events that cross the boundary at once, at most.
const EVENTS: usize = 4096;

/// Something went wrong outside the model.
#[derive(Debug, Error)]
pub enum SimulatorError {
    /// wasmtime refused, or the module trapped. A trap is a defect of the simulator or the end
    /// of its memory.
    #[error("the simulator stopped: {0:#}")]
    Wasm(wasmtime::Error),
    /// The module answered with an error.
    #[error("the simulator refused: {0}")]
    Refused(String),
    /// The module speaks another version of the interface.
    #[error(
        "the simulator's interface has version {0}, this program needs {INTERFACE}: rebuild it"
    )]
    Interface(u32),
    /// The model refused.
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
}

impl From<wasmtime::Error> for SimulatorError {
    fn from(error: wasmtime::Error) -> Self {
        Self::Wasm(error)
    }
}

/// The compiled module, from which any number of simulators are made.
#[derive(Clone)]
pub struct Engines {
    engine: Engine,
    module: Module,
}

impl Engines {
    /// Compiles the module, or finds it in wasmtime's cache on disk.
    ///
    /// # Errors
    /// When wasmtime does not accept it.
    pub fn new() -> Result<Self, SimulatorError> {
        let mut config = Config::new();
        // Without a cache directory every start compiles: slower, and nothing else.
        config.cache(Cache::from_file(None).ok());
        // The one thing in which hosts may differ: which NaN an operation yields.
        config.cranelift_nan_canonicalization(true);
        let engine = Engine::new(&config)?;
        let module = Module::new(&engine, SIMULATOR_WASM)?;
        Ok(Self { engine, module })
    }

    /// A simulator with a session for `bundle`.
    ///
    /// # Errors
    /// See [`SimulatorError`].
    pub fn open(&self, bundle: &Bundle) -> Result<Simulator, SimulatorError> {
        let limits = StoreLimitsBuilder::new().memory_size(MEMORY_MAX).build();
        let mut store = Store::new(&self.engine, limits);
        store.limiter(|limits| limits);
        let instance = Instance::new(&mut store, &self.module, &[])?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or_else(|| SimulatorError::Refused(String::from("it exports no memory")))?;
        let run = function(&instance, &mut store, "lcd_run")?;
        let mut simulator = Simulator { store, instance, memory, run, events: Vec::new() };
        let interface = simulator.call::<_, u32>("lcd_interface", ())?;
        if interface != INTERFACE {
            return Err(SimulatorError::Interface(interface));
        }
        simulator.exchange("lcd_open", &bundle.encode())?;
        Ok(simulator)
    }
}

/// One instance of the simulator, with one session.
pub struct Simulator {
    store: Store<StoreLimits>,
    instance: Instance,
    memory: Memory,
    run: TypedFunc<u64, i32>,
    /// The beginning of the log, as far as it has come out.
    events: Vec<Event>,
}

impl Simulator {
    /// Adds the modules of another bundle.
    ///
    /// # Errors
    /// See [`SimulatorError`].
    pub fn add_modules(&mut self, bundle: &Bundle) -> Result<(), SimulatorError> {
        self.exchange("lcd_add_modules", &bundle.encode()).map(drop)
    }

    /// Asks the session for something.
    ///
    /// # Errors
    /// [`SimulatorError::Lifecycle`] if the model refuses.
    pub fn request(&mut self, request: &Request) -> Result<Response, SimulatorError> {
        let bytes = to_json(request)?;
        let answer = self.exchange("lcd_request", &bytes)?;
        let answer: Result<Response, LifecycleError> = from_json(&answer)?;
        Ok(answer?)
    }

    /// Runs about `budget` instructions.
    ///
    /// # Errors
    /// [`SimulatorError::Wasm`] if the module traps.
    pub fn run(&mut self, budget: u64) -> Result<Progress, SimulatorError> {
        match self.run.call(&mut self.store, budget)? {
            0 => Ok(Progress::Idle),
            1 => Ok(Progress::More),
            2 => {
                let number = String::from_utf8_lossy(&self.output()?).parse();
                let number = number.map_err(|_| {
                    SimulatorError::Refused(String::from("it names no host thread"))
                })?;
                Ok(Progress::Host(ThreadId(number)))
            }
            _ => Err(SimulatorError::Refused(String::from_utf8_lossy(&self.output()?).into())),
        }
    }

    /// Instructions retired so far.
    ///
    /// # Errors
    /// [`SimulatorError::Wasm`] if the module traps.
    pub fn retired(&mut self) -> Result<u64, SimulatorError> {
        self.call("lcd_retired", ())
    }

    /// What the log is a log of.
    ///
    /// # Errors
    /// See [`SimulatorError`].
    pub fn header(&mut self) -> Result<LogHeader, SimulatorError> {
        match self.request(&Request::Header)? {
            Response::Header(header) => Ok(header),
            other => Err(mistaken("the header", &other)),
        }
    }

    /// All that has happened so far. What was looked at before does not cross the boundary again.
    ///
    /// # Errors
    /// See [`SimulatorError`].
    pub fn events(&mut self) -> Result<&[Event], SimulatorError> {
        loop {
            let request = Request::Events { from: self.events.len(), limit: EVENTS };
            let more = match self.request(&request)? {
                Response::Events(more) => more,
                other => return Err(mistaken("events", &other)),
            };
            let is_all = more.len() < EVENTS;
            self.events.extend(more);
            if is_all {
                return Ok(&self.events);
            }
        }
    }

    /// The log so far.
    ///
    /// # Errors
    /// See [`SimulatorError`].
    pub fn log(&mut self) -> Result<Log, SimulatorError> {
        Ok(Log { header: self.header()?, events: self.events()?.to_vec() })
    }

    /// Passes bytes in, calls, and returns the bytes that came out.
    fn exchange(&mut self, function: &str, input: &[u8]) -> Result<Vec<u8>, SimulatorError> {
        let length = u32::try_from(input.len())
            .map_err(|_| SimulatorError::Refused(String::from("more than 4 GiB of input")))?;
        let at: u32 = self.call("lcd_input", length)?;
        self.memory
            .write(&mut self.store, at as usize, input)
            .map_err(|error| SimulatorError::Refused(error.to_string()))?;
        let code: i32 = self.call(function, ())?;
        let output = self.output()?;
        if code < 0 {
            return Err(SimulatorError::Refused(String::from_utf8_lossy(&output).into()));
        }
        Ok(output)
    }

    fn output(&mut self) -> Result<Vec<u8>, SimulatorError> {
        let at: u32 = self.call("lcd_output", ())?;
        let length: u32 = self.call("lcd_output_length", ())?;
        let mut bytes = vec![0; length as usize];
        self.memory
            .read(&self.store, at as usize, &mut bytes)
            .map_err(|error| SimulatorError::Refused(error.to_string()))?;
        Ok(bytes)
    }

    fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        name: &str,
        parameters: P,
    ) -> Result<R, SimulatorError> {
        let found = function::<P, R>(&self.instance, &mut self.store, name)?;
        Ok(found.call(&mut self.store, parameters)?)
    }
}

fn function<P: WasmParams, R: WasmResults>(
    instance: &Instance,
    store: &mut Store<StoreLimits>,
    name: &str,
) -> Result<TypedFunc<P, R>, SimulatorError> {
    Ok(instance.get_typed_func(store, name)?)
}

fn mistaken(what: &str, answer: &Response) -> SimulatorError {
    SimulatorError::Refused(format!("asked for {what}, it answered {answer:?}"))
}

fn to_json(value: &impl serde::Serialize) -> Result<Vec<u8>, SimulatorError> {
    serde_json::to_vec(value).map_err(|error| SimulatorError::Refused(error.to_string()))
}

fn from_json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, SimulatorError> {
    serde_json::from_slice(bytes).map_err(|error| SimulatorError::Refused(error.to_string()))
}
