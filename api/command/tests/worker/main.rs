//! Worker processes: `lcd worker`, and the server's side of it.

mod endings;
mod jobs;
mod pool;
mod worker;
mod worlds;
