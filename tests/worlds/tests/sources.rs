//! What the compilers made of the worlds' sources is what loaders and processors here take.

use bundled_worlds::WORLDS;
use object::elf::{
    R_X86_64_32, R_X86_64_32S, R_X86_64_64, R_X86_64_PC32, R_X86_64_PLT32, RelocationType,
};
use object::read::elf::ElfFile64;
use object::{Object, ObjectSection, ObjectSymbol, RelocationFlags};
use shared_model::world::World;

/// Relocations that the kernel's own loader takes (System V AMD64 ABI, 4.4).
const RELOCATIONS: [RelocationType; 5] =
    [R_X86_64_64, R_X86_64_PC32, R_X86_64_PLT32, R_X86_64_32, R_X86_64_32S];

fn modules() -> impl Iterator<Item = (String, &'static [u8])> {
    let files = WORLDS.iter().flat_map(|world| {
        world.files.iter().map(|&(file, b)| (format!("{}/{file}", world.name), b))
    });
    files.filter(|(name, _)| name.ends_with(".ko")).chain([("liblcd".to_owned(), liblcd::OBJECT)])
}

#[test]
fn modules_use_the_relocations_of_kernel_modules() {
    for (name, bytes) in modules() {
        let elf = ElfFile64::<object::Endianness>::parse(bytes).expect("it is ELF");
        for section in elf.sections() {
            for (offset, relocation) in section.relocations() {
                let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
                assert!(
                    RELOCATIONS.contains(&r_type),
                    "{name}: relocation of type {r_type} at {offset:#x} of {:?}",
                    section.name()
                );
            }
        }
    }
}

#[test]
fn liblcd_needs_nothing() {
    let elf = ElfFile64::<object::Endianness>::parse(liblcd::OBJECT).expect("it is ELF");
    let missing: Vec<_> = elf
        .symbols()
        .filter(|symbol| symbol.is_undefined())
        .filter_map(|symbol| symbol.name().ok())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn world_files_are_valid_and_name_files_that_are_here() {
    for bundled in WORLDS {
        let world = World::parse(bundled.toml)
            .unwrap_or_else(|error| panic!("{}/world.toml: {error}", bundled.name));
        assert_eq!(world.name, bundled.name);
        assert!(!world.expect.is_empty(), "{} expects nothing", bundled.name);
        for (_, file) in world.files().filter(|_| bundled.unavailable.is_none()) {
            let present = bundled.files.iter().any(|(name, _)| *name == file);
            assert!(present, "{}: there is no {file}", bundled.name);
        }
    }
}

#[test]
fn worlds_are_sorted_and_explained() {
    assert!(WORLDS.windows(2).all(|pair| pair[0].name < pair[1].name));
    for world in WORLDS {
        assert!(world.toml.contains("\nabout = \""), "{}", world.name);
    }
    assert!(WORLDS.len() >= 24);
}

/// The text of a section, without its relocations.
fn section<'a>(elf: &ElfFile64<'a, object::Endianness>, name: &str) -> &'a [u8] {
    elf.section_by_name(name).map_or(&[], |section| section.data().expect("it is inside"))
}

#[test]
fn modules_of_c_know_their_lines_and_nothing_of_where_they_were_compiled() {
    for world in WORLDS {
        for (file, bytes) in world.files {
            let elf = ElfFile64::<object::Endianness>::parse(*bytes).expect("it is ELF");
            let stem = file.rsplit_once('.').expect("an extension").0;
            let (source, _) = world
                .sources
                .iter()
                .find(|(name, _)| name.rsplit_once('.').is_some_and(|(name, _)| name == stem))
                .unwrap_or_else(|| panic!("{}: nothing became {file}", world.name));
            let contains = |text: &[u8], part: &str| {
                text.windows(part.len()).any(|window| window == part.as_bytes())
            };
            if !source.ends_with(".rs") {
                let names = section(&elf, ".debug_line_str");
                let path = format!("./worlds/{}/{source}", world.name);
                assert!(!section(&elf, ".debug_line").is_empty(), "{}/{file}", world.name);
                assert!(contains(names, &path), "{}/{file} does not name {path}", world.name);
            }
            let here = env!("CARGO_MANIFEST_DIR");
            assert!(!contains(bytes, here), "{}/{file} names {here}", world.name);
        }
    }
}
