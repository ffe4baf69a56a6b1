//! The `lcd` command, as a shell sees it.

mod bad_input;
mod bench;
mod call;
mod command;
mod diff;
mod executables;
mod host_and_inspect;
mod readme;
mod remote;
mod replay;
mod run;
mod server;
mod server_guide;
mod site;
mod turns;
