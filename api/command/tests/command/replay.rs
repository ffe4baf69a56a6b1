//! `lcd replay`, and bundles.

use std::fs;
use std::path::Path;

use crate::command::{DIVERGE, Done, Place, SETUP, SUCCESS, USAGE, backends, bundled, lcd};

/// Runs something and keeps its log, and further arguments say what else.
fn logged(what: &str, backend: &str, log: &Path, further: &[&str]) {
    let log = log.to_str().unwrap();
    let done = lcd(&[&["run", what, "--backend", backend, "--log", log], further].concat());
    assert!(done.code == 0 || done.code == 1, "{done:#?}");
}

fn replay(log: &Path, further: &[&str]) -> Done {
    lcd(&[&["replay", log.to_str().unwrap()], further].concat())
}

#[test]
fn logs_of_every_backend_are_reached_again() {
    let place = Place::new();
    for backend in backends() {
        for world in ["printk", "revoke", "null-pointer", "load", "parallel-calls"] {
            let log = place.join(&format!("{world}.{backend}"));
            logged(world, backend, &log, &[]);
            let result = replay(&log, &["--format", "json"]).expect(SUCCESS).json();
            assert_eq!(result["schema"], "lcd-replay/1");
            assert_eq!((&result["world"], &result["backend"]), (&world.into(), &backend.into()));
            assert_eq!(result["whole"], true);
            assert_eq!(result["verdict"]["outcome"], "agree", "{world} of {backend}: {result}");
            assert!(result["replayed"].as_u64().unwrap() > 0);
        }
    }
    let log = place.join("printk.sim");
    let again = place.join("again");
    let text = replay(&log, &["--log", again.to_str().unwrap()]).expect(SUCCESS).stdout;
    assert!(text.starts_with("printk, recorded by sim, cooperative\nagree: all "), "{text}");
    assert_eq!(fs::read(&again).unwrap(), fs::read(&log).unwrap());
}

#[test]
fn parallel_and_seeded_runs_are_reached_again() {
    let place = Place::new();
    let log = place.join("log");
    for options in [&["--seed", "5"][..], &["--seed", "5", "--preempt", "100"]] {
        logged("parallel-calls", "sim", &log, options);
        let text = replay(&log, &[]).expect(SUCCESS).stdout;
        assert!(text.contains("seed 5") && text.contains("agree: all "), "{text}");
    }
    if !backends().contains(&"native") {
        return;
    }
    for world in ["parallel-token", "parallel-revoke", "parallel-kill", "parallel-counter"] {
        logged(world, "native", &log, &["--parallel"]);
        let text = replay(&log, &[]).expect(SUCCESS).stdout;
        assert!(text.starts_with(&format!("{world}, recorded by native, parallel")), "{text}");
    }
}

#[test]
fn a_log_that_was_changed_diverges() {
    let place = Place::new();
    let log = place.join("log");
    logged("printk", "sim", &log, &[]);
    let text = fs::read_to_string(&log).unwrap();
    let changed = text.replacen("message 2 of 3: two", "message 2 of 3: ten", 1);
    assert_ne!(text, changed);
    let log = place.file("changed", changed);
    let done = lcd(&["replay", &log]).expect(DIVERGE);
    assert!(done.stdout.contains("diverge: event "), "{}", done.stdout);
    for part in [" logged: {", "ten", " replayed: {", "two"] {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
    let result = lcd(&["replay", &log, "--format", "json"]).expect(DIVERGE).json();
    assert_eq!(result["verdict"]["outcome"], "diverge");
    assert!(result["verdict"]["left"].to_string().contains("ten"), "{result}");
}

#[test]
fn a_log_that_is_cut_off_is_replayed_as_far_as_it_goes() {
    let place = Place::new();
    let log = place.join("log");
    for backend in backends() {
        logged("revoke", backend, &log, &[]);
        let bytes = fs::read(&log).unwrap();
        let lines: Vec<usize> = bytes
            .iter()
            .enumerate()
            .filter(|(_, byte)| **byte == b'\n')
            .map(|(at, _)| at)
            .collect();
        let middle = lines[lines.len() / 2];
        // At the end of a line, and in the middle of one.
        let cut = place.file("cut", &bytes[..=middle]);
        let result = lcd(&["replay", &cut, "--format", "json"]).expect(SUCCESS).json();
        assert_eq!((&result["whole"], result.get("torn")), (&false.into(), None));
        assert_eq!(result["verdict"]["outcome"], "agree");
        assert_eq!(result["events"], lines.len() / 2);
        assert!(result["replayed"].as_u64() > result["events"].as_u64());
        let cut = place.file("cut", &bytes[..middle + 10]);
        let text = lcd(&["replay", &cut]).expect(SUCCESS).stdout;
        let line = lines.len() / 2 + 2;
        assert!(text.contains(&format!("in the middle of line {line}: ")), "{text}");
        assert!(text.contains("agree: all "), "{text}");
        let result = lcd(&["replay", &cut, "--format", "json"]).expect(SUCCESS).json();
        assert_eq!(result["torn"], line);
    }
}

#[test]
fn what_is_no_log_is_an_error() {
    let place = Place::new();
    let log = place.join("log");
    logged("printk", "sim", &log, &[]);
    let text = fs::read_to_string(&log).unwrap();
    let damaged = |name: &str, bytes: &[u8], part: &str| {
        let path = place.file(name, bytes);
        let done = lcd(&["replay", &path]).expect(SETUP);
        assert!(done.stderr.contains(name) && done.stderr.contains(part), "{}", done.stderr);
    };
    damaged("empty", b"", "empty");
    damaged("notes", b"these are notes\n", "line 1");
    damaged("bytes", &[0xff, 0xfe, b'\n'], "line 1");
    damaged("half", &text.as_bytes()[..20], "line 1");
    damaged("version", text.replacen("\"lcd_log\":1", "\"lcd_log\":9", 1).as_bytes(), "format 9");
    damaged("middle", text.replacen("domain_created", "domain_cremated", 1).as_bytes(), "line 2");
    let done = lcd(&["replay", "/nonexistent/log"]).expect(SETUP);
    assert!(done.stderr.contains("/nonexistent/log: No such file"), "{}", done.stderr);
    lcd(&["replay"]).expect(USAGE);
    lcd(&["--server", "http://127.0.0.1:1", "replay", "log"]).expect(USAGE);
}

#[test]
fn other_inputs_are_not_replayed() {
    let place = Place::with(&["arithmetic.ko"]);
    place.file("mine.ko", bundled("printk.ko"));
    let path = |name: &str| place.join(name).to_str().unwrap().to_owned();
    let log = place.join("log");
    logged(&path("mine.ko"), "sim", &log, &[]);
    // Nothing here is called that.
    let done = replay(&log, &[]).expect(SETUP);
    assert!(done.stderr.contains("no bundled world") && done.stderr.contains("--bundle"));
    let done = replay(&log, &[&path("mine.ko")]).expect(SUCCESS);
    assert!(done.stdout.contains("agree: all "), "{}", done.stdout);
    let done = replay(&log, &[&path("arithmetic.ko")]).expect(SETUP);
    assert!(done.stderr.contains("recorded with other inputs"), "{}", done.stderr);
    // The same by name, and another one.
    let mut module = fs::read(place.join("mine.ko")).unwrap();
    module.push(0);
    place.file("mine.ko", module);
    let done = replay(&log, &[&path("mine.ko")]).expect(SETUP);
    assert!(done.stderr.contains("has changed"), "{}", done.stderr);
    // A bundled world of that name, which this is not.
    let text = fs::read_to_string(&log).unwrap();
    let (header, rest) = text.split_once('\n').unwrap();
    let name = serde_json::from_str::<serde_json::Value>(header).unwrap()["world"].to_string();
    let renamed =
        place.file("renamed", format!("{}\n{rest}", header.replacen(&name, "\"revoke\"", 1)));
    let done = lcd(&["replay", &renamed]).expect(SETUP);
    assert!(done.stderr.contains("another version"), "{}", done.stderr);
}

#[test]
fn a_bundle_keeps_everything_that_a_run_depends_on() {
    let place = Place::new();
    place.file("mine.ko", bundled("printk.ko"));
    let module = place.join("mine.ko");
    let (log, bundle) = (place.join("log"), place.join("mine.lcdb"));
    let kept = bundle.to_str().unwrap();
    logged(module.to_str().unwrap(), "sim", &log, &["--bundle", kept]);
    fs::remove_file(module).unwrap();
    replay(&log, &[kept]).expect(SUCCESS);
    // It is a world like others.
    let again = place.join("again");
    logged(kept, "sim", &again, &[]);
    assert_eq!(fs::read(&again).unwrap(), fs::read(&log).unwrap());
    let compared = lcd(&["diff", kept, "--backend", "sim", "--format", "json"]).expect(SUCCESS);
    assert_eq!(compared.json()["cases"][0]["name"], "mine");
    let copy = place.join("copy.lcdb");
    logged("printk", "sim", &log, &["--bundle", copy.to_str().unwrap()]);
    replay(&log, &[copy.to_str().unwrap()]).expect(SUCCESS);
    let other = replay(&log, &[kept]).expect(SETUP);
    assert!(other.stderr.contains("this is `mine`"), "{}", other.stderr);
}

#[test]
fn what_is_no_bundle_is_an_error() {
    let place = Place::new();
    let bundle = place.join("a.lcdb");
    logged("printk", "sim", &place.join("log"), &["--bundle", bundle.to_str().unwrap()]);
    let bytes = fs::read(&bundle).unwrap();
    for (name, bytes) in [
        ("empty.lcdb", &[][..]),
        ("cut.lcdb", &bytes[..bytes.len() / 2]),
        ("notes.lcdb", b"these are notes"),
    ] {
        let path = place.file(name, bytes);
        for arguments in [&["run", "--backend", "sim"][..], &["diff"]] {
            let done = lcd(&[arguments, &[path.as_str()]].concat()).expect(SETUP);
            assert!(done.stderr.contains(&format!("{name}: not a bundle")), "{}", done.stderr);
        }
    }
    let done = lcd(&["run", "/nonexistent/a.lcdb"]).expect(SETUP);
    assert!(done.stderr.contains("/nonexistent/a.lcdb"), "{}", done.stderr);
    let unwritable = ["run", "printk", "--backend", "sim", "--bundle", "/nonexistent/b.lcdb"];
    let done = lcd(&unwritable).expect(SETUP);
    assert!(done.stderr.contains("cannot write the bundle to /nonexistent"), "{}", done.stderr);
}
