//! `lcd diff`.

use lcd_tests::elf::{Elf, READ_EXECUTE, Segment};
use serde_json::Value;

use crate::command::{DIVERGE, Done, Place, SETUP, SUCCESS, backends, lcd};

fn both() -> bool {
    backends().len() == 2
}

fn only_case(done: &Done) -> Value {
    let report = done.json();
    assert_eq!(report["cases"].as_array().unwrap().len(), 1);
    report["cases"][0].clone()
}

#[test]
fn scripts_get_the_documented_shape() {
    let done = lcd(&["diff", "printk", "revoke", "--format", "json"]).expect(SUCCESS);
    let report = done.json();
    let keys: Vec<_> = report.as_object().unwrap().keys().map(String::as_str).collect();
    let mut sorted = keys.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["cases", "host", "schema", "summary"]);
    assert_eq!(report["schema"], "lcd-diff/1");
    assert!(report["host"].is_object());
    let case = &report["cases"][1];
    assert_eq!(case["name"], "revoke");
    assert_eq!(case["outcome"], if both() { "agree" } else { "skipped" });
    assert!(case["events"].as_u64().unwrap() > 10);
    let names: Vec<_> =
        case["backends"].as_array().unwrap().iter().map(|run| &run["backend"]).collect();
    assert_eq!(names, ["native", "sim"]);
    let summary = &report["summary"];
    for outcome in ["agree", "diverge", "poisoned", "skipped"] {
        assert!(summary[outcome].is_u64(), "{summary}");
    }
    assert_eq!(summary[if both() { "agree" } else { "skipped" }], 2);
}

#[test]
fn people_see_a_table_and_a_count() {
    let done = lcd(&["diff", "printk", "sieve"]).expect(SUCCESS);
    assert!(done.stdout.starts_with("host: "), "{}", done.stdout);
    let row = done.stdout.lines().find(|line| line.trim_start().starts_with("sieve")).unwrap();
    assert!(row.contains(if both() { "agree" } else { "skipped" }), "{row}");
    let counts = if both() {
        "2 agree, 0 diverge, 0 poisoned, 0 skipped"
    } else {
        "0 agree, 0 diverge, 0 poisoned, 2 skipped"
    };
    assert_eq!(done.stdout.lines().last(), Some(counts));
    assert_eq!(done.stderr, "", "progress is drawn on terminals only");
}

#[test]
fn without_arguments_all_bundled_worlds_are_compared() {
    let report = lcd(&["diff", "--format", "json"]).expect(SUCCESS).json();
    let count = report["cases"].as_array().unwrap().len();
    assert!(count >= 20, "{count}");
    assert_eq!(report["summary"]["diverge"], 0);
    assert_eq!(report["summary"]["agree"].as_u64().unwrap() >= 20, both());
    let list = lcd(&["diff", "--list"]).expect(SUCCESS).stdout;
    assert_eq!(list.lines().count(), count + 1);
}

#[test]
fn a_backend_that_is_left_out_is_named_with_the_reason_and_counted() {
    let done = lcd(&["diff", "printk", "--backend", "sim"]).expect(SUCCESS);
    assert!(done.stdout.contains("0 agree, 0 diverge, 0 poisoned, 1 skipped"), "{}", done.stdout);
    assert!(done.stdout.contains("native"), "{}", done.stdout);
    let done = lcd(&["diff", "printk", "--backend", "sim", "--format", "json"]).expect(SUCCESS);
    let case = only_case(&done);
    assert_eq!(case["outcome"], "skipped");
    assert!(case["reason"].as_str().unwrap().contains("only one backend"), "{case}");
}

#[test]
fn one_backend_alone_still_has_to_meet_the_expectations() {
    let place = Place::with(&["printk.ko"]);
    let world = wrong_world(&place);
    let done = lcd(&["diff", &world, "--backend", "sim"]).expect(DIVERGE);
    assert!(done.stdout.contains("1 diverge"), "{}", done.stdout);
}

fn wrong_world(place: &Place) -> String {
    place.file(
        "wrong.toml",
        "name = \"wrong\"\n[[domain]]\nname = \"main\"\nmodule = \"printk.ko\"\n\
         [[expect]]\ndomain = \"main\"\nend = \"exception\"\nvector = 6\n",
    )
}

#[test]
fn expectations_that_are_not_met_are_a_divergence() {
    let place = Place::with(&["printk.ko"]);
    let world = wrong_world(&place);
    let done = lcd(&["diff", &world]).expect(DIVERGE);
    for backend in backends() {
        let line = format!("{backend}: main: expected end exception, got exit");
        assert!(done.stdout.contains(&line), "{}", done.stdout);
    }
    let case = only_case(&lcd(&["diff", &world, "--format", "json"]).expect(DIVERGE));
    assert_eq!(case["outcome"], "diverge");
    assert_eq!(case["unmet"].as_array().unwrap().len(), 2 * backends().len());
}

#[test]
fn reading_the_clock_poisons_a_comparison() {
    if !both() {
        return;
    }
    let place = Place::new();
    let code = [0x0f, 0x31, 0xc3]; // rdtsc; ret
    let file = Elf::executable(0x40_0000, vec![Segment::new(0x40_0000, READ_EXECUTE, &code)]);
    let path = place.file("clock.elf", file.bytes());
    let done = lcd(&["diff", &path, "--format", "json"]).expect(SUCCESS);
    let case = only_case(&done);
    assert_eq!(case["outcome"], "poisoned", "{case}");
    let reason = case["reason"].as_str().unwrap();
    assert!(reason.contains("rdtsc") && reason.contains("0x400000"), "{reason}");
    let done = lcd(&["diff", &path]).expect(SUCCESS);
    assert!(done.stdout.contains("0 diverge, 1 poisoned"), "{}", done.stdout);
}

#[test]
fn a_module_or_an_executable_is_a_world_of_its_own() {
    let place = Place::with(&["printk.ko", "high_base.elf"]);
    for name in ["printk.ko", "high_base.elf"] {
        let path = place.join(name);
        let case = only_case(&lcd(&["diff", path.to_str().unwrap(), "--format", "json"]));
        assert_eq!(case["outcome"], if both() { "agree" } else { "skipped" }, "{case}");
    }
}

#[test]
fn what_no_backend_can_load_is_bad_input_and_not_a_divergence() {
    let place = Place::with(&["printk.ko"]);
    let world = place.file(
        "full.toml",
        "name = \"full\"\n[limits]\npages = 3\n[[domain]]\nname = \"main\"\nmodule = \"printk.ko\"\n",
    );
    let done = lcd(&["diff", &world]).expect(SETUP);
    assert!(done.stdout.contains("raise `pages` in [limits]"), "{}", done.stdout);
    assert!(done.stdout.contains("0 diverge"), "{}", done.stdout);
}
