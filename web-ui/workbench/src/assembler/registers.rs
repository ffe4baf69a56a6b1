//! The names of registers.

use iced_x86::Register;

const NAMES: [[(&str, Register); 4]; 16] = {
    use Register::*;
    [
        [("al", AL), ("ax", AX), ("eax", EAX), ("rax", RAX)],
        [("cl", CL), ("cx", CX), ("ecx", ECX), ("rcx", RCX)],
        [("dl", DL), ("dx", DX), ("edx", EDX), ("rdx", RDX)],
        [("bl", BL), ("bx", BX), ("ebx", EBX), ("rbx", RBX)],
        [("spl", SPL), ("sp", SP), ("esp", ESP), ("rsp", RSP)],
        [("bpl", BPL), ("bp", BP), ("ebp", EBP), ("rbp", RBP)],
        [("sil", SIL), ("si", SI), ("esi", ESI), ("rsi", RSI)],
        [("dil", DIL), ("di", DI), ("edi", EDI), ("rdi", RDI)],
        [("r8b", R8L), ("r8w", R8W), ("r8d", R8D), ("r8", R8)],
        [("r9b", R9L), ("r9w", R9W), ("r9d", R9D), ("r9", R9)],
        [("r10b", R10L), ("r10w", R10W), ("r10d", R10D), ("r10", R10)],
        [("r11b", R11L), ("r11w", R11W), ("r11d", R11D), ("r11", R11)],
        [("r12b", R12L), ("r12w", R12W), ("r12d", R12D), ("r12", R12)],
        [("r13b", R13L), ("r13w", R13W), ("r13d", R13D), ("r13", R13)],
        [("r14b", R14L), ("r14w", R14W), ("r14d", R14D), ("r14", R14)],
        [("r15b", R15L), ("r15w", R15W), ("r15d", R15D), ("r15", R15)],
    ]
};

const OTHERS: [(&str, Register); 16] = {
    use Register::*;
    [
        ("ah", AH),
        ("ch", CH),
        ("dh", DH),
        ("bh", BH),
        ("rip", RIP),
        ("fs", FS),
        ("gs", GS),
        ("cs", CS),
        ("ds", DS),
        ("es", ES),
        ("ss", SS),
        ("cr0", CR0),
        ("cr2", CR2),
        ("cr3", CR3),
        ("cr4", CR4),
        ("cr8", CR8),
    ]
};

fn all() -> impl Iterator<Item = (&'static str, Register)> {
    NAMES.iter().flatten().chain(&OTHERS).copied()
}

/// The register of this name.
pub(super) fn find(name: &str) -> Option<Register> {
    if name.len() > 4 {
        return None;
    }
    let name = name.to_ascii_lowercase();
    all().find(|(known, _)| *known == name).map(|(_, register)| register)
}

/// Its name.
pub(super) fn name(register: Register) -> &'static str {
    all().find(|(_, known)| *known == register).map_or("?", |(name, _)| name)
}

/// Whether a word names a register that the processor has and domains have not.
pub(super) fn is_vector(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let number = ["xmm", "ymm", "zmm", "mm", "st", "k"].iter().find_map(|p| name.strip_prefix(p));
    number.is_some_and(|number| number.parse::<u8>().is_ok_and(|number| number < 32))
}
