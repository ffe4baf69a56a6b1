//! The workbench as a WebAssembly module: the same plain interface of integers and offsets as the
//! simulator's, with no imports.
//!
//! A caller puts bytes at the address that [`lcd_input`] returns, calls [`workbench_request`], and
//! finds what came back at [`lcd_output`] and [`lcd_output_length`].
//!
//! Everything here is safe Rust: the caller writes into a buffer that the module owns, between
//! two calls. `no_mangle` is the one thing the compiler calls unsafe, because two functions of
//! the same name would collide: so these exist only in the WebAssembly module, where the
//! simulator, which has the same names, is not linked.
#![allow(unsafe_code, reason = "`no_mangle` alone; see the module's documentation")]

use std::cell::RefCell;

#[derive(Default)]
struct State {
    input: Vec<u8>,
    output: Vec<u8>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

fn with<T>(f: impl FnOnce(&mut State) -> T) -> T {
    STATE.with(|state| f(&mut state.borrow_mut()))
}

/// Makes room for `length` bytes of input and returns where it is.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn lcd_input(length: usize) -> *mut u8 {
    with(|state| {
        // A log may have been large; what a small request needs is not kept at that size.
        state.output = Vec::new();
        state.input = vec![0; length];
        state.input.as_mut_ptr()
    })
}

/// Where the last call's output is.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn lcd_output() -> *const u8 {
    with(|state| state.output.as_ptr())
}

/// How many bytes it has.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn lcd_output_length() -> usize {
    with(|state| state.output.len())
}

/// Answers the request in the input. 0: the output is the answer; negative: it is a message.
#[cfg_attr(target_family = "wasm", unsafe(no_mangle))]
pub extern "C" fn workbench_request() -> i32 {
    with(|state| {
        let result = crate::answer(&std::mem::take(&mut state.input));
        let code = if result.is_ok() { 0 } else { -1 };
        state.output = result.unwrap_or_else(String::into_bytes);
        code
    })
}
