//! What the README shows is what the command does.

use std::fs;
use std::path::Path;

use lcd::model::world::World;

use crate::command::{SUCCESS, USAGE, backends, lcd};

fn readme() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fenced blocks: the language and the lines.
fn blocks(text: &str) -> Vec<(String, Vec<String>)> {
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            inside = !inside;
            if inside {
                blocks.push((language.trim().to_owned(), Vec::new()));
            }
        } else if inside {
            blocks.last_mut().expect("it was just opened").1.push(line.to_owned());
        }
    }
    blocks
}

/// The arguments of a line that runs the command.
fn arguments(line: &str) -> Option<Vec<String>> {
    let line = line.trim();
    let line = line.strip_prefix("$ ").unwrap_or(line);
    let line = line.split(" #").next().unwrap_or_default().trim();
    let rest =
        line.strip_prefix("lcd ").or_else(|| line.strip_prefix("cargo run --release -- "))?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// Every command in a block, with the lines printed under it.
fn commands() -> Vec<(Vec<String>, Vec<String>)> {
    let mut found: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for (_, lines) in blocks(&readme()) {
        let mut open = false;
        for line in lines {
            if let Some(arguments) = arguments(&line) {
                found.push((arguments, Vec::new()));
                open = true;
            } else if line.trim_start().starts_with("$ ") {
                open = false;
            } else if open {
                found.last_mut().expect("it is open").1.push(line);
            }
        }
    }
    found
}

/// Whether a command measures and would take long, is a server and does not end, or needs one.
fn is_costly(arguments: &[String]) -> bool {
    let costly = ["bench", "serve", "--server"];
    arguments.first().is_some_and(|first| costly.contains(&first.as_str()))
}

#[test]
fn every_command_is_one() {
    let commands = commands();
    assert!(!commands.is_empty(), "the README shows no command");
    let directory = tempfile::tempdir().unwrap();
    for (arguments, _) in commands.iter().filter(|(arguments, _)| !is_costly(arguments)) {
        let mut arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        // What is written is written elsewhere.
        if let ["site", place] = &mut arguments[..] {
            *place = directory.path().to_str().expect("a path in UTF-8");
        }
        let done = lcd(&arguments);
        // A module of Debian's may not be here, which is no mistake of the command line's.
        assert_ne!(done.code, USAGE, "{arguments:?}: {done:#?}");
    }
}

#[test]
fn calls_of_debian_s_modules_print_what_is_shown() {
    let modules = match lcd_tests::debian_modules() {
        Ok(modules) => modules,
        Err(reason) => return println!("skipped: {reason}"),
    };
    let modules = modules.to_str().expect("a path in UTF-8");
    let backends = backends();
    for (arguments, output) in commands() {
        let named = arguments.iter().skip_while(|text| *text != "--backend").nth(1);
        let here = named.is_none_or(|name| backends.contains(&name.as_str()));
        if arguments[0] != "call" || output.is_empty() || !here {
            continue;
        }
        let arguments: Vec<_> = ["--modules", modules]
            .into_iter()
            .chain(arguments.iter().map(String::as_str))
            .collect();
        let done = lcd(&arguments).expect(SUCCESS);
        assert_eq!(done.stdout.trim_end(), output.join("\n").trim_end(), "{arguments:?}");
    }
}

#[test]
fn every_world_is_one() {
    for (_, lines) in blocks(&readme()).into_iter().filter(|(language, _)| language == "toml") {
        let source = lines.join("\n");
        World::parse(&source).unwrap_or_else(|error| panic!("{error}"));
    }
}
