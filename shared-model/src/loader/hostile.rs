//! Whatever the bytes, the answer is a program or an error.

use alloc::vec::Vec;
use std::sync::LazyLock;

use object::SectionKind;
use object::elf;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_oneof, proptest,
};

use super::inspect::inspect;
use super::samples::{Part, Sample, executable, library, link_all, module, problem, static_pie};
use super::{MEMORY_MAX, Module, Problem, Program};
use crate::layout::{MODULE_BASE, MODULE_END};

static VALID: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| Vec::from([module(), library(), plain_executable(), static_pie()]));

fn plain_executable() -> Vec<u8> {
    let code = Part::load(elf::PF_R | elf::PF_X, 0x40_0000, &[0x90; 0x100]);
    let mut data = Part::load(elf::PF_R | elf::PF_W, 0x40_2000, &[1; 0x80]);
    data.memory_size = 0x3000;
    executable(elf::ET_EXEC, 0x40_0010, &[code, data])
}

/// What must hold of every program that comes out.
fn check(program: &Program) {
    let mut last = 0;
    let mut memory = 0;
    for image in &program.images {
        for segment in &image.segments {
            assert!(segment.start.is_page_aligned() && segment.size.is_multiple_of(4096));
            assert!(segment.start.0 >= last && segment.bytes.len() as u64 <= segment.size);
            assert!(!segment.rights.is_writable_code());
            last = segment.end().0;
            memory += segment.size;
        }
    }
    assert!(memory <= MEMORY_MAX);
}

/// Links and inspects the bytes as the only module, and as one between others.
fn survive(bytes: &[u8]) -> bool {
    let library = library();
    let module = module();
    for files in [&[bytes][..], &[&library, bytes], &[bytes, &module]] {
        if let Ok(program) = link_all(files) {
            check(&program);
        }
    }
    inspect(&Module { name: "mutant", bytes }).is_ok()
}

#[derive(Debug, Clone)]
enum Mutation {
    Flip { at: prop::sample::Index, with: u8 },
    Word { at: prop::sample::Index, with: u64 },
    Cut { at: prop::sample::Index },
    Splice { from: usize, at: prop::sample::Index, of: prop::sample::Index, size: usize },
}

impl Mutation {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Flip { at, with } => {
                let at = at.index(bytes.len());
                bytes[at] ^= with;
            }
            Self::Word { at, with } => {
                let at = at.index(bytes.len()) & !7;
                let end = bytes.len().min(at + 8);
                bytes[at..end].copy_from_slice(&with.to_le_bytes()[..end - at]);
            }
            Self::Cut { at } => bytes.truncate(at.index(bytes.len())),
            Self::Splice { from, at, of, size } => {
                let other = &VALID[from % VALID.len()];
                let of = of.index(other.len());
                let piece = &other[of..other.len().min(of + size)];
                let at = at.index(bytes.len());
                let end = bytes.len().min(at + piece.len());
                bytes.splice(at..end, piece.iter().copied());
            }
        }
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<prop::sample::Index>;
    let interesting = prop_oneof![
        Just(0_u64),
        Just(1),
        Just(u64::MAX),
        Just(1 << 63),
        Just(0xffff_ffff),
        0..0x2_0000_u64,
        any::<u64>(),
    ];
    prop_oneof![
        6 => (index(), any::<u8>()).prop_map(|(at, with)| Mutation::Flip { at, with }),
        4 => (index(), interesting).prop_map(|(at, with)| Mutation::Word { at, with }),
        1 => index().prop_map(|at| Mutation::Cut { at }),
        2 => (any::<usize>(), index(), index(), 1..400_usize)
            .prop_map(|(from, at, of, size)| Mutation::Splice { from, at, of, size }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn mutated_modules_never_panic(
        which in 0..4_usize,
        mutations in prop::collection::vec(mutation(), 1..12),
    ) {
        let mut bytes = VALID[which].clone();
        for mutation in &mutations {
            mutation.apply(&mut bytes);
        }
        survive(&bytes);
    }

    #[test]
    fn arbitrary_bytes_after_a_valid_header_never_panic(
        which in 0..4_usize,
        tail in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let mut bytes = VALID[which][..64].to_vec();
        bytes.extend(tail);
        survive(&bytes);
        prop_assert!(link_all(&[&bytes[1..]]).is_err());
    }
}

#[test]
fn the_samples_are_valid() {
    for bytes in VALID.iter() {
        assert!(survive(bytes));
        link_all(&[bytes]).unwrap();
    }
}

#[test]
fn a_file_cut_at_any_length_is_an_error() {
    for bytes in VALID.iter() {
        for length in 0..bytes.len() {
            let error = link_all(&[&bytes[..length]]).unwrap_err();
            let text = alloc::format!("{error}");
            assert!(text.starts_with("a: "), "{text}");
            assert!(
                matches!(error.problem, Problem::Truncated { .. } | Problem::NotElf { .. }),
                "{length} of {}: {text}",
                bytes.len()
            );
        }
    }
}

#[test]
fn a_file_can_start_at_any_address() {
    for bytes in VALID.iter() {
        let shifted: Vec<u8> = [0].iter().chain(bytes).copied().collect();
        assert_eq!(link_all(&[&shifted[1..]]), link_all(&[bytes]));
    }
}

#[test]
fn sections_that_share_bytes_are_refused() {
    let mut sample = Sample::new();
    sample.section(".text", SectionKind::Text, &[0x90; 0x40]);
    sample.section(".rodata", SectionKind::ReadOnlyData, &[1; 0x40]);
    let mut bytes = sample.bytes();
    // Section 2's offset field becomes section 1's plus 0x20.
    let table = u64::from_le_bytes(bytes[40..48].try_into().unwrap()) as usize;
    let field = |section: usize| table + 64 * section + 24;
    let first = u64::from_le_bytes(bytes[field(1)..][..8].try_into().unwrap());
    bytes[field(2)..][..8].copy_from_slice(&(first + 0x20).to_le_bytes());
    assert_eq!(
        problem(&bytes),
        Problem::SectionsOverlap {
            first: ".text".into(),
            second: ".rodata".into(),
            at: first + 0x20
        }
    );
}

#[test]
fn absurd_sizes_are_refused_before_they_are_allocated() {
    let mut sample = Sample::new();
    sample.zeros(".bss", u64::MAX - 0xfff, 16);
    assert!(matches!(problem(&sample.bytes()), Problem::TooLarge { limit: MEMORY_MAX, .. }));

    let mut sample = Sample::new();
    for i in 0..3 {
        sample.zeros(&alloc::format!(".bss.{i}"), MEMORY_MAX / 2, 16);
    }
    assert!(matches!(problem(&sample.bytes()), Problem::TooLarge { limit: MEMORY_MAX, .. }));

    let mut sample = Sample::new();
    let symbol = sample.common("huge", 1 << 60, 8);
    sample.object.symbol_mut(symbol).size = 1 << 60;
    assert!(matches!(problem(&sample.bytes()), Problem::TooLarge { what, .. } if what == "huge"));

    let mut bss = Part::load(elf::PF_R | elf::PF_W, 0x40_0000, &[]);
    bss.memory_size = MEMORY_MAX + 1;
    let bytes = executable(elf::ET_EXEC, 0, &[bss]);
    assert!(matches!(problem(&bytes), Problem::TooLarge { limit: MEMORY_MAX, .. }));
}

#[test]
fn the_limit_counts_all_modules_together() {
    let mut sample = Sample::new();
    sample.zeros(".bss", MEMORY_MAX / 2, 16);
    let half = sample.bytes();
    let program = link_all(&[&half, &half]).unwrap();
    assert_eq!(program.images[0].segments[0].start, MODULE_BASE);
    assert!(program.images[1].segments[0].end() < MODULE_END);
    let error = link_all(&[&half, &half, &half]).unwrap_err();
    assert_eq!(error.module, "c");
    assert!(matches!(error.problem, Problem::TooLarge { .. }));
}
