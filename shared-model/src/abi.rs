//! What a domain and the microkernel agree on, in numbers. `lcd.h` says the same to
//! C; a test compares the two.
//!
//! # Making a hypercall
//!
//! 1. Put the arguments in the message registers of the thread's UTCB.
//! 2. `mov $NUMBER, %eax; out %eax, $0xe0`.
//! 3. Message register 0 holds the [`Status`], further ones the results.
//!
//! No processor register changes: what the two sides exchange is in a page that both
//! see, so the common exit transfers no register at all. The thread finds its UTCB
//! through the word at `gs:0`.

use serde::{Deserialize, Serialize};

/// The port of hypercalls: the value written is the number. A 4-byte write covers the
/// three ports above as well.
pub const HYPERCALL_PORT: u16 = 0xe0;
/// The port that the return gate writes to.
pub const RETURN_PORT: u16 = 0xe4;
/// The gate of exception vector `v` writes to `EXCEPTION_PORT + v`.
pub const EXCEPTION_PORT: u16 = 0xc0;
/// Exception vectors that have a gate.
pub const EXCEPTION_VECTORS: u16 = 32;

/// Bytes that a module's name can have in `domain_configure`.
pub const NAME_MAX: u64 = 255;

/// Layout of a UTCB (user thread control block): one page, read and written by both
/// the thread and the microkernel.
pub mod utcb {
    /// Number of message registers.
    pub const REGISTERS: usize = 8;
    /// Offset of the message registers, 8 bytes each.
    pub const MESSAGE: usize = 0;
    /// Offset of the capability registers, 8 bytes each.
    pub const CAPABILITY: usize = 64;
    /// Offset of the byte buffer, for text and names.
    pub const BUFFER: usize = 256;
    /// Bytes in the buffer.
    pub const BUFFER_SIZE: usize = 4096 - BUFFER;
}

/// Layout of the page that `gs` points to. The first words belong to lcd; the rest
/// stands in for a kernel's per-processor area.
pub mod thread_area {
    /// The address of the thread's UTCB.
    pub const UTCB: usize = 0x00;
    /// Guest-virtual address of the start of the data window.
    pub const DATA_WINDOW: usize = 0x08;
    /// Guest-virtual address of the start of the code window.
    pub const CODE_WINDOW: usize = 0x10;
    /// The thread's number within its domain.
    pub const THREAD: usize = 0x18;
    /// The stack protector's value, where compilers expect it in kernel code.
    pub const STACK_CANARY: usize = 0x28;
    /// The area's own address: what Linux calls `this_cpu_off`.
    pub const SELF: usize = 0x30;
    /// The first byte that liblcd hands out to per-processor symbols.
    pub const FREE: usize = 0x40;
    /// The stack protector's value: fixed, so that runs repeat; its low byte is zero,
    /// so that a string cannot contain it.
    pub const CANARY_VALUE: u64 = 0x6c63_645f_7761_6c00;
}

/// What a hypercall's first message register holds afterwards. The values are those
/// of Linux's errors, negated, as the modules that read them expect.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i64)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// The capability lacks a right that the operation needs.
    NotPermitted = -1,
    /// Nothing is there: an empty slot, an absent mapping, an unknown name.
    NotFound = -2,
    /// Memory, or a quota, is exhausted.
    NoMemory = -12,
    /// The destination is taken.
    Exists = -17,
    /// An argument is out of range or of the wrong kind.
    Invalid = -22,
    /// The object is in a state that does not allow this.
    BadState = -77,
    /// There is no such hypercall.
    NoSystemCall = -38,
}

macro_rules! hypercalls {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// The hypercalls. Numbers below 32 and their meaning come from the original
        /// system's table; arguments are message registers `m0`, `m1`, ….
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u32)]
        pub enum Hypercall { $($(#[$doc])* $name = $number,)* }

        impl Hypercall {
            /// All of them, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The hypercall with this number.
            pub const fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Its name as logs and reports print it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

hypercalls! {
    /// `m0` = slot. Removes the capability; its children move up to its parent. If it
    /// was mapped, the mapping goes.
    CapDelete = 0, "cap_delete";
    /// `m0` = slot. Removes every descendant of the capability, and their mappings; the
    /// capability itself stays.
    CapRevoke = 1, "cap_revoke";
    /// `m0` = domain slot, `m1` = source slot, `m2` = destination slot in that domain, `m3` =
    /// rights. The copy has the rights of the source that are also in `m3`, and is its
    /// child. The source needs grant.
    CapGrant = 2, "cap_grant";
    /// `m0` = slot. Creates an empty domain; its capability goes to the slot.
    DomainCreate = 4, "domain_create";
    /// `m0` = domain slot, `m1` = length of a module's name in the UTCB's buffer. Loads the
    /// module and gives the domain its initial thread.
    DomainConfigure = 5, "domain_configure";
    /// `m0` = domain slot. Starts the domain's initial thread.
    DomainRun = 7, "domain_run";
    /// `m0` = value. Ends the calling thread with it.
    Exit = 8, "exit";
    /// `m0` = slot, `m1` = rights. A zeroed page; its capability goes to the slot.
    PageAllocate = 16, "page_allocate";
    /// `m0` = page slot, `m1` = guest-physical address in a window, `m2` = rights. In the data
    /// window a mapping can have read and write, in the code window read and execute.
    PageMap = 18, "page_map";
    /// `m0` = page slot. Removes the capability's mapping. No error if there is none.
    PageUnmap = 19, "page_unmap";
    /// `m0` = length of the text in the UTCB's buffer. Appends it to the domain's console.
    ConsoleWrite = 32, "console_write";
    /// Lets the other ready threads run first.
    Yield = 33, "yield";
}

#[cfg(test)]
mod tests {
    use super::Hypercall;

    #[test]
    fn numbers_and_names_are_unique_and_round_trip() {
        for (i, &call) in Hypercall::ALL.iter().enumerate() {
            assert_eq!(Hypercall::from_number(call as u32), Some(call));
            for &other in &Hypercall::ALL[i + 1..] {
                assert!((call as u32) < other as u32 && call.name() != other.name());
            }
        }
    }
}
