//! Every world with a single domain, run as an ordinary process: what it prints and how it
//! ends, by the processor itself and independent of every backend. See `host_process/runner.c`.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bundled_worlds::{BundledWorld, WORLDS};
use object::read::elf::{ElfFile64, FileHeader};
use object::{Object, ObjectSection, ObjectSymbol};
use shared_model::world::{Argument, DomainPlan, Expectation, World};

#[test]
fn worlds_behave_as_their_files_say() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let runner = directory.join("runner");
    compile(&[
        "-O1",
        "-I",
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared-model/liblcd/include"),
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/host_process/runner.c"),
        "-o",
        text(&runner),
    ]);
    let liblcd = directory.join("liblcd.o");
    fs::write(&liblcd, liblcd::OBJECT).expect("the directory can be written");

    let mut run = 0;
    let mut wrong = Vec::new();
    for bundled in WORLDS {
        let world = World::parse(bundled.toml)
            .unwrap_or_else(|error| panic!("{}/world.toml: {error}", bundled.name));
        if let Some(reason) = bundled.unavailable {
            eprintln!("{}: skipped: {reason}", bundled.name);
        } else if world.domains.len() > 1 {
            eprintln!("{}: skipped: more than one domain", bundled.name);
        } else if world.domains[0].service.is_some() {
            eprintln!("{}: skipped: a host domain", bundled.name);
        } else if !world.domains[0].caps.is_empty() {
            eprintln!("{}: skipped: holds capabilities to other objects", bundled.name);
        } else {
            let seen = Seen::of(
                bundled,
                &world.domains[0],
                world.limits.milliseconds,
                directory,
                &runner,
                &liblcd,
            );
            match seen.check(&world.expect[0]) {
                Ok(true) => run += 1,
                Ok(false) => eprintln!("{}: skipped: creates domains", bundled.name),
                Err(message) => wrong.push(format!("{}: {message}", bundled.name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(run >= 40, "only {run} worlds could be run");
}

/// What the runner reported.
struct Seen {
    console: String,
    end: String,
}

impl Seen {
    fn of(
        bundled: &BundledWorld,
        domain: &DomainPlan,
        limit: u64,
        directory: &Path,
        runner: &Path,
        liblcd: &Path,
    ) -> Self {
        let files: HashMap<&str, &[u8]> = bundled.files.iter().copied().collect();
        let bytes = files[domain.module.as_str()];
        let (executable, default) = if domain.module.ends_with(".ko") {
            (link(bundled, &files, &domain.module, directory, liblcd), "init_module")
        } else {
            let path = directory.join(format!("{}.elf", bundled.name));
            fs::write(&path, bytes).expect("the directory can be written");
            (path, "_start")
        };
        let image = fs::read(&executable).expect("it was just written");
        let elf = ElfFile64::<object::Endianness>::parse(image.as_slice()).expect("it is ELF");
        let address_of = |name: &str| {
            let symbol = elf.symbols().find(|symbol| symbol.name() == Ok(name));
            symbol.unwrap_or_else(|| panic!("{}: no symbol {name}", bundled.name)).address()
        };
        let milliseconds = domain.kill_after.map_or(limit, |kill| kill.milliseconds);
        let mut command = Command::new(runner);
        command.arg(&executable).arg(milliseconds.to_string());
        let default = vec![default.to_owned()];
        for name in domain.call.as_ref().unwrap_or(&default) {
            let address = match name.as_str() {
                "_start" => elf.elf_header().e_entry(object::Endianness::Little),
                name => address_of(name),
            };
            command.arg("call").arg(address.to_string());
        }
        for argument in &domain.args {
            match argument {
                Argument::Unsigned(value) => command.arg(value.to_string()),
                argument => panic!("{}: the runner cannot pass {argument:?}", bundled.name),
            };
        }
        let output = command.output().expect("the runner starts");
        assert!(output.status.success(), "{}: {command:?}: {output:?}", bundled.name);
        Self {
            console: String::from_utf8_lossy(&output.stdout).into_owned(),
            end: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }
    }

    /// Whether all is as expected; `false` if the world needs more than a process.
    fn check(&self, expect: &Expectation) -> Result<bool, String> {
        let mut words = self.end.split_whitespace();
        let kind = words.next().unwrap_or_default();
        let words: Vec<&str> = words.collect();
        let number = |i: usize| words[i].parse::<u64>().expect("the runner prints numbers");
        let same = |wanted: Option<u64>, i: usize| wanted.is_none_or(|w| w == number(i));
        let as_expected = match (kind, expect.end.as_deref().unwrap_or_default()) {
            ("beyond", _) => return Ok(false),
            // An init function returns a C int, whose upper half means nothing.
            ("exit", "exit") => expect.value.is_none_or(|value| {
                value == number(0).cast_signed() || value == i64::from(number(0) as i32)
            }),
            // The linker bound what nobody provides to address 0.
            ("exception", "unprovided") => number(0) == 14 && number(3) == 0,
            ("exception", "exception") => {
                same(expect.vector.map(u64::from), 0)
                    && same(expect.code.map(u64::from), 1)
                    && same(expect.address, 2)
            }
            ("fault", "fault") => {
                same(expect.address, 0) && expect.access.is_none_or(|a| a.to_string() == words[1])
            }
            // The runner's only clock.
            ("killed", "timeout") => true,
            (kind, end) => kind == end,
        };
        if !as_expected {
            return Err(format!("ended with `{}`", self.end));
        }
        match &expect.console {
            Some(console) if *console != self.console => {
                Err(format!("printed {:?}, not {console:?}", self.console))
            }
            _ => Ok(true),
        }
    }
}

/// Links a module, those it depends on and liblcd at the address where lcd puts modules.
fn link(
    bundled: &BundledWorld,
    files: &HashMap<&str, &[u8]>,
    module: &str,
    directory: &Path,
    liblcd: &Path,
) -> PathBuf {
    let mut inputs = vec![module.to_owned()];
    inputs.extend(dependencies(files[module]).map(|name| format!("{name}.ko")));
    let paths: Vec<PathBuf> = inputs
        .iter()
        .map(|file| {
            let path = directory.join(format!("{}-{file}", bundled.name));
            fs::write(&path, files[file.as_str()]).expect("the directory can be written");
            path
        })
        .collect();
    let linked = directory.join(format!("{}.elf", bundled.name));
    let mut arguments = vec![
        "-nostdlib",
        "-static",
        "-no-pie",
        "-Wl,-Ttext-segment=0x10000000",
        "-Wl,-z,separate-code",
        "-Wl,-e,init_module",
        "-Wl,--unresolved-symbols=ignore-all",
        text(liblcd),
        "-o",
        text(&linked),
    ];
    arguments.extend(paths.iter().map(|path| text(path)));
    compile(&arguments);
    linked
}

/// The names in a module's `depends=` line.
fn dependencies(module: &[u8]) -> impl Iterator<Item = String> {
    let elf = ElfFile64::<object::Endianness>::parse(module).expect("it is ELF");
    let info = elf.section_by_name(".modinfo").map(|section| section.data().expect("present"));
    let info = String::from_utf8_lossy(info.unwrap_or_default()).into_owned();
    let line = info.split('\0').find_map(|entry| entry.strip_prefix("depends=")).map(str::to_owned);
    let names: Vec<String> =
        line.iter().flat_map(|line| line.split(',')).map(str::to_owned).collect();
    names.into_iter().filter(|name| !name.is_empty())
}

fn compile(arguments: &[&str]) {
    let output = Command::new(env!("WORLDS_CC")).args(arguments).output().expect("it starts");
    assert!(output.status.success(), "{arguments:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

fn text(path: &Path) -> &str {
    path.to_str().expect("cargo's directories have plain names")
}
