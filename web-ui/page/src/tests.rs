use std::collections::BTreeSet;
use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::{POLICY, Page, media_type};

/// Bytes that have to be sent for a file.
fn sent(path: &str) -> usize {
    let file = Page::served().get(path).unwrap_or_else(|| panic!("{path} is not there"));
    file.gzipped().unwrap_or(&file.bytes).len()
}

fn text(path: &str) -> &'static str {
    let file = Page::served().get(path).unwrap_or_else(|| panic!("{path} is not there"));
    std::str::from_utf8(&file.bytes).unwrap()
}

/// What an HTML file names in an attribute, inside the page.
fn named(html: &'static str, attribute: &str) -> Vec<&'static str> {
    let mut parts = html.split(attribute);
    parts.next();
    let values = parts.map(|rest| rest.split_once('"').expect("a closing quote").0);
    values.filter(|value| !value.contains(':')).map(relative).collect()
}

fn relative(value: &str) -> &str {
    value.strip_prefix("./").unwrap_or_else(|| panic!("{value} works under one path only"))
}

/// What a script that Vite built loads before it runs: `import … from "./x.js"` and
/// `import "./x.js"`, but not `import("./x.js")`.
fn imports(script: &'static str) -> impl Iterator<Item = &'static str> {
    ["from\"./", "import\"./", "from'./", "import'./"].into_iter().flat_map(move |keyword| {
        let quote = if keyword.contains('"') { '"' } else { '\'' };
        script.split(keyword).skip(1).filter_map(move |rest| Some(rest.split_once(quote)?.0))
    })
}

/// Everything that is loaded before a page of the site shows something.
fn first_load(html: &str) -> BTreeSet<String> {
    let mut open: Vec<String> = Vec::new();
    for attribute in ["src=\"", "href=\""] {
        let names = named(text(html), attribute).into_iter();
        open.extend(names.filter(|n| n.ends_with("js") || n.ends_with("css")).map(str::to_owned));
    }
    let mut loaded = BTreeSet::from([html.to_owned()]);
    while let Some(path) = open.pop() {
        if path.ends_with("js") {
            let directory = path.rsplit_once('/').map_or(String::new(), |(at, _)| format!("{at}/"));
            let found = imports(text(&path)).map(|name| format!("{directory}{name}"));
            open.extend(found.filter(|path| !loaded.contains(path)));
        }
        loaded.insert(path);
    }
    loaded
}

#[test]
fn pages_name_only_files_that_are_there_and_bring_nothing_inline() {
    for html in ["index.html", "embed.html"] {
        let source = text(html);
        for attribute in ["src=\"", "href=\""] {
            for path in named(source, attribute) {
                assert!(Page::served().get(path).is_some(), "{html} names {path}");
            }
        }
        assert!(!first_load(html).is_empty());
        // The policy that the page is served with refuses these.
        for refused in ["<style", " style=", " onclick=", " onload=", "http://", "https://"] {
            assert!(!source.contains(refused), "{html}: {refused}");
        }
        let mut scripts = source.split("<script").skip(1);
        assert!(scripts.all(|script| script.contains("src=\"./")), "{html} has a script inline");
        // Both policies hold, so they had better be the same.
        let plain = source.replace("&#39;", "'");
        let (_, rest) = plain.split_once("Content-Security-Policy").expect("it has a policy");
        assert!(rest.contains(POLICY), "{html} has another policy");
    }
}

#[test]
fn the_first_load_is_small() {
    for html in ["index.html", "embed.html"] {
        let loaded = first_load(html);
        let size: usize = loaded.iter().map(|path| sent(path)).sum();
        assert!(size <= 100_000, "{html} loads {size} bytes: {loaded:?}");
        let lazy = loaded.iter().find(|path| path.contains("lcd/") || path.ends_with("wasm"));
        assert_eq!(lazy, None);
    }
}

#[test]
fn the_simulator_is_small() {
    let size = sent("lcd/sim.wasm");
    assert!(size <= 600_000, "{size} bytes, compressed");
}

#[test]
fn whatever_the_list_of_worlds_names_is_there() {
    for (page, server) in [(Page::served(), true), (Page::without_server(), false)] {
        let site: Value =
            serde_json::from_slice(&page.get("lcd/site.json").unwrap().bytes).unwrap();
        assert_eq!((&site["server"], &site["version"]), (&server.into(), &"0.1.0".into()));
        let headers = site["headers"].as_array().unwrap();
        assert!(headers.contains(&"lcd.h".into()) && headers.contains(&"module.h".into()));
        for header in headers {
            let path = format!("lcd/include/{}", header.as_str().unwrap());
            assert!(page.get(&path).is_some(), "{path}");
        }
        let worlds = site["worlds"].as_array().unwrap();
        assert_eq!(worlds.len(), bundled_worlds::WORLDS.len());
        for world in worlds {
            let name = world["name"].as_str().unwrap();
            assert!(!world["about"].as_str().unwrap().is_empty(), "{name}");
            let files = world["files"].as_array().unwrap();
            let sources = world["sources"].as_array().unwrap();
            assert_eq!(sources.is_empty(), files.is_empty(), "{name}");
            let names = files.iter().chain(sources).map(|file| file.as_str().unwrap());
            for file in names.chain(["world.toml"]) {
                assert!(page.get(&format!("lcd/worlds/{name}/{file}")).is_some(), "{name}/{file}");
            }
        }
    }
}

#[test]
fn every_file_has_its_media_type_and_its_tag() {
    let mut paths = BTreeSet::new();
    let mut tags = BTreeSet::new();
    for (path, file) in Page::served().files() {
        assert!(paths.insert(path), "{path} is there twice");
        let plain = path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b));
        let steps = path.split('/').all(|step| !["", ".", ".."].contains(&step));
        assert!(plain && steps, "{path} is no path that works everywhere");
        let bytes = [".ko", ".elf", ".o"].iter().any(|end| path.ends_with(end));
        assert_eq!(file.media_type == media_type::BYTES, bytes, "{path}: {}", file.media_type);
        assert_eq!(file.immutable, path.starts_with("assets/"), "{path}");
        assert!(file.etag.starts_with('"') && file.etag.len() == 34 && file.etag.ends_with('"'));
        tags.insert((file.etag.as_str(), &file.bytes));
    }
    let distinct: BTreeSet<_> = tags.iter().map(|(tag, _)| tag).collect();
    assert_eq!(distinct.len(), tags.len(), "other bytes have another tag");
    let tag = |page: &Page| page.get("lcd/site.json").unwrap().etag.clone();
    assert_ne!(tag(Page::served()), tag(Page::without_server()));
    for path in ["", "/", "index", "../Cargo.toml", "assets", "assets/", "lcd/worlds/../sim.wasm"] {
        assert!(Page::served().get(path).is_none(), "{path}");
    }
}

#[test]
fn what_is_compressed_is_the_same() {
    for (path, file) in Page::served().files().filter(|(path, _)| !path.contains("/worlds/")) {
        let Some(gzipped) = file.gzipped() else { continue };
        let mut bytes = Vec::new();
        GzDecoder::new(gzipped).read_to_end(&mut bytes).unwrap();
        assert!(bytes == *file.bytes && gzipped.len() < bytes.len(), "{path}");
    }
    assert!(Page::served().get("lcd/sim.wasm").unwrap().gzipped().is_some());
}
