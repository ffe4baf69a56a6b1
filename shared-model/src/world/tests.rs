//! World files: what is read, what is refused and where.

use super::{Argument, World};
use crate::exit::{End, Exited};
use alloc::string::ToString;

const SMALL: &str = "name = \"w\"\n[[domain]]\nname = \"main\"\nmodule = \"a.ko\"\n";

#[test]
fn a_small_world_has_the_defaults() {
    let world = World::parse(SMALL).unwrap();
    assert!(world.domains[0].start && world.domains[0].call.is_none());
    assert_eq!(world.limits, super::Limits::default());
}

#[test]
fn arguments_of_all_kinds_are_read_and_survive_json() {
    let args = "args = [1, -2, { text = \"hi\" }, { hex = \"00ff\" }, { buffer = 16 }]";
    let world = World::parse(&alloc::format!("{SMALL}{args}")).unwrap();
    let json = serde_json::to_string(&world).unwrap();
    assert_eq!(serde_json::from_str::<World>(&json).unwrap(), world);
    assert_eq!(world.domains[0].args[1], Argument::Signed(-2));
    assert_eq!(world.domains[0].args[4], Argument::Buffer { buffer: 16 });
}

#[test]
fn errors_point_at_the_line_and_say_what_to_do() {
    let cases = [
        ("name = \n", 1, "value"),
        ("name = \"w\"\n", 2, "no domain"),
        (&alloc::format!("{SMALL}pagse = []\n"), 5, "pagse"),
        (&alloc::format!("{SMALL}pages = [{{ slot = 0, rights = \"r\" }}]\n"), 2, "slot 0"),
        (&alloc::format!("{SMALL}pages = [{{ slot = 1, rights = \"q\" }}]\n"), 5, "right `q`"),
        (
            &alloc::format!("{SMALL}pages = [{{ slot = 1, rights = \"r\", at = 0x1000 }}]\n"),
            2,
            "data window",
        ),
        (
            &alloc::format!("{SMALL}[[expect]]\ndomain = \"main\"\nend = \"melted\"\n"),
            5,
            "use one of exit",
        ),
    ];
    for (source, line, part) in cases {
        let error = World::parse(source).unwrap_err();
        let text = error.to_string();
        assert_eq!(error.line, line, "{text}\n{source}");
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn an_expectation_names_what_is_different() {
    let source = alloc::format!(
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
fn what_could_not_be_booted_is_refused_with_its_place() {
    let page = |page: &str| alloc::format!("{SMALL}pages = [{page}]\n");
    let window = "{ slot = 1, rights = \"rw\", at = 0x4000_0000 }";
    let many = alloc::vec!["1"; 257].join(", ");
    let declare = |name: &str, file: &str| {
        alloc::format!("{SMALL}[[module]]\nname = \"{name}\"\nfile = \"{file}\"\n")
    };
    let cases = [
        ("name = \"\"\n[[domain]]\nname = \"a\"\nmodule = \"m\"\n".into(), 1, "needs a name"),
        ("name = \"w\"\n[[domain]]\nname = \"\"\nmodule = \"m\"\n".into(), 2, "needs a name"),
        (alloc::format!("{SMALL}[[domain]]\nname = \"main\"\nmodule = \"m\"\n"), 5, "already"),
        (alloc::format!("{SMALL}call = []\n"), 2, "is empty"),
        (alloc::format!("{SMALL}args = [{many}]\n"), 2, "257 arguments"),
        (alloc::format!("{SMALL}args = [{{ hex = \"0\" }}]\n"), 2, "hexadecimal"),
        (
            alloc::format!("{SMALL}domains = [{{ slot = 1, name = \"x\", rights = \"r\" }}]\n"),
            2,
            "`x`",
        ),
        (page("{ slot = 1, rights = \"w\", at = 0x4000_0000 }"), 2, "readable"),
        (page("{ slot = 1, rights = \"x\", at = 0x6000_0000 }"), 2, "readable"),
        (page(&alloc::format!("{window}, {}", window.replace('1', "2"))), 2, "two pages"),
        (page(&alloc::format!("{window}, {{ slot = 1, rights = \"r\" }}")), 2, "twice"),
        (page("{ slot = 1, rights = \"r\", at = 0x4000_0001 }"), 2, "not a page"),
        (declare("a.ko", "b.ko"), 5, "rename"),
        (
            alloc::format!("{}{}", declare("x", "x"), &declare("x", "x")[SMALL.len()..]),
            8,
            "already",
        ),
    ];
    for (source, line, part) in cases {
        let error = World::parse(&source).expect_err(&source);
        let text = error.to_string();
        assert!(error.line == line && text.contains(part), "{text}\n{source}");
    }
    World::parse(&declare("a.ko", "a.ko")).expect("the same file under its own name");
}

#[test]
fn an_error_in_a_line_as_long_as_the_file_shows_the_part_around_it() {
    let long = "x".repeat(200_000);
    for source in [
        alloc::format!("{SMALL}args = [\"{long}\"] ?"),
        alloc::format!("{SMALL}args = [{{ text = \"{long}\" }}] = 3"),
        alloc::format!("{SMALL}{long} = {long}"),
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
    let mut source = alloc::string::String::from("name = \"w\"\n");
    for i in 0..20_000 {
        source += &alloc::format!("[[domain]]\nname = \"{i}\"\nmodule = \"m\"\n");
    }
    let error = World::parse(&source).unwrap_err();
    assert_eq!(error.line, 2 + 256 * 3);
    assert!(error.to_string().contains("at most 256"));
}

#[test]
fn numbers_at_the_ends_of_their_range_are_read_or_refused_with_their_place() {
    let limits =
        |text: &str| SMALL.replace("[[domain]]", &alloc::format!("[limits]\n{text}\n[[domain]]"));
    for good in ["events = 9223372036854775807", "pages = 4294967295", "pages = 0", "events = 0"] {
        World::parse(&limits(good)).expect(good);
    }
    for bad in
        ["events = -1", "pages = 4294967296", "instructions = 99999999999999999999", "pages = 1.5"]
    {
        assert_eq!(World::parse(&limits(bad)).expect_err(bad).line, 3, "{bad}");
    }
}

#[test]
fn strange_names_survive() {
    for name in ["a b", "\\u001B[31m", "\\n", "\u{202e}", "..", "/etc/passwd", "main.2"] {
        let world =
            World::parse(&SMALL.replace("\"main\"", &alloc::format!("\"{name}\""))).expect(name);
        let json = serde_json::to_string(&world).unwrap();
        assert_eq!(serde_json::from_str::<World>(&json).unwrap(), world);
    }
}
