//! A small assembler: text in the Intel syntax to an object that the loader takes as a module.
//! `docs/assembler.md` describes the language.
//!
//! Three steps. `source` reads the text (`lexer`, `cursor`, `operand`, `directives`) to sections of
//! items. `select` encodes each instruction with the forms of `table`. `layout` gives everything its
//! place, and `emit` fills in what depends on places and writes the object.
//!
//! All that is wrong is told at once, each with its place in the text.

use serde::Serialize;

use crate::places::Complaint;

mod complaints;
mod cursor;
mod diagnose;
mod directives;
mod dwarf;
mod emit;
mod expression;
mod layout;
mod lexer;
mod names;
mod object;
mod operand;
mod place;
mod registers;
mod section;
mod select;
mod source;
mod suggest;
mod symbols;
mod table;
#[cfg(test)]
mod tests;
mod want;

/// Bytes that a text can have.
const TEXT_MAX: usize = 1 << 20;

/// What became of a text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Assembled {
    /// The object; empty if there are complaints.
    pub object: Vec<u8>,
    /// What is wrong, in the order of the text.
    pub complaints: Vec<Complaint>,
    /// What each line made.
    pub lines: Vec<Line>,
}

/// Bytes of code, and the line that they come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Counted from 1.
    pub line: usize,
    /// The section that the bytes are in.
    pub section: String,
    /// Where they begin in it.
    pub offset: u64,
    /// How many they are.
    pub length: u64,
}

/// Assembles a text. `name` is what the text is called, and the module.
pub fn assemble(name: &str, text: &str) -> Assembled {
    if text.len() > TEXT_MAX {
        let message = format!("the text has more than {TEXT_MAX} bytes");
        let complaint = Complaint { line: 1, column: 1, length: 1, message };
        return Assembled { complaints: vec![complaint], ..Assembled::default() };
    }
    let mut unit = source::read(text);
    emit::encode(&mut unit);
    if unit.complaints.is_empty() {
        match emit::finish(&mut unit) {
            Ok(finished) if unit.complaints.is_empty() => {
                let lines = finished.lines(&unit);
                let object = object::write(name, &unit, &finished);
                return Assembled { object, complaints: Vec::new(), lines };
            }
            _ => {}
        }
    }
    Assembled { complaints: unit.complaints.into_sorted(), ..Assembled::default() }
}
