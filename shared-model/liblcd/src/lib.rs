//! The library that is linked into every domain, as data: an ELF object for the loader
//! and a header for people who write modules.
//!
//! The sources are in `c/`, a concept per file. Every global symbol of default visibility
//! in the object is provided to modules; what they mean is the kernel's interface of
//! Linux 6.1, written afresh.
#![no_std]

#[cfg(test)]
extern crate std;

/// The object: ELF, relocatable, x86-64, without undefined symbols.
pub static OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/liblcd.o"));

/// `lcd.h`: hypercalls and layouts for C.
pub static HEADER: &str = include_str!("../include/lcd.h");

/// `lcd/*.h`: what else liblcd offers to modules that know lcd.
pub static HEADERS: &[(&str, &str)] = &[
    ("lcd/async.h", include_str!("../include/lcd/async.h")),
    ("lcd/ring.h", include_str!("../include/lcd/ring.h")),
    ("lcd/slots.h", include_str!("../include/lcd/slots.h")),
];

#[cfg(test)]
mod tests {
    use shared_model::abi::{self, Hypercall, boot_info, device, thread_area, utcb};
    use shared_model::address::PAGE_SIZE;
    use shared_model::capability::cptr;
    use shared_model::layout;
    use shared_model::rights::Rights;
    use std::collections::BTreeMap;
    use std::string::{String, ToString};
    use std::vec::Vec;
    use std::{format, vec};

    use super::{HEADER, OBJECT};

    /// Where the numbers come from. Names are taken from the text, so that none is forgotten.
    const ABI: &str = include_str!("../../src/abi.rs");
    const MANUAL: &str = include_str!("../../../docs/abi.md");

    /// The lines of the header that define a number: name, value, comment.
    fn definitions() -> impl Iterator<Item = (String, i64, &'static str)> {
        HEADER.lines().filter_map(|line| {
            let (line, comment) = line.split_once("/*").unwrap_or((line, ""));
            let mut words = line.strip_prefix("#define ")?.split_whitespace();
            let name = words.next().expect("a name");
            let value = words.next()?.trim_matches(['(', ')']);
            let number = match value.strip_prefix("0x") {
                Some(hex) => i64::from_str_radix(hex, 16),
                None => value.parse(),
            };
            Some((name.to_string(), number.ok()?, comment.trim_end_matches("*/").trim()))
        })
    }

    /// `SomeName` as C has it.
    fn upper(name: &str) -> String {
        let mut upper = String::new();
        for (i, c) in name.chars().enumerate() {
            if c.is_uppercase() && i > 0 {
                upper.push('_');
            }
            upper.push(c.to_ascii_uppercase());
        }
        upper
    }

    /// The lines between the one that starts a block of the ABI's text and the one that ends it.
    fn block(start: &str) -> impl Iterator<Item = &'static str> {
        let at = ABI.find(start).unwrap_or_else(|| panic!("no `{start}`"));
        ABI[at..].lines().skip(1).take_while(|line| *line != "}").map(str::trim)
    }

    /// An enumeration's names and numbers.
    fn variants(name: &str) -> Vec<(String, i64)> {
        let found: Vec<_> = block(&format!("pub enum {name} {{"))
            .filter_map(|line| line.strip_suffix(',')?.split_once(" = "))
            .map(|(variant, number)| (upper(variant), number.parse().expect("a number")))
            .collect();
        assert!(!found.is_empty());
        found
    }

    /// The names of a module's constants.
    fn constants(module: &str) -> Vec<&'static str> {
        block(&format!("pub mod {module} {{"))
            .filter_map(|line| line.strip_prefix("pub const ")?.split_once(':'))
            .map(|(name, _)| name)
            .collect()
    }

    /// Names and values of constants, which must be all that the module has.
    macro_rules! all_of {
        ($module:ident: $($name:ident),*) => {{
            assert_eq!(constants(stringify!($module)), [$(stringify!($name)),*]);
            vec![$((stringify!($name), i64::try_from($module::$name).expect("it fits"))),*]
        }};
    }

    #[test]
    fn the_header_says_what_the_model_says() {
        let mut model: BTreeMap<String, i64> = BTreeMap::new();
        let mut add = |name: String, value: i64| {
            assert!(model.insert(format!("LCD_{name}"), value).is_none(), "{name} twice");
        };
        for &call in Hypercall::ALL {
            add(format!("CALL_{}", call.name().to_uppercase()), (call as u32).into());
        }
        for (name, value) in variants("Status") {
            // Only in logs.
            if name != "WAITING" {
                add(name, value);
            }
        }
        for (prefix, name) in [
            ("RECEIVED", "Received"),
            ("FAULT", "FaultKind"),
            ("RESOURCE", "Resource"),
            ("KIND", "ObjectKind"),
        ] {
            for (variant, value) in variants(name) {
                add(format!("{prefix}_{variant}"), value);
            }
        }
        for (prefix, values) in [
            (
                "UTCB",
                all_of!(utcb: REGISTERS, MESSAGE, CAPABILITY, STATUS, ENDPOINT, TIMEOUT, BADGE,
                    ARRIVED, FAILED, RECEIVED, BUFFER, BUFFER_SIZE),
            ),
            (
                "AREA",
                all_of!(thread_area: UTCB, DATA_WINDOW, CODE_WINDOW, THREAD, BOOT_INFO,
                    STACK_CANARY, SELF, FREE, CANARY_VALUE),
            ),
            (
                "BOOT",
                all_of!(boot_info: FORMAT, COUNT, ENTRIES, ENTRY_SIZE, ENTRY_SLOT, NAME_MAX,
                    ENTRIES_MAX, VERSION),
            ),
        ] {
            for (name, value) in values {
                add(format!("{prefix}_{name}"), value);
            }
        }
        for (name, value) in all_of!(device: IO_SPACE_SIZE, TIMER_FIRST, TIMER_LAST, TIMER_INTERRUPT, TIMER_COUNT, TIMER_MODE, TIMER_EXPIRED, TIMER_PERIODIC, SERIAL_FIRST, SERIAL_LAST, SERIAL_INTERRUPT, SERIAL_DATA, SERIAL_ENABLE, SERIAL_CAUSE, SERIAL_LINE_CONTROL, SERIAL_MODEM_CONTROL, SERIAL_LINE_STATUS, SERIAL_MODEM_STATUS, SERIAL_SCRATCH, SERIAL_DMA_ADDRESS, SERIAL_DMA_ADDRESS_HIGH, SERIAL_DMA_LENGTH, SERIAL_DMA_COMMAND, SERIAL_ON_INPUT, SERIAL_ON_EMPTY, SERIAL_CAUSE_NONE, SERIAL_CAUSE_EMPTY, SERIAL_CAUSE_INPUT, SERIAL_DIVISOR, SERIAL_READY, SERIAL_EMPTY, SERIAL_IDLE, SERIAL_DMA_SEND, SERIAL_DMA_RECEIVE, SERIAL_DMA_DONE, SERIAL_DMA_REFUSED, SERIAL_DMA_INVALID, SERIAL_DMA_MAX)
        {
            add(name.into(), value);
        }
        for (name, right) in [
            ("READ", Rights::READ),
            ("WRITE", Rights::WRITE),
            ("EXECUTE", Rights::EXECUTE),
            ("GRANT", Rights::GRANT),
            ("CALL_RIGHT", Rights::CALL),
        ] {
            add(name.into(), right.bits().cast_signed());
        }
        let capacity = |level: usize| u64::from(cptr::CAPACITY[level]);
        let mut outer = vec![];
        for (name, value) in [
            ("HYPERCALL_PORT", abi::HYPERCALL_PORT.into()),
            ("RETURN_PORT", abi::RETURN_PORT.into()),
            ("EXCEPTION_PORT", abi::EXCEPTION_PORT.into()),
            ("EXCEPTION_VECTORS", abi::EXCEPTION_VECTORS.into()),
            ("NAME_MAX", abi::NAME_MAX),
            ("PAGE_SIZE", PAGE_SIZE),
            ("SLOT_BITS", cptr::FANOUT.ilog2().into()),
            ("SLOT_PATH_BITS", (cptr::NUMBERS.ilog2() - 2 - cptr::FANOUT.ilog2()).into()),
            ("SLOT_LEVEL_SHIFT", (cptr::NUMBERS.ilog2() - 2).into()),
            ("SLOT_LEVELS", cptr::LEVELS as u64),
            ("SLOT_NUMBERS", cptr::NUMBERS),
            ("SLOT_CAPACITY_0", capacity(0)),
            ("SLOT_CAPACITY_1", capacity(1)),
            ("SLOT_CAPACITY_2", capacity(2)),
            ("SLOT_CAPACITY_3", capacity(3)),
            ("SLOT_NULL", cptr::NULL),
            ("SLOT_CALL", cptr::CALL),
            ("SLOT_REPLY", cptr::REPLY),
            ("SLOT_FIRST", cptr::FIRST),
            ("DATA_WINDOW", layout::DATA_WINDOW.0),
            ("DATA_WINDOW_SIZE", layout::DATA_WINDOW_SIZE),
            ("CODE_WINDOW", layout::CODE_WINDOW.0),
            ("CODE_WINDOW_SIZE", layout::CODE_WINDOW_SIZE),
            // liblcd's own choices, which the microkernel does not know.
            ("HEAP_OFFSET", layout::DATA_WINDOW_SIZE / 2),
            ("HEAP_SLOT", 3 << 20),
        ] {
            add(name.into(), value.cast_signed());
            outer.push(name);
        }
        // Whatever else the ABI comes to have is to be compared, too.
        let compared = [
            "utcb",
            "thread_area",
            "boot_info",
            "device",
            "Status",
            "Received",
            "FaultKind",
            "Resource",
            "ObjectKind",
            "$name",
            "Hypercall",
        ];
        for line in ABI.lines() {
            let mut words = line.trim_start().split([' ', ':', ';', '(']);
            match (words.next(), words.next(), words.next()) {
                (Some("pub"), Some("mod" | "enum"), Some(name)) => {
                    assert!(compared.contains(&name), "{name} is not compared");
                }
                (Some("pub"), Some("const"), Some(name)) if line.starts_with("pub") => {
                    assert!(outer.contains(&name), "{name} is not compared");
                }
                _ => {}
            }
        }
        let defined: BTreeMap<String, i64> =
            definitions().map(|(name, value, _)| (name, value)).collect();
        assert_eq!(defined, model);
        // Every page of the heap has a slot.
        let heap_pages = (layout::DATA_WINDOW_SIZE - layout::DATA_WINDOW_SIZE / 2) / PAGE_SIZE;
        assert!(heap_pages <= capacity(3));
    }

    #[test]
    fn the_header_lists_every_calls_arguments() {
        let comments: BTreeMap<String, &str> =
            definitions().map(|(name, _, comment)| (name, comment)).collect();
        for call in Hypercall::ALL {
            let name = format!("LCD_CALL_{}", call.name().to_uppercase());
            assert_eq!(comments[&name], call.arguments().join(", "), "{name}");
            let stub = format!(" lcd_{}(", call.name());
            assert!(HEADER.contains(&stub), "no stub{stub}");
        }
    }

    /// The table of calls: number, name, arguments, and what else a row says.
    #[test]
    fn the_manual_lists_every_call() {
        let at = MANUAL.find("\n## Hypercalls\n").expect("the section");
        let rows: Vec<[&str; 3]> = MANUAL[at..]
            .lines()
            .skip(2)
            .take_while(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let mut cells = line.strip_prefix("| ")?.split('|').map(str::trim);
                let number = cells.next().filter(|cell| cell.parse::<u32>().is_ok())?;
                Some([number, cells.next()?.trim_matches('`'), cells.next()?])
            })
            .collect();
        let expected: Vec<[String; 3]> = Hypercall::ALL
            .iter()
            .map(|call| {
                [(*call as u32).to_string(), call.name().into(), call.arguments().join(", ")]
            })
            .collect();
        assert_eq!(rows, expected);
    }

    #[test]
    fn the_object_is_relocatable_x86_64_elf() {
        assert_eq!(&OBJECT[..6], b"\x7fELF\x02\x01");
        assert_eq!(u16::from_le_bytes([OBJECT[16], OBJECT[17]]), 1, "ET_REL");
        assert_eq!(u16::from_le_bytes([OBJECT[18], OBJECT[19]]), 62, "EM_X86_64");
    }
}
