//! What servers are given: modules and worlds.

use bundled_worlds::WORLDS;
use lcd_tests::elf::{Elf, READ_EXECUTE, Segment};
use serde_json::{Value, json};

use crate::client::Client;

/// Where the executables that are made here begin.
const START: u64 = 0x40_0000;

/// A file of a bundled world.
pub(crate) fn bundled(name: &str) -> &'static [u8] {
    let mut files = WORLDS.iter().flat_map(|world| world.files);
    let found = files.find(|(file, _)| *file == name);
    found.unwrap_or_else(|| panic!("{name} is not bundled")).1
}

/// An executable of this code.
pub(crate) fn executable(code: &[u8]) -> Vec<u8> {
    Elf::executable(START, vec![Segment::new(START, READ_EXECUTE, code)]).bytes()
}

/// An executable that makes so many hypercalls, which is one event each, and then dies.
pub(crate) fn chatty(times: u32) -> Vec<u8> {
    let [a, b, c, d] = times.to_le_bytes();
    executable(&[
        0xb9, a, b, c, d, // mov ecx, times
        0xe7, 0xe0, // out 0xe0, eax
        0xff, 0xc9, // dec ecx
        0x75, 0xfa, // jnz to the out
        0x0f, 0x0b, // ud2
    ])
}

/// An executable like no other: it dies at once.
pub(crate) fn unique(seed: u64, padding: usize) -> Vec<u8> {
    let mut random = lcd_tests::Random::new(seed);
    let mut code = vec![0x0f, 0x0b];
    code.extend((0..padding.max(8)).map(|_| random.below(256) as u8));
    executable(&code)
}

/// A world of one domain that runs a module.
pub(crate) fn world_of(name: &str, module: &str) -> String {
    format!("name = \"{name}\"\n\n[[domain]]\nname = \"main\"\nmodule = \"{module}\"\n")
}

/// Uploads a world that spins until somebody ends it, and returns its id.
#[track_caller]
pub(crate) fn spinning(client: &Client) -> String {
    client.upload_module("load.ko", bundled("load.ko"));
    let world = format!(
        "name = \"spinning\"\n\n[limits]\ninstructions = {}\nmilliseconds = 60000\n\n\
         [[domain]]\nname = \"main\"\nmodule = \"load.ko\"\n",
        u64::MAX >> 8,
    );
    let reply = client.upload_world(&world);
    assert!(matches!(reply.status, 200 | 201), "{}", reply.text());
    reply.json()["id"].as_str().expect("an id").into()
}

/// A run of a world in the simulator.
pub(crate) fn in_simulator(world: &str) -> Value {
    json!({ "world": world, "kind": "run", "backends": ["sim"] })
}

/// The backends to test, by name. Says so if one is missing.
pub(crate) fn backends() -> Vec<&'static str> {
    let native = lcd_tests::native_or_note().then_some("native");
    native.into_iter().chain(["sim"]).collect()
}

/// The log that `lcd run` writes of a bundled world in the simulator.
pub(crate) fn log_of(world: &str) -> Vec<u8> {
    let place = tempfile::tempdir().expect("a temporary directory");
    let path = place.path().join("log");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_lcd"))
        .args(["run", world, "--backend", "sim", "--log"])
        .arg(&path)
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    std::fs::read(path).expect("a log")
}
