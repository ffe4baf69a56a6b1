//! From items to the bytes of sections, and what is left to the loader.

use super::Line;
use super::cursor::Error;
use super::expression::{Evaluated, Expression, SymbolId, Value};
use super::layout::{self, Layout};
use super::place::Place;
use super::section::{Access, Field, Fixup, Item, Kind, Section};
use super::select;
use super::source::Unit;
use super::symbols::{self, Symbols};
use shared_model::abi::Hypercall;

/// Bytes that the sections of an object can have in it.
const BYTES_MAX: u64 = 16 << 20;
/// Bytes of zeros that they can have in memory.
const ZEROS_MAX: u64 = 256 << 20;

/// The labels at which the loader starts a module and ends it.
pub(super) const ENTRIES: [&str; 2] = ["init_module", "cleanup_module"];

/// Everything in its place.
pub(super) struct Finished {
    pub(super) sections: Vec<Contents>,
    pub(super) layout: Layout,
}

/// What is in a section.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) bytes: Vec<u8>,
    /// Bytes in memory, which are more than those if they are zeros.
    pub(super) size: u64,
    pub(super) relocations: Vec<Relocation>,
}

/// What the loader is to store.
pub(super) struct Relocation {
    pub(super) offset: u64,
    pub(super) field: Field,
    pub(super) symbol: SymbolId,
    pub(super) addend: i128,
}

/// Encodes what can be encoded before everything has its place, and tells of all that is wrong.
pub(super) fn encode(unit: &mut Unit) {
    for index in 0..unit.sections.len() {
        let mut items = std::mem::take(&mut unit.sections[index].items);
        for item in &mut items {
            if unit.complaints.is_full() {
                break;
            }
            let section = &unit.sections[index];
            match encode_item(item, section, &unit.symbols) {
                Ok(Some(kind)) => item.kind = kind,
                Ok(None) => {}
                Err((place, message)) => unit.complaints.add(place, message),
            }
        }
        unit.sections[index].items = items;
    }
    check_symbols(unit);
}

fn encode_item(item: &Item, section: &Section, symbols: &Symbols) -> Result<Option<Kind>, Error> {
    if section.zeros && !matches!(item.kind, Kind::Zeros(_) | Kind::Align(_)) {
        let message =
            format!("{} has only zeros, as in `.zero 64`; other data is in .data", section.name);
        return Err((item.place, message));
    }
    let value = |expression: &Expression, place| {
        let meaning = |symbol| symbols.meaning(symbol, |_, _| 0);
        expression
            .evaluate(&meaning)
            .map_err(|message| explain(expression, place, message, symbols))
    };
    match &item.kind {
        Kind::Source(_) if section.access != Access::Execute => {
            let message = format!(
                "instructions are in .text, and this is {}: write .text before",
                section.name
            );
            Err((item.place, message))
        }
        Kind::Source(source) => select::select(source, item.place, &value).map(Some),
        Kind::Data { width, values } => {
            let mut bytes = Vec::new();
            let mut fixups = Vec::new();
            for (expression, place) in values {
                // Only whether it has a value; a number may still change.
                value(expression, *place)?;
                fixups.push(Fixup {
                    at: bytes.len(),
                    field: Field::Plain(*width),
                    value: expression.clone(),
                    place: *place,
                });
                bytes.resize(bytes.len() + *width as usize, 0);
            }
            Ok(Some(Kind::Bytes { bytes, fixups }))
        }
        _ => Ok(None),
    }
}

/// What is wrong with an expression, at the name that it is about.
fn explain(expression: &Expression, place: Place, message: String, symbols: &Symbols) -> Error {
    if !message.is_empty() {
        return (place, message);
    }
    match undefined(expression, symbols, 0) {
        Some((symbol, at)) => (at, no_such_name(&symbols.get(symbol).name, symbols)),
        None => (place, "a name in this is not defined".into()),
    }
}

/// The first symbol of an expression that has no meaning.
fn undefined(
    expression: &Expression,
    symbols: &Symbols,
    depth: usize,
) -> Option<(SymbolId, Place)> {
    let find = |part| undefined(part, symbols, depth + 1);
    match expression {
        Expression::Number(_) | Expression::Register(..) => None,
        Expression::Symbol(symbol, place) => match &symbols.get(*symbol).kind {
            symbols::Kind::Undefined => Some((*symbol, *place)),
            // Of a constant, where that is written: it is told of there.
            symbols::Kind::Constant(inner) if depth < 300 => find(inner),
            _ => None,
        },
        Expression::Negate(inner) | Expression::Invert(inner) => find(inner),
        Expression::Binary(_, left, right) => find(left).or_else(|| find(right)),
    }
}

fn no_such_name(name: &str, symbols: &Symbols) -> String {
    if super::registers::is_vector(name) {
        return format!("`{name}`: domains have no vector registers and no floating point");
    }
    if let Some((number, count)) = name.strip_prefix('.').and_then(|rest| rest.split_once('.'))
        && let (Ok(number), Ok(count)) = (number.parse::<u32>(), count.parse::<u32>())
    {
        let side = if count == 0 { "before" } else { "after" };
        return format!("there is no label `{number}:` {side} this line");
    }
    if let Some(similar) = symbols.similar(name) {
        return format!("nothing is called `{name}`: is it `{similar}`?");
    }
    if let Some(call) = super::names::hypercall(name) {
        return format!(
            "nothing is called `{name}`; the hypercall's number is LCD_CALL_{}",
            call.name().to_uppercase()
        );
    }
    let calls = Hypercall::ALL.iter().map(|call| call.name());
    if let Some(call) = super::suggest::similar(name, calls) {
        return format!("nothing is called `{name}`: is it the hypercall `{call}`?");
    }
    format!(
        "nothing is called `{name}`; if it is a function of liblcd or of another module, say so: \
         .extern {name}"
    )
}

/// Names that are declared and not there, and numbers that cannot be computed.
fn check_symbols(unit: &mut Unit) {
    let Unit { symbols, complaints, .. } = unit;
    let meaning = |symbol| symbols.meaning(symbol, |_, _| 0);
    for (_, symbol) in symbols.iter() {
        match &symbol.kind {
            symbols::Kind::Undefined if symbol.global => {
                let name = &symbol.name;
                let message = format!("`{name}` is to be global, but no label is called that");
                if let Some(place) = symbol.used {
                    complaints.add(place, message);
                }
            }
            symbols::Kind::Constant(value) => {
                let Some(place) = symbol.defined else { continue };
                if let Err(message) = value.evaluate(&meaning) {
                    let (place, message) = explain(value, place, message, symbols);
                    complaints.add(place, message);
                }
            }
            _ => {}
        }
    }
    let outside: Vec<_> = symbols.iter().filter(|(_, s)| ENTRIES.contains(&&*s.name)).collect();
    for (_, symbol) in outside {
        let inside = match symbol.kind {
            symbols::Kind::Label { section, .. } => {
                unit.sections[section].access == Access::Execute
            }
            _ => false,
        };
        if !inside && let Some(place) = symbol.defined {
            complaints.add(place, format!("`{}` is the label of code, in .text", symbol.name));
        }
    }
}

/// Gives everything its place and makes the bytes.
///
/// # Errors
/// Nothing is made if it would be too large; that is among the complaints.
pub(super) fn finish(unit: &mut Unit) -> Result<Finished, ()> {
    let Unit { symbols, sections, complaints, .. } = unit;
    let layout = Layout::relaxed(sections, symbols);
    let (mut bytes, mut zeros) = (0, 0);
    for (index, section) in sections.iter().enumerate() {
        let sum = if section.zeros { &mut zeros } else { &mut bytes };
        *sum += layout.offset(index, section.items.len());
    }
    if bytes > BYTES_MAX || zeros > ZEROS_MAX {
        let message = format!(
            "all of this has {bytes} bytes and {zeros} zeros in .bss; there can be {BYTES_MAX} and \
             {ZEROS_MAX}"
        );
        complaints.add(Place { line: 1, column: 1, length: 1 }, message);
        return Err(());
    }
    let mut finished = Finished { sections: Vec::new(), layout };
    for (index, section) in sections.iter().enumerate() {
        let mut contents = Contents::default();
        for (number, item) in section.items.iter().enumerate() {
            let start = finished.layout.offset(index, number);
            let end = finished.layout.offset(index, number + 1);
            let writer = Writer { symbols, layout: &finished.layout, section: index, start, end };
            let result =
                if section.zeros { Ok(()) } else { writer.item(item, section, &mut contents) };
            if let Err((place, message)) = result {
                complaints.add(place, message);
            }
        }
        contents.size = finished.layout.offset(index, section.items.len());
        finished.sections.push(contents);
    }
    Ok(finished)
}

/// Writes one item.
struct Writer<'a> {
    symbols: &'a Symbols,
    layout: &'a Layout,
    section: usize,
    start: u64,
    end: u64,
}

impl Writer<'_> {
    fn item(&self, item: &Item, section: &Section, out: &mut Contents) -> Result<(), Error> {
        let length = (self.end - self.start) as usize;
        match &item.kind {
            Kind::Source(_) | Kind::Data { .. } => {}
            Kind::Zeros(_) => out.bytes.resize(out.bytes.len() + length, 0),
            Kind::Align(_) if section.access == Access::Execute => nops(&mut out.bytes, length),
            Kind::Align(_) => out.bytes.resize(out.bytes.len() + length, 0),
            Kind::Bytes { bytes, fixups } => {
                out.bytes.extend(bytes);
                for fixup in fixups {
                    self.fixup(fixup, out)?;
                }
            }
            Kind::Branch { short, near, target, is_near } => {
                let bytes = if *is_near { near } else { short };
                let Some(bytes) = bytes.as_ref().or(short.as_ref()) else { return Ok(()) };
                out.bytes.extend(bytes);
                let width = if *is_near { 4 } else { 1 };
                let at = bytes.len() - width;
                let value = target.clone();
                let field = if *is_near { Field::Target } else { Field::Plain(1) };
                let place = item.place;
                if *is_near {
                    self.fixup(&Fixup { at, field, value, place }, out)?;
                } else {
                    self.short(at, &value, place, out)?;
                }
            }
        }
        Ok(())
    }

    fn evaluate(&self, value: &Expression, place: Place) -> Result<Value, Error> {
        let offset = |section, item| self.layout.offset(section, item);
        let meaning = |symbol| self.symbols.meaning(symbol, offset);
        let evaluated = value.evaluate(&meaning).map_err(|message| (place, message))?;
        let Evaluated { value, .. } = evaluated;
        Ok(value)
    }

    /// Where a symbol is, if that is in the same section.
    fn here(&self, symbol: SymbolId) -> Option<u64> {
        match self.symbols.get(symbol).kind {
            symbols::Kind::Label { section, item } if section == self.section => {
                Some(self.layout.offset(section, item))
            }
            _ => None,
        }
    }

    /// The distance to the target of a branch that is short in any case.
    fn short(
        &self,
        at: usize,
        target: &Expression,
        place: Place,
        out: &mut Contents,
    ) -> Result<(), Error> {
        let distance = match self.evaluate(target, place)? {
            Value::Relative(symbol, distance) => {
                self.here(symbol).map(|to| i128::from(to) + distance - i128::from(self.end))
            }
            Value::Number(_) => None,
        };
        match distance.map(i8::try_from) {
            Some(Ok(distance)) => {
                out.bytes[self.start as usize + at] = distance as u8;
                Ok(())
            }
            Some(Err(_)) => {
                let distance = distance.unwrap_or_default();
                let message = format!(
                    "the label is {distance} bytes away, and this instruction reaches -128 to 127: \
                     put a jmp between"
                );
                Err((place, message))
            }
            None => Err((place, "the label must be in the same section".into())),
        }
    }

    fn fixup(&self, fixup: &Fixup, out: &mut Contents) -> Result<(), Error> {
        let Fixup { at, field, value, place } = fixup;
        let error = |message: String| Err((*place, message));
        let at = self.start + *at as u64;
        let number = match (self.evaluate(value, *place)?, field) {
            (Value::Number(_), Field::Target) => {
                return error(
                    "a call or a jump goes to a label, or to what a register holds".into(),
                );
            }
            (Value::Number(number), _) => number,
            (Value::Relative(symbol, distance), Field::Distance | Field::Target)
                if self.here(symbol).is_some() =>
            {
                let to = self.here(symbol).unwrap_or_default();
                i128::from(to) + distance - i128::from(self.end)
            }
            (Value::Relative(_, _), Field::Plain(1 | 2)) => {
                return error("the address of a label has 32 or 64 bits".into());
            }
            (Value::Relative(symbol, addend), field) => {
                let addend = match field {
                    Field::Distance | Field::Target => addend - i128::from(self.end - at),
                    _ => addend,
                };
                if i32::try_from(addend).is_err() {
                    return error("too far away from the label".into());
                }
                out.relocations.push(Relocation { offset: at, field: *field, symbol, addend });
                return Ok(());
            }
        };
        let bits = 8 * field.width();
        let most = match field {
            Field::Plain(_) => 1i128 << bits,
            _ => 1i128 << (bits - 1),
        };
        if number < -(1i128 << (bits - 1)) || number >= most {
            let least = -(1i128 << (bits - 1));
            return error(format!("{number} does not fit: here it can be {least} to {}", most - 1));
        }
        let at = at as usize;
        let width = field.width() as usize;
        out.bytes[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
        Ok(())
    }
}

/// Instructions that do nothing, as few as fill the room.
fn nops(out: &mut Vec<u8>, mut length: usize) {
    /// Of each length up to 9, as the processors' manuals recommend.
    const NOPS: [&[u8]; 9] = [
        &[0x90],
        &[0x66, 0x90],
        &[0x0f, 0x1f, 0x00],
        &[0x0f, 0x1f, 0x40, 0x00],
        &[0x0f, 0x1f, 0x44, 0x00, 0x00],
        &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
        &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
        &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
        &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    ];
    while length > 0 {
        let nop = NOPS[length.min(NOPS.len()) - 1];
        out.extend(nop);
        length -= nop.len();
    }
}

impl Finished {
    /// What each line of code became, in the order of sections and offsets.
    pub(super) fn lines(&self, unit: &Unit) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for (index, section) in unit.sections.iter().enumerate() {
            if section.access != Access::Execute {
                continue;
            }
            let start = lines.len();
            for (number, item) in section.items.iter().enumerate() {
                let offset = self.layout.offset(index, number);
                let length = layout::size(&item.kind, offset);
                if length == 0 || matches!(item.kind, Kind::Align(_)) {
                    continue;
                }
                let line = item.place.line;
                match lines[start..].last_mut() {
                    Some(last) if last.line == line && last.offset + last.length == offset => {
                        last.length += length;
                    }
                    _ => {
                        let section = section.name.clone();
                        lines.push(Line { line, section, offset, length });
                    }
                }
            }
        }
        lines
    }
}
