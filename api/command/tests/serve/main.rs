//! `lcd serve` as a process: everything over HTTP, as callers see it. Whatever is answered to any
//! test here is held against the description that the server itself serves.

mod client;
mod conformance;
mod faults;
mod page;
mod resources;
mod security;
mod server;
mod stream;
mod streams;
mod subjects;
