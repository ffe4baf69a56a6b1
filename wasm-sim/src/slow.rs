//! The interpreter to read beside the manual: every supported instruction, one at a time.
//!
//! It defines what the machine does. The handlers of [`crate::execute`] are shortcuts for the
//! common forms, and whatever is not simple about an instruction — a fault, a page
//! boundary, a page nobody has touched yet — comes here.

use iced_x86::{Code, Instruction, Mnemonic as M, OpKind, Register};
use shared_model::address::GuestVirtual;
use shared_model::exit::Exit;
use shared_model::registers::{AF, CF, DF, OF, PF, SF, ZF};

use crate::alu;
use crate::engine::{
    BREAKPOINT, DEBUG, DIVIDE_ERROR, Engine, Flow, INVALID_OPCODE, Outcome, RAX, RBX, RCX, RDX,
    branch, unsupported,
};
use crate::flags::Flags;
use crate::memory::{GENERAL_PROTECTION, exception};
use crate::operand::{Place, width_of};
use crate::width::Width;

type Binary = fn(&mut Flags, Width, u64, u64) -> u64;
type Unary = fn(&mut Flags, Width, u64) -> u64;
type Shift = fn(&mut Flags, Width, u64, u32) -> u64;

impl Engine {
    /// Executes one instruction. On an error the state is as before it, except that a
    /// repeated string instruction keeps the iterations it has completed.
    pub(crate) fn interpret(&mut self, i: &Instruction) -> Outcome {
        if i.code() == Code::INVALID {
            return Err(exception(INVALID_OPCODE));
        }
        if i.is_string_instruction() {
            return self.string(i);
        }
        match i.mnemonic() {
            M::Mov | M::Movzx | M::Movnti => self.mov(i),
            M::Movsx | M::Movsxd => self.movsx(i),
            M::Lea => self.lea(i),
            M::Add => self.binary(i, alu::add),
            M::Adc => self.binary(i, alu::adc),
            M::Sub => self.binary(i, alu::sub),
            M::Sbb => self.binary(i, alu::sbb),
            M::And => self.binary(i, alu::and),
            M::Or => self.binary(i, alu::or),
            M::Xor => self.binary(i, alu::xor),
            M::Cmp => self.compare(i, alu::sub),
            M::Test => self.compare(i, alu::and),
            M::Inc => self.unary(i, alu::inc),
            M::Dec => self.unary(i, alu::dec),
            M::Neg => self.unary(i, alu::neg),
            M::Not => self.unary(i, |_, width, a| width.truncate(!a)),
            M::Shl | M::Sal => self.shift(i, alu::shl),
            M::Shr => self.shift(i, alu::shr),
            M::Sar => self.shift(i, alu::sar),
            M::Rol | M::Ror => self.rotate(i),
            M::Rcl => self.shift(i, alu::rcl),
            M::Rcr => self.shift(i, alu::rcr),
            M::Shld => self.double_shift(i, alu::shld),
            M::Shrd => self.double_shift(i, alu::shrd),
            M::Imul if i.op_count() > 1 => self.imul(i),
            M::Imul => self.multiply(i, true),
            M::Mul => self.multiply(i, false),
            M::Div => self.divide(i, false),
            M::Idiv => self.divide(i, true),
            M::Cbw => self.extend_accumulator(Width::BYTE),
            M::Cwde => self.extend_accumulator(Width::WORD),
            M::Cdqe => self.extend_accumulator(Width::DOUBLE),
            M::Cwd => self.extend_into_rdx(Width::WORD),
            M::Cdq => self.extend_into_rdx(Width::DOUBLE),
            M::Cqo => self.extend_into_rdx(Width::QUAD),
            M::Xchg => self.xchg(i),
            M::Xadd => self.xadd(i),
            M::Cmpxchg => self.cmpxchg(i),
            M::Cmpxchg8b => self.cmpxchg_pair(i, Width::DOUBLE),
            M::Cmpxchg16b => self.cmpxchg_pair(i, Width::QUAD),
            M::Bswap => self.bswap(i),
            M::Movbe => self.movbe(i),
            M::Xlatb => self.xlat(i),
            M::Bt | M::Bts | M::Btr | M::Btc => self.bit_test(i),
            M::Bsf | M::Bsr | M::Tzcnt | M::Lzcnt | M::Popcnt => self.bit_scan(i),
            M::Andn
            | M::Bextr
            | M::Blsi
            | M::Blsmsk
            | M::Blsr
            | M::Bzhi
            | M::Mulx
            | M::Pdep
            | M::Pext
            | M::Rorx
            | M::Sarx
            | M::Shlx
            | M::Shrx => self.bit_manipulation(i),
            M::Adcx => self.add_with_flag(i, CF),
            M::Adox => self.add_with_flag(i, OF),
            M::Crc32 => self.crc32(i),
            M::Push => self.push(i),
            M::Pop => self.pop(i),
            M::Pushf | M::Pushfq => self.pushf(i),
            M::Popf | M::Popfq => self.popf(i),
            M::Call => self.call(i),
            M::Ret => self.ret(i),
            M::Enter => self.enter(i),
            M::Leave => self.leave(i),
            M::Jmp => self.jmp(i),
            M::Loop | M::Loope | M::Loopne | M::Jcxz | M::Jecxz | M::Jrcxz => self.count_jump(i),
            M::In | M::Out => self.port(i),
            M::Cld | M::Std | M::Clc | M::Stc | M::Cmc | M::Lahf | M::Sahf => self.flag_move(i),
            M::Nop
            | M::Pause
            | M::Endbr64
            | M::Endbr32
            | M::Lfence
            | M::Mfence
            | M::Sfence
            | M::Prefetchnta
            | M::Prefetcht0
            | M::Prefetcht1
            | M::Prefetcht2
            | M::Prefetchw
            | M::Prefetch
            | M::Prefetchwt1
            | M::Prefetchit0
            | M::Prefetchit1
            | M::Cldemote
            | M::Reservednop => Ok(Flow::Next),
            M::Int3 => Ok(Flow::Leave(exception(BREAKPOINT))),
            M::Int1 => Ok(Flow::Leave(exception(DEBUG))),
            M::Ud0 | M::Ud1 | M::Ud2 | M::Clac | M::Stac => Err(exception(INVALID_OPCODE)),
            M::Hlt
            | M::Cli
            | M::Sti
            | M::Clts
            | M::Lgdt
            | M::Lidt
            | M::Lldt
            | M::Ltr
            | M::Lmsw
            | M::Invd
            | M::Wbinvd
            | M::Wbnoinvd
            | M::Invlpg
            | M::Rdmsr
            | M::Wrmsr
            | M::Swapgs
            | M::Sysexit
            | M::Sysexitq
            | M::Sysret
            | M::Sysretq => Err(exception(GENERAL_PROTECTION)),
            _ => self.conditional(i),
        }
    }

    /// `jcc`, `setcc` and `cmovcc`; anything else is not simulated.
    fn conditional(&mut self, i: &Instruction) -> Outcome {
        let Some(code) = condition_code(i) else { return Err(unsupported(i)) };
        let holds = self.condition(code);
        if i.is_jcc_short_or_near() {
            return if holds { branch(i.near_branch_target()) } else { Ok(Flow::Next) };
        }
        if i.op_count() == 1 {
            self.write_operand(i, 0, u64::from(holds))?;
        } else {
            // The source is read, and may fault, whatever the condition; a 32-bit
            // destination is zero-extended likewise.
            let source = self.read_operand(i, 1)?;
            let old = self.read_operand(i, 0)?;
            self.write_operand(i, 0, if holds { source } else { old })?;
        }
        Ok(Flow::Next)
    }

    fn mov(&mut self, i: &Instruction) -> Outcome {
        // Level 3 reaches neither control nor debug registers (Intel SDM vol. 3, 5.9).
        if [i.op0_register(), i.op1_register()].iter().any(|r| r.is_cr() || r.is_dr()) {
            return Err(exception(GENERAL_PROTECTION));
        }
        let value = self.read_operand(i, 1)?;
        self.write_operand(i, 0, value)?;
        Ok(Flow::Next)
    }

    fn movsx(&mut self, i: &Instruction) -> Outcome {
        let value = self.read_operand(i, 1)?;
        self.write_operand(i, 0, width_of(i, 1)?.signed(value) as u64)?;
        Ok(Flow::Next)
    }

    fn lea(&mut self, i: &Instruction) -> Outcome {
        let address = self.effective_address(i);
        self.write_operand(i, 0, address)?;
        Ok(Flow::Next)
    }

    fn binary(&mut self, i: &Instruction, operation: Binary) -> Outcome {
        // At most one of the two is in memory, so the order does not matter.
        let source = self.read_operand(i, 1)?;
        let place = self.open(i, 0)?;
        let width = place.width();
        let old = self.read_place(place);
        let result = operation(&mut self.flags, width, old, width.truncate(source));
        self.write_place(place, result);
        Ok(Flow::Next)
    }

    fn compare(&mut self, i: &Instruction, operation: Binary) -> Outcome {
        let width = width_of(i, 0)?;
        let a = self.read_operand(i, 0)?;
        let b = self.read_operand(i, 1)?;
        operation(&mut self.flags, width, a, width.truncate(b));
        Ok(Flow::Next)
    }

    fn unary(&mut self, i: &Instruction, operation: Unary) -> Outcome {
        let place = self.open(i, 0)?;
        let old = self.read_place(place);
        let result = operation(&mut self.flags, place.width(), old);
        self.write_place(place, result);
        Ok(Flow::Next)
    }

    fn shift(&mut self, i: &Instruction, operation: Shift) -> Outcome {
        let count = self.read_operand(i, 1)?;
        let place = self.open(i, 0)?;
        let width = place.width();
        let old = self.read_place(place);
        let count = alu::shift_count(width, count);
        let result = operation(&mut self.flags, width, old, count);
        self.write_place(place, result);
        Ok(Flow::Next)
    }

    fn rotate(&mut self, i: &Instruction) -> Outcome {
        let keeps_overflow = i.op0_kind() == OpKind::Register && i.op1_kind() != OpKind::Register;
        self.shift(
            i,
            match (i.mnemonic(), keeps_overflow) {
                (M::Rol, true) => alu::rol_immediate,
                (M::Rol, false) => alu::rol,
                (_, true) => alu::ror_immediate,
                (_, false) => alu::ror,
            },
        )
    }

    fn double_shift(
        &mut self,
        i: &Instruction,
        operation: fn(&mut Flags, Width, u64, u64, u32) -> u64,
    ) -> Outcome {
        let source = self.read_operand(i, 1)?;
        let count = self.read_operand(i, 2)?;
        let place = self.open(i, 0)?;
        let width = place.width();
        let old = self.read_place(place);
        let count = alu::shift_count(width, count);
        let result = operation(&mut self.flags, width, old, source, count);
        self.write_place(place, result);
        Ok(Flow::Next)
    }

    fn imul(&mut self, i: &Instruction) -> Outcome {
        let width = width_of(i, 0)?;
        let last = i.op_count() - 1;
        let a = self.read_operand(i, last - 1)?;
        let b = self.read_operand(i, last)?;
        let result = alu::imul(&mut self.flags, width, a, width.truncate(b));
        self.write_operand(i, 0, result)?;
        Ok(Flow::Next)
    }

    fn multiply(&mut self, i: &Instruction, signed: bool) -> Outcome {
        let width = width_of(i, 0)?;
        let source = self.read_operand(i, 0)?;
        let a = self.get_numbered(RAX, width);
        let (low, high) = alu::multiply(&mut self.flags, width, a, source, signed);
        if width == Width::BYTE {
            self.set_numbered(RAX, Width::WORD, high << 8 | low);
        } else {
            self.set_numbered(RAX, width, low);
            self.set_numbered(RDX, width, high);
        }
        Ok(Flow::Next)
    }

    fn divide(&mut self, i: &Instruction, signed: bool) -> Outcome {
        let width = width_of(i, 0)?;
        let divisor = self.read_operand(i, 0)?;
        let low = self.get_numbered(RAX, width);
        let high = if width == Width::BYTE {
            Width::BYTE.truncate(self.regs[RAX] >> 8)
        } else {
            self.get_numbered(RDX, width)
        };
        let (quotient, remainder) = alu::divide(width, high, low, divisor, signed)
            .ok_or_else(|| exception(DIVIDE_ERROR))?;
        if width == Width::BYTE {
            self.set_numbered(RAX, Width::WORD, remainder << 8 | quotient);
        } else {
            self.set_numbered(RAX, width, quotient);
            self.set_numbered(RDX, width, remainder);
        }
        self.flags.set_all_undefined();
        Ok(Flow::Next)
    }

    /// `cbw`, `cwde`, `cdqe`: from `width` to the next one.
    fn extend_accumulator(&mut self, width: Width) -> Outcome {
        let value = width.signed(self.regs[RAX]) as u64;
        self.set_numbered(RAX, Width::of_index(width.index() + 1), value);
        Ok(Flow::Next)
    }

    /// `cwd`, `cdq`, `cqo`.
    fn extend_into_rdx(&mut self, width: Width) -> Outcome {
        let sign = (width.signed(self.regs[RAX]) >> 63) as u64;
        self.set_numbered(RDX, width, sign);
        Ok(Flow::Next)
    }

    fn xchg(&mut self, i: &Instruction) -> Outcome {
        let (first, second) = (self.open(i, 0)?, self.open(i, 1)?);
        let (a, b) = (self.read_place(first), self.read_place(second));
        self.write_place(first, b);
        self.write_place(second, a);
        Ok(Flow::Next)
    }

    fn xadd(&mut self, i: &Instruction) -> Outcome {
        let place = self.open(i, 0)?;
        let old = self.read_place(place);
        let source = self.read_operand(i, 1)?;
        let sum = alu::add(&mut self.flags, place.width(), old, source);
        self.write_operand(i, 1, old)?;
        self.write_place(place, sum);
        Ok(Flow::Next)
    }

    fn cmpxchg(&mut self, i: &Instruction) -> Outcome {
        let place = self.open(i, 0)?;
        let width = place.width();
        let old = self.read_place(place);
        let expected = self.get_numbered(RAX, width);
        let new = self.read_operand(i, 1)?;
        alu::sub(&mut self.flags, width, expected, old);
        if expected == old {
            self.write_place(place, new);
        } else {
            self.set_numbered(RAX, width, old);
            // Memory is written either way; what was there is still there.
            if matches!(place, Place::Memory(..)) {
                self.write_place(place, old);
            }
        }
        Ok(Flow::Next)
    }

    /// `cmpxchg8b` and `cmpxchg16b`: rdx:rax is compared, rcx:rbx stored.
    fn cmpxchg_pair(&mut self, i: &Instruction, half: Width) -> Outcome {
        let (address, segment) = self.linear(i, 0);
        let size = half.bytes() * 2;
        // Processors look at the address's upper bits, then at its alignment, then at what is
        // there.
        let canonical = GuestVirtual(address).is_canonical();
        if half == Width::QUAD && address % 16 != 0 && canonical {
            return Err(exception(GENERAL_PROTECTION));
        }
        let access = shared_model::exit::Access::Write;
        let span = self.memory.span(address, size, access, segment)?;
        let mut bytes = [0; 16];
        self.memory.copy_out(span, &mut bytes[..size]);
        let old = u128::from_le_bytes(bytes);
        let pair = |high: u64, low: u64| {
            u128::from(half.truncate(high)) << half.bits() | u128::from(half.truncate(low))
        };
        let equal = old == pair(self.regs[RDX], self.regs[RAX]);
        let new = if equal { pair(self.regs[RCX], self.regs[RBX]) } else { old };
        self.memory.copy_in(span, &new.to_le_bytes()[..size]);
        if !equal {
            self.set_numbered(RAX, half, old as u64);
            self.set_numbered(RDX, half, (old >> half.bits()) as u64);
        }
        self.flags.replace(ZF, if equal { ZF } else { 0 }, 0);
        Ok(Flow::Next)
    }

    fn bswap(&mut self, i: &Instruction) -> Outcome {
        let value = self.read_operand(i, 0)?;
        let swapped = match width_of(i, 0)? {
            Width::QUAD => value.swap_bytes(),
            Width::DOUBLE => u64::from((value as u32).swap_bytes()),
            // Undefined for 16 bits; processors clear them.
            _ => 0,
        };
        self.write_operand(i, 0, swapped)?;
        Ok(Flow::Next)
    }

    fn movbe(&mut self, i: &Instruction) -> Outcome {
        let value = self.read_operand(i, 1)?;
        let width = width_of(i, 0)?;
        self.write_operand(i, 0, value.swap_bytes() >> (64 - width.bits()))?;
        Ok(Flow::Next)
    }

    fn xlat(&mut self, i: &Instruction) -> Outcome {
        let mut offset = self.regs[RBX].wrapping_add(Width::BYTE.truncate(self.regs[RAX]));
        if i.memory_base() == Register::EBX {
            offset = Width::DOUBLE.truncate(offset);
        }
        let (address, segment) = self.in_segment(i, offset);
        let value = self.memory.read(address, 1, segment)?;
        self.set_numbered(RAX, Width::BYTE, value);
        Ok(Flow::Next)
    }

    fn jmp(&mut self, i: &Instruction) -> Outcome {
        let target = self.near_target(i)?;
        branch(target)
    }

    /// Where a near `call` or `jmp` goes; far ones are not simulated.
    pub(crate) fn near_target(&mut self, i: &Instruction) -> Result<u64, Exit> {
        match i.op0_kind() {
            OpKind::NearBranch64 => Ok(i.near_branch64()),
            OpKind::Register => self.read_operand(i, 0),
            OpKind::Memory if i.is_call_near_indirect() || i.is_jmp_near_indirect() => {
                self.read_operand(i, 0)
            }
            _ => Err(unsupported(i)),
        }
    }

    /// `loop`, `loope`, `loopne`, `jrcxz`, `jecxz`.
    fn count_jump(&mut self, i: &Instruction) -> Outcome {
        let width = match i.code() {
            Code::Loop_rel8_64_ECX
            | Code::Loope_rel8_64_ECX
            | Code::Loopne_rel8_64_ECX
            | Code::Jecxz_rel8_64 => Width::DOUBLE,
            Code::Loop_rel8_64_RCX
            | Code::Loope_rel8_64_RCX
            | Code::Loopne_rel8_64_RCX
            | Code::Jrcxz_rel8_64 => Width::QUAD,
            _ => return Err(unsupported(i)),
        };
        let count = self.get_numbered(RCX, width);
        let left = width.truncate(count.wrapping_sub(1));
        let taken = match i.mnemonic() {
            M::Loop => left != 0,
            M::Loope => left != 0 && self.flags.zero(),
            M::Loopne => left != 0 && !self.flags.zero(),
            _ => count == 0,
        };
        let flow = if taken { branch(i.near_branch_target())? } else { Flow::Next };
        if matches!(i.mnemonic(), M::Loop | M::Loope | M::Loopne) {
            self.set_numbered(RCX, width, left);
        }
        Ok(flow)
    }

    fn flag_move(&mut self, i: &Instruction) -> Outcome {
        const IN_AH: u64 = SF | ZF | AF | PF | CF;
        match i.mnemonic() {
            M::Cld => self.flags.down = false,
            M::Std => self.flags.down = true,
            M::Clc => self.flags.replace(CF, 0, 0),
            M::Stc => self.flags.replace(CF, CF, 0),
            M::Cmc => {
                let poison = self.flags.undefined();
                self.flags.replace(CF, if self.flags.carry() { 0 } else { CF }, poison);
            }
            M::Lahf => {
                // Bit 1 reads as one (SDM vol. 2, LAHF).
                let image = self.flags.visible() & IN_AH | 2;
                self.regs[RAX] = self.regs[RAX] & !0xff00 | image << 8;
            }
            _ => self.flags.replace(IN_AH, self.regs[RAX] >> 8, 0),
        }
        Ok(Flow::Next)
    }
}

/// The condition that a `jcc`, `setcc` or `cmovcc` tests, as in its opcode.
pub(crate) fn condition_code(i: &Instruction) -> Option<u8> {
    Some(match i.mnemonic() {
        M::Jo | M::Seto | M::Cmovo => 0,
        M::Jno | M::Setno | M::Cmovno => 1,
        M::Jb | M::Setb | M::Cmovb => 2,
        M::Jae | M::Setae | M::Cmovae => 3,
        M::Je | M::Sete | M::Cmove => 4,
        M::Jne | M::Setne | M::Cmovne => 5,
        M::Jbe | M::Setbe | M::Cmovbe => 6,
        M::Ja | M::Seta | M::Cmova => 7,
        M::Js | M::Sets | M::Cmovs => 8,
        M::Jns | M::Setns | M::Cmovns => 9,
        M::Jp | M::Setp | M::Cmovp => 10,
        M::Jnp | M::Setnp | M::Cmovnp => 11,
        M::Jl | M::Setl | M::Cmovl => 12,
        M::Jge | M::Setge | M::Cmovge => 13,
        M::Jle | M::Setle | M::Cmovle => 14,
        M::Jg | M::Setg | M::Cmovg => 15,
        _ => return None,
    })
}

/// What a program may change with `popf`: the status flags and the direction.
pub(crate) const PROGRAM_FLAGS: u64 = CF | PF | AF | ZF | SF | DF | OF;
