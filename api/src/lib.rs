//! Lightweight Capability Domains: run unmodified x86-64 modules in small isolated places, on
//! hardware or in a simulator.
//!
//! The classic example: create a domain from a module, start it, let it work, kill it, destroy
//! it. The same code runs on hardware with [`Backend::Native`].
//!
//! ```
//! use std::time::Duration;
//! use lcd::{Backend, Host};
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path();
//! # let mut files = bundled_worlds::WORLDS.iter().flat_map(|world| world.files);
//! # let (name, bytes) = files.find(|(name, _)| *name == "load.ko").ok_or("not bundled")?;
//! # std::fs::write(path.join(name), bytes)?;
//! let host = Host::with_module_path(Backend::Sim, path)?;
//!
//! // Create the domain. Its init thread will run the module's init routine.
//! let domain = host.create("load.ko")?;
//! domain.init_thread().start()?;
//!
//! // The module spins for ever. Wait a while, then stop it.
//! assert_eq!(domain.init_thread().wait(Duration::from_millis(20))?, None);
//! domain.init_thread().kill()?;
//!
//! // Tear the domain down.
//! domain.destroy()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod assemble;
mod backend;
pub mod call;
pub mod differential;
mod domains;
mod drive;
pub mod host;
mod hosted;
pub mod inspect;
mod observe;
pub mod parallel;
mod replay;
pub mod store;

pub use backend::{Backend, BackendError, available};
pub use domains::{Domain, Error, Host, Thread};
pub use drive::{Run, replay, run, run_observed, run_parallel, run_scheduled};
pub use hosted::{HostContext, HostError};
pub use observe::Observer;
pub use replay::{Replay, replay_and_compare};

pub use shared_model as model;

/// The README's Rust examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
