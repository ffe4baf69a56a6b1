//! Random instructions, encoded by hand, so that every encoding of an instruction comes up and
//! not only the one that an assembler prefers.

use lcd_tests::Random;
use shared_model::address::PAGE_SIZE;

use super::generate::Features;
use super::machine::{ABSENT, CODE, CONSTANT, DATA, DATA_PAGES, GS_BASE};

const EDGES: [u64; 14] = [
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// A number that is often an address in the data, or at an edge.
pub(crate) fn value(random: &mut Random) -> u64 {
    let data = DATA_PAGES * PAGE_SIZE;
    match random.below(16) {
        0..=5 => DATA + random.below(data - 64),
        6 => DATA + PAGE_SIZE - random.below(16),
        7 => DATA + data - random.below(16),
        8 => random.one_of(&[CONSTANT, ABSENT, CODE, 0]) + random.below(PAGE_SIZE),
        9 | 10 => random.below(256),
        11 | 12 => random.one_of(&EDGES),
        _ => random.word() >> random.below(64),
    }
}

/// One instruction in the making.
pub(crate) struct Encoder<'a> {
    pub(crate) random: &'a mut Random,
    pub(crate) features: Features,
    pub(crate) out: Vec<u8>,
}

/// The width of an operand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Byte,
    Word,
    Double,
    Quad,
}

/// What may be where a ModRM byte says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Operand {
    Any,
    Memory,
}

impl Encoder<'_> {
    pub(crate) fn instruction(mut self) -> Vec<u8> {
        let limit = if self.features.extended { 30 } else { 25 };
        match self.random.below(limit) {
            0..=4 => self.arithmetic(),
            5 | 6 => self.moves(),
            7 => self.extending_moves(),
            8 | 9 => self.shifts(),
            10 => self.double_shifts(),
            11 | 12 => self.unary(),
            13 => self.multiplications(),
            14 => self.bit_tests(),
            15 => self.exchanges(),
            16 => self.conditional(),
            17 => self.stack(),
            18 => self.flags(),
            19 => self.accumulator(),
            20 | 21 => self.strings(),
            22 => self.addresses(),
            23 => self.bit_scans(),
            24 => self.swaps(),
            25 => self.vex(),
            26 => self.counts(),
            27 => self.checksums_and_carries(),
            28 => self.movbe(),
            _ => self.vex(),
        }
        self.out
    }

    fn byte(&mut self) -> u8 {
        self.random.word() as u8
    }

    /// A full-width operand.
    fn wide(&mut self) -> Size {
        self.random.one_of(&[Size::Word, Size::Double, Size::Double, Size::Quad, Size::Quad])
    }

    fn size(&mut self) -> Size {
        if self.random.once_in(4) { Size::Byte } else { self.wide() }
    }

    fn imm(&mut self, size: Size) {
        let value = match self.random.below(3) {
            0 => self.random.one_of(&EDGES),
            1 => self.random.below(64),
            _ => self.random.word(),
        };
        let count = match size {
            Size::Byte => 1,
            Size::Word => 2,
            Size::Double | Size::Quad => 4,
        };
        self.out.extend(&value.to_le_bytes()[..count]);
    }

    /// Legacy prefixes, REX, the opcode, ModRM and the address. `reg` is the middle field: a
    /// register if not given.
    fn modrm(&mut self, size: Size, opcode: &[u8], reg: Option<u8>, operand: Operand) {
        let register = operand == Operand::Any && self.random.once_in(2);
        if size == Size::Word {
            self.out.push(0x66);
        }
        let address_size = !register && self.random.once_in(24);
        let gs = !register && self.random.once_in(16);
        if address_size {
            self.out.push(0x67);
        }
        if gs {
            self.out.push(0x65);
        }
        // A mandatory prefix comes before REX.
        let (mandatory, opcode) = match opcode {
            [prefix @ (0xf2 | 0xf3), rest @ ..] => (Some(*prefix), rest),
            _ => (None, opcode),
        };
        self.out.extend(mandatory);
        let lock = !register && mandatory.is_none() && self.random.once_in(12);
        if lock {
            self.out.push(0xf0);
        }
        let rex = 0x40 | if size == Size::Quad { 8 } else { 0 } | self.byte() & 7;
        if size == Size::Quad || size == Size::Byte || self.random.once_in(2) {
            self.out.push(rex);
        }
        self.out.extend(opcode);
        let middle = reg.unwrap_or_else(|| self.byte() & 7) << 3;
        if register {
            let low = self.byte() & 7;
            self.out.push(0xc0 | middle | low);
        } else {
            self.address(middle, gs);
        }
    }

    /// ModRM, SIB and displacement of a memory operand.
    fn address(&mut self, middle: u8, gs: bool) {
        let start = if gs { DATA.wrapping_sub(GS_BASE) } else { DATA };
        match self.random.below(8) {
            // An absolute address in the data, mostly.
            0..=3 => {
                let target = start.wrapping_add(self.random.below(DATA_PAGES * PAGE_SIZE)) as u32;
                self.out.extend([middle | 4, 0x25]);
                self.out.extend(target.to_le_bytes());
            }
            // Relative to the instruction: somewhere in the data, wherever exactly.
            4 => {
                let target = (DATA - CODE + self.random.below(0x1800)) as u32;
                self.out.push(middle | 5);
                self.out.extend(target.to_le_bytes());
            }
            // A base, and an index half of the time.
            _ => {
                let (short, low) = (self.random.once_in(2), self.byte() & 7);
                self.out.push(if short { 0x40 } else { 0x80 } | middle | low);
                if low == 4 {
                    // No index, or index and scale.
                    let sib = if self.random.once_in(2) { 0x24 } else { self.byte() };
                    self.out.push(sib);
                }
                if short {
                    let offset = self.byte() & 0x7f;
                    self.out.push(offset);
                } else {
                    let offset = (self.random.below(0x200) as u32).wrapping_sub(0x100);
                    self.out.extend(offset.to_le_bytes());
                }
            }
        }
    }

    /// An opcode whose lowest bit chooses between a byte and a full width.
    fn sized(&mut self, opcode: &[u8], reg: Option<u8>, operand: Operand) -> Size {
        let size = self.size();
        let mut opcode = opcode.to_vec();
        if size != Size::Byte {
            *opcode.last_mut().expect("an opcode") |= 1;
        }
        self.modrm(size, &opcode, reg, operand);
        size
    }

    /// REX.W or the operand-size prefix, without a ModRM byte.
    fn plain(&mut self, size: Size, opcode: &[u8]) {
        match size {
            Size::Word => self.out.push(0x66),
            Size::Quad => {
                let rex = 0x48 | self.byte() & 1;
                self.out.push(rex);
            }
            _ => {}
        }
        self.out.extend(opcode);
    }

    fn arithmetic(&mut self) {
        let operation = self.byte() & 7;
        match self.random.below(8) {
            0..=2 => {
                self.sized(&[operation << 3], None, Operand::Any);
            }
            3 | 4 => {
                self.sized(&[operation << 3 | 2], None, Operand::Any);
            }
            5 => {
                let size = self.sized(&[0x80], Some(operation), Operand::Any);
                self.imm(size);
            }
            6 => {
                let size = self.wide();
                self.modrm(size, &[0x83], Some(operation), Operand::Any);
                self.imm(Size::Byte);
            }
            _ => {
                // `test` has other opcodes than the eight.
                self.sized(&[0x84], None, Operand::Any);
            }
        }
    }

    fn moves(&mut self) {
        match self.random.below(5) {
            0 => drop(self.sized(&[0x88], None, Operand::Any)),
            1 | 2 => drop(self.sized(&[0x8a], None, Operand::Any)),
            3 => {
                let size = self.sized(&[0xc6], Some(0), Operand::Any);
                self.imm(size);
            }
            _ => {
                let register = self.byte() & 7;
                self.plain(Size::Quad, &[0xb8 | register]);
                let constant = value(self.random);
                self.out.extend(constant.to_le_bytes());
            }
        }
    }

    fn extending_moves(&mut self) {
        let opcode: &[u8] = self.random.one_of(&[
            &[0x0f, 0xb6][..],
            &[0x0f, 0xb7],
            &[0x0f, 0xbe],
            &[0x0f, 0xbf],
            &[0x63],
        ]);
        let size = self.wide();
        self.modrm(size, opcode, None, Operand::Any);
    }

    fn shifts(&mut self) {
        let operation = self.byte() & 7;
        let opcode = self.random.one_of(&[0xc0, 0xd0, 0xd2]);
        self.sized(&[opcode], Some(operation), Operand::Any);
        if opcode == 0xc0 {
            self.imm(Size::Byte);
        }
    }

    fn double_shifts(&mut self) {
        let opcode = self.random.one_of(&[0xa4, 0xa5, 0xac, 0xad]);
        // A 16-bit operand and a count beyond it give an undefined result.
        let size = self.random.one_of(&[Size::Double, Size::Quad]);
        self.modrm(size, &[0x0f, opcode], None, Operand::Any);
        if opcode & 1 == 0 {
            self.imm(Size::Byte);
        }
    }

    fn unary(&mut self) {
        match self.random.below(4) {
            0 => {
                let size = self.sized(&[0xf6], Some(0), Operand::Any);
                self.imm(size);
            }
            1 | 2 => {
                let operation = self.random.one_of(&[2, 3]);
                self.sized(&[0xf6], Some(operation), Operand::Any);
            }
            _ => {
                let operation = self.random.one_of(&[0, 1]);
                self.sized(&[0xfe], Some(operation), Operand::Any);
            }
        }
    }

    fn multiplications(&mut self) {
        match self.random.below(5) {
            0 => {
                let size = self.wide();
                self.modrm(size, &[0x0f, 0xaf], None, Operand::Any);
            }
            1 => {
                let size = self.wide();
                self.modrm(size, &[0x69], None, Operand::Any);
                self.imm(size);
            }
            2 => {
                let size = self.wide();
                self.modrm(size, &[0x6b], None, Operand::Any);
                self.imm(Size::Byte);
            }
            3 => {
                let operation = self.random.one_of(&[4, 5]);
                self.sized(&[0xf6], Some(operation), Operand::Any);
            }
            _ => {
                let operation = self.random.one_of(&[6, 7]);
                self.sized(&[0xf6], Some(operation), Operand::Any);
            }
        }
    }

    fn bit_tests(&mut self) {
        let size = self.wide();
        if self.random.once_in(2) {
            let opcode = self.random.one_of(&[0xa3, 0xab, 0xb3, 0xbb]);
            self.modrm(size, &[0x0f, opcode], None, Operand::Any);
        } else {
            let operation = 4 + self.byte() % 4;
            self.modrm(size, &[0x0f, 0xba], Some(operation), Operand::Any);
            self.imm(Size::Byte);
        }
    }

    fn exchanges(&mut self) {
        match self.random.below(5) {
            0 => drop(self.sized(&[0x86], None, Operand::Any)),
            1 => drop(self.sized(&[0x0f, 0xc0], None, Operand::Any)),
            2 => drop(self.sized(&[0x0f, 0xb0], None, Operand::Any)),
            3 => {
                let size = self.random.one_of(&[Size::Double, Size::Quad]);
                self.modrm(size, &[0x0f, 0xc7], Some(1), Operand::Memory);
            }
            _ => {
                let (size, register) = (self.wide(), self.byte() & 7);
                self.plain(size, &[0x90 | register]);
            }
        }
    }

    fn conditional(&mut self) {
        let condition = self.byte() & 15;
        if self.random.once_in(2) {
            self.modrm(Size::Byte, &[0x0f, 0x90 | condition], Some(0), Operand::Any);
        } else {
            let size = self.wide();
            self.modrm(size, &[0x0f, 0x40 | condition], None, Operand::Any);
        }
    }

    fn stack(&mut self) {
        let register = self.byte() & 7;
        match self.random.below(8) {
            0 | 1 => self.out.push(0x50 | register),
            2 | 3 => self.out.push(0x58 | register),
            4 => {
                self.out.push(0x6a);
                self.imm(Size::Byte);
            }
            5 => {
                self.out.push(0x68);
                self.imm(Size::Double);
            }
            6 => self.modrm(Size::Double, &[0xff], Some(6), Operand::Any),
            _ => self.out.push(0x9c),
        }
    }

    fn flags(&mut self) {
        let opcode = self.random.one_of(&[0xf5, 0xf8, 0xf9, 0xfc, 0xfd, 0x9e, 0x9f]);
        self.out.push(opcode);
    }

    fn accumulator(&mut self) {
        let size = self.wide();
        let opcode = self.random.one_of(&[0x98, 0x99]);
        self.plain(size, &[opcode]);
    }

    fn strings(&mut self) {
        let opcode = self.random.one_of(&[0xa4, 0xa6, 0xaa, 0xac, 0xae]);
        let prefix = self.random.one_of(&[None, Some(0xf2), Some(0xf3), Some(0xf3)]);
        // A small count first, most of the time.
        let size = self.size();
        self.out.extend(prefix);
        let wide = u8::from(size != Size::Byte);
        self.plain(if size == Size::Byte { Size::Double } else { size }, &[opcode | wide]);
    }

    fn addresses(&mut self) {
        let size = self.wide();
        self.modrm(size, &[0x8d], None, Operand::Memory);
    }

    /// A scan of zero leaves its result undefined, so its source is set first.
    fn bit_scans(&mut self) {
        let (source, result) = (self.byte() & 7, self.byte() & 7);
        let bits = 1 << self.random.below(64) | value(self.random);
        self.out.extend([0x48, 0xb8 | source]);
        self.out.extend(bits.to_le_bytes());
        let opcode = self.random.one_of(&[0xbc, 0xbd]);
        self.out.extend([0x48, 0x0f, opcode, 0xc0 | result << 3 | source]);
    }

    fn swaps(&mut self) {
        let register = self.byte() & 7;
        let size = self.random.one_of(&[Size::Double, Size::Quad]);
        self.plain(size, &[0x0f, 0xc8 | register]);
    }

    fn counts(&mut self) {
        let opcode = self.random.one_of(&[0xb8, 0xbc, 0xbd]);
        let size = self.wide();
        self.modrm(size, &[0xf3, 0x0f, opcode], None, Operand::Any);
    }

    fn checksums_and_carries(&mut self) {
        let size = self.random.one_of(&[Size::Double, Size::Quad]);
        match self.random.below(4) {
            0 => {
                let size = self.random.one_of(&[Size::Byte, Size::Quad]);
                self.modrm(size, &[0xf2, 0x0f, 0x38, 0xf0], None, Operand::Any);
            }
            1 => self.modrm(size, &[0xf2, 0x0f, 0x38, 0xf1], None, Operand::Any),
            2 => self.modrm(size, &[0xf3, 0x0f, 0x38, 0xf6], None, Operand::Any),
            _ => {
                // ADCX: its mandatory prefix is the one of the operand size.
                self.out.push(0x66);
                self.modrm(size, &[0x0f, 0x38, 0xf6], None, Operand::Any);
            }
        }
    }

    fn movbe(&mut self) {
        let (size, opcode) = (self.wide(), self.random.one_of(&[0xf0, 0xf1]));
        self.modrm(size, &[0x0f, 0x38, opcode], None, Operand::Memory);
    }

    /// BMI1 and BMI2: a three-byte VEX prefix.
    fn vex(&mut self) {
        // Map, mandatory prefix (0, 66, F3, F2), opcode, middle field, immediate.
        type Form = (u8, u8, u8, Option<u8>, bool);
        const FORMS: [Form; 13] = [
            (2, 0, 0xf2, None, false),    // andn
            (2, 0, 0xf3, Some(1), false), // blsr
            (2, 0, 0xf3, Some(2), false), // blsmsk
            (2, 0, 0xf3, Some(3), false), // blsi
            (2, 0, 0xf5, None, false),    // bzhi
            (2, 3, 0xf5, None, false),    // pdep
            (2, 2, 0xf5, None, false),    // pext
            (2, 3, 0xf6, None, false),    // mulx
            (2, 0, 0xf7, None, false),    // bextr
            (2, 1, 0xf7, None, false),    // shlx
            (2, 2, 0xf7, None, false),    // sarx
            (2, 3, 0xf7, None, false),    // shrx
            (3, 3, 0xf0, None, true),     // rorx
        ];
        let (map, prefix, opcode, middle, immediate) = self.random.one_of(&FORMS);
        // The second source is in inverted bits; rorx has none, which is all ones.
        let source = if immediate { 15 } else { self.byte() & 15 };
        let wide = self.byte() & 0x80;
        let extension = self.byte() & 0xe0;
        self.out.extend([0xc4, extension | map, wide | source << 3 | prefix, opcode]);
        let middle = middle.unwrap_or_else(|| self.byte() & 7) << 3;
        if self.random.once_in(2) {
            let low = self.byte() & 7;
            self.out.push(0xc0 | middle | low);
        } else {
            self.address(middle, false);
        }
        if immediate {
            self.imm(Size::Byte);
        }
    }
}
