//! Directives: what is no instruction.

use super::cursor::{Cursor, Error, full_name};
use super::expression::{Evaluated, Expression, Value};
use super::lexer::Token;
use super::place::Place;
use super::section::{self, Access, Kind, Section};
use super::source::Unit;
use super::suggest;
use super::symbols;

/// Bytes that `.zero` can make at a time.
const ZEROS_MAX: i128 = 64 << 20;
/// Bytes of an alignment.
const ALIGN_MAX: i128 = 4096;
/// Sections that a text can have.
const SECTIONS_MAX: usize = 64;

/// What a directive does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    Section,
    Named,
    Global,
    Extern,
    Data(u32),
    Text { zero: bool },
    Zeros,
    Align,
    AlignPower,
    Constant,
    Ignored,
}

/// Their names and what they do.
const DIRECTIVES: &[(&[&str], Directive)] = &[
    (&[".text", ".data", ".rodata", ".bss"], Directive::Named),
    (&[".section", "section"], Directive::Section),
    (&[".global", ".globl", "global"], Directive::Global),
    (&[".extern", "extern"], Directive::Extern),
    (&[".byte", "db"], Directive::Data(1)),
    (&[".word", ".short", "dw"], Directive::Data(2)),
    (&[".long", ".int", "dd"], Directive::Data(4)),
    (&[".quad", "dq"], Directive::Data(8)),
    (&[".ascii"], Directive::Text { zero: false }),
    (&[".asciz", ".string"], Directive::Text { zero: true }),
    (&[".zero", ".space", ".skip", "resb"], Directive::Zeros),
    (&[".align", ".balign", "align"], Directive::Align),
    (&[".p2align"], Directive::AlignPower),
    (&[".equ", ".set"], Directive::Constant),
    (&[".type", ".size", ".intel_syntax", ".file", ".ident"], Directive::Ignored),
];

fn find(name: &str) -> Option<Directive> {
    DIRECTIVES.iter().find(|(names, _)| names.contains(&name)).map(|(_, directive)| *directive)
}

/// The names of all of them.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    DIRECTIVES.iter().flat_map(|(names, _)| names.iter().copied())
}

/// Whether a word, in small letters, is a directive.
pub(super) fn is_directive(word: &str) -> bool {
    find(word).is_some()
}

/// Whether it is one that makes data without a dot: before it a label needs no colon.
pub(super) fn makes_data(word: &str) -> bool {
    !word.starts_with('.') && matches!(find(word), Some(Directive::Data(_) | Directive::Zeros))
}

/// That a word is none.
pub(super) fn unknown(cursor: &Cursor<'_>) -> Error {
    let word = cursor.word().unwrap_or_default();
    cursor.error(match suggest::similar(word, all()) {
        Some(similar) => format!("there is no directive `{word}`: is it `{similar}`?"),
        None => {
            format!("there is no directive `{word}`; if it is a label, it needs a colon: `{word}:`")
        }
    })
}

/// Does what the directive that comes next says.
pub(super) fn directive(unit: &mut Unit, cursor: &mut Cursor<'_>) -> Result<(), Error> {
    let place = cursor.place();
    let word = cursor.word().unwrap_or_default().to_ascii_lowercase();
    cursor.next();
    match find(&word) {
        None => Ok(()),
        Some(Directive::Ignored) => {
            cursor.skip_all();
            Ok(())
        }
        Some(Directive::Named) => {
            cursor.expect_end()?;
            enter(unit, &word, None, place)
        }
        Some(Directive::Section) => named_section(unit, cursor),
        Some(Directive::Global) => each_name(unit, cursor, |unit, name, place| {
            let symbol = unit.symbols.named(name);
            let symbol = unit.symbols.get_mut(symbol);
            symbol.global = true;
            symbol.used.get_or_insert(place);
            Ok(())
        }),
        Some(Directive::Extern) => each_name(unit, cursor, |unit, name, place| {
            let symbol = unit.symbols.named(name);
            unit.symbols
                .define(symbol, symbols::Kind::External, place)
                .map_err(|message| (place, message))
        }),
        Some(Directive::Data(width)) => data(unit, cursor, width, place),
        Some(Directive::Text { zero }) => text(unit, cursor, zero, place),
        Some(Directive::Zeros) => {
            let count = plain(unit, cursor, 0..=ZEROS_MAX, "a number of bytes")?;
            cursor.expect_end()?;
            unit.push(place, Kind::Zeros(count));
            Ok(())
        }
        Some(kind @ (Directive::Align | Directive::AlignPower)) => {
            let at = cursor.place();
            let align = if kind == Directive::Align {
                plain(unit, cursor, 1..=ALIGN_MAX, "an alignment in bytes")?
            } else {
                1 << plain(unit, cursor, 0..=12, "an alignment as a power of two")?
            };
            // Which byte fills the gap, and how large it may be, is nothing that a lesson needs.
            cursor.expect_end()?;
            if !align.is_power_of_two() {
                return Err((at.to(cursor.before()), "an alignment is a power of two".into()));
            }
            let section = &mut unit.sections[unit.section];
            section.align = section.align.max(align);
            unit.push(place, Kind::Align(align));
            Ok(())
        }
        Some(Directive::Constant) => {
            let place = cursor.place();
            let Some(name) = cursor.word() else {
                return Err(cursor.error("a name comes first: .equ SIZE, 8".into()));
            };
            cursor.next();
            cursor.expect(',', "a comma comes after the name: .equ SIZE, 8")?;
            unit.define_constant(name, place, cursor)
        }
    }
}

/// A number that is known already.
fn plain(
    unit: &mut Unit,
    cursor: &mut Cursor<'_>,
    range: std::ops::RangeInclusive<i128>,
    what: &str,
) -> Result<u64, Error> {
    let start = cursor.place();
    let value = cursor.number(&mut unit.symbols)?;
    let place = start.to(cursor.before());
    let evaluated = value.evaluate(&|symbol| unit.symbols.meaning(symbol, |_, _| 0));
    let number = match evaluated {
        Ok(Evaluated { value: Value::Number(number), moves: false }) => number,
        Err(message) if !message.is_empty() => return Err((place, message)),
        _ => {
            let message = format!(
                "{what} must be known here: a number, or a name that is defined further up"
            );
            return Err((place, message));
        }
    };
    match u64::try_from(number) {
        Ok(value) if range.contains(&number) => Ok(value),
        _ => {
            let (start, end) = (range.start(), range.end());
            Err((place, format!("{number} is out of range: {what} is from {start} to {end}")))
        }
    }
}

/// Calls `f` for each name of a list.
fn each_name(
    unit: &mut Unit,
    cursor: &mut Cursor<'_>,
    mut f: impl FnMut(&mut Unit, &str, Place) -> Result<(), Error>,
) -> Result<(), Error> {
    loop {
        let place = cursor.place();
        let Some(name) = cursor.word() else {
            return Err(cursor.error("a name is missing".into()));
        };
        cursor.next();
        f(unit, &full_name(name, cursor.context().parent), place)?;
        if !cursor.skip(',') {
            return cursor.expect_end();
        }
    }
}

fn named_section(unit: &mut Unit, cursor: &mut Cursor<'_>) -> Result<(), Error> {
    let place = cursor.place();
    let name = match cursor.next() {
        Some(Token::Word(name)) => name.clone(),
        Some(Token::Text(name)) => String::from_utf8_lossy(name).into_owned(),
        _ => return Err((place, "the section's name is missing".into())),
    };
    if name.len() > 64 || name.contains('\0') {
        return Err((place, "a section's name has at most 64 letters".into()));
    }
    let mut access = None;
    if cursor.skip(',') {
        let at = cursor.place();
        let Some(Token::Text(flags)) = cursor.next() else {
            return Err((at, "after the name come flags in quotation marks: \"ax\"".into()));
        };
        access = Some(match &**flags {
            b"a" => Access::Read,
            b"aw" | b"wa" => Access::Write,
            b"ax" | b"xa" => Access::Execute,
            b"" => Access::None,
            flags if flags.contains(&b'w') && flags.contains(&b'x') => {
                let message = "no page is both writable and executable: take \"aw\" or \"ax\"";
                return Err((at, message.into()));
            }
            _ => return Err((at, "the flags are \"a\", \"aw\", \"ax\" or \"\"".into())),
        });
        // What kind of bytes it has (@progbits) follows from its name.
        cursor.skip_all();
    }
    cursor.expect_end()?;
    enter(unit, &name, access, place)
}

/// What follows goes to this section.
fn enter(unit: &mut Unit, name: &str, access: Option<Access>, place: Place) -> Result<(), Error> {
    if let Some(known) = unit.sections.iter().position(|section| section.name == name) {
        unit.section = known;
        return Ok(());
    }
    if unit.sections.len() >= SECTIONS_MAX {
        return Err((place, format!("a text can have {SECTIONS_MAX} sections")));
    }
    let (access, zeros) = match (access, section::known(name)) {
        (Some(access), Some((_, zeros))) => (access, zeros),
        (Some(access), None) => (access, false),
        (None, Some(known)) => known,
        (None, None) => {
            let message = format!(
                "what is `{name}` for? Say it: .section {name}, \"ax\" for code, \"aw\" for \
                 variables, \"a\" for constants"
            );
            return Err((place, message));
        }
    };
    unit.section = unit.sections.len();
    unit.sections.push(Section::new(name, access, zeros));
    Ok(())
}

fn data(unit: &mut Unit, cursor: &mut Cursor<'_>, width: u32, place: Place) -> Result<(), Error> {
    loop {
        if let Some(Token::Text(bytes)) = cursor.peek() {
            if width != 1 {
                return Err(cursor.error("a text is made of bytes: .byte or .ascii".into()));
            }
            cursor.next();
            unit.push(place, Kind::Bytes { bytes: bytes.clone(), fixups: Vec::new() });
        } else {
            let start = cursor.place();
            let value = cursor.number(&mut unit.symbols)?;
            add_value(unit, width, value, start.to(cursor.before()), place);
        }
        if !cursor.skip(',') {
            return cursor.expect_end();
        }
    }
}

/// Values of a line stay together.
fn add_value(unit: &mut Unit, width: u32, value: Expression, at: Place, place: Place) {
    let items = &mut unit.sections[unit.section].items;
    if let Some(last) = items.last_mut()
        && last.place == place
        && let Kind::Data { values, .. } = &mut last.kind
    {
        values.push((value, at));
        return;
    }
    unit.push(place, Kind::Data { width, values: vec![(value, at)] });
}

fn text(unit: &mut Unit, cursor: &mut Cursor<'_>, zero: bool, place: Place) -> Result<(), Error> {
    loop {
        let Some(Token::Text(bytes)) = cursor.peek() else {
            return Err(cursor.error("a text is missing: .asciz \"Hello\\n\"".into()));
        };
        cursor.next();
        let mut bytes = bytes.clone();
        bytes.extend(zero.then_some(0));
        unit.push(place, Kind::Bytes { bytes, fixups: Vec::new() });
        if !cursor.skip(',') {
            return cursor.expect_end();
        }
    }
}
