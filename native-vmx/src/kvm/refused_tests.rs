//! Addresses formed and walked without a guest.

use std::collections::BTreeMap;

use shared_model::address::{GuestPhysical, GuestVirtual};
use shared_model::exit::Access::{self, Execute, Read, Write};
use shared_model::paging::{PageTables, PhysicalRoom};
use shared_model::registers::Registers;
use shared_model::rights::Rights;

use super::{Memory, Processor, Refusal, find, is_outside_contract};

/// Mapped pages with their bytes.
pub(in super::super) struct Pages {
    pub(in super::super) pages: BTreeMap<GuestPhysical, (Rights, Vec<u8>)>,
    pub(in super::super) root: GuestPhysical,
}

impl Memory for Pages {
    fn rights(&self, page: GuestPhysical) -> Option<Rights> {
        self.pages.get(&page).map(|(rights, _)| *rights)
    }

    fn read(&self, from: GuestPhysical, bytes: &mut [u8]) {
        let (_, page) = &self.pages[&from.page()];
        bytes.copy_from_slice(&page[from.page_offset()..][..bytes.len()]);
    }
}

pub(in super::super) const CODE: u64 = 0x10_0000;
/// Four pages that the tables map at the same guest-physical addresses, of which the third
/// is absent there and the fourth read-only.
const DATA: u64 = 0x20_0000;

impl Pages {
    /// A domain whose code page starts with these bytes.
    pub(in super::super) fn new(code: &[u8]) -> Self {
        let mut room = PhysicalRoom::new(GuestPhysical(0x1000), GuestPhysical(0x10000));
        let mut tables = PageTables::new(&mut room).unwrap();
        let mut same = |address, pages, rights| {
            let (from, to) = (GuestVirtual(address), GuestPhysical(address));
            tables.map_range(&mut room, from, to, pages, rights).unwrap();
        };
        same(CODE, 2, Rights::READ_EXECUTE);
        same(DATA, 4, Rights::READ_WRITE);
        let root = tables.root();
        let mut pages = BTreeMap::new();
        for (page, table) in tables.pages() {
            let bytes = table.iter().flat_map(|entry| entry.to_le_bytes()).collect();
            pages.insert(page, (Rights::READ, bytes));
        }
        let mut first = code.to_vec();
        first.resize(0x1000, 0x90);
        pages.insert(GuestPhysical(CODE), (Rights::READ_EXECUTE, first));
        for (page, rights) in [(0, Rights::READ_WRITE), (1, Rights::READ_WRITE), (3, Rights::READ)]
        {
            pages.insert(GuestPhysical(DATA + page * 0x1000), (rights, vec![0; 0x1000]));
        }
        Self { pages, root }
    }

    fn processor(&self, set: &[(usize, u64)]) -> Processor {
        let mut registers = Registers { rip: CODE, ..Registers::default() };
        for &(register, value) in set {
            registers.general[register] = value;
        }
        Processor { registers, root: self.root, fs_base: 0, gs_base: DATA }
    }
}

const ABSENT: u64 = DATA + 0x2000;
const CONSTANT: u64 = DATA + 0x3000;
const RAX: usize = 0;
const RCX: usize = 1;
const RDX: usize = 2;
const RBX: usize = 3;
const RSP: usize = 4;
const RBP: usize = 5;
const RSI: usize = 6;
const RDI: usize = 7;

#[track_caller]
fn expect(code: &[u8], set: &[(usize, u64)], expected: Option<(u64, Access)>) {
    let pages = Pages::new(code);
    let found = find(&pages, &pages.processor(set));
    let expected = expected.map(|(address, access)| Refusal {
        address: GuestPhysical(address),
        from: GuestVirtual(address),
        access,
        table: false,
    });
    assert_eq!(found, expected, "{code:x?}");
}

#[test]
fn plain_loads_and_stores() {
    expect(&[0x8b, 0x03], &[(RBX, ABSENT + 5)], Some((ABSENT + 5, Read)));
    expect(&[0x89, 0x03], &[(RBX, ABSENT + 5)], Some((ABSENT + 5, Write)));
    expect(&[0x8b, 0x03], &[(RBX, CONSTANT)], None);
    expect(&[0x89, 0x03], &[(RBX, CONSTANT)], Some((CONSTANT, Write)));
    // lea and a long nop access nothing.
    expect(&[0x48, 0x8d, 0x03], &[(RBX, ABSENT)], None);
    expect(&[0x0f, 0x1f, 0x03], &[(RBX, ABSENT)], None);
}

#[test]
fn an_access_across_pages_names_the_first_refused_byte() {
    let load = [0x48, 0x8b, 0x03];
    expect(&load, &[(RBX, ABSENT - 4)], Some((ABSENT, Read)));
    expect(&load, &[(RBX, CONSTANT - 4)], Some((CONSTANT - 4, Read)));
    let store = [0x48, 0x89, 0x03];
    expect(&store, &[(RBX, CONSTANT + 0xffc)], Some((CONSTANT + 0xffc, Write)));
}

#[test]
fn segments_and_narrow_addresses() {
    // mov %gs:0x2010, %eax; mov %fs:(%rbx), %eax; mov (%ebx), %eax
    expect(&[0x65, 0x8b, 0x04, 0x25, 0x10, 0x20, 0, 0], &[], Some((ABSENT + 0x10, Read)));
    expect(&[0x64, 0x8b, 0x03], &[(RBX, ABSENT)], Some((ABSENT, Read)));
    expect(&[0x67, 0x8b, 0x03], &[(RBX, ABSENT | 7 << 40)], Some((ABSENT, Read)));
    // mov 0x101ffa(%rip), %eax
    expect(&[0x8b, 0x05, 0xfa, 0x1f, 0x10, 0], &[], Some((ABSENT, Read)));
    // xlat: RBX + AL
    expect(&[0xd7], &[(RBX, ABSENT), (RAX, 0x112)], Some((ABSENT + 0x12, Read)));
}

#[test]
fn the_stack() {
    let top = [(RSP, ABSENT + 8), (RBX, CODE), (RBP, ABSENT)];
    for push in [&[0x50][..], &[0xe8, 0, 0, 0, 0], &[0xff, 0xd3], &[0x9c], &[0x6a, 1]] {
        expect(push, &top, Some((ABSENT, Write)));
    }
    for pop in [&[0x58][..], &[0xc3], &[0xc2, 8, 0], &[0x9d]] {
        expect(pop, &top, Some((ABSENT + 8, Read)));
    }
    expect(&[0xc9], &top, Some((ABSENT, Read)));
    // pop 0x1ff8(%rsp): the address is formed after RSP has moved.
    let pop = [0x8f, 0x84, 0x24, 0xf8, 0x1f, 0, 0];
    expect(&pop, &[(RSP, DATA)], Some((ABSENT, Write)));
    expect(&pop, &[(RSP, DATA - 8 + 0x1000)], Some((CONSTANT - 8, Write)));
}

#[test]
fn read_modify_write_is_a_write() {
    for code in [
        &[0x01, 0x03][..],         // add
        &[0x87, 0x03],             // xchg
        &[0xf0, 0x0f, 0xb1, 0x13], // lock cmpxchg
        &[0x0f, 0xc1, 0x13],       // xadd
        &[0x0f, 0x94, 0x03],       // sete: a plain store
    ] {
        expect(code, &[(RBX, CONSTANT)], Some((CONSTANT, Write)));
    }
    expect(&[0x39, 0x03], &[(RBX, CONSTANT)], None);
    expect(&[0x84, 0x03], &[(RBX, ABSENT)], Some((ABSENT, Read)));
}

#[test]
fn a_bit_offset_in_a_register_reaches_far() {
    let bts = [0x48, 0x0f, 0xab, 0x13];
    expect(&bts, &[(RBX, DATA), (RDX, 0x2000 * 8 + 65)], Some((ABSENT + 8, Write)));
    expect(&bts, &[(RBX, CONSTANT), (RDX, (-1_i64).cast_unsigned())], Some((CONSTANT - 8, Write)));
    // bt $1, (%rbx) does not.
    expect(&[0x0f, 0xba, 0x23, 0xff], &[(RBX, ABSENT)], Some((ABSENT, Read)));
}

#[test]
fn string_instructions() {
    let both = [(RSI, ABSENT), (RDI, CONSTANT), (RCX, 3)];
    expect(&[0xf3, 0xa4], &both, Some((ABSENT, Read)));
    expect(&[0xf3, 0xa4], &[(RSI, DATA), (RDI, CONSTANT), (RCX, 3)], Some((CONSTANT, Write)));
    expect(&[0xf3, 0xa4], &[(RSI, ABSENT), (RDI, CONSTANT)], None);
    expect(&[0xa4], &[(RSI, ABSENT), (RDI, CONSTANT)], Some((ABSENT, Read)));
    expect(&[0xf3, 0x48, 0xab], &[(RDI, CONSTANT), (RCX, 1)], Some((CONSTANT, Write)));
    expect(&[0xf2, 0xae], &[(RDI, ABSENT), (RCX, 1)], Some((ABSENT, Read)));
    // With a 32-bit address size the count is ECX.
    let high = [(RSI, ABSENT), (RDI, CONSTANT), (RCX, 1 << 32)];
    expect(&[0x67, 0xf3, 0xa4], &high, None);
}

#[test]
fn the_fetch_comes_first() {
    let pages = Pages::new(&[]);
    let mut processor = pages.processor(&[(RBX, ABSENT)]);
    processor.registers.rip = CODE + 0x1004;
    let absent = |offset| Refusal {
        address: GuestPhysical(CODE + offset),
        from: GuestVirtual(CODE + offset),
        access: Execute,
        table: false,
    };
    assert_eq!(find(&pages, &processor), Some(absent(0x1004)));
    // An instruction that ends with its page needs no byte of the next.
    let mut code = vec![0x90; 0x1000];
    code[0xffe..].copy_from_slice(&[0x8b, 0x03]);
    let pages = Pages::new(&code);
    processor.registers.rip = CODE + 0xffe;
    assert_eq!(find(&pages, &processor).map(|found| found.access), Some(Read));
    processor.registers.rip = CODE + 0xfff;
    assert_eq!(find(&pages, &processor), Some(absent(0x1000)));
}

#[test]
fn a_table_that_is_not_mapped_is_named() {
    let mut pages = Pages::new(&[0x8b, 0x03]);
    let root = pages.root;
    pages.pages.remove(&root);
    let found = find(&pages, &pages.processor(&[(RBX, ABSENT)])).unwrap();
    assert_eq!((found.address, found.from.0), (root, CODE));
    assert!(found.table && found.access == Read);
}

#[test]
fn an_access_the_processor_did_not_come_to_hides_no_refusal() {
    // cmpsb, whose sources a processor may take in either order
    expect(&[0xa6], &[(RSI, 0x7000_0000), (RDI, ABSENT)], Some((ABSENT, Read)));
    expect(&[0xa6], &[(RSI, ABSENT), (RDI, 0x7000_0000)], Some((ABSENT, Read)));
}

#[test]
fn what_the_tables_refuse_is_not_a_refusal() {
    expect(&[0x8b, 0x03], &[(RBX, 0x7000_0000)], None);
    expect(&[0x89, 0x03], &[(RBX, CODE)], None);
    expect(&[0x8b, 0x03], &[(RBX, 1 << 63)], None);
    expect(&[0x0f, 0x0b], &[], None);
}

#[test]
fn the_contract_ends_at_interrupts_clocks_and_system_calls() {
    let decode = |code: &[u8]| {
        let pages = Pages::new(code);
        super::decode(&pages, &pages.processor(&[])).unwrap()
    };
    for code in
        [&[0xcd, 0x80][..], &[0x0f, 0x31], &[0x0f, 0x05], &[0x0f, 0x34], &[0x0f, 0xc7, 0xf0]]
    {
        assert!(is_outside_contract(&decode(code)), "{code:x?}");
    }
    for code in [&[0xcd, 3][..], &[0xcc], &[0x0f, 0x0b], &[0xf4], &[0xfa]] {
        assert!(!is_outside_contract(&decode(code)), "{code:x?}");
    }
}
