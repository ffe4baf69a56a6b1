//! Tiny executables, written by hand.

use shared_model::abi::{HYPERCALL_PORT, Hypercall};

/// Where the code of every executable here begins.
pub(super) const TEXT: u64 = 0x40_0000;
/// Where its data does: eight pages.
pub(super) const DATA: u64 = 0x60_0000;
/// The data window, which is where it is because nothing else is.
pub(super) const WINDOW: u64 = 0x4000_0000;

/// Code in the making.
#[derive(Clone, Default)]
pub(super) struct Code(Vec<u8>);

impl Code {
    /// Begins with the UTCB's address in `rbx`.
    pub(super) fn new() -> Self {
        Self::default().bytes(&[0x65, 0x48, 0x8b, 0x1c, 0x25, 0, 0, 0, 0])
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The address of the next instruction.
    pub(super) fn here(&self) -> u64 {
        TEXT + self.0.len() as u64
    }

    /// `mov eax, value`
    pub(super) fn eax(self, value: u32) -> Self {
        self.bytes(&[0xb8]).bytes(&value.to_le_bytes())
    }

    /// `mov ecx, value`
    pub(super) fn ecx(self, value: u32) -> Self {
        self.bytes(&[0xb9]).bytes(&value.to_le_bytes())
    }

    /// `mov r12d, value`
    pub(super) fn r12d(self, value: u32) -> Self {
        self.bytes(&[0x41, 0xbc]).bytes(&value.to_le_bytes())
    }

    /// Puts a word into the UTCB.
    fn word(self, offset: u32, value: u32) -> Self {
        self.bytes(&[0x48, 0xc7, 0x83]).bytes(&offset.to_le_bytes()).bytes(&value.to_le_bytes())
    }

    /// Makes a hypercall with these message registers.
    pub(super) fn call(self, call: Hypercall, arguments: &[u32]) -> Self {
        let words = (0_u32..).zip(arguments);
        let code = words.fold(self, |code, (i, &value)| code.word(i * 8, value));
        code.eax(call as u32).bytes(&[0xe7, HYPERCALL_PORT as u8])
    }

    /// The same of a call with a message, through a slot.
    pub(super) fn send(self, call: Hypercall, slot: u32) -> Self {
        self.word(136, slot).word(144, 0).eax(call as u32).bytes(&[0xe7, HYPERCALL_PORT as u8])
    }

    /// `inc qword [address]`
    pub(super) fn increment(self, address: u64) -> Self {
        self.bytes(&[0x48, 0xff, 0x04, 0x25]).bytes(&(address as u32).to_le_bytes())
    }

    /// `mov rax, [address]`
    pub(super) fn load(self, address: u64) -> Self {
        self.bytes(&[0x48, 0x8b, 0x04, 0x25]).bytes(&(address as u32).to_le_bytes())
    }

    /// `mov [address], rax`
    pub(super) fn store(self, address: u64) -> Self {
        self.bytes(&[0x48, 0x89, 0x04, 0x25]).bytes(&(address as u32).to_le_bytes())
    }

    /// `dec ecx; jnz` to where `ecx` was set, which is right here.
    pub(super) fn spin(self, times: u32) -> Self {
        self.ecx(times).bytes(&[0xff, 0xc9, 0x75, 0xfc])
    }

    /// `dec r12d; jnz to`
    pub(super) fn again(self, to: u64) -> Self {
        let code = self.bytes(&[0x41, 0xff, 0xcc, 0x0f, 0x85]);
        let distance = to.wrapping_sub(code.here() + 4) as u32;
        code.bytes(&distance.to_le_bytes())
    }

    /// Fills `count` bytes of data with a repeated string instruction.
    pub(super) fn fill(self, to: u64, count: u32) -> Self {
        let code = self.eax(0x5a).ecx(count).bytes(&[0xbf]).bytes(&(to as u32).to_le_bytes());
        code.bytes(&[0xf3, 0xaa])
    }

    /// Exits with a value.
    pub(super) fn exit(self, value: u32) -> Self {
        self.call(Hypercall::Exit, &[value])
    }

    /// The executable: code, and eight pages of zeros.
    pub(super) fn build(&self) -> Vec<u8> {
        const HEADERS: u64 = 64 + 2 * 56;
        let mut file = Vec::from(*b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        let halves = |file: &mut Vec<u8>, values: &[u16]| {
            values.iter().for_each(|value| file.extend(value.to_le_bytes()));
        };
        let words = |file: &mut Vec<u8>, values: &[u64]| {
            values.iter().for_each(|value| file.extend(value.to_le_bytes()));
        };
        // An executable for x86-64 of version 1.
        halves(&mut file, &[2, 62, 1, 0]);
        words(&mut file, &[TEXT, 64, 0]);
        halves(&mut file, &[0, 0, 64, 56, 2, 0, 0, 0]);
        let length = self.0.len() as u64;
        for (flags, offset, address, size, memory) in
            [(5_u64, 0x1000, TEXT, length, length), (6, 0x1000, DATA, 0, 0x8000)]
        {
            words(&mut file, &[1 | flags << 32, offset, address, address, size, memory, 0x1000]);
        }
        assert_eq!(file.len() as u64, HEADERS);
        file.resize(0x1000, 0);
        file.extend(&self.0);
        file
    }
}
