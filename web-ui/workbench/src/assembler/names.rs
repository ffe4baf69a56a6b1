//! The names that every text can use: the numbers of the ABI, called as in `lcd.h`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use shared_model::abi::{
    self, FaultKind, Hypercall, ObjectKind, Received, Resource, Status, boot_info, device,
    thread_area, utcb,
};
use shared_model::address::PAGE_SIZE;
use shared_model::capability::cptr;
use shared_model::layout;
use shared_model::rights::Rights;

/// What all of them begin with.
pub(super) const PREFIX: &str = "LCD_";

/// Names and numbers of the constants of a module.
macro_rules! constants {
    ($prefix:literal, $module:ident: $($name:ident)*) => {
        [$((concat!($prefix, stringify!($name)), number($module::$name)),)*]
    };
}

/// Names and numbers of an enumeration, whose own names have small letters.
macro_rules! variants {
    ($prefix:literal, $type:ident: $($name:ident)*) => {
        [$((concat!($prefix, stringify!($name)), number($type::$name as i64)),)*]
    };
}

fn number(value: impl TryInto<i128>) -> i128 {
    value.try_into().unwrap_or_default()
}

/// The number of a name.
pub(super) fn find(name: &str) -> Option<i128> {
    all().get(name.strip_prefix(PREFIX)?).copied()
}

/// The hypercall of a name, with or without what such names begin with, in any letters.
pub(super) fn hypercall(name: &str) -> Option<Hypercall> {
    let name = name.to_ascii_lowercase();
    let name = name.strip_prefix("lcd_call_").unwrap_or(&name);
    Hypercall::ALL.iter().copied().find(|call| call.name() == name)
}

/// All names, without [`PREFIX`].
pub(super) fn all() -> &'static BTreeMap<String, i128> {
    static ALL: OnceLock<BTreeMap<String, i128>> = OnceLock::new();
    ALL.get_or_init(|| {
        let calls = Hypercall::ALL
            .iter()
            .map(|call| (format!("CALL_{}", call.name().to_uppercase()), number(*call as u32)));
        let fixed =
            [&places()[..], &statuses(), &kinds(), &rights(), &structures(), &devices(), &slots()]
                .concat();
        let fixed = fixed.into_iter().map(|(name, value)| (upper(name), value));
        calls.chain(fixed).collect::<BTreeMap<_, _>>()
    })
}

/// `TIMED_OUT` of `TimedOut`; what is in capitals already stays.
fn upper(name: &str) -> String {
    let mut upper = String::new();
    let mut small = false;
    for c in name.chars() {
        if small && c.is_ascii_uppercase() {
            upper.push('_');
        }
        small = c.is_ascii_lowercase();
        upper.push(c.to_ascii_uppercase());
    }
    upper
}

fn statuses() -> Vec<(&'static str, i128)> {
    variants!("", Status: Ok NotPermitted NotFound WouldBlock NoMemory Busy Exists Invalid PeerDied
        NoSystemCall BadState TimedOut Cancelled)
    .to_vec()
}

fn kinds() -> Vec<(&'static str, i128)> {
    [
        &variants!("RECEIVED_", Received: Message Call Notification Fault)[..],
        &variants!("FAULT_", FaultKind: Page Exception),
        &variants!("RESOURCE_", Resource: Pages Capabilities Domains Threads Objects),
        &variants!("KIND_", ObjectKind: Page Lent Domain HostDomain Endpoint Notification Channel
            Ports Interrupt Reply),
    ]
    .concat()
}

fn rights() -> Vec<(&'static str, i128)> {
    [
        ("READ", Rights::READ),
        ("WRITE", Rights::WRITE),
        ("EXECUTE", Rights::EXECUTE),
        ("GRANT", Rights::GRANT),
        ("CALL_RIGHT", Rights::CALL),
    ]
    .map(|(name, right)| (name, number(right.bits())))
    .to_vec()
}

fn structures() -> Vec<(&'static str, i128)> {
    [
        &constants!("UTCB_", utcb: REGISTERS MESSAGE CAPABILITY STATUS ENDPOINT TIMEOUT BADGE
            ARRIVED FAILED RECEIVED BUFFER BUFFER_SIZE)[..],
        &constants!("AREA_", thread_area: UTCB DATA_WINDOW CODE_WINDOW THREAD BOOT_INFO
            STACK_CANARY SELF FREE CANARY_VALUE),
        &constants!("BOOT_", boot_info: FORMAT COUNT ENTRIES ENTRY_SIZE ENTRY_SLOT NAME_MAX
            ENTRIES_MAX VERSION),
    ]
    .concat()
}

fn devices() -> Vec<(&'static str, i128)> {
    constants!("", device: IO_SPACE_SIZE TIMER_FIRST TIMER_LAST TIMER_INTERRUPT TIMER_COUNT
        TIMER_MODE TIMER_EXPIRED TIMER_PERIODIC SERIAL_FIRST SERIAL_LAST SERIAL_INTERRUPT
        SERIAL_DATA SERIAL_ENABLE SERIAL_CAUSE SERIAL_LINE_CONTROL SERIAL_MODEM_CONTROL
        SERIAL_LINE_STATUS SERIAL_MODEM_STATUS SERIAL_SCRATCH SERIAL_DMA_ADDRESS
        SERIAL_DMA_ADDRESS_HIGH SERIAL_DMA_LENGTH SERIAL_DMA_COMMAND SERIAL_ON_INPUT
        SERIAL_ON_EMPTY SERIAL_CAUSE_NONE SERIAL_CAUSE_EMPTY SERIAL_CAUSE_INPUT SERIAL_DIVISOR
        SERIAL_READY SERIAL_EMPTY SERIAL_IDLE SERIAL_DMA_SEND SERIAL_DMA_RECEIVE SERIAL_DMA_DONE
        SERIAL_DMA_REFUSED SERIAL_DMA_INVALID SERIAL_DMA_MAX)
    .to_vec()
}

fn places() -> Vec<(&'static str, i128)> {
    [
        &constants!("", abi: HYPERCALL_PORT RETURN_PORT EXCEPTION_PORT EXCEPTION_VECTORS
            NAME_MAX)[..],
        &constants!("", layout: DATA_WINDOW_SIZE CODE_WINDOW_SIZE),
        &[
            ("PAGE_SIZE", number(PAGE_SIZE)),
            ("DATA_WINDOW", number(layout::DATA_WINDOW.0)),
            ("CODE_WINDOW", number(layout::CODE_WINDOW.0)),
            // What liblcd keeps for itself.
            ("HEAP_OFFSET", number(layout::DATA_WINDOW_SIZE / 2)),
            ("HEAP_SLOT", 3 << 20),
        ],
    ]
    .concat()
}

fn slots() -> Vec<(&'static str, i128)> {
    let bits = cptr::NUMBERS.ilog2() - 2;
    let capacity = |level: usize| number(cptr::CAPACITY[level]);
    vec![
        ("SLOT_BITS", number(cptr::FANOUT.ilog2())),
        ("SLOT_PATH_BITS", number(bits - cptr::FANOUT.ilog2())),
        ("SLOT_LEVEL_SHIFT", number(bits)),
        ("SLOT_LEVELS", number(cptr::LEVELS as u64)),
        ("SLOT_NUMBERS", number(cptr::NUMBERS)),
        ("SLOT_CAPACITY_0", capacity(0)),
        ("SLOT_CAPACITY_1", capacity(1)),
        ("SLOT_CAPACITY_2", capacity(2)),
        ("SLOT_CAPACITY_3", capacity(3)),
        ("SLOT_NULL", number(cptr::NULL)),
        ("SLOT_CALL", number(cptr::CALL)),
        ("SLOT_REPLY", number(cptr::REPLY)),
        ("SLOT_FIRST", number(cptr::FIRST)),
    ]
}

#[cfg(test)]
mod tests {
    use super::{all, find, hypercall};
    use std::collections::BTreeMap;

    /// The lines of the header that define a number.
    fn header() -> BTreeMap<String, i128> {
        let defined = liblcd::HEADER.lines().filter_map(|line| {
            let mut words = line.strip_prefix("#define LCD_")?.split_whitespace();
            let name = words.next().expect("a name");
            let value = words.next()?.trim_matches(['(', ')']);
            let number = match value.strip_prefix("0x") {
                Some(hex) => i128::from_str_radix(hex, 16),
                None => value.parse(),
            };
            Some((name.to_owned(), number.ok()?))
        });
        defined.collect()
    }

    #[test]
    fn the_names_are_those_of_the_header() {
        assert_eq!(*all(), header());
        assert_eq!(find("LCD_CALL_CAP_GRANT"), Some(2));
        assert_eq!(find("LCD_NO_SYSTEM_CALL"), Some(-38));
        assert_eq!(hypercall("Page_Allocate").map(|call| call as u32), Some(16));
        assert_eq!(hypercall("LCD_CALL_EXIT").map(|call| call as u32), Some(8));
    }
}
