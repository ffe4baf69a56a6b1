//! `lcd site`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::command::{Place, SETUP, SUCCESS, USAGE, lcd};

/// All files under a directory, from there.
fn tree(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => found.push(path.strip_prefix(directory).unwrap().to_owned()),
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_site_is_written_whole_and_replaced() {
    let place = Place::new();
    let site = place.join("deep/site");
    let name = site.to_str().unwrap();
    let done = lcd(&["site", name, "--format", "json"]).expect(SUCCESS).json();
    assert_eq!((&done["schema"], &done["directory"]), (&"lcd-site/1".into(), &name.into()));
    let files = tree(&site);
    // And the list of them.
    assert_eq!(done["files"].as_u64().unwrap() as usize + 1, files.len());
    for file in ["index.html", "embed.html", "lcd/sim.wasm", "lcd/workbench.wasm", "lcd/liblcd.o"] {
        assert!(files.contains(&file.into()), "{file}");
    }
    let text = fs::read(site.join("lcd/site.json")).unwrap();
    let about: Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(about["server"], false);
    let world = site.join("lcd/worlds/printk");
    assert!(world.join("world.toml").is_file() && world.join("printk.ko").is_file());
    // Once more, with a file of an earlier page, one of somebody else's, and one outside.
    fs::write(site.join("assets/old-12345678.js"), "old").unwrap();
    fs::write(site.join("CNAME"), "example.org").unwrap();
    fs::write(place.join("outside"), "kept").unwrap();
    let list = site.join("lcd/files.json");
    let mut names: Value = serde_json::from_slice(&fs::read(&list).unwrap()).unwrap();
    let all = names["files"].as_array_mut().unwrap();
    all.extend(["assets/old-12345678.js", "../../outside", "lcd/not-there"].map(Value::from));
    fs::write(&list, names.to_string()).unwrap();
    fs::write(site.join("index.html"), "damaged").unwrap();
    let text = lcd(&["site", name]).expect(SUCCESS).stdout;
    assert!(
        text.contains(" files, ") && text.contains("removed: assets/old-12345678.js\n"),
        "{text}"
    );
    let mut expected = files;
    expected.push("CNAME".into());
    expected.sort();
    assert_eq!(tree(&site), expected);
    assert!(fs::read_to_string(site.join("index.html")).unwrap().contains("<!doctype html>"));
    assert_eq!(fs::read_to_string(place.join("outside")).unwrap(), "kept");
}

#[test]
fn a_directory_with_something_else_in_it_is_left_alone() {
    let place = Place::new();
    place.file("letters.txt", "dear");
    let name = place.path().to_str().unwrap();
    let done = lcd(&["site", name]).expect(SETUP);
    assert!(done.stderr.contains(name) && done.stderr.contains("--force"), "{}", done.stderr);
    assert_eq!(tree(place.path()), [PathBuf::from("letters.txt")]);
    lcd(&["site", name, "--force"]).expect(SUCCESS);
    assert_eq!(fs::read_to_string(place.join("letters.txt")).unwrap(), "dear");
    assert!(place.join("index.html").is_file());
    // A list that is none says nothing about whose the directory is.
    let other = Place::new();
    fs::create_dir(other.join("lcd")).unwrap();
    other.file("lcd/files.json", "[]");
    lcd(&["site", other.path().to_str().unwrap()]).expect(SETUP);
}

#[test]
fn what_is_no_directory_is_an_error() {
    let place = Place::new();
    let file = place.file("file", "a file");
    for name in [file.clone(), format!("{file}/below")] {
        for force in [&[][..], &["--force"]] {
            let done = lcd(&[&["site", &name], force].concat()).expect(SETUP);
            assert!(done.stderr.contains("file"), "{}", done.stderr);
        }
    }
    lcd(&["site"]).expect(USAGE);
    lcd(&["--server", "http://127.0.0.1:1", "site", "x"]).expect(USAGE);
}
