//! What is refused, with the exact place. In each source, `¦` stands before the value at which the
//! error must point.

use alloc::format;
use alloc::string::{String, ToString};

use super::SMALL;
use crate::layout::THREADS_MAX;
use crate::world::World;

/// Reads a source, which must be refused at its mark, in words with `part`.
#[track_caller]
fn refused(source: &str, part: &str) {
    let before = source.split('¦').next().unwrap();
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    let plain = source.replace('¦', "");
    let Err(error) = World::parse(&plain) else { panic!("it was read:\n{plain}") };
    let text = error.to_string();
    assert_eq!((error.line, error.column), (line, column), "{text}\n{source}");
    assert!(text.contains(part), "{text}\n{source}");
}

/// A world whose domain `main` has these lines, after the objects and before a domain `other`
/// with `caps`.
fn with(objects: &str, main: &str, other: &str) -> String {
    format!(
        "name = \"w\"\n{objects}\n[[domain]]\nname = \"main\"\nmodule = \"a.ko\"\n{main}\n\
         [[domain]]\nname = \"other\"\nmodule = \"a.ko\"\ncaps = [{other}]\n"
    )
}

const OBJECTS: &str = r#"
memory = [{ name = "page" }, { name = "block", pages = 3 }]
endpoint = [{ name = "door" }]
notification = [{ name = "bell" }]
channel = [{ name = "pipe", order = 1 }]
ports = [{ name = "timer", first = 0x40, last = 0x43 }]
interrupt = [{ name = "tick", line = 0 }]
"#;

/// Refused, with these capabilities of `main`.
#[track_caller]
fn caps(caps: &str, part: &str) {
    refused(&with(OBJECTS, &format!("caps = [{caps}]"), ""), part);
}

#[test]
fn what_is_not_toml_or_has_other_keys() {
    refused("name = ¦\n", "value");
    refused("name = \"w\"\n¦", "no domain");
    refused(&format!("{SMALL}¦pagse = []\n"), "unknown field `pagse`, expected one of");
    refused(&format!("{SMALL}pages = [{{ ¦slto = 3, rights = \"r\" }}]\n"), "`slto`");
    refused(&format!("{SMALL}start = ¦1\n"), "boolean");
    refused(&format!("{SMALL}pages = [¦{{ slot = 3 }}]\n"), "missing field `rights`");
    refused(&format!("{SMALL}pages = [{{ rights = ¦\"q\" }}]\n"), "right `q`");
    refused(&format!("{SMALL}args = [1, ¦1.5]\n"), "expected an integer, { text");
    refused(&format!("{SMALL}args = [1, ¦{{}}]\n"), "an argument is an integer, { text");
    refused(&format!("{SMALL}args = [{{ ¦txt = \"x\" }}]\n"), "expected one of `text`");
    refused(&format!("{SMALL}args = [¦{{ text = \"x\", buffer = 3 }}]\n"), "an argument is");
    refused(&format!("{SMALL}call = [\"f\", ¦3]\n"), "expected a string");
    refused(&format!("{SMALL}quota = {{ ¦page = 3 }}\n"), "`page`");
    refused(&format!("{SMALL}[schedule]\n¦seed = 3\n"), "`seed`");
    refused(&format!("{SMALL}[schedule]\nseeds = ¦-3\n"), "expected u32");
}

#[test]
fn names() {
    refused("name = ¦\"\"\n[[domain]]\nname = \"a\"\nmodule = \"m\"\n", "needs a name");
    refused("name = \"w\"\n[[domain]]\nname = ¦\"\"\nmodule = \"m\"\n", "needs a name");
    refused(&format!("{SMALL}[[domain]]\nname = ¦\"main\"\nmodule = \"m\"\n"), "rename one");
    let twice = "memory = [{ name = \"x\" }]\nendpoint = [{ name = ¦\"x\" }]";
    refused(&with(twice, "", ""), "declared already, as memory");
    refused(
        &with("memory = [{ name = \"main\" }]", "", "").replace("\"main\"\nm", "¦\"main\"\nm"),
        "as memory",
    );
    refused(&with("channel = [{ name = ¦\"\" }]", "", ""), "a channel needs a name");
    let declare =
        |name: &str, file: &str| format!("[[module]]\nname = {name}\nfile = \"{file}\"\n");
    refused(&format!("{SMALL}{}", declare("¦\"a.ko\"", "b.ko")), "rename");
    let two = format!("{SMALL}{}{}", declare("\"x\"", "x"), declare("¦\"x\"", "x"));
    refused(&two, "already");
    World::parse(&format!("{SMALL}{}", declare("\"a.ko\"", "a.ko"))).expect("the same file");
}

#[test]
fn memory() {
    let memory = |keys: &str| with(&format!("[[memory]]\nname = \"m\"\n{keys}"), "", "");
    refused(&memory("pages = ¦0"), "1 to 4096 pages, not 0");
    refused(&memory("pages = ¦4097"), "1 to 4096");
    refused(&memory("node = ¦2"), "use 0 to 1");
    refused(&memory("contents = [¦{ offset = 3 }]"), "`text` or as `hex`");
    refused(&memory("contents = [{ text = \"a\", hex = ¦\"00\" }]"), "`text` or as `hex`");
    refused(&memory("contents = [{ hex = ¦\"0\" }]"), "hexadecimal");
    refused(&memory("contents = [{ offset = 4095, text = ¦\"ab\" }]"), "raise its `pages`");
    refused(&memory("contents = [{ offset = ¦4097, text = \"\" }]"), "raise its `pages`");
    let two = "contents = [{ offset = 8, text = \"abc\" }, { offset = 10, text = ¦\"d\" }]";
    refused(&memory(two), "8 to 11 are given already");
    World::parse(&memory("contents = [{ offset = 4094, text = \"ab\" }, { text = \"x\" }]"))
        .unwrap();
}

#[test]
fn devices_and_channels() {
    let objects = |text: &str| with(text, "", "");
    refused(&objects("channel = [{ name = \"c\", order = ¦11 }]"), "at most 1 << 10");
    refused(&objects("ports = [{ name = \"p\", first = 5, last = ¦4 }]"), "below the first");
    refused(&objects("ports = [{ name = \"p\", first = ¦65536, last = 4 }]"), "u16");
    let same =
        "ports = [{ name = \"p\", first = 5, last = 6 }, { name = \"q\", first = ¦5, last = 6 }]";
    refused(&objects(same), "`p` has the same ports");
    let same = "interrupt = [{ name = \"i\", line = 3 }, { name = \"j\", line = ¦3 }]";
    refused(&objects(same), "`i` is the same line");
}

#[test]
fn what_a_domain_runs() {
    refused(
        &SMALL
            .replace("[[domain]]", "[[¦domain]]")
            .replace("module = \"a.ko\"\n", "")
            .replace("[[¦domain]]", "¦[[domain]]"),
        "a `module` or",
    );
    refused(&format!("{SMALL}service = ¦\"s\"\n"), "one of the two");
    let service = SMALL.replace("module = \"a.ko\"", "service = \"s\"");
    for (key, value) in [
        ("call", "[\"f\"]"),
        ("args", "[1]"),
        ("kill_after", "{ instructions = 1, milliseconds = 1 }"),
        ("threads", "[{ call = \"f\" }]"),
        ("faults", "\"x\""),
        ("fault_badge", "1"),
    ] {
        refused(&format!("{service}{key} = ¦{value}\n"), &format!("`{key}` is about a module"));
    }
    let mapped = format!("{service}pages = [{{ rights = \"r\", at = ¦0x4000_0000 }}]\n");
    refused(&mapped, "runs in the host");
    World::parse(&format!("{service}pages = [{{ rights = \"r\" }}]\nstart = false\n")).unwrap();
}

#[test]
fn calls_and_threads() {
    refused(&format!("{SMALL}call = ¦[]\n"), "is empty");
    refused(&format!("{SMALL}args = [{{ hex = ¦\"0\" }}]\n"), "hexadecimal");
    let many = alloc::vec!["1"; 256].join(", ");
    refused(&format!("{SMALL}args = [{many}, ¦2]\n"), "257 arguments");
    refused(&format!("{SMALL}threads = [{{ call = ¦\"\" }}]\n"), "name the thread's function");
    refused(
        &format!(
            "{SMALL}threads = [{{ call = \"f\" }}, {{ call = \"f\", args = [1, {{ hex = ¦\"x\" }}] }}]\n"
        ),
        "hexadecimal",
    );
    let most = THREADS_MAX as usize - 1;
    let many = alloc::vec!["{ call = \"f\" }"; most].join(", ");
    World::parse(&format!("{SMALL}threads = [{many}]\n")).unwrap();
    refused(&format!("{SMALL}threads = [{many}, ¦{{ call = \"f\" }}]\n"), "at most 32 threads");
    refused(
        &with(OBJECTS, "faults = ¦\"dor\"", ""),
        "no endpoint is named `dor`: did you mean `door`?",
    );
    refused(
        &with(OBJECTS, "faults = ¦\"bell\"", ""),
        "is a notification, and this must be an endpoint",
    );
    refused(&format!("{SMALL}fault_badge = ¦3\n"), "`fault_badge` without `faults`");
}

#[test]
fn what_arrives_at_the_serial_port() {
    let with_input = |length| {
        SMALL.replace(
            "[[domain]]",
            &format!("serial.input = ¦\"{}\"\n[[domain]]", "x".repeat(length)),
        )
    };
    World::parse(&with_input(4096).replace('¦', "")).unwrap();
    refused(&with_input(4097), "4097 bytes arrive at the serial port");
}

#[test]
fn slots() {
    let slot = |slot: &str| format!("{{ slot = ¦{slot}, object = \"door\", rights = \"r\" }}");
    for reserved in ["0", "1", "2"] {
        caps(&slot(reserved), "is reserved");
        refused(
            &format!("{SMALL}pages = [{{ slot = ¦{reserved}, rights = \"r\" }}]\n"),
            "reserved",
        );
    }
    for bad in ["32", "0x100400", "0x208000", "0x400000", "9223372036854775807"] {
        caps(&slot(bad), "there is no slot");
    }
    let twice = "{ slot = 4, object = \"door\", rights = \"r\" }, \
                 { slot = ¦4, object = \"bell\", rights = \"r\" }";
    caps(twice, "slot 4 is used twice");
    let both = "pages = [{ slot = 4, rights = \"r\" }]\n\
                caps = [{ slot = ¦4, object = \"bell\", rights = \"r\" }]";
    refused(&with(OBJECTS, both, ""), "slot 4 is used twice");
}

#[test]
fn objects_and_rights() {
    caps("{ object = ¦\"paeg\", rights = \"r\" }", "did you mean `page`?");
    caps("{ object = ¦\"printer\", rights = \"r\" }", "nothing is named `printer`: declare it");
    for (object, rights) in [
        ("page", "c"),
        ("door", "x"),
        ("bell", "rc"),
        ("pipe", "x"),
        ("timer", "x"),
        ("tick", "c"),
        ("other", "x"),
    ] {
        let cap = format!("{{ object = \"{object}\", rights = ¦\"{rights}\" }}");
        caps(&cap, "mean anything");
    }
    caps(
        "{ object = \"door\", rights = ¦\"rx\" }",
        "is an endpoint, for which only the rights \"rwgc\"",
    );
    refused(&format!("{SMALL}pages = [{{ rights = ¦\"rc\" }}]\n"), "only the rights \"rwxg\"");
    for object in ["page", "timer", "tick", "other", "main"] {
        let cap = format!("{{ object = \"{object}\", rights = \"r\", badge = ¦7 }}");
        caps(&cap, "can have a badge");
    }
    caps("{ object = \"pipe\", rights = \"r\", badge = ¦2 }", "the badge 0 or 1");
}

#[test]
fn places() {
    let at = |object: &str, rights: &str, at: &str| {
        format!("{{ object = \"{object}\", rights = {rights}, at = {at} }}")
    };
    caps(&at("door", "\"r\"", "¦0x4000_0000"), "only memory and channels can");
    for bad in ["0x4000_0001", "0x1000", "0x7000_0000", "0", "9223372036854775807"] {
        caps(&at("page", "\"r\"", &format!("¦{bad}")), "the data window is");
    }
    caps(&at("block", "\"r\"", "¦0x5fff_e000"), "3 pages from 0x5fffe000 leave the window");
    caps(&at("block", "\"r\"", "¦0x6fff_e000"), "leave the window");
    caps(&at("block", "¦\"rw\"", "0x6000_0000"), "can be executed");
    caps(&at("page", "¦\"w\"", "0x4000_0000"), "must be readable");
    caps(&at("page", "¦\"x\"", "0x6000_0000"), "must be readable");
    let first = at("block", "\"r\"", "0x4000_2000");
    for (object, place) in
        [("page", "0x4000_4000"), ("pipe", "0x4000_1000"), ("pipe", "0x4000_3000")]
    {
        let second = at(object, "\"r\"", &format!("¦{place}"));
        caps(&format!("{first}, {second}"), "where `block` is, which begins at 0x40002000");
    }
    let apart = format!("{first}, {}", at("pipe", "\"r\"", "0x4000_0000"));
    World::parse(&with(OBJECTS, &format!("caps = [{apart}]"), "")).unwrap();
    let page =
        "pages = [{ rights = \"r\", at = 0x4000_1000 }, { rights = \"r\", at = ¦0x4000_1000 }]";
    refused(&with("", page, ""), "`a page` would be at 0x40001000");
}

#[test]
fn names_in_the_boot_information() {
    let long = "x".repeat(24);
    let object = format!("endpoint = [{{ name = \"{long}\" }}]");
    let cap = format!("caps = [{{ object = ¦\"{long}\", rights = \"r\" }}]");
    refused(&with(&object, &cap, ""), "at most 23 bytes");
    caps(
        &format!("{{ object = \"door\", rights = \"r\", name = ¦\"{long}\" }}"),
        "at most 23 bytes",
    );
    caps("{ object = \"door\", rights = \"r\", name = ¦\"a\\u0000\" }", "no control characters");
    let twice = "{ object = \"door\", rights = \"r\" }, { object = ¦\"door\", rights = \"w\" }";
    caps(twice, "has a `door` already");
    let twice = "{ object = \"door\", rights = \"r\" }, \
                 { object = \"bell\", name = ¦\"door\", rights = \"w\" }";
    caps(twice, "has a `door` already");
    let name = |i| format!("{{ object = \"door\", rights = \"r\", name = \"{i}\" }}");
    let many: alloc::vec::Vec<String> = (0..126).map(name).collect();
    let many = many.join(",\n");
    let more = "{ object = \"door\", rights = \"r\", name = ¦\"x\" }";
    caps(&format!("{many}, {more}"), "has room for 126");
    let none = "{ object = \"door\", rights = \"r\", name = \"\" }";
    let good = with(OBJECTS, &format!("caps = [{many}, {none}, {none}]"), "");
    World::parse(&good).unwrap();
}

#[test]
fn derivations() {
    let under = |main: &str, other: &str| with(OBJECTS, &format!("caps = [{main}]"), other);
    let plain = "{ object = \"door\", rights = \"rwg\" }";
    let of = |rights: &str, under: &str| {
        format!("{{ object = \"door\", rights = {rights}, under = {under} }}")
    };
    refused(&under(&of("\"r\"", "¦\"othr\""), plain), "no domain is named `othr`: did you mean");
    refused(&under(&of("\"r\"", "¦\"page\""), plain), "is memory, and this must be a domain");
    let bell = "{ object = \"bell\", rights = \"rwg\" }";
    refused(&under(&of("\"r\"", "¦\"other\""), bell), "`other` has no capability to `door`");
    let locked = "{ object = \"door\", rights = \"rw\" }";
    refused(&under(&of("\"r\"", "¦\"other\""), locked), "add `g` to the rights");
    refused(&under(&of("¦\"rc\"", "\"other\""), plain), "only the rights \"rwg\" to `door`");
    refused(&under(&of("\"rg\"", "¦\"other\""), &of("\"rg\"", "\"main\"")), "in a circle");
    refused(&under(&of("\"rg\"", "¦\"main\""), ""), "in a circle");
    let badged = "{ object = \"door\", rights = \"rg\", badge = 7 }";
    let other_badge = "{ object = \"door\", rights = \"r\", badge = ¦8, under = \"other\" }";
    refused(&under(other_badge, badged), "has the badge 7");
    World::parse(&under(&other_badge.replace("¦8", "7"), badged)).unwrap();
}

#[test]
fn expectations() {
    let expect = |keys: &str| format!("{SMALL}[[expect]]\n{keys}\n");
    refused(&expect("domain = \"main\"\nend = ¦\"melted\""), "use one of exit");
    refused(&expect("domain = \"main\"\nserial = ¦\"x\""), "of its own");
    refused(&expect("serial = \"x\"\nconsole = ¦\"y\""), "`console` is about a domain");
    refused(&expect("value = 3").replace("[[expect]]", "¦[[expect]]"), "add one of the two");
    refused(&expect("domain = \"main\"\nthread = ¦-1"), "u32");
}
