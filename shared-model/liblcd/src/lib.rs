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

#[cfg(test)]
mod tests {
    use shared_model::abi::{self, Hypercall, Status, thread_area, utcb};
    use shared_model::address::PAGE_SIZE;
    use shared_model::layout;
    use shared_model::rights::Rights;
    use std::collections::BTreeMap;
    use std::format;
    use std::string::String;

    use super::{HEADER, OBJECT};

    /// Every number that the header defines, and only those.
    fn defined() -> BTreeMap<String, i64> {
        let mut all = BTreeMap::new();
        for line in HEADER.lines() {
            let mut words = line.split_whitespace();
            if words.next() != Some("#define") {
                continue;
            }
            let name = words.next().expect("a name");
            let Some(value) = words.next() else { continue };
            let value = value.trim_matches(['(', ')']);
            let number = match value.strip_prefix("0x") {
                Some(hex) => i64::from_str_radix(hex, 16),
                None => value.parse(),
            };
            if let Ok(number) = number {
                all.insert(name.into(), number);
            }
        }
        all
    }

    #[test]
    fn the_header_says_what_the_model_says() {
        let mut model: BTreeMap<String, i64> = BTreeMap::new();
        let mut add = |name: &str, value: i64| {
            assert!(model.insert(format!("LCD_{name}"), value).is_none(), "{name} twice");
        };
        add("HYPERCALL_PORT", abi::HYPERCALL_PORT.into());
        for &call in Hypercall::ALL {
            add(&format!("CALL_{}", call.name().to_uppercase()), (call as u32).into());
        }
        for (name, status) in [
            ("OK", Status::Ok),
            ("NOT_PERMITTED", Status::NotPermitted),
            ("NOT_FOUND", Status::NotFound),
            ("NO_MEMORY", Status::NoMemory),
            ("EXISTS", Status::Exists),
            ("INVALID", Status::Invalid),
            ("BAD_STATE", Status::BadState),
            ("NO_SYSTEM_CALL", Status::NoSystemCall),
        ] {
            add(name, status as i64);
        }
        for (name, right) in [
            ("READ", Rights::READ),
            ("WRITE", Rights::WRITE),
            ("EXECUTE", Rights::EXECUTE),
            ("GRANT", Rights::GRANT),
        ] {
            add(name, right.bits() as i64);
        }
        for (name, value) in [
            ("UTCB_REGISTERS", utcb::REGISTERS),
            ("UTCB_MESSAGE", utcb::MESSAGE),
            ("UTCB_CAPABILITY", utcb::CAPABILITY),
            ("UTCB_BUFFER", utcb::BUFFER),
            ("UTCB_BUFFER_SIZE", utcb::BUFFER_SIZE),
            ("AREA_UTCB", thread_area::UTCB),
            ("AREA_DATA_WINDOW", thread_area::DATA_WINDOW),
            ("AREA_CODE_WINDOW", thread_area::CODE_WINDOW),
            ("AREA_THREAD", thread_area::THREAD),
            ("AREA_STACK_CANARY", thread_area::STACK_CANARY),
            ("AREA_SELF", thread_area::SELF),
            ("AREA_FREE", thread_area::FREE),
        ] {
            add(name, value as i64);
        }
        for (name, value) in [
            ("PAGE_SIZE", PAGE_SIZE),
            ("NAME_MAX", abi::NAME_MAX),
            ("DATA_WINDOW", layout::DATA_WINDOW.0),
            ("DATA_WINDOW_SIZE", layout::DATA_WINDOW_SIZE),
            ("CODE_WINDOW", layout::CODE_WINDOW.0),
            ("CODE_WINDOW_SIZE", layout::CODE_WINDOW_SIZE),
            // liblcd's own choices, which the microkernel does not know.
            ("HEAP_OFFSET", layout::DATA_WINDOW_SIZE / 2),
            ("HEAP_SLOT", 0x1000),
        ] {
            add(name, value as i64);
        }
        assert_eq!(defined(), model);
    }

    #[test]
    fn the_object_is_relocatable_x86_64_elf() {
        assert_eq!(&OBJECT[..6], b"\x7fELF\x02\x01");
        assert_eq!(u16::from_le_bytes([OBJECT[16], OBJECT[17]]), 1, "ET_REL");
        assert_eq!(u16::from_le_bytes([OBJECT[18], OBJECT[19]]), 62, "EM_X86_64");
    }
}
