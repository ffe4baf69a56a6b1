//! The simulator as a WebAssembly module: a plain C interface of integers and offsets, with no
//! imports, so that wasmtime and a web page load the same file without glue.
//!
//! One session lives in the module's memory. A caller puts bytes at the address that
//! [`lcd_input`] returns, calls, and finds what came back at [`lcd_output`] and
//! [`lcd_output_length`]. Functions that can fail return a negative number and leave a message
//! there.
//!
//! Everything here is safe Rust: the caller writes into a buffer that the module owns, between
//! two calls. `no_mangle` is the one thing the compiler calls unsafe, because two functions of
//! the same name would collide; the names here start with `lcd_`, and nothing else is linked.
#![allow(unsafe_code, reason = "`no_mangle` alone; see the module's documentation")]

use std::cell::RefCell;

use shared_model::bundle::Bundle;
use shared_model::session::{Progress, Session, handle_json};

use crate::SimArch;
use crate::laboratory::Laboratory;

/// Version of this interface.
const INTERFACE: u32 = 2;

/// Exits between two looks at the budget, so that a thread that does nothing but hypercalls
/// returns to the caller now and then.
const STEPS: u32 = 100_000;

#[derive(Default)]
struct State {
    input: Vec<u8>,
    output: Vec<u8>,
    session: Option<Session<SimArch>>,
    laboratory: Laboratory,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

fn with<T>(f: impl FnOnce(&mut State) -> T) -> T {
    STATE.with(|state| f(&mut state.borrow_mut()))
}

/// Runs `f` and turns its error into the output and -1.
fn answer(f: impl FnOnce(&mut State) -> Result<Vec<u8>, String>) -> i32 {
    with(|state| {
        let result = f(state);
        let code = if result.is_ok() { 0 } else { -1 };
        state.output = result.unwrap_or_else(String::into_bytes);
        code
    })
}

fn no_session() -> String {
    String::from("no session is open")
}

/// The version of this interface.
#[unsafe(no_mangle)]
pub extern "C" fn lcd_interface() -> u32 {
    INTERFACE
}

/// Makes room for `length` bytes of input and returns where it is.
#[unsafe(no_mangle)]
pub extern "C" fn lcd_input(length: usize) -> *mut u8 {
    with(|state| {
        // The largest input there ever was is not kept: copies of this memory would have it too.
        state.input = vec![0; length];
        state.input.as_mut_ptr()
    })
}

/// Where the last call's output is.
#[unsafe(no_mangle)]
pub extern "C" fn lcd_output() -> *const u8 {
    with(|state| state.output.as_ptr())
}

/// How many bytes it has.
#[unsafe(no_mangle)]
pub extern "C" fn lcd_output_length() -> usize {
    with(|state| state.output.len())
}

/// Opens a session with the bundle in the input, in place of the one before. Negative: the input
/// is not a bundle.
#[unsafe(no_mangle)]
pub extern "C" fn lcd_open() -> i32 {
    answer(|state| {
        let bundle = Bundle::decode(&state.input).map_err(|error| error.to_string())?;
        state.session = Some(Session::new(SimArch::new(), bundle));
        state.laboratory = Laboratory::default();
        Ok(Vec::new())
    })
}

/// Adds the modules of the bundle in the input to the session.
#[unsafe(no_mangle)]
pub extern "C" fn lcd_add_modules() -> i32 {
    answer(|state| {
        let bundle = Bundle::decode(&state.input).map_err(|error| error.to_string())?;
        state.session.as_mut().ok_or_else(no_session)?.add_modules(&bundle);
        Ok(Vec::new())
    })
}

/// Does what the request in the input (JSON, `shared_model::session::Request`) asks for; the
/// output is the answer.
#[unsafe(no_mangle)]
pub extern "C" fn lcd_request() -> i32 {
    answer(|state| {
        let session = state.session.as_mut().ok_or_else(no_session)?;
        handle_json(session, &state.input)
    })
}

/// Does what the laboratory's request in the input (JSON, `shared_model::laboratory::Request`) asks
/// for; the output is the answer. A session is either the laboratory's or run with [`lcd_run`].
#[unsafe(no_mangle)]
pub extern "C" fn lcd_lab() -> i32 {
    answer(|state| {
        let session = state.session.as_mut().ok_or_else(no_session)?;
        state.laboratory.handle(session, &state.input)
    })
}

/// Runs about `budget` instructions. 0: nothing is ready any more; 1: there is more to do; 2: it is
/// the turn of a host thread without a service, whose number is the output, in decimal digits;
/// negative: no session is open.
#[unsafe(no_mangle)]
pub extern "C" fn lcd_run(budget: u64) -> i32 {
    with(|state| match state.session.as_mut().map(|session| session.run(budget, STEPS)) {
        Some(Progress::Idle) => 0,
        Some(Progress::More | Progress::Kicked(_)) => 1,
        Some(Progress::Host(thread)) => {
            state.output = thread.0.to_string().into_bytes();
            2
        }
        None => {
            state.output = no_session().into_bytes();
            -1
        }
    })
}

/// Writes the log so far to the output, as lines of JSON.
#[unsafe(no_mangle)]
pub extern "C" fn lcd_log() -> i32 {
    answer(|state| {
        let session = state.session.as_ref().ok_or_else(no_session)?;
        if session.kernel().event_log().forgotten() > 0 {
            return Err("the log's beginning is forgotten: it has been taken".into());
        }
        Ok(session.log().to_json_lines().into_bytes())
    })
}

/// Instructions retired so far in the session.
#[unsafe(no_mangle)]
pub extern "C" fn lcd_retired() -> u64 {
    with(|state| state.session.as_ref().and_then(|session| session.kernel().retired()).unwrap_or(0))
}
