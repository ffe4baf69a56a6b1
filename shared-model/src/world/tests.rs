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
