//! `lcd host` and `lcd inspect`.

use crate::command::{Place, SETUP, SUCCESS, lcd};

#[test]
fn the_host_is_described_for_people_and_scripts() {
    let text = lcd(&["host"]).expect(SUCCESS).stdout;
    assert!(text.starts_with("lcd ") && text.contains("\nnative: "), "{text}");
    assert!(text.contains("\nsimulator: available"), "{text}");
    let report = lcd(&["host", "--format", "json"]).expect(SUCCESS).json();
    assert!(report["lcd"].is_string() && report["native"].is_object(), "{report}");
    assert_eq!(report["simulator"]["available"], true);
    assert!(report["simulator"]["wasm_bytes"].as_u64().unwrap() > 10_000);
}

#[test]
fn a_module_is_taken_apart_for_people() {
    let place = Place::with(&["printk.ko", "unprovided.ko"]);
    let path = |name| place.join(name).to_str().unwrap().to_owned();
    let text = lcd(&["inspect", &path("printk.ko")]).expect(SUCCESS).stdout;
    assert!(text.starts_with("printk: "), "{text}");
    for part in ["\nsections\n", ".init.text", "R_X86_64_PLT32", "\nimports\n", "_printk", "liblcd"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.contains("\nentry points\n  init "), "{text}");
    let text = lcd(&["inspect", &path("unprovided.ko")]).expect(SUCCESS).stdout;
    let line = text.lines().find(|line| line.contains("usb_submit_urb")).unwrap();
    assert!(line.contains("nobody"), "{line}");
}

#[test]
fn a_module_is_taken_apart_for_scripts() {
    let place = Place::with(&["unprovided.ko", "low_base.elf"]);
    let path = place.join("unprovided.ko");
    let report =
        lcd(&["inspect", path.to_str().unwrap(), "--format", "json"]).expect(SUCCESS).json();
    assert_eq!(report["module"], "unprovided");
    for part in ["sections", "imports", "exports", "entries"] {
        assert!(report[part].is_array(), "{part}: {report}");
    }
    assert!(report["relocations"].is_object());
    assert_eq!(report["bindings"]["_printk"], "liblcd");
    assert!(report["bindings"]["usb_submit_urb"].is_null());
    assert!(report["bindings"].as_object().unwrap().contains_key("usb_submit_urb"));
    let path = place.join("low_base.elf");
    let text = lcd(&["inspect", path.to_str().unwrap()]).expect(SUCCESS).stdout;
    assert!(text.contains("0x10000"), "{text}");
}

#[test]
fn what_cannot_be_taken_apart_is_an_error() {
    let place = Place::new();
    let path = place.file("notes.ko", "these are notes");
    let done = lcd(&["inspect", &path]).expect(SETUP);
    assert!(done.stderr.contains("notes.ko: not an ELF file"), "{}", done.stderr);
}
