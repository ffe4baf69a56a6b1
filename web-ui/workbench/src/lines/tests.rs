//! What compilers write, and what the assembler here does.

use std::fs;
use std::process::Command;

use object::{Object, ObjectSection};

use super::{Lines, Placed, lines};

const SOURCE: &str = "int twice(int x)\n{\n\treturn x\n\t\t+ x;\n}\n\n\
                      __attribute__((section(\".init.text\"))) int start(void)\n{\n\treturn twice(21);\n}\n";

/// Where the tests place code.
const TEXT: u64 = 0x1000_0000;
const INIT: u64 = 0x1001_0000;

/// The source as an object, or nothing if there is no compiler.
fn compiled(options: &[&str]) -> Option<Vec<u8>> {
    let name = format!("lcd-lines-{}-{}", std::process::id(), options.join(""));
    let base = std::env::temp_dir().join(name.replace(['=', '/'], "-"));
    let (source, object) = (base.with_extension("c"), base.with_extension("o"));
    fs::write(&source, SOURCE).expect("a temporary file");
    let output =
        Command::new("gcc").args(options).arg("-O0").arg(&source).arg("-o").arg(&object).output();
    let bytes = fs::read(&object);
    _ = fs::remove_file(&source);
    _ = fs::remove_file(&object);
    match output {
        Ok(output) if output.status.success() => bytes.ok(),
        Ok(output) => {
            println!("not tested: gcc {options:?}: {}", String::from_utf8_lossy(&output.stderr));
            None
        }
        Err(error) => {
            println!("not tested: gcc cannot be run: {error}");
            None
        }
    }
}

fn index(file: &[u8], name: &str) -> usize {
    let file = object::File::parse(file).expect("an object");
    file.section_by_name(name).expect("the section").index().0
}

/// The line that holds at an address.
fn at(lines: &Lines, address: u64) -> Option<u64> {
    let number = |text: &str| u64::from_str_radix(&text[2..], 16).expect("a number");
    let entry = lines.entries.iter().rev().find(|entry| number(&entry.address) <= address)?;
    (entry.file >= 0).then_some(entry.line)
}

#[test]
fn the_lines_of_objects_are_found() {
    for options in [
        &["-c", "-g1", "-gdwarf-5"][..],
        &["-c", "-g", "-gdwarf-4"],
        &["-c", "-g", "-gdwarf-5", "-gz=zlib"],
        &["-c", "-g", "-gdwarf-5", "-gz=zstd"],
        &["-c", "-g3", "-gdwarf-5", "-ffunction-sections"],
    ] {
        let Some(file) = compiled(options) else { continue };
        let code = if options.contains(&"-ffunction-sections") { ".text.twice" } else { ".text" };
        let placed = |name: &str, address: u64| Placed {
            index: index(&file, name),
            address: format!("{address:#x}"),
        };
        let both = [placed(code, TEXT), placed(".init.text", INIT)];
        let found = lines("a.ko", &file, &both).unwrap();
        assert!(found.files.iter().any(|name| name.ends_with(".c")), "{:?}", found.files);
        assert_eq!(at(&found, TEXT), Some(2), "{options:?}: {found:?}");
        assert_eq!(at(&found, INIT), Some(8), "{options:?}");
        assert_eq!(at(&found, TEXT - 1), None);
        assert_eq!(at(&found, INIT - 1), None, "after a sequence no line holds");
        assert!((0..80).any(|i| at(&found, INIT + i) == Some(9)));
        // What was not placed has no lines.
        let one = lines("a.ko", &file, &both[..1]).unwrap();
        assert_eq!(at(&one, INIT), None, "{one:?}");
        assert!(at(&one, TEXT).is_some());
    }
}

#[test]
fn an_executable_is_at_its_own_addresses_or_moved_as_a_whole() {
    let options = ["-g", "-nostdlib", "-static", "-no-pie", "-Wl,-e,start", "-Wl,-Ttext=0x400000"];
    let Some(file) = compiled(&options) else { return };
    let found = lines("a.elf", &file, &[]).unwrap();
    assert_eq!(at(&found, 0x40_0000), Some(2), "{found:?}");
    let index = index(&file, ".text");
    let moved = [Placed { index, address: "0x500000".into() }];
    assert_eq!(at(&lines("a.elf", &file, &moved).unwrap(), 0x50_0000), Some(2));
}

#[test]
fn the_assemblers_own_lines_are_found() {
    let text = "init_module:\n  xor eax, eax\n\n  ret\n.section .init.text\nother: nop\n  nop\n";
    let file = crate::assembler::assemble("mine.asm", text).object;
    let placed = |name: &str, address: u64| Placed {
        index: index(&file, name),
        address: format!("{address:#x}"),
    };
    let both = [placed(".text", TEXT), placed(".init.text", INIT)];
    let found = lines("mine.ko", &file, &both).unwrap();
    assert_eq!(found.files, ["mine.asm"]);
    let lines: Vec<_> = [TEXT, TEXT + 1, TEXT + 2, TEXT + 3, INIT, INIT + 1, INIT + 2]
        .iter()
        .map(|address| at(&found, *address))
        .collect();
    assert_eq!(lines, [Some(2), Some(2), Some(4), None, Some(6), Some(7), None]);
}

#[test]
fn damaged_files_are_errors_and_never_panic() {
    assert!(lines("x", b"no ELF file", &[]).unwrap_err().contains("x: its source lines"));
    let text = "init_module: ret\n";
    let file = crate::assembler::assemble("mine.asm", text).object;
    for place in 0..file.len() {
        let mut broken = file.clone();
        broken[place] ^= 0x5a;
        _ = lines("x", &broken, &[Placed { index: 1, address: "0x1000".into() }]);
        _ = lines("x", &file[..place], &[]);
    }
}
