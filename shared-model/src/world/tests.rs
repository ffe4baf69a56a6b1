//! World files: what is read, what is refused and where.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Argument, World};
use crate::exit::{End, Exited};

mod distributed;
mod documented;
pub(crate) mod mutated;
mod refused;

const SMALL: &str = "name = \"w\"\n[[domain]]\nname = \"main\"\nmodule = \"a.ko\"\n";

#[test]
fn a_small_world_has_the_defaults() {
    let world = World::parse(SMALL).unwrap();
    let main = &world.domains[0];
    assert!(main.start && main.call.is_none() && main.caps.is_empty() && main.service.is_none());
    assert_eq!(world.limits, super::Limits::default());
    assert!(!world.schedule.parallel && world.schedule.seeds == 1000);
    assert_eq!(main.quota.limits().count(), 0);
}

#[test]
fn arguments_of_all_kinds_are_read_and_survive_json() {
    let args = "args = [1, -2, { text = \"hi\" }, { hex = \"00ff\" }, { buffer = 16 }]";
    let world = World::parse(&format!("{SMALL}{args}")).unwrap();
    let json = serde_json::to_string(&world).unwrap();
    assert_eq!(serde_json::from_str::<World>(&json).unwrap(), world);
    assert_eq!(world.domains[0].args[1], Argument::Signed(-2));
    assert_eq!(world.domains[0].args[4], Argument::Buffer { buffer: 16 });
}

#[test]
fn all_that_the_document_shows_survives_json() {
    for (source, _) in documented::examples() {
        let world = World::parse(&source).unwrap();
        let json = serde_json::to_string(&world).unwrap();
        assert_eq!(serde_json::from_str::<World>(&json).unwrap(), world);
    }
}

#[test]
fn an_expectation_names_what_is_different() {
    let source = format!(
        "{SMALL}[[expect]]\ndomain = \"main\"\nend = \"exit\"\nvalue = 1\nconsole = \"a\\n\"\n"
    );
    let world = World::parse(&source).unwrap();
    let end = End::Exit(Exited { value: 1 });
    assert!(world.expect[0].check(Some(&end), "a\n").is_empty());
    let other = End::Exit(Exited { value: 2 });
    let wrong = world.expect[0].check(Some(&other), "a");
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert_eq!(world.expect[0].check(None, "a\n").len(), 2);
}

#[test]
fn an_expectation_can_be_about_a_thread_or_about_the_serial_port() {
    let source = format!(
        "{SMALL}[[expect]]\ndomain = \"main\"\nthread = 2\nend = \"stuck\"\n\
         [[expect]]\nserial = \"hi\\n\"\n"
    );
    let expect = World::parse(&source).unwrap().expect;
    let wrong = expect[0].check(None, "");
    assert_eq!(wrong, ["main, thread 2: expected end stuck, got nothing"]);
    assert!(expect[1].check_serial("hi\n").is_empty());
    let wrong = expect[1].check_serial("hi");
    assert_eq!(wrong, ["serial port: expected \"hi\\n\", got \"hi\""]);
}

#[test]
fn an_error_in_a_line_as_long_as_the_file_shows_the_part_around_it() {
    let long = "x".repeat(200_000);
    for source in [
        format!("{SMALL}args = [\"{long}\"] ?"),
        format!("{SMALL}args = [{{ text = \"{long}\" }}] = 3"),
        format!("{SMALL}{long} = {long}"),
        "\u{feff}name = \u{1b}[31m".into(),
        "\u{1f600}".repeat(100_000),
    ] {
        let error = World::parse(&source).unwrap_err();
        let text = error.to_string();
        let shown = text.lines().rev().nth(1).unwrap();
        assert!(shown.chars().count() <= 104, "{}", shown.len());
        assert!(!shown.chars().any(char::is_control));
        let caret = text.lines().last().unwrap();
        assert!(caret.ends_with('^') && caret.len() <= 4 + 61, "{caret}");
    }
}

#[test]
fn a_world_of_very_many_domains_is_refused_soon() {
    let mut source = String::from("name = \"w\"\n");
    for i in 0..20_000 {
        source += &format!("[[domain]]\nname = \"{i}\"\nmodule = \"m\"\n");
    }
    let error = World::parse(&source).unwrap_err();
    assert_eq!(error.line, 2 + 256 * 3);
    assert!(error.to_string().contains("at most 256"));
}

#[test]
fn numbers_at_the_ends_of_their_range_are_read_or_refused_with_their_place() {
    let limits = |text: &str| SMALL.replace("[[domain]]", &format!("[limits]\n{text}\n[[domain]]"));
    for good in ["events = 9223372036854775807", "pages = 4294967295", "pages = 0", "events = 0"] {
        World::parse(&limits(good)).expect(good);
    }
    for bad in
        ["events = -1", "pages = 4294967296", "instructions = 99999999999999999999", "pages = 1.5"]
    {
        let error = World::parse(&limits(bad)).expect_err(bad);
        let column = bad.find('=').unwrap() + 3;
        assert_eq!((error.line, error.column), (3, column), "{error}");
    }
}

#[test]
fn strange_names_survive() {
    for name in ["a b", "\\u001B[31m", "\\n", "\u{202e}", "..", "/etc/passwd", "main.2"] {
        let world = World::parse(&SMALL.replace("\"main\"", &format!("\"{name}\""))).expect(name);
        let json = serde_json::to_string(&world).unwrap();
        assert_eq!(serde_json::from_str::<World>(&json).unwrap(), world);
    }
}

#[test]
fn a_world_that_came_another_way_says_where_it_is_wrong() {
    let mut world = World::parse(&format!("{SMALL}args = [{{ hex = \"00\" }}]\n")).unwrap();
    world.domains[0].args = alloc::vec![Argument::Bytes { hex: "0".into() }];
    let error = world.validate().unwrap_err();
    assert!(error.starts_with("domain[0].args[0].hex: `0` is not pairs"), "{error}");
}

#[test]
fn a_service_is_no_file_of_the_world() {
    let source = "name = \"w\"\n[[domain]]\nname = \"a\"\nservice = \"s\"\n\
                  [[domain]]\nname = \"b\"\nmodule = \"b.ko\"\n";
    let world = World::parse(source).unwrap();
    assert_eq!(world.files().collect::<Vec<_>>(), [("b.ko", "b.ko")]);
}
