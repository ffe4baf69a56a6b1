//! What a domain and the microkernel agree on, in numbers. `lcd.h` says the same to
//! C; a test compares the two.
//!
//! # Making a hypercall
//!
//! 1. Put the arguments in the message registers of the thread's UTCB.
//! 2. `mov $NUMBER, %eax; out %eax, $0xe0`.
//! 3. The UTCB's status word holds the [`Status`]; message registers 1, 2, … hold the results,
//!    where the call has any.
//!
//! A call that carries a message takes all message registers for it, so its endpoint and its
//! limit of time have words of their own in the UTCB.
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
    /// Number of message registers, and of capability registers.
    pub const REGISTERS: usize = 8;
    /// Offset of the message registers, 8 bytes each.
    pub const MESSAGE: usize = 0;
    /// Offset of the capability registers, 8 bytes each: slots, 0 for none.
    pub const CAPABILITY: usize = 64;
    /// Offset of the last hypercall's [`super::Status`].
    pub const STATUS: usize = 128;
    /// Offset of the slot that a call with a message goes through.
    pub const ENDPOINT: usize = 136;
    /// Offset of its limit of time, in ticks; 0 waits for as long as it takes.
    pub const TIMEOUT: usize = 144;
    /// Offset of the badge that a received message came with.
    pub const BADGE: usize = 152;
    /// Offset of the capability registers that arrived: bit `i` for register `i`.
    pub const ARRIVED: usize = 160;
    /// Offset of those that both sides named and that could not be passed on.
    pub const FAILED: usize = 168;
    /// Offset of what was received: [`super::Received`].
    pub const RECEIVED: usize = 176;
    /// Offset of the byte buffer, for text, names and registers.
    pub const BUFFER: usize = 256;
    /// Bytes in the buffer.
    pub const BUFFER_SIZE: usize = 4096 - BUFFER;
}

/// What a receive ended with, in the UTCB's word of that name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
#[repr(u64)]
pub enum Received {
    /// A message whose sender expects nothing.
    Message = 0,
    /// A call: the sender waits for the reply.
    Call = 1,
    /// No message: the thread's bound notification was signalled, and the badge holds its bits.
    Notification = 2,
    /// A fault of another thread, which waits to be told how to go on.
    Fault = 3,
}

/// What a fault message is about: its `m0`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum FaultKind {
    /// A page for which the domain has no capability, or not with that right.
    Page = 1,
    /// An exception.
    Exception = 2,
}

/// What a quota counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u64)]
pub enum Resource {
    /// Pages of memory, those that a domain is built from included.
    Pages = 0,
    /// Capabilities in capability spaces.
    Capabilities = 1,
    /// Domains.
    Domains = 2,
    /// Threads.
    Threads = 3,
    /// Endpoints, notifications and channels.
    Objects = 4,
}

impl Resource {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::Pages, Self::Capabilities, Self::Domains, Self::Threads, Self::Objects];

    /// The resource with this number.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|&resource| resource as u64 == number)
    }
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
    /// The address of the domain's [`super::boot_info`].
    pub const BOOT_INFO: usize = 0x20;
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

/// Layout of the boot information: a page that the domain can read and only its creator and the
/// microkernel write, with the capabilities that it was given and what they are called.
pub mod boot_info {
    /// Offset of the format's number, [`VERSION`].
    pub const FORMAT: usize = 0;
    /// Offset of the number of entries.
    pub const COUNT: usize = 8;
    /// Offset of the first entry.
    pub const ENTRIES: usize = 64;
    /// Bytes of an entry: a name, filled up with zero bytes, and the slot.
    pub const ENTRY_SIZE: usize = 32;
    /// Offset of the slot in an entry.
    pub const ENTRY_SLOT: usize = 24;
    /// Bytes that a name can have.
    pub const NAME_MAX: usize = 23;
    /// Entries that fit the page.
    pub const ENTRIES_MAX: usize = (4096 - ENTRIES) / ENTRY_SIZE;
    /// This format.
    pub const VERSION: u64 = 1;
}

/// The model's own devices: their ports, the registers behind them and their interrupts.
///
/// A register answers an access to its own port that is as wide as it is. Any other access is one
/// to a port that nobody answers: it reads all ones, and what is written is lost.
pub mod device {
    /// Bytes of a domain's I/O space: where its devices' accesses to memory can go.
    pub const IO_SPACE_SIZE: u64 = 1 << 31;

    /// The timer's first port.
    pub const TIMER_FIRST: u16 = 0x40;
    /// The timer's last port.
    pub const TIMER_LAST: u16 = 0x47;
    /// The timer's interrupt line.
    pub const TIMER_INTERRUPT: u8 = 0;
    /// 4 bytes. Written: ticks to count down from now, 0 stops. Read: ticks that are left.
    pub const TIMER_COUNT: u16 = 0x40;
    /// 1 byte: [`TIMER_PERIODIC`] or 0.
    pub const TIMER_MODE: u16 = 0x44;
    /// 2 bytes. Read: how often it ran down since this was last read, up to 65535.
    pub const TIMER_EXPIRED: u16 = 0x46;
    /// In the mode: when it runs down, it counts down again.
    pub const TIMER_PERIODIC: u8 = 1;

    /// The serial port's first port.
    pub const SERIAL_FIRST: u16 = 0x3f8;
    /// The serial port's last port.
    pub const SERIAL_LAST: u16 = 0x40f;
    /// The serial port's interrupt line.
    pub const SERIAL_INTERRUPT: u8 = 4;
    /// 1 byte. Written: sent. Read: the next byte of input, 0 if there is none. With
    /// [`SERIAL_DIVISOR`], the lower half of the divisor.
    pub const SERIAL_DATA: u16 = 0x3f8;
    /// 1 byte: [`SERIAL_ON_INPUT`] and [`SERIAL_ON_EMPTY`]. With [`SERIAL_DIVISOR`], the upper
    /// half of the divisor.
    pub const SERIAL_ENABLE: u16 = 0x3f9;
    /// 1 byte. Read: [`SERIAL_CAUSE_INPUT`], [`SERIAL_CAUSE_EMPTY`] (which that deals with) or
    /// [`SERIAL_CAUSE_NONE`].
    pub const SERIAL_CAUSE: u16 = 0x3fa;
    /// 1 byte: [`SERIAL_DIVISOR`]; the other bits mean nothing here and are kept.
    pub const SERIAL_LINE_CONTROL: u16 = 0x3fb;
    /// 1 byte, which means nothing here and is kept.
    pub const SERIAL_MODEM_CONTROL: u16 = 0x3fc;
    /// 1 byte. Read: [`SERIAL_READY`], [`SERIAL_EMPTY`] and [`SERIAL_IDLE`].
    pub const SERIAL_LINE_STATUS: u16 = 0x3fd;
    /// 1 byte. Read: the other side is there.
    pub const SERIAL_MODEM_STATUS: u16 = 0x3fe;
    /// 1 byte, which is kept.
    pub const SERIAL_SCRATCH: u16 = 0x3ff;
    /// 4 bytes: the lower half of the I/O address at which a transfer goes on.
    pub const SERIAL_DMA_ADDRESS: u16 = 0x400;
    /// 4 bytes: its upper half.
    pub const SERIAL_DMA_ADDRESS_HIGH: u16 = 0x404;
    /// 4 bytes: how many bytes are left to transfer.
    pub const SERIAL_DMA_LENGTH: u16 = 0x408;
    /// 1 byte. Written: [`SERIAL_DMA_SEND`] or [`SERIAL_DMA_RECEIVE`]. Read: how that ended,
    /// [`SERIAL_DMA_DONE`], [`SERIAL_DMA_REFUSED`] or [`SERIAL_DMA_INVALID`].
    pub const SERIAL_DMA_COMMAND: u16 = 0x40c;

    /// Interrupt when there is input.
    pub const SERIAL_ON_INPUT: u8 = 1;
    /// Interrupt when the next byte can be sent.
    pub const SERIAL_ON_EMPTY: u8 = 2;
    /// There is no cause for an interrupt.
    pub const SERIAL_CAUSE_NONE: u8 = 1;
    /// The next byte can be sent.
    pub const SERIAL_CAUSE_EMPTY: u8 = 2;
    /// There is input.
    pub const SERIAL_CAUSE_INPUT: u8 = 4;
    /// In the line control: the first two ports are the divisor's.
    pub const SERIAL_DIVISOR: u8 = 0x80;
    /// In the line status: there is input.
    pub const SERIAL_READY: u8 = 1;
    /// In the line status: the next byte can be sent.
    pub const SERIAL_EMPTY: u8 = 0x20;
    /// In the line status: all bytes are sent.
    pub const SERIAL_IDLE: u8 = 0x40;
    /// Sends bytes from memory.
    pub const SERIAL_DMA_SEND: u8 = 1;
    /// Puts input into memory, as much as there is.
    pub const SERIAL_DMA_RECEIVE: u8 = 2;
    /// The transfer was done.
    pub const SERIAL_DMA_DONE: u8 = 1;
    /// It stopped at an I/O address that the device may not use like this.
    pub const SERIAL_DMA_REFUSED: u8 = 2;
    /// There is no such command, or the length is above [`SERIAL_DMA_MAX`]: nothing was done.
    pub const SERIAL_DMA_INVALID: u8 = 4;
    /// Bytes that one transfer can have.
    pub const SERIAL_DMA_MAX: u32 = 1 << 16;
}

/// What the status word holds after a hypercall. The values are those of Linux's errors,
/// negated, as the modules that read them expect.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[repr(i64)]
pub enum Status {
    /// Only in logs, never in a UTCB: the caller waits, and a later event says how that ended.
    Waiting = 1,
    /// Done.
    Ok = 0,
    /// The capability lacks a right that the operation needs.
    NotPermitted = -1,
    /// Nothing is there: an empty slot, an absent mapping, an unknown name.
    NotFound = -2,
    /// It could be done only by waiting.
    WouldBlock = -11,
    /// Memory, or a quota, is exhausted.
    NoMemory = -12,
    /// It is in use: what derives from it must go first.
    Busy = -16,
    /// The destination is taken.
    Exists = -17,
    /// An argument is out of range or of the wrong kind.
    Invalid = -22,
    /// Nobody is left who could answer.
    PeerDied = -32,
    /// There is no such hypercall.
    NoSystemCall = -38,
    /// The object is in a state that does not allow this.
    BadState = -77,
    /// The time is up.
    TimedOut = -110,
    /// The capability that the caller waited through was taken away.
    Cancelled = -125,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Waiting,
        Self::Ok,
        Self::NotPermitted,
        Self::NotFound,
        Self::WouldBlock,
        Self::NoMemory,
        Self::Busy,
        Self::Exists,
        Self::Invalid,
        Self::PeerDied,
        Self::NoSystemCall,
        Self::BadState,
        Self::TimedOut,
        Self::Cancelled,
    ];

    /// The status with this number.
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|&status| status as i64 == number)
    }
}

macro_rules! hypercalls {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, [$($argument:literal),*];)*) => {
        /// The hypercalls. Numbers below 32 come from the original system's table, and so does
        /// their meaning where it still makes sense; arguments are message registers `m0`, `m1`,
        /// …, but for the calls that carry a message.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
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

            /// The names of its arguments.
            pub const fn arguments(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($argument),*],)* }
            }
        }
    };
}

hypercalls! {
    /// Removes the capability; its children move up to its parent. If it was mapped, the
    /// mapping goes.
    CapDelete = 0, "cap_delete", ["slot"];
    /// Removes every descendant of the capability, and their mappings; the capability itself
    /// stays.
    CapRevoke = 1, "cap_revoke", ["slot"];
    /// Copies a capability into another domain, with those of its rights that are also in
    /// `rights`. The copy is its child. The source needs grant, the domain's capability write. A
    /// `badge` other than 0 marks the copy.
    CapGrant = 2, "cap_grant", ["domain", "from", "to", "rights", "badge"];
    /// Appends one character (a byte) to the domain's console.
    ConsolePut = 3, "console_put", ["character"];
    /// Creates an empty domain; its capability goes to the slot.
    DomainCreate = 4, "domain_create", ["slot"];
    /// Gives an empty domain its module and its initial thread. `name` is the length of the
    /// module's name in the UTCB's buffer, 0 for no module; `pc` and `sp` replace where the
    /// thread starts and its stack pointer, 0 keeps what the module says. Without a module `pc`
    /// is needed.
    DomainConfigure = 5, "domain_configure", ["domain", "name", "pc", "sp"];
    /// Copies a page capability into a domain and maps it there. The domain does not run yet, or has
    /// its faults sent to an endpoint.
    MemoryGrantAndMap = 6, "memory_grant_and_map", ["domain", "from", "to", "address", "rights"];
    /// Starts the domain's initial thread.
    DomainRun = 7, "domain_run", ["domain"];
    /// Ends the calling thread.
    Exit = 8, "exit", ["value"];
    /// Sends the message, and waits until somebody has received it. Needs write; capabilities go
    /// along only with grant.
    SyncSend = 9, "sync_send", ["endpoint", "timeout"];
    /// Waits for a message. Needs read.
    SyncReceive = 10, "sync_receive", ["endpoint", "timeout"];
    /// Receives a message if one waits.
    SyncPollReceive = 11, "sync_poll_receive", ["endpoint"];
    /// Sends the message and waits for the reply. Needs write, and grant or call.
    SyncCall = 12, "sync_call", ["endpoint", "timeout"];
    /// Answers the call that slot 2 holds, which is used up. Never waits.
    SyncReply = 13, "sync_reply", [];
    /// Creates an endpoint; its capability goes to the slot.
    EndpointCreate = 14, "endpoint_create", ["slot"];
    /// As `page_allocate`, from a memory node.
    PageAllocateNode = 15, "page_allocate_node", ["slot", "rights", "order", "node"];
    /// A block of `1 << order` zeroed pages; its capability goes to the slot.
    PageAllocate = 16, "page_allocate", ["slot", "rights", "order"];
    /// A block of any number of zeroed pages.
    PageAllocateMany = 17, "page_allocate_many", ["slot", "rights", "pages"];
    /// Maps all pages of a block at a guest-physical address in a window. In the data window a
    /// mapping has read, or read and write, in the code window read and execute. A capability is
    /// mapped at most once.
    PageMap = 18, "page_map", ["slot", "address", "rights"];
    /// Removes the capability's mapping. No error if there is none.
    PageUnmap = 19, "page_unmap", ["slot"];
    /// Writes the caller's registers and the top of its stack to the log.
    DumpStack = 20, "dump_stack", [];
    /// Lets an interrupt signal its notification.
    InterruptEnable = 21, "interrupt_enable", ["interrupt"];
    /// Keeps an interrupt pending instead.
    InterruptDisable = 22, "interrupt_disable", ["interrupt"];
    /// Lets the device with these ports use a domain's device mappings for its own accesses to
    /// memory. Needs write on both.
    DeviceAssign = 23, "device_assign", ["domain", "ports"];
    /// The device can reach no memory any more.
    DeviceRelease = 24, "device_release", ["ports"];
    /// Maps a block for a domain's devices at a page-aligned address of theirs.
    DeviceMap = 25, "device_map", ["domain", "slot", "address", "rights"];
    /// Removes that mapping.
    DeviceUnmap = 26, "device_unmap", ["slot"];
    /// Appends text of `length` bytes in the UTCB's buffer to the domain's console.
    ConsoleWrite = 32, "console_write", ["length"];
    /// Lets the other ready threads run first.
    Yield = 33, "yield", [];
    /// Copies a capability within the caller's space, as `cap_grant` does between two.
    CapCopy = 34, "cap_copy", ["from", "to", "rights", "badge"];
    /// Moves a capability to another slot, with those of its rights that are also in `rights`.
    CapMove = 35, "cap_move", ["from", "to", "rights"];
    /// `m1` = kind ([`ObjectKind`]), `m2` = rights, `m3` = badge, `m4` = size in pages or ports,
    /// `m5` = where it is mapped.
    CapInspect = 36, "cap_inspect", ["slot"];
    /// The capability under which a guest-physical address of the caller is mapped: `m1` = slot,
    /// `m2` = offset in the block.
    CapLookup = 37, "cap_lookup", ["address"];
    /// As `cap_revoke`, but what the named domain holds stays, with all that derives from it.
    CapRevokeUntil = 38, "cap_revoke_until", ["slot", "domain"];
    /// Makes an original capability a child of another to the same object.
    CapDerive = 39, "cap_derive", ["slot", "under"];
    /// Ends every waiting send of this badge.
    EndpointCancel = 40, "endpoint_cancel", ["endpoint", "badge"];
    /// As `sync_send`, if somebody waits for it.
    SyncPollSend = 41, "sync_poll_send", ["endpoint"];
    /// `sync_reply`, then `sync_receive`, in one call.
    SyncReplyReceive = 42, "sync_reply_receive", ["endpoint", "timeout"];
    /// Creates a notification; its capability goes to the slot.
    NotificationCreate = 43, "notification_create", ["slot"];
    /// Adds the capability's badge (1 if it has none) to the notification's bits, and wakes one
    /// waiting thread. Never waits. Needs write. With a channel: the other side's doorbell.
    NotificationSignal = 44, "notification_signal", ["slot"];
    /// Takes the notification's bits (`m1`), and waits until there are any. Needs read. With a
    /// channel: this side's doorbell.
    NotificationWait = 45, "notification_wait", ["slot", "timeout"];
    /// Takes the notification's bits (`m1`) if there are any.
    NotificationPoll = 46, "notification_poll", ["slot"];
    /// Binds a notification to the calling thread: a signal also ends its `sync_receive`. When the
    /// capability goes, so does this. Slot 0 unbinds.
    NotificationBind = 47, "notification_bind", ["slot"];
    /// Creates a channel of `1 << order` pages with a doorbell at each end; its capability goes to
    /// the slot. A copy with badge 1 is the other end's.
    ChannelCreate = 48, "channel_create", ["slot", "order"];
    /// Creates a suspended thread in a configured or running domain (slot 0: the caller's own). `sp`
    /// 0 is the top of its own stack, with a return address that ends the thread with the function's
    /// value; another `sp` is taken as it is. `argument` is the first argument of the function at
    /// `pc`. `m1` = its index, which a dead thread may have had before.
    ThreadCreate = 49, "thread_create", ["domain", "pc", "sp", "argument"];
    /// Keeps a thread from running. A wait it is in goes on.
    ThreadSuspend = 50, "thread_suspend", ["domain", "thread"];
    /// Lets it run again, or for the first time. Threads of a domain that does not run yet stay
    /// suspended: `domain_run` starts the initial one.
    ThreadResume = 51, "thread_resume", ["domain", "thread"];
    /// Replaces a suspended thread's registers by those in the buffer: the sixteen general ones
    /// in the processor's order, `rip`, `rflags`. Not while it is in a hypercall.
    ThreadSetRegisters = 52, "thread_set_registers", ["domain", "thread"];
    /// Copies a suspended thread's registers to the buffer.
    ThreadGetRegisters = 53, "thread_get_registers", ["domain", "thread"];
    /// Ends a thread.
    ThreadKill = 54, "thread_kill", ["domain", "thread"];
    /// Limits what a domain, and all that it creates, can take of a [`Resource`].
    QuotaSet = 55, "quota_set", ["domain", "resource", "limit"];
    /// `m1` = limit, `m2` = what is used (slot 0: the caller's own).
    QuotaGet = 56, "quota_get", ["domain", "resource"];
    /// `m1` = pages mapped by the caller's domain, `m2` = pages on its account, `m3` = pages in use
    /// in all, `m4` = those of `node`.
    MemoryStatistics = 57, "memory_statistics", ["node"];
    /// Creates a host domain that runs the service whose name of `length` bytes is in the buffer.
    /// Only host domains can.
    HostDomainCreate = 58, "host_domain_create", ["slot", "length"];
    /// `m1` = state (0 empty, 1 configured, 2 running, 4 dead), `m2` = live threads, `m3` = 1 if its
    /// first thread exited, `m4` = with what (slot 0: the caller's own). Needs read.
    DomainInspect = 59, "domain_inspect", ["domain"];
    /// Has faults of the domain's threads (slot 0: the caller's own) sent to an endpoint as calls:
    /// `m0` = [`FaultKind`]; `m1` = address; `m2` = the right that was missing, or the vector; `m3` = `rip`; `m4` = thread; `m5` = error code; `m6` =
    /// guest-physical address of the page without capability. A reply with `m0` = 0 lets the thread
    /// go on where it is, another ends it with its fault. The endpoint's capability needs write, and
    /// grant or call; when it goes, so does this. Endpoint 0 undoes it.
    FaultBind = 60, "fault_bind", ["domain", "endpoint"];
    /// `m1` = what the port reads. `width` is 1, 2 or 4. Needs read.
    PortRead = 61, "port_read", ["ports", "port", "width"];
    /// Needs write.
    PortWrite = 62, "port_write", ["ports", "port", "width", "value"];
    /// Has an interrupt signal a notification; slot 0 undoes it.
    InterruptBind = 63, "interrupt_bind", ["interrupt", "notification"];
    /// Says that an interrupt was dealt with: the next one can come.
    InterruptAcknowledge = 64, "interrupt_acknowledge", ["interrupt"];
    /// `m1` = ticks since the beginning of the run.
    Time = 65, "time", [];
    /// Waits for so many ticks.
    Sleep = 66, "sleep", ["ticks"];
    /// Adds an entry to the boot information of a domain that is configured and does not run: the
    /// name, of `length` bytes in the buffer, of one of its slots. It replaces what had the name.
    BootName = 67, "boot_name", ["domain", "slot", "length"];
}

impl Hypercall {
    /// The numbers of the arguments that name slots of the caller's domain.
    pub fn own_slots(self) -> impl Iterator<Item = usize> {
        // Where it grants to, a slot is another domain's.
        let grants = matches!(self, Self::CapGrant | Self::MemoryGrantAndMap);
        let is_slot = move |name: &str| match name {
            "to" => !grants,
            "slot" | "from" | "under" | "domain" | "endpoint" | "notification" | "ports"
            | "interrupt" => true,
            _ => false,
        };
        let names = self.arguments().iter().enumerate();
        names.filter(move |(_, name)| is_slot(name)).map(|(argument, _)| argument)
    }
}

/// The kinds of object, as `cap_inspect` numbers them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum ObjectKind {
    /// A block of pages.
    Page = 1,
    /// A block lent in by the host.
    Lent = 2,
    /// A domain.
    Domain = 3,
    /// A host domain.
    HostDomain = 4,
    /// An endpoint.
    Endpoint = 5,
    /// A notification.
    Notification = 6,
    /// A channel.
    Channel = 7,
    /// A range of ports.
    Ports = 8,
    /// An interrupt.
    Interrupt = 9,
    /// An answer that somebody waits for.
    Reply = 10,
}

#[cfg(test)]
mod tests {
    use super::{Hypercall, utcb};

    #[test]
    fn numbers_and_names_are_unique_and_round_trip() {
        for (i, &call) in Hypercall::ALL.iter().enumerate() {
            assert_eq!(Hypercall::from_number(call as u32), Some(call));
            assert!(call.arguments().len() <= utcb::REGISTERS);
            for &other in &Hypercall::ALL[i + 1..] {
                assert!((call as u32) < other as u32 && call.name() != other.name());
            }
        }
    }
}
