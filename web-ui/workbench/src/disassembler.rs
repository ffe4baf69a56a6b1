//! Machine code to text, in the Intel syntax.

use iced_x86::{
    Code, Decoder, DecoderOptions, FlowControl, Formatter, Instruction, IntelFormatter, OpKind,
};
use serde::Serialize;
use shared_model::abi::HYPERCALL_PORT;

/// Bytes that an instruction can have.
const LENGTH_MAX: usize = 15;
/// Instructions in one answer.
const COUNT_MAX: usize = 100_000;

/// An instruction, as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    address: String,
    length: usize,
    bytes: String,
    mnemonic: String,
    operands: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<String>,
    flow: &'static str,
}

/// Instructions, one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disassembled {
    instructions: Vec<Line>,
}

#[cfg(test)]
impl Disassembled {
    /// The instructions as they are written.
    pub(crate) fn text(&self) -> Vec<String> {
        let text = |line: &Line| format!("{} {}", line.mnemonic, line.operands).trim().to_owned();
        self.instructions.iter().map(text).collect()
    }
}

/// At most `count` instructions of `code`, whose first byte is at `address`. A byte that begins no
/// instruction stands for itself, as `.byte`; an instruction that the code ends in is left out.
pub fn disassemble(address: u64, code: &[u8], count: usize) -> Disassembled {
    let mut formatter = formatter();
    let mut instructions = Vec::new();
    let mut at = 0;
    while at < code.len() && instructions.len() < count.min(COUNT_MAX) {
        let here = address.wrapping_add(at as u64);
        let mut decoder = Decoder::with_ip(64, &code[at..], here, DecoderOptions::NONE);
        let instruction = decoder.decode();
        let line = if instruction.is_invalid() {
            let cut = decoder.last_error() == iced_x86::DecoderError::NoMoreBytes;
            if cut && code.len() - at < LENGTH_MAX && at > 0 {
                break;
            }
            byte(here, code[at])
        } else {
            line(&mut formatter, &instruction, &code[at..at + instruction.len()])
        };
        at += line.length;
        instructions.push(line);
    }
    Disassembled { instructions }
}

/// How instructions are written everywhere in the page: as the assembler takes them.
pub(crate) fn formatter() -> IntelFormatter {
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_uppercase_hex(false);
    options.set_space_after_operand_separator(true);
    options.set_space_between_memory_add_operators(true);
    options.set_rip_relative_addresses(false);
    options.set_branch_leading_zeros(false);
    options.set_small_hex_numbers_in_decimal(true);
    formatter
}

fn line(formatter: &mut IntelFormatter, instruction: &Instruction, bytes: &[u8]) -> Line {
    let mut text = String::new();
    formatter.options_mut().set_signed_immediate_operands(has_signed_number(instruction));
    formatter.format(instruction, &mut text);
    let (mnemonic, operands) = split(&text);
    Line {
        address: hex(instruction.ip()),
        length: bytes.len(),
        bytes: shared_model::hex::encode(bytes),
        mnemonic: mnemonic.into(),
        operands: operands.into(),
        target: target(instruction).map(hex),
        memory: memory(instruction).map(hex),
        flow: flow(instruction),
    }
}

fn byte(address: u64, byte: u8) -> Line {
    Line {
        address: hex(address),
        length: 1,
        bytes: shared_model::hex::encode(&[byte]),
        mnemonic: ".byte".into(),
        operands: format!("{byte:#04x}"),
        target: None,
        memory: None,
        flow: "other",
    }
}

/// Whether its number is one to compute with, which may be below zero.
fn has_signed_number(instruction: &Instruction) -> bool {
    use iced_x86::Mnemonic as M;
    matches!(
        instruction.mnemonic(),
        M::Mov
            | M::Push
            | M::Add
            | M::Adc
            | M::Sub
            | M::Sbb
            | M::Cmp
            | M::Imul
            | M::And
            | M::Or
            | M::Xor
            | M::Test
    )
}

/// A prefix belongs to the mnemonic: `lock xadd`.
fn split(text: &str) -> (&str, &str) {
    let prefixes = ["lock ", "rep ", "repe ", "repne ", "notrack ", "xacquire ", "xrelease "];
    let mut start = 0;
    while let Some(prefix) = prefixes.iter().find(|prefix| text[start..].starts_with(**prefix)) {
        start += prefix.len();
    }
    match text[start..].find(' ') {
        Some(space) => (&text[..start + space], text[start + space + 1..].trim_start()),
        None => (text, ""),
    }
}

fn target(instruction: &Instruction) -> Option<u64> {
    let near =
        |kind| matches!(kind, OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64);
    near(instruction.op0_kind()).then(|| instruction.near_branch_target())
}

/// An address that the instruction names itself, without registers.
fn memory(instruction: &Instruction) -> Option<u64> {
    use iced_x86::Register;
    let has = (0..instruction.op_count()).any(|i| instruction.op_kind(i) == OpKind::Memory);
    let absolute = instruction.memory_base() == Register::None
        && instruction.memory_index() == Register::None
        && !matches!(instruction.segment_prefix(), Register::FS | Register::GS);
    (has && (absolute || instruction.is_ip_rel_memory_operand()))
        .then(|| instruction.memory_displacement64())
}

fn flow(instruction: &Instruction) -> &'static str {
    let port =
        matches!(instruction.code(), Code::Out_imm8_AL | Code::Out_imm8_AX | Code::Out_imm8_EAX);
    if port && u16::from(instruction.immediate8()) == HYPERCALL_PORT {
        return "hypercall";
    }
    match instruction.flow_control() {
        FlowControl::UnconditionalBranch
        | FlowControl::IndirectBranch
        | FlowControl::ConditionalBranch => "branch",
        FlowControl::Call | FlowControl::IndirectCall => "call",
        FlowControl::Return => "return",
        _ => "other",
    }
}

fn hex(number: u64) -> String {
    format!("{number:#x}")
}

#[cfg(test)]
mod tests {
    use super::disassemble;

    fn shown(code: &[u8]) -> serde_json::Value {
        serde_json::to_value(disassemble(0x1000, code, 100)).unwrap()["instructions"].take()
    }

    #[test]
    fn an_instruction_is_taken_to_pieces() {
        let line = &shown(&[0xe7, 0xe0])[0];
        assert_eq!(line["flow"], "hypercall");
        assert_eq!((&line["mnemonic"], &line["operands"]), (&"out".into(), &"0xe0, eax".into()));
        assert_eq!((&line["bytes"], &line["length"]), (&"e7e0".into(), &2.into()));
        let line = &shown(&[0xe8, 0xfb, 0xff, 0xff, 0xff])[0];
        assert_eq!((&line["flow"], &line["target"]), (&"call".into(), &"0x1000".into()));
        assert_eq!(shown(&[0x74, 0])[0]["flow"], "branch");
        assert_eq!(shown(&[0xc3])[0]["flow"], "return");
        assert_eq!(shown(&[0xff, 0xe0])[0]["flow"], "branch");
        let line = &shown(&[0xf0, 0x48, 0x0f, 0xc1, 0x05, 0x10, 0, 0, 0])[0];
        assert_eq!((&line["mnemonic"], &line["memory"]), (&"lock xadd".into(), &"0x1019".into()));
        assert_eq!(shown(&[0x65, 0x48, 0x8b, 4, 0x25, 0, 0, 0, 0])[0]["operands"], "rax, gs:[0]");
        assert!(shown(&[0xe7, 0xe1])[0]["flow"] == "other");
    }

    #[test]
    fn what_is_no_instruction_stands_for_itself() {
        let lines = shown(&[0x06, 0x90, 0x48]);
        let texts: Vec<_> =
            lines.as_array().unwrap().iter().map(|line| &line["mnemonic"]).collect();
        // The last one is cut off.
        assert_eq!(texts, [".byte", "nop"]);
        assert_eq!(shown(&[0x0f])[0]["mnemonic"], ".byte");
        assert_eq!(disassemble(u64::MAX, &[0x90; 300], 7).text().len(), 7);
    }
}
