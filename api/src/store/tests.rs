use std::fs;
use std::io::{Cursor, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use object::write::Object;
use object::{Architecture, BinaryFormat, Endianness, SectionKind};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tempfile::TempDir;

use super::{MODULE_MAX, Resolved, Store, StoreError, decompress, locate};

/// A module that depends on `depends` and differs from others by `mark`.
fn module(mark: &str, depends: &str) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::Elf, Architecture::X86_64, Endianness::Little);
    let info = object.add_section(vec![], b".modinfo".to_vec(), SectionKind::ReadOnlyData);
    let text = format!("mark={mark}\0depends={depends}\0");
    object.append_section_data(info, text.as_bytes(), 1);
    object.write().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(Cursor::new(bytes), CompressionLevel::Fastest)
}

/// A directory with these files.
fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (path, bytes) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn resolve(dir: &TempDir, name: &str) -> Result<Resolved, StoreError> {
    Store::open(dir.path()).unwrap().resolve(name)
}

fn order(resolved: &Resolved) -> Vec<&str> {
    resolved.modules().map(|module| module.name).collect()
}

#[test]
fn a_name_is_found_however_it_is_written() {
    let bytes = module("itu", "");
    let dir = tree(&[("kernel/lib/crc-itu-t.ko", &bytes), ("kernel/build/notes.txt", b"no")]);
    for name in [
        "crc_itu_t",
        "crc-itu-t",
        "crc-itu_t.ko",
        "kernel/lib/crc-itu-t.ko",
        "kernel/../kernel/lib/crc-itu-t.ko",
        "lib/crc-itu-t.ko",
        "lib/crc_itu_t",
    ] {
        let found = resolve(&dir, name).unwrap();
        assert_eq!(found.module.path, Path::new("kernel/lib/crc-itu-t.ko"), "{name}");
        assert_eq!((&*found.module.name, &found.module.bytes), ("crc_itu_t", &bytes));
    }
    let store = Store::open(dir.path()).unwrap();
    assert!(store.names().unwrap().eq(["crc_itu_t"]));
    for name in ["crc", "net/crc-itu-t.ko", "kernel", "", "crc-itu-t.ko.xz/x"] {
        let text = resolve(&dir, name).unwrap_err().to_string();
        assert!(text.contains(&*dir.path().to_string_lossy()), "{text}");
    }
}

#[test]
fn dependencies_come_first_from_what_modules_say() {
    let dir = tree(&[
        ("a.ko", &module("a", "b,c-c")),
        ("x/b.ko", &module("b", "d")),
        ("x/c_c.ko", &module("c", "d,b")),
        ("y/d.ko", &module("d", "")),
    ]);
    let found = resolve(&dir, "a").unwrap();
    assert_eq!(order(&found), ["d", "b", "c_c", "a"]);
    assert_eq!(found.dependencies.len(), 3);
}

#[test]
fn modules_dep_decides_if_there_is_one() {
    let dir = tree(&[
        ("modules.dep", b"# made for a test\nk/a.ko.gz: k/b.ko k/c.ko\nk/b.ko: k/c.ko\nk/c.ko:\n"),
        ("k/a.ko.gz", &gzip(&module("a", ""))),
        ("k/b.ko", &module("b", "c")),
        ("k/c.ko", &module("c", "")),
        ("k/stray.ko", &module("stray", "c")),
    ]);
    assert_eq!(order(&resolve(&dir, "a").unwrap()), ["c", "b", "a"]);
    assert_eq!(order(&resolve(&dir, "k/stray.ko").unwrap()), ["c", "stray"]);
    let text = resolve(&dir, "stray").unwrap_err().to_string();
    assert!(text.contains("run depmod"), "{text}");
}

#[test]
fn a_bad_modules_dep_is_named_with_its_line() {
    for (index, why) in [
        ("a.ko:\nb.ko b2.ko\n", "line 2: no colon"),
        ("../a.ko:\n", "line 1: a path out of the store"),
        ("a.ko: /etc/b.ko\n", "line 1: a path out of the store"),
    ] {
        let dir = tree(&[("modules.dep", index.as_bytes()), ("a.ko", &module("a", ""))]);
        let text = resolve(&dir, "a").unwrap_err().to_string();
        assert!(text.contains(why) && text.contains("modules.dep"), "{text}");
    }
}

#[test]
fn a_missing_dependency_is_named_with_who_needs_it() {
    let dir = tree(&[("a.ko", &module("a", "b")), ("b.ko", &module("b", "gone"))]);
    let text = resolve(&dir, "a").unwrap_err().to_string();
    assert!(text.contains("no module gone, which b needs, in "), "{text}");

    let dir = tree(&[("modules.dep", b"a.ko: gone.ko\n"), ("a.ko", &module("a", "gone"))]);
    let text = resolve(&dir, "a").unwrap_err().to_string();
    assert!(text.contains("gone.ko"), "{text}");

    let dir = tree(&[("modules.builtin", b"kernel/lib/gone.ko\n"), ("a.ko", &module("a", "gone"))]);
    let text = resolve(&dir, "a").unwrap_err().to_string();
    assert!(text.contains("built into"), "{text}");
}

#[test]
fn a_circle_of_dependencies_is_shown() {
    let files: [(&str, &[u8]); 3] =
        [("a.ko", &module("a", "b")), ("b.ko", &module("b", "c")), ("c.ko", &module("c", "b"))];
    let text = resolve(&tree(&files), "a").unwrap_err().to_string();
    assert!(text.contains("b.ko depends on itself: b -> c -> b"), "{text}");

    let mut files = files.to_vec();
    files.push(("modules.dep", b"a.ko: a.ko\n"));
    let text = resolve(&tree(&files), "a").unwrap_err().to_string();
    assert!(text.contains("a.ko depends on itself: a -> a"), "{text}");
}

#[test]
fn two_files_of_one_name_are_ambiguous() {
    let dir = tree(&[("x/a.ko", &module("1", "")), ("y/a.ko.gz", &gzip(&module("2", "")))]);
    let text = resolve(&dir, "a").unwrap_err().to_string();
    assert!(text.contains("x/a.ko, y/a.ko.gz"), "{text}");
    assert_eq!(resolve(&dir, "y/a.ko").unwrap().module.bytes, module("2", ""));
}

#[test]
fn nothing_leads_out_of_the_store() {
    let outside = tree(&[("x.ko", &module("outside", ""))]);
    let dir = tree(&[("store/inside.ko", &module("inside", "")), ("x.ko", &module("up", ""))]);
    let root = dir.path().join("store");
    symlink(outside.path().join("x.ko"), root.join("absolute.ko")).unwrap();
    symlink("../x.ko", root.join("relative.ko")).unwrap();
    symlink(outside.path(), root.join("directory")).unwrap();
    symlink("inside.ko", root.join("allowed.ko")).unwrap();
    let store = Store::open(&root).unwrap();
    let absolute = outside.path().join("x.ko");
    for name in [
        "../x.ko",
        "absolute.ko",
        "absolute",
        "relative.ko",
        "directory/x.ko",
        "inside.ko/../../x.ko",
        absolute.to_str().unwrap(),
    ] {
        let error = store.resolve(name).unwrap_err();
        let text = error.to_string();
        let escapes = matches!(error, StoreError::Outside { .. });
        assert!(escapes || name.starts_with("inside"), "{name}: {text}");
    }
    for name in ["x", "x.ko"] {
        assert!(matches!(store.resolve(name), Err(StoreError::NotFound { .. })), "{name}");
    }
    assert_eq!(store.resolve("allowed.ko").unwrap().module.bytes, module("inside", ""));
}

#[test]
fn a_file_brings_the_store_around_it() {
    let dir = tree(&[
        ("tree/modules.order", b""),
        ("tree/fs/x/user.ko", &module("user", "used")),
        ("tree/lib/used.ko", &module("used", "")),
        ("plain/user.ko", &module("user", "used")),
        ("plain/used.ko.zst", &zstd(&module("used", ""))),
        ("plain/deeper/other.ko", &module("other", "")),
        ("plain/alone.ko", &module("alone", "other")),
    ]);
    let at = |path: &str| dir.path().join(path).to_str().unwrap().to_owned();
    assert_eq!(order(&locate(&at("tree/fs/x/user.ko"), None).unwrap()), ["used", "user"]);
    assert_eq!(order(&locate(&at("plain/user.ko"), None).unwrap()), ["used", "user"]);
    let text = locate(&at("plain/alone.ko"), None).unwrap_err().to_string();
    assert!(text.contains("no module other"), "only its own directory: {text}");
    let text = locate(&at("plain/none.ko"), None).unwrap_err().to_string();
    assert!(text.contains("none.ko: No such file"), "{text}");
    let text = locate(&at("plain"), None).unwrap_err().to_string();
    assert!(text.contains("is not a regular file"), "{text}");

    let store = dir.path().join("tree");
    assert_eq!(order(&locate("user", Some(&store)).unwrap()), ["used", "user"]);
    assert_eq!(order(&locate("x/user.ko", Some(&store)).unwrap()), ["used", "user"]);
    let text = locate("user", Some(&dir.path().join("gone"))).unwrap_err().to_string();
    assert!(text.contains("cannot open the module store"), "{text}");
}

/// `e8`-calls that the x86 filter of xz rewrites, followed by text.
fn calls() -> Vec<u8> {
    let call = |i: u32| [&[0xe8][..], &(0x100 - 5 * i).to_le_bytes(), b"lcd "].concat();
    (0..12).flat_map(call).collect()
}

/// [`calls`] as `xz --check=crc32 --x86 --lzma2=dict=4KiB` packs it: what Linux's build uses.
const CALLS_XZ: [u8; 96] = [
    0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x01, 0x69, 0x22, 0xde, 0x36, 0x02, 0x01, 0x04, 0x00,
    0x21, 0x01, 0x00, 0x00, 0xda, 0x33, 0xad, 0x03, 0xe0, 0x00, 0x6b, 0x00, 0x25, 0x5d, 0x00, 0x74,
    0x01, 0x3c, 0x1f, 0x0d, 0xed, 0xe9, 0x33, 0xca, 0x85, 0xeb, 0x92, 0x0a, 0xbd, 0x90, 0xe9, 0xe3,
    0x60, 0x44, 0x64, 0x72, 0x25, 0xb7, 0x89, 0x4b, 0xa9, 0x67, 0x15, 0x9b, 0x94, 0xa4, 0x3c, 0xd2,
    0xda, 0x16, 0x9d, 0xb4, 0x00, 0x00, 0x00, 0x00, 0x33, 0x12, 0x45, 0xc5, 0x00, 0x01, 0x3d, 0x6c,
    0xe6, 0xd0, 0x6a, 0x0e, 0x90, 0x42, 0x99, 0x0d, 0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x59, 0x5a,
];

#[test]
fn compressed_files_are_known_by_their_first_bytes() {
    let unpack = |bytes: &[u8]| decompress::unpack(bytes.to_vec(), Path::new("x.ko"));
    let plain = calls();
    let twice = [&*plain, &plain].concat();
    assert_eq!(unpack(&plain).unwrap(), plain);
    assert_eq!(unpack(&CALLS_XZ).unwrap(), plain);
    assert_eq!(unpack(&gzip(&plain)).unwrap(), plain);
    assert_eq!(unpack(&zstd(&plain)).unwrap(), plain);
    assert_eq!(unpack(&[zstd(&plain), zstd(&plain)].concat()).unwrap(), twice);
    assert_eq!(unpack(&[gzip(&plain), gzip(&plain)].concat()).unwrap(), twice);
}

#[test]
fn damaged_compressed_files_are_errors() {
    let plain = module("a", "");
    for (name, packed) in
        [("xz", CALLS_XZ.to_vec()), ("gzip", gzip(&plain)), ("zstd", zstd(&plain))]
    {
        let whole = decompress::unpack(packed.clone(), Path::new("x.ko")).unwrap();
        for length in 6..packed.len() {
            match decompress::unpack(packed[..length].to_vec(), Path::new("x.ko")) {
                Err(error) => {
                    let text = error.to_string();
                    assert!(
                        text.starts_with(&format!("x.ko cannot be unpacked from {name}: ")),
                        "{text}"
                    );
                }
                // What is cut off may be only the checksum.
                Ok(bytes) => assert_eq!(bytes, whole, "{name} cut to {length}"),
            }
        }
        for at in 6..packed.len() {
            let mut packed = packed.clone();
            packed[at] ^= 0x55;
            _ = decompress::unpack(packed, Path::new("x.ko"));
        }
    }
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let bomb = gzip(&vec![0; usize::try_from(MODULE_MAX).unwrap() + 1]);
    let dir = tree(&[("bomb.ko.gz", &bomb)]);
    let text = resolve(&dir, "bomb").unwrap_err().to_string();
    assert!(text.contains("bomb.ko.gz has more than 67108864 bytes"), "{text}");
}

#[test]
fn what_is_not_a_module_is_said_to_be_so() {
    let dir = tree(&[("a.ko", b"[[domain]]\n"), ("sub/b.ko", b"")]);
    let text = resolve(&dir, "a").unwrap_err().to_string();
    assert!(text.contains("a.ko: not an ELF file: it looks like text"), "{text}");
    assert!(resolve(&dir, "b").unwrap_err().to_string().contains("an empty file"));
    assert!(resolve(&dir, "sub").unwrap_err().to_string().contains("not a regular file"));
    assert_eq!(resolve(&dir, "sub/b").unwrap_err().to_string().matches("b.ko").count(), 1);
    let store = Store::open(dir.path().join("a.ko"));
    assert!(matches!(store, Err(StoreError::NoStore { .. })));
}
