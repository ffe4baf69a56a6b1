//! lcd over HTTP.

pub mod config;
pub mod http;
pub mod problem;
pub mod worker;
