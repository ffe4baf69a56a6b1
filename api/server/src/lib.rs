//! lcd over HTTP.

pub mod worker;
