//! Runs happen in worker processes: `lcd worker`, a process for each job.
//!
//! A worker runs what strangers wrote, so the server trusts it with nothing. It starts up, opens
//! what it will need, locks itself in ([`sandbox`]), says that it is ready, reads one job, answers
//! with frames ([`protocol`], [`job`]) and ends. The server's side starts it, limits and ends it
//! ([`process`]), and keeps some of them ready ([`pool`]).

pub mod job;
pub mod pool;
pub mod process;
pub mod protocol;
pub mod sandbox;
