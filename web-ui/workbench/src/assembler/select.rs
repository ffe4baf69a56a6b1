//! An instruction to bytes: of all encodings that take its operands, the shortest.

use iced_x86::{Code, Encoder, Instruction, OpKind, Register};

use super::cursor::Error;
use super::diagnose;
use super::expression::{Evaluated, Expression, Value};
use super::operand::{Kind as OperandKind, Memory, Operand};
use super::place::Place;
use super::section::{Field, Fixup, Kind, Prefix, Source};
use super::table::{self, Prefixes, Row};
use super::want::{Immediate, Want};

/// An operand with what is known of its values.
pub(super) enum Resolved<'s> {
    Register(Register),
    /// A number.
    Number(i128),
    /// A number that depends on how long other instructions are.
    Later(&'s Expression),
    /// The address of a label.
    Address(&'s Expression),
    /// A label to go to.
    Target(&'s Expression),
    Memory(Address<'s>),
}

/// Memory with what is known of its address.
pub(super) struct Address<'s> {
    pub(super) memory: &'s Memory,
    scale: u32,
    displacement: Displacement<'s>,
}

#[derive(Clone, Copy)]
enum Displacement<'s> {
    Number(i64),
    Later(&'s Expression),
}

/// What a form has where it stands for something that comes later. It fits no shorter field.
const PLACEHOLDER: i64 = 0x1234_5678;

/// Encodes an instruction. `evaluate` gives what is known of an expression's value.
///
/// # Errors
/// What is wrong with it.
pub(super) fn select(
    source: &Source,
    place: Place,
    evaluate: &dyn Fn(&Expression, Place) -> Result<Evaluated, Error>,
) -> Result<Kind, Error> {
    let Some(row) = table::find(&source.mnemonic) else {
        return Err((place, diagnose::unknown(&source.mnemonic)));
    };
    let mut operands = Vec::new();
    for operand in &source.operands {
        operands.push(resolve(row, operand, evaluate)?);
    }
    if is_swapped(&source.mnemonic, &operands) {
        operands.swap(0, 1);
    }
    let forms: Vec<_> = row.forms().filter(|(_, wants)| fits(wants, &operands)).collect();
    if forms.is_empty() {
        return Err(diagnose::misfit(source, row, &operands, place));
    }
    diagnose::check_size(source, &forms, &operands)?;
    if let ("lea", [_, Resolved::Memory(address)]) = (&*source.mnemonic, &*operands)
        && address.memory.segment != Register::None
    {
        let message = "`lea` computes an address without its segment: leave that out";
        return Err((source.operands[1].place, message.into()));
    }
    check_prefixes(source, row, &operands)?;
    if let [Resolved::Target(target)] = *operands {
        return branch(&forms, target, source.place);
    }
    let mut best: Option<Encoded> = None;
    let mut failure = None;
    for (code, wants) in forms {
        match encode(code, wants, &operands, source) {
            Ok(encoded) if best.as_ref().is_some_and(|b| b.bytes.len() <= encoded.bytes.len()) => {}
            Ok(encoded) => best = Some(encoded),
            Err(message) => failure = Some(message),
        }
    }
    match best {
        Some(Encoded { bytes, fixups }) => Ok(Kind::Bytes { bytes, fixups }),
        None => Err((source.place, failure.unwrap_or_default())),
    }
}

/// Whether the operands stand for the same in the other order, of which there is an encoding.
fn is_swapped(mnemonic: &str, operands: &[Resolved<'_>]) -> bool {
    match (mnemonic, operands) {
        ("test" | "xchg", [Resolved::Register(_), Resolved::Memory(_)]) => true,
        ("xchg", [Resolved::Register(first), Resolved::Register(_)]) => {
            matches!(first, Register::AX | Register::EAX | Register::RAX)
        }
        _ => false,
    }
}

fn resolve<'s>(
    row: &Row,
    operand: &'s Operand,
    evaluate: &dyn Fn(&Expression, Place) -> Result<Evaluated, Error>,
) -> Result<Resolved<'s>, Error> {
    match &operand.kind {
        OperandKind::Register(register) => Ok(Resolved::Register(*register)),
        OperandKind::Value { value, offset } => match evaluate(value, operand.place)? {
            Evaluated { value: Value::Number(number), moves: false } => {
                Ok(Resolved::Number(number))
            }
            Evaluated { value: Value::Number(_), moves: true } => Ok(Resolved::Later(value)),
            _ if *offset => Ok(Resolved::Address(value)),
            _ if goes_elsewhere(row) => Ok(Resolved::Target(value)),
            _ => {
                let message = "the label's address or what is there? Write `offset label` (or lea \
                               with [rip + label]) for the address, [rip + label] for what is there";
                Err((operand.place, message.into()))
            }
        },
        OperandKind::Memory(memory) => {
            let at = |(_, message): Error| (operand.place, message);
            let scale = match &memory.scale {
                None => 1,
                Some(scale) => match evaluate(scale, operand.place)? {
                    Evaluated { value: Value::Number(n @ (1 | 2 | 4 | 8)), moves: false } => {
                        n as u32
                    }
                    _ => {
                        let message = "a register is multiplied with 1, 2, 4 or 8";
                        return Err((operand.place, message.into()));
                    }
                },
            };
            let displacement = match &memory.displacement {
                None => Displacement::Number(0),
                Some(value) => match evaluate(value, operand.place)? {
                    Evaluated { value: Value::Number(number), moves: false } => {
                        Displacement::Number(
                            displacement(number, memory)
                                .map_err(|message| at((operand.place, message)))?,
                        )
                    }
                    _ => Displacement::Later(value),
                },
            };
            Ok(Resolved::Memory(Address { memory, scale, displacement }))
        }
    }
}

fn goes_elsewhere(row: &Row) -> bool {
    row.forms().any(|(_, wants)| matches!(wants, [Want::Short | Want::Near]))
}

/// A distance of 32 bits. -8 may also be written as 64 bits.
fn displacement(number: i128, memory: &Memory) -> Result<i64, String> {
    let narrow = memory.base.is_gpr32() || memory.index.is_gpr32();
    let number = if narrow && number >= 1 << 31 { number - (1 << 32) } else { number };
    let number = if number >= 1 << 63 { number - (1 << 64) } else { number };
    match i32::try_from(number) {
        Ok(number) => Ok(number.into()),
        Err(_) => Err(format!(
            "{number:#x} does not fit an address, which has 32 bits with a sign: put it into a \
             register"
        )),
    }
}

/// Whether an encoding takes the operands.
fn fits(wants: &[Want], operands: &[Resolved<'_>]) -> bool {
    let written = wants.iter().filter(|want| !want.is_implied());
    // 90 is `nop`, which leaves the upper half of rax alone.
    if let ([Want::R32, Want::Eax], [Resolved::Register(Register::EAX), _]) = (wants, operands) {
        return false;
    }
    written.clone().count() == operands.len()
        && written.zip(operands).all(|(want, operand)| takes(*want, operand))
}

pub(super) fn takes(want: Want, operand: &Resolved<'_>) -> bool {
    match operand {
        Resolved::Register(register) => want.takes(*register),
        Resolved::Number(number) => match want.immediate() {
            Some(immediate) => immediate.fit(*number).is_some(),
            None => want == Want::One && *number == 1,
        },
        Resolved::Later(_) => {
            // Its size must not depend on its value, on which the value may depend.
            let whole = |i: Immediate| i.stored == i.meant || i.kind == OpKind::Immediate32to64;
            want.immediate().is_some_and(whole)
        }
        Resolved::Address(_) => want.immediate().is_some_and(|immediate| immediate.stored >= 4),
        Resolved::Target(_) => matches!(want, Want::Short | Want::Near),
        Resolved::Memory(Address { memory, .. }) => match (want.memory(), memory.size) {
            (Some(0), _) => true,
            (Some(_), None) => want != Want::Rm16IfSaid,
            (Some(bytes), Some(written)) => bytes == written,
            (None, _) => false,
        },
    }
}

fn check_prefixes(source: &Source, row: &Row, operands: &[Resolved<'_>]) -> Result<(), Error> {
    for (prefix, place) in &source.prefixes {
        let to_memory = matches!(operands.first(), Some(Resolved::Memory(_)));
        let allowed = match prefix {
            Prefix::Lock => row.prefixes == Prefixes::Lock && to_memory,
            Prefix::Rep => row.prefixes == Prefixes::Rep,
            Prefix::Repe | Prefix::Repne => row.prefixes == Prefixes::Repe,
        };
        if allowed {
            continue;
        }
        let message = match (prefix, row.prefixes) {
            (Prefix::Lock, _) => {
                "`lock` is for instructions that read and write memory: lock add [rax], ecx"
            }
            (Prefix::Rep, Prefixes::Repe) => "write `repe` (while equal) or `repne` (until equal)",
            (_, Prefixes::Rep) => "write `rep`: this one compares nothing",
            _ => "repeating is for movs, stos, lods, cmps and scas",
        };
        return Err((*place, message.into()));
    }
    if source.prefixes.len() > 1 {
        return Err((source.prefixes[1].1, "one prefix is enough".into()));
    }
    Ok(())
}

/// A branch: short and near, of which the layout chooses.
fn branch(forms: &[(Code, &[Want])], target: &Expression, place: Place) -> Result<Kind, Error> {
    let encoded = |want: Want| {
        let (code, _) = forms.iter().find(|(_, wants)| *wants == [want])?;
        let instruction = Instruction::with_branch(*code, 0).ok()?;
        let mut encoder = Encoder::new(64);
        encoder.encode(&instruction, 0).ok()?;
        Some(encoder.take_buffer())
    };
    let (short, near) = (encoded(Want::Short), encoded(Want::Near));
    if short.is_none() && near.is_none() {
        return Err((place, "this cannot go to a label".into()));
    }
    let is_near = short.is_none();
    Ok(Kind::Branch { short, near, target: target.clone(), is_near })
}

struct Encoded {
    bytes: Vec<u8>,
    fixups: Vec<Fixup>,
}

fn encode(
    code: Code,
    wants: &[Want],
    operands: &[Resolved<'_>],
    source: &Source,
) -> Result<Encoded, String> {
    let mut instruction = Instruction::default();
    instruction.set_code(code);
    let mut written = operands.iter().zip(&source.operands);
    // What comes later: the values of the number and of the distance.
    let (mut number, mut distance) = (None, None);
    for (index, want) in wants.iter().enumerate() {
        let index = index as u32;
        if want.is_implied() {
            imply(&mut instruction, index, *want);
            continue;
        }
        let Some((operand, Operand { place, .. })) = written.next() else { break };
        match operand {
            Resolved::Register(register) => {
                instruction.set_op_kind(index, OpKind::Register);
                instruction.set_op_register(index, *register);
            }
            Resolved::Number(value) => match want.immediate() {
                Some(immediate) => {
                    set_immediate(&mut instruction, index, immediate, immediate.fit(*value));
                }
                None => {
                    instruction.set_op_kind(index, OpKind::Immediate8);
                    instruction.set_immediate8(1);
                }
            },
            Resolved::Later(value) | Resolved::Address(value) | Resolved::Target(value) => {
                if let Some(immediate) = want.immediate() {
                    set_immediate(&mut instruction, index, immediate, None);
                    let field = match immediate.kind {
                        OpKind::Immediate32to64 => Field::Signed,
                        _ => Field::Plain(immediate.stored),
                    };
                    number = Some((field, (*value).clone(), *place));
                }
            }
            Resolved::Memory(address) => {
                instruction.set_op_kind(index, OpKind::Memory);
                address.set(&mut instruction);
                distance = address.later(*place);
            }
        }
    }
    for (prefix, _) in &source.prefixes {
        match prefix {
            Prefix::Lock => instruction.set_has_lock_prefix(true),
            Prefix::Rep | Prefix::Repe => instruction.set_has_rep_prefix(true),
            Prefix::Repne => instruction.set_has_repne_prefix(true),
        }
    }
    let mut encoder = Encoder::new(64);
    encoder.encode(&instruction, 0).map_err(|_| impossible(operands))?;
    let offsets = encoder.get_constant_offsets();
    let mut bytes = encoder.take_buffer();
    order_prefixes(&mut bytes);
    let mut fixups = Vec::new();
    let mut add = |later: Option<(Field, Expression, Place)>, at: usize| {
        if let Some((field, value, place)) = later {
            fixups.push(Fixup { at, field, value, place });
        }
    };
    add(distance, offsets.displacement_offset());
    add(number, offsets.immediate_offset());
    if let Some(plain) = plain_distance(operands) {
        let at = offsets.displacement_offset();
        if let Some(field) = bytes.get_mut(at..at + 4) {
            field.copy_from_slice(&plain.to_le_bytes());
        }
    }
    Ok(Encoded { bytes, fixups })
}

fn imply(instruction: &mut Instruction, index: u32, want: Want) {
    match (want, want.implied()) {
        (_, Some(register)) => {
            instruction.set_op_kind(index, OpKind::Register);
            instruction.set_op_register(index, register);
        }
        (Want::ToRdi, _) => instruction.set_op_kind(index, OpKind::MemoryESRDI),
        _ => instruction.set_op_kind(index, OpKind::MemorySegRSI),
    }
}

fn set_immediate(
    instruction: &mut Instruction,
    index: u32,
    immediate: Immediate,
    value: Option<i64>,
) {
    let value = value.unwrap_or(PLACEHOLDER);
    instruction.set_op_kind(index, immediate.kind);
    match immediate.kind {
        OpKind::Immediate8 => instruction.set_immediate8(value as u8),
        OpKind::Immediate16 => instruction.set_immediate16(value as u16),
        OpKind::Immediate32 => instruction.set_immediate32(value as u32),
        OpKind::Immediate64 => instruction.set_immediate64(value as u64),
        OpKind::Immediate8to16 => instruction.set_immediate8to16(value as i16),
        OpKind::Immediate8to32 => instruction.set_immediate8to32(value as i32),
        OpKind::Immediate8to64 => instruction.set_immediate8to64(value),
        _ => instruction.set_immediate32to64(value),
    }
}

impl<'s> Address<'s> {
    fn set(&self, instruction: &mut Instruction) {
        let Memory { segment, base, index, .. } = *self.memory;
        instruction.set_segment_prefix(segment);
        instruction.set_memory_base(base);
        instruction.set_memory_index(index);
        instruction.set_memory_index_scale(self.scale);
        let narrow = base.is_gpr32() || index.is_gpr32();
        let whole = if narrow { 4 } else { 8 };
        let without_base = base == Register::None || base == Register::RIP;
        let (size, value) = match self.displacement {
            Displacement::Number(0) if !without_base => (0, 0),
            Displacement::Number(number) if without_base => (whole, number),
            Displacement::Number(number) => (1, number),
            Displacement::Later(_) => (whole, 0),
        };
        instruction.set_memory_displ_size(size);
        // Relative to rip, the encoder wants an address; what is written is stored afterwards.
        let value = if base == Register::RIP { 0 } else { value };
        instruction.set_memory_displacement64(value as u64);
    }

    fn later(&self, place: Place) -> Option<(Field, Expression, Place)> {
        let Displacement::Later(value) = self.displacement else { return None };
        let relative = self.memory.base == Register::RIP;
        let field = if relative { Field::Distance } else { Field::Signed };
        Some((field, value.clone(), place))
    }
}

/// The distance from rip, if it is written as a number.
fn plain_distance(operands: &[Resolved<'_>]) -> Option<i32> {
    operands.iter().find_map(|operand| match operand {
        Resolved::Memory(Address {
            memory, displacement: Displacement::Number(number), ..
        }) if memory.base == Register::RIP => i32::try_from(*number).ok(),
        _ => None,
    })
}

fn impossible(operands: &[Resolved<'_>]) -> String {
    let high = [Register::AH, Register::BH, Register::CH, Register::DH];
    let has_high = operands
        .iter()
        .any(|operand| matches!(operand, Resolved::Register(register) if high.contains(register)));
    if has_high {
        "ah, bh, ch and dh cannot be used together with r8 to r15, with spl, bpl, sil and dil, or \
         with 64 bits: the encoding has no room for both"
            .into()
    } else {
        "the processor has no encoding for this".into()
    }
}

/// Puts the prefixes into the order in which other assemblers write them: segment, address size,
/// operand size, and then those that repeat and lock.
fn order_prefixes(bytes: &mut [u8]) {
    let rank = |byte: u8| match byte {
        0x64 | 0x65 => Some(0),
        0x67 => Some(1),
        0x66 => Some(2),
        0xf2 | 0xf3 => Some(3),
        0xf0 => Some(4),
        _ => None,
    };
    let count = bytes.iter().take_while(|byte| rank(**byte).is_some()).count();
    bytes[..count].sort_by_key(|byte| rank(*byte));
}
