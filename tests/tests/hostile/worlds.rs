//! Worlds with absurd values: an error or an end, on every backend.

use lcd::Backend;
use lcd::assemble::{self, Modules};
use shared_model::address::GuestPhysical;
use shared_model::bundle::Bundle;
use shared_model::rights::Rights;
use shared_model::world::{Argument, CapPlan, KillAfter, PagePlan, World};

/// The world that prints, which works.
fn printk() -> Bundle {
    let world = bundled_worlds::WORLDS.iter().find(|world| world.name == "printk");
    assemble::bundled(world.expect("it is bundled")).expect("it is complete")
}

/// Runs on both backends: both refuse with the same words, or both end.
#[track_caller]
fn survive(what: &str, change: impl FnOnce(&mut World)) -> Result<(), String> {
    let mut bundle = printk();
    bundle.world.limits.instructions = 5_000_000;
    bundle.world.limits.milliseconds = 500;
    change(&mut bundle.world);
    let run = |backend| lcd::run(&bundle, backend, None).map(drop).map_err(|e| e.to_string());
    let sim = run(Backend::Sim);
    if lcd_tests::native().is_ok() {
        assert_eq!(run(Backend::Native), sim, "{what}");
    }
    sim
}

#[test]
fn limits_of_nothing_and_of_everything() {
    survive("no instructions", |world| world.limits.instructions = 0).unwrap();
    survive("all instructions", |world| world.limits.instructions = u64::MAX).unwrap();
    survive("no time", |world| world.limits.milliseconds = 0).unwrap();
    survive("all time", |world| world.limits.milliseconds = u64::MAX).unwrap();
    survive("no events", |world| world.limits.events = 0).unwrap();
    survive("all pages", |world| world.limits.pages = u32::MAX).unwrap();
    let error = survive("no pages", |world| world.limits.pages = 0).unwrap_err();
    assert!(error.contains("raise `pages`"), "{error}");
}

#[test]
fn deaths_at_once_and_never() {
    for (instructions, milliseconds) in [(0, 0), (u64::MAX, u64::MAX), (0, u64::MAX), (1, 1)] {
        survive("kill_after", |world| {
            world.domains[0].kill_after = Some(KillAfter { instructions, milliseconds });
        })
        .unwrap();
    }
}

#[test]
fn arguments_too_many_and_too_large() {
    let with = |args: Vec<Argument>| {
        survive("arguments", |world| {
            world.domains[0].call = Some(vec!["init_module".into()]);
            world.domains[0].args = args;
        })
    };
    with(vec![Argument::Unsigned(u64::MAX); 6]).unwrap();
    with(vec![Argument::Unsigned(1); 100]).unwrap();
    for args in [
        vec![Argument::Unsigned(1); 100_000],
        vec![Argument::Buffer { buffer: u64::MAX }],
        vec![Argument::Buffer { buffer: 1 << 40 }],
        vec![Argument::Buffer { buffer: 0x7000_0000 }; 4],
        vec![Argument::Bytes { hex: "0".into() }],
        vec![Argument::Text { text: "x".repeat(200 << 20) }],
    ] {
        let error = with(args).unwrap_err();
        assert!(error.contains("argument") || error.contains("hexadecimal"), "{error}");
    }
    with(vec![Argument::Buffer { buffer: 0 }, Argument::Text { text: String::new() }]).unwrap();
}

#[test]
fn calls_of_nothing_and_of_what_is_no_function() {
    for name in ["", "\0", "no_such_function", "init_module\n"] {
        let error = survive("call", |world| world.domains[0].call = Some(vec![name.into()]));
        assert!(error.unwrap_err().contains("has no function"), "{name:?}");
    }
    survive("calls", |world| world.domains[0].call = Some(vec!["init_module".into(); 1000]))
        .unwrap_err();
    survive("no calls", |world| world.domains[0].call = Some(Vec::new())).unwrap_err();
}

#[test]
fn many_domains_and_odd_names() {
    survive("domains", |world| {
        let plan = world.domains[0].clone();
        world.domains = (0..40)
            .map(|n| {
                let mut plan = plan.clone();
                plan.name = format!("domain {n} \u{1f600}\0\n\"");
                plan
            })
            .collect();
    })
    .unwrap();
    survive("a long name", |world| world.domains[0].name = "x".repeat(1 << 20)).unwrap();
}

#[test]
fn capabilities_to_oneself_and_at_odd_places() {
    survive("itself", |world| {
        let name = world.domains[0].name.clone();
        world.domains[0].caps = vec![CapPlan::new(&name, "rwg".parse().unwrap())];
    })
    .unwrap();
    for at in [0x4000_0000, 0x5fff_f000, 0x6000_0000, 0x6fff_f000] {
        let rights = "rwxg".parse().unwrap();
        let page = PagePlan { slot: None, rights, at: Some(GuestPhysical(at)) };
        survive("a page", |world| world.domains[0].pages = vec![page]).unwrap();
    }
    // Two pages in one place cannot both be there.
    let pages = [3, 4].map(|slot| PagePlan {
        slot: Some(slot),
        rights: Rights::READ_WRITE,
        at: Some(GuestPhysical(0x4000_0000)),
    });
    survive("one place", |world| world.domains[0].pages = pages.to_vec()).unwrap_err();
}

#[test]
fn files_that_are_hostile_to_a_parser() {
    let deep = format!("name = \"w\"\na = {}", "[".repeat(100_000));
    let tables = format!("name = \"w\"\n[{}x]", "a.".repeat(100_000));
    let long = format!("name = \"{}\"", "x".repeat(1 << 20));
    for source in [&deep, &tables, &long, "\0", "name = 1", "=", "\u{feff}", "name = \"\\uD800\""] {
        let error = World::parse(source).unwrap_err();
        assert!(error.line >= 1 && error.column >= 1, "{error:?}");
    }
}

#[test]
fn module_names_do_not_leave_the_world_s_directory() {
    let directory = tempfile::tempdir().unwrap();
    for module in ["../../../../../etc/passwd", "/etc/passwd", ".", "..", "", "a/../../b", "\\0"] {
        let path = directory.path().join("w.toml");
        let text = format!("name = \"w\"\n[[domain]]\nname = \"m\"\nmodule = '{module}'\n");
        std::fs::write(&path, text).unwrap();
        let error = assemble::world_file(&path, &Modules::default()).map(drop).unwrap_err();
        assert!(!error.to_string().contains("root:"), "{error}");
    }
}
