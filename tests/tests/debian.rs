//! Unmodified kernel modules of Debian, with answers that are known from elsewhere.
//!
//! Where a calculation has several steps, a step's output buffer is the next one's input: each
//! call is a fresh domain.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lcd::Backend;
use lcd::assemble::{self, Modules};
use lcd::call::{self, CallResult, ResultType};
use lcd::differential::{self, Field, Outcome, Summary};
use lcd::model::hex;

/// "123456789", which catalogues of checksums call the check.
const CHECK: &str = "str:123456789";

/// Debian's modules on the backends of this machine.
struct Debian {
    modules: Modules,
    backends: Vec<Backend>,
}

impl Debian {
    /// Nothing, with the reason printed, if there are no modules.
    fn find() -> Option<Self> {
        let directory =
            lcd_tests::debian_modules().inspect_err(|reason| println!("skipped: {reason}")).ok()?;
        let modules = Modules::at(&directory).expect("the directory was just looked at");
        let native = lcd_tests::native_or_note().then_some(Backend::Native);
        Some(Self { modules, backends: native.into_iter().chain([Backend::Sim]).collect() })
    }

    /// Calls a function on every backend, which must give the same result.
    #[track_caller]
    fn call(&self, module: &str, symbol: &str, result: &str, arguments: &[&str]) -> CallResult {
        let parsed = arguments.iter().map(|text| call::argument(text).expect(text)).collect();
        let bundle = call::bundle(module, symbol, parsed, &self.modules)
            .unwrap_or_else(|error| panic!("{module}: {error}"));
        let result: ResultType = result.parse().expect("a type");
        let all = self.backends.iter().map(|&backend| {
            call::call(&bundle, backend, result, None)
                .unwrap_or_else(|error| panic!("{module} on {backend}: {error}"))
        });
        let all: Vec<_> = all.collect();
        for other in &all {
            let same = |r: &CallResult| serde_json::to_value(r).expect("plain data");
            assert_eq!(same(other), same(&all[0]), "{module} {symbol}");
        }
        all.into_iter().next().expect("there is always the simulator")
    }

    #[track_caller]
    fn returns(&self, module: &str, symbol: &str, result: &str, arguments: &[&str], answer: u64) {
        let found = self.call(module, symbol, result, arguments);
        assert_eq!(found.returned, Some(answer), "{module} {symbol}: {:?}", found.end);
    }

    /// Calls a function and takes its output buffer, as digits.
    #[track_caller]
    fn fills(&self, module: &str, symbol: &str, arguments: &[&str]) -> String {
        let found = self.call(module, symbol, "u64", arguments);
        assert!(found.returned.is_some(), "{module} {symbol}: {:?}", found.end);
        assert_eq!(found.buffers.len(), 1, "{module} {symbol}");
        found.buffers[0].hex.clone()
    }
}

fn bytes_of(digits: &str) -> String {
    format!("hex:{digits}")
}

#[test]
fn checksums_have_their_catalogued_check_values() {
    // Values: the catalogue of parametrised CRC algorithms (reveng.sourceforge.io).
    let Some(debian) = Debian::find() else { return };
    debian.returns("crc16", "crc16", "u16", &["0", CHECK, "9"], 0xbb3d);
    debian.returns("crc-itu-t", "crc_itu_t", "u16", &["0", CHECK, "9"], 0x31c3);
    debian.returns("crct10dif_common", "crc_t10dif_generic", "u16", &["0", CHECK, "9"], 0xd0db);
    debian.returns("crc64", "crc64_be", "u64", &["0", CHECK, "9"], 0x6c40_df5f_0b49_7347);
    let rocksoft = 0xae8b_1486_0a79_9888;
    debian.returns("crc64", "crc64_rocksoft_generic", "u64", &["0", CHECK, "9"], rocksoft);
    // CRC-7/MMC is 0x75; the function keeps it in the upper seven bits.
    debian.returns("crc7", "crc7_be", "u8", &["0", CHECK, "9"], 0x75 << 1);
    let table = bytes_of(&debian.fills("crc8", "crc8_populate_msb", &["buf:256", "7"]));
    debian.returns("crc8", "crc8", "u8", &[&table, CHECK, "9", "0"], 0xf4);
    // CRC-8/MAXIM-DOW: polynomial 0x31, reflected.
    let table = bytes_of(&debian.fills("crc8", "crc8_populate_lsb", &["buf:256", "0x8c"]));
    debian.returns("crc8", "crc8", "u8", &[&table, CHECK, "9", "0"], 0xa1);
}

#[test]
fn a_stream_cipher_gives_the_published_text() {
    let Some(debian) = Debian::find() else { return };
    let context = bytes_of(&debian.fills("libarc4", "arc4_setkey", &["buf:1032", "str:Key", "3"]));
    let text = debian.fills("libarc4", "arc4_crypt", &[&context, "buf:9", "str:Plaintext", "9"]);
    assert_eq!(text, "bbf316e8d940af0ad3");
    // RFC 6229: key 0102030405, the first 16 bytes.
    let context = debian.fills("libarc4", "arc4_setkey", &["buf:1032", "hex:0102030405", "5"]);
    let zeros = bytes_of(&"00".repeat(16));
    let context = bytes_of(&context);
    let text = debian.fills("libarc4", "arc4_crypt", &[&context, "buf:16", &zeros, "16"]);
    assert_eq!(text, "b2396305f03dc027ccc3524a0a1118a8");
}

#[test]
fn block_ciphers_encrypt_and_decrypt() {
    let Some(debian) = Debian::find() else { return };
    // The example of J. Orlin Grabbe, "The DES Algorithm Illustrated".
    let arguments = ["buf:128", "hex:133457799bbcdff1", "8"];
    let context = bytes_of(&debian.fills("libdes", "des_expand_key", &arguments));
    let text = "0123456789abcdef";
    let arguments = [&context, "buf:8", &bytes_of(text)];
    let sealed = debian.fills("libdes", "des_encrypt", &arguments);
    assert_eq!(sealed, "85e813540f0ab405");
    let arguments = [&context, "buf:8", &bytes_of(&sealed)];
    assert_eq!(debian.fills("libdes", "des_decrypt", &arguments), text);

    let key: Vec<u8> = (0..32).collect();
    let arguments = ["buf:528", &bytes_of(&hex::encode(&key)), "32"];
    let context = bytes_of(&debian.fills("serpent_generic", "__serpent_setkey", &arguments));
    let text = "00112233445566778899aabbccddeeff";
    let arguments = [&context, "buf:16", &bytes_of(text)];
    let sealed = debian.fills("serpent_generic", "__serpent_encrypt", &arguments);
    assert_ne!(sealed, text);
    let arguments = [&context, "buf:16", &bytes_of(&sealed)];
    assert_eq!(debian.fills("serpent_generic", "__serpent_decrypt", &arguments), text);
}

#[test]
fn curves_and_authenticators_give_the_published_numbers() {
    let Some(debian) = Debian::find() else { return };
    // RFC 7748, 5.2.
    let scalar = "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4";
    let point = "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c";
    let arguments = ["buf:32", &bytes_of(scalar), &bytes_of(point)];
    let product = debian.fills("libcurve25519-generic", "curve25519_generic", &arguments);
    assert_eq!(product, "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");

    // RFC 8439, A.3, test vector 7: r = 1, s = 0, three blocks.
    let r = format!("hex:01{}", "00".repeat(15));
    let key = bytes_of(&debian.fills("libpoly1305", "poly1305_core_setkey", &["buf:64", &r]));
    let text = format!("hex:{}f0{}11{}", "ff".repeat(16), "ff".repeat(15), "00".repeat(15));
    let arguments = ["buf:40", &key, &text, "3", "1"];
    let state = bytes_of(&debian.fills("libpoly1305", "poly1305_core_blocks", &arguments));
    let zeros = bytes_of(&"00".repeat(16));
    let tag = debian.fills("libpoly1305", "poly1305_core_emit", &[&state, &zeros, "buf:16"]);
    assert_eq!(tag, format!("05{}", "00".repeat(15)));
}

#[test]
fn angles_become_coordinates() {
    let Some(debian) = Debian::find() else { return };
    // Degrees; the result is two 16.16 fixed-point numbers, i and q, off by rounding.
    for degrees in [-150_i32, -90, -45, 0, 1, 30, 60, 90, 135, 180] {
        let found = debian.call("cordic", "cordic_calc_iq", "u64", &[&degrees.to_string()]);
        let returned = found.returned.expect("it returns");
        let (i, q) = (returned as u32 as i32, (returned >> 32) as u32 as i32);
        let (sine, cosine) = f64::from(degrees).to_radians().sin_cos();
        let close = |a: i32, b: f64| (f64::from(a) - b * 65536.0).abs() < 16.0;
        assert!(close(i, cosine) && close(q, sine), "{degrees}: {i} {q}");
    }
}

/// Decodes an LZ4 block (lz4_Block_format.md of the LZ4 project).
fn lz4_decode(block: &[u8]) -> Vec<u8> {
    let mut block = block.iter().copied();
    let mut next = move || block.next();
    let mut out = Vec::new();
    while let Some(token) = next() {
        let literals = lz4_length(token >> 4, &mut next);
        out.extend((0..literals).map(|_| next().expect("a literal")));
        // The last sequence ends with its literals.
        let Some(low) = next() else { break };
        let high = next().expect("an offset has two bytes");
        let offset = usize::from(u16::from_le_bytes([low, high]));
        let length = lz4_length(token & 15, &mut next) + 4;
        for _ in 0..length {
            out.push(out[out.len() - offset]);
        }
    }
    out
}

/// A length that begins in four bits of a token.
fn lz4_length(nibble: u8, next: &mut impl FnMut() -> Option<u8>) -> usize {
    let mut length = usize::from(nibble);
    if nibble == 15 {
        loop {
            let byte = next().expect("a length goes on");
            length += usize::from(byte);
            if byte != 255 {
                break;
            }
        }
    }
    length
}

#[test]
fn what_lz4_compressed_decompresses_to_the_same() {
    let Some(debian) = Debian::find() else { return };
    let text = "the quick brown fox jumps over the lazy dog; ".repeat(40) + "and rests.";
    let source = format!("str:{text}");
    let length = text.len().to_string();
    // The working memory is a second buffer, which nobody reads.
    let fast = ["buf:16416"];
    let thorough = ["9", "buf:262200"];
    for (module, symbol, rest) in [
        ("lz4_compress", "LZ4_compress_default", &fast[..]),
        ("lz4hc_compress", "LZ4_compress_HC", &thorough[..]),
    ] {
        let arguments = [&[&source, "buf:2048", &length, "2048"], rest].concat();
        let found = debian.call(module, symbol, "i32", &arguments);
        let size = found.returned.unwrap_or_else(|| panic!("{module}: {:?}", found.end)) as usize;
        assert!((1..text.len() / 4).contains(&size), "{module}: {size} bytes");
        let block = hex::decode(&found.buffers[0].hex).expect("digits");
        assert_eq!(lz4_decode(&block[..size]), text.as_bytes(), "{module}");
    }
}

#[test]
fn big_numbers_are_counted_and_compared() {
    let Some(debian) = Debian::find() else { return };
    let words = |words: &[u64]| {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes_of(&hex::encode(&bytes))
    };
    let (small, large) = (words(&[u64::MAX, 0, 0]), words(&[0, 1 << 10, 0]));
    debian.returns("ecc", "vli_num_bits", "u32", &[&large, "3"], 75);
    debian.returns("ecc", "vli_is_zero", "u8", &[&words(&[0; 3]), "3"], 1);
    debian.returns("ecc", "vli_cmp", "i32", &[&small, &large, "3"], -1_i64 as u64);
    let difference = debian.fills("ecc", "vli_sub", &["buf:24", &large, &small, "3"]);
    // (2^74) - (2^64 - 1) = 1 + 2^64 * (2^10 - 1)
    assert_eq!(bytes_of(&difference), words(&[1, (1 << 10) - 1, 0]));
}

fn modules_below(directory: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for path in entries.map(|entry| entry.expect("a readable directory").path()) {
        if path.is_dir() {
            modules_below(&path, out);
        } else if path.to_string_lossy().contains(".ko") {
            out.push(path);
        }
    }
}

#[test]
fn libraries_and_ciphers_initialise_alike() {
    let Some(debian) = Debian::find() else { return };
    let root = lcd_tests::debian_modules().expect("it was just there");
    let mut paths = Vec::new();
    for directory in ["kernel/lib", "kernel/crypto"] {
        modules_below(&root.join(directory), &mut paths);
    }
    paths.sort();
    let native = lcd_tests::native();
    let field: Field = vec![(Backend::Native, native.clone()), (Backend::Sim, Ok(()))];
    let (mut cases, mut without_init) = (Vec::new(), 0);
    for path in &paths {
        let name = path.to_string_lossy();
        let mut bundle = assemble::module(&name, &debian.modules)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        // Some measure themselves by a clock that stands still here.
        bundle.world.limits.instructions = 300_000_000;
        let case = differential::case(&bundle, &field, Some(Duration::from_secs(4)));
        if case.unloadable {
            // A library that has nothing to initialise.
            let reason = case.reason.unwrap_or_default();
            assert!(reason.contains("has no function `init_module`"), "{name}: {reason}");
            without_init += 1;
            continue;
        }
        if case.outcome != Outcome::Agree {
            println!("{name}: {:?} {}", case.outcome, case.reason.as_deref().unwrap_or_default());
        }
        cases.push(case);
    }
    let Summary { agree, diverge, poisoned, skipped } = Summary::of(&cases);
    println!(
        "{} modules: {agree} agree, {diverge} diverge, {poisoned} poisoned, {skipped} skipped; \
         {without_init} have no init",
        paths.len()
    );
    assert_eq!(diverge, 0);
    if native.is_ok() {
        assert!(agree + poisoned == cases.len() && agree >= poisoned);
    }
}
