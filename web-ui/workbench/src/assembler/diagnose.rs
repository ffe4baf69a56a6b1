//! Why no encoding takes an instruction's operands, in words that say what to do.

use std::collections::BTreeSet;

use iced_x86::{Code, Register};

use super::cursor::Error;
use super::place::Place;
use super::registers;
use super::section::Source;
use super::select::{Resolved, takes};
use super::suggest;
use super::table::{self, Row};
use super::want::Want;

/// Forms that a message lists.
const FORMS_MAX: usize = 6;

/// That there is no such instruction.
pub(super) fn unknown(mnemonic: &str) -> String {
    let names = table::rows().flat_map(|row| row.names.iter().copied());
    if super::directives::is_directive(&format!(".{mnemonic}")) {
        return format!("there is no instruction `{mnemonic}`; the directive is `.{mnemonic}`");
    }
    // Other assemblers' names have a letter for the size.
    let bare =
        mnemonic.strip_suffix(['b', 'w', 'l', 'q']).filter(|bare| table::find(bare).is_some());
    if let Some(bare) = bare {
        return format!(
            "there is no instruction `{mnemonic}`: write `{bare}`; its size follows from the \
             registers, or from `dword ptr` before memory"
        );
    }
    match suggest::similar(mnemonic, names.chain(["hypercall"])) {
        Some(similar) => format!("there is no instruction `{mnemonic}`: is it `{similar}`?"),
        None => format!(
            "there is no instruction `{mnemonic}` here; if it is a label, it needs a colon: \
             `{mnemonic}:`"
        ),
    }
}

/// That the size of memory is not clear.
pub(super) fn check_size(
    source: &Source,
    forms: &[(Code, &[Want])],
    operands: &[Resolved<'_>],
) -> Result<(), Error> {
    for (index, operand) in operands.iter().enumerate() {
        let Resolved::Memory(address) = operand else { continue };
        if address.memory.size.is_some() {
            continue;
        }
        let sizes: BTreeSet<u32> = forms
            .iter()
            .filter_map(|(_, wants)| wants.iter().filter(|w| !w.is_implied()).nth(index)?.memory())
            .filter(|size| *size != 0)
            .collect();
        if sizes.len() > 1 {
            let names: Vec<_> = sizes.iter().map(|size| size_name(*size)).collect();
            let message = format!(
                "how large is it? Write {} before the brackets",
                list(&names.iter().map(|name| format!("{name} ptr")).collect::<Vec<_>>(), "or")
            );
            let place = source.operands.get(index).map_or(source.place, |operand| operand.place);
            return Err((place, message));
        }
    }
    Ok(())
}

fn size_name(bytes: u32) -> &'static str {
    match bytes {
        1 => "byte",
        2 => "word",
        4 => "dword",
        8 => "qword",
        _ => "oword",
    }
}

fn list(words: &[String], last: &str) -> String {
    match words {
        [] => String::new(),
        [word] => word.clone(),
        [words @ .., end] => format!("{} {last} {end}", words.join(", ")),
    }
}

/// Why no encoding fits.
pub(super) fn misfit(source: &Source, row: &Row, operands: &[Resolved<'_>], place: Place) -> Error {
    let name = &source.mnemonic;
    let written = |wants: &'static [Want]| wants.iter().copied().filter(|want| !want.is_implied());
    let counts: BTreeSet<usize> = row.forms().map(|(_, wants)| written(wants).count()).collect();
    if !counts.contains(&operands.len()) {
        let counts: Vec<_> = counts.iter().map(|count| number_word(*count)).collect();
        let message = format!(
            "`{name}` takes {}, and here {}",
            list(&counts, "or"),
            match operands.len() {
                0 => "is none".into(),
                1 => "is one".into(),
                count => format!("are {count}"),
            }
        );
        return (if operands.is_empty() { place } else { source.place }, message);
    }
    let at = |index: usize| source.operands.get(index).map_or(source.place, |o| o.place);
    let memories = operands.iter().filter(|operand| matches!(operand, Resolved::Memory(_)));
    if memories.count() > 1 {
        let message = format!("`{name}` can have one operand in memory: take one into a register");
        return (source.place, message);
    }
    if same_sizes(row)
        && let Some(message) = sizes(operands)
    {
        return (source.place, message);
    }
    // The one operand that keeps an encoding from fitting, if there is such an encoding.
    let rank = |index: &usize| match operands[*index] {
        Resolved::Number(_) => 0,
        Resolved::Memory(_) => 1,
        _ => 2,
    };
    let mut order: Vec<usize> = (0..operands.len()).collect();
    // A number that is too large is more likely to be wrong than the register beside it.
    order.sort_by_key(rank);
    for index in order {
        let mut wanted: Vec<Want> = Vec::new();
        for (_, wants) in row.forms() {
            let wants: Vec<_> = written(wants).collect();
            let others = wants
                .iter()
                .zip(operands)
                .enumerate()
                .filter(|(other, _)| *other != index)
                .all(|(_, (want, operand))| takes(*want, operand));
            if wants.len() == operands.len() && others && !wanted.contains(&wants[index]) {
                wanted.push(wants[index]);
            }
        }
        if let Some(message) = reason(name, &operands[index], &wanted) {
            return (at(index), message);
        }
    }
    let mut forms = Vec::new();
    for (_, wants) in row.forms() {
        let words: Vec<_> = written(wants).map(Want::words).collect();
        let form = words.join(", ");
        if words.len() == operands.len() && !forms.contains(&form) {
            forms.push(form);
        }
    }
    let more = if forms.len() > FORMS_MAX { "; …" } else { "" };
    forms.truncate(FORMS_MAX);
    let (about, forms) = (row.about, forms.join("; "));
    let message = format!("`{name}` ({about}) cannot take these; it takes: {forms}{more}");
    (source.place, message)
}

fn number_word(count: usize) -> String {
    match count {
        0 => "no operand".into(),
        1 => "one operand".into(),
        count => format!("{count} operands"),
    }
}

/// What is wrong with one operand, where everything else fits encodings that want one of `wanted`.
fn reason(name: &str, operand: &Resolved<'_>, wanted: &[Want]) -> Option<String> {
    if wanted.is_empty() {
        return None;
    }
    match operand {
        Resolved::Number(number) => {
            let widest = wanted
                .iter()
                .filter_map(|want| want.immediate())
                .max_by_key(|immediate| (immediate.stored, immediate.meant));
            let Some(widest) = widest else {
                return Some(format!(
                    "`{name}` cannot have a number here: it takes {}",
                    all(wanted)
                ));
            };
            let bits = 8 * widest.stored;
            let (signed, unsigned) = (-(1i128 << (bits - 1)), (1i128 << bits) - 1);
            let end = if widest.stored == widest.meant { unsigned } else { -signed - 1 };
            let remedy = if widest.meant == 8 && widest.stored == 4 {
                "; take it into a register first (mov has all 64 bits)"
            } else {
                ""
            };
            Some(format!("{number} does not fit: here it can be {signed} to {end}{remedy}"))
        }
        Resolved::Memory(address) => {
            let size = address.memory.size?;
            let sizes: BTreeSet<u32> = wanted.iter().filter_map(|want| want.memory()).collect();
            if sizes.is_empty() {
                return None;
            }
            let names: Vec<_> =
                sizes.iter().map(|size| format!("{} ptr", size_name(*size))).collect();
            Some(format!(
                "{} ptr does not fit the other operand: it would be {}",
                size_name(size),
                list(&names, "or")
            ))
        }
        Resolved::Register(register) => {
            let register_name = registers::name(*register);
            let sizes: BTreeSet<usize> =
                wanted.iter().filter_map(|want| register_size(*want)).collect();
            if is_general(*register) && !sizes.is_empty() && !sizes.contains(&register.size()) {
                let sizes: Vec<_> = sizes.iter().map(|size| (size * 8).to_string()).collect();
                return Some(format!(
                    "`{register_name}` has {} bits, and here it must be {}",
                    register.size() * 8,
                    list(&sizes, "or")
                ));
            }
            Some(format!("`{name}` cannot have `{register_name}` here: it takes {}", all(wanted)))
        }
        Resolved::Target(_) | Resolved::Later(_) | Resolved::Address(_) => None,
    }
}

/// What is wanted, each once.
fn all(wanted: &[Want]) -> String {
    let mut words: Vec<String> = Vec::new();
    for want in wanted.iter().map(|want| want.words().to_owned()) {
        if !words.contains(&want) {
            words.push(want);
        }
    }
    words.truncate(FORMS_MAX);
    list(&words, "or")
}

fn is_general(register: Register) -> bool {
    register.is_gpr8() || register.is_gpr16() || register.is_gpr32() || register.is_gpr64()
}

const fn register_size(want: Want) -> Option<usize> {
    match want {
        Want::R8 | Want::Rm8 | Want::Al => Some(1),
        Want::R16 | Want::Rm16 | Want::Rm16IfSaid | Want::Ax => Some(2),
        Want::R32 | Want::Rm32 | Want::Eax => Some(4),
        Want::R64 | Want::Rm64 | Want::Rax => Some(8),
        _ => None,
    }
}

/// Whether all registers of an instruction have the same size.
fn same_sizes(row: &Row) -> bool {
    row.forms().all(|(_, wants)| {
        let mut sizes = wants.iter().filter_map(|want| register_size(*want));
        let first = sizes.next();
        sizes.all(|size| Some(size) == first)
    })
}

/// That two registers have different sizes.
fn sizes(operands: &[Resolved<'_>]) -> Option<String> {
    let mut general = operands.iter().filter_map(|operand| match operand {
        Resolved::Register(register) if is_general(*register) => Some(*register),
        _ => None,
    });
    let (first, second) = (general.next()?, general.next()?);
    (first.size() != second.size()).then(|| {
        format!(
            "`{}` has {} bits and `{}` has {}: both must have the same",
            registers::name(first),
            first.size() * 8,
            registers::name(second),
            second.size() * 8
        )
    })
}
