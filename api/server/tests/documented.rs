//! What docs/server.md lists is what there is.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use lcd_server::config::{ConfigFile, Limits};
use lcd_server::problem::Kind;

fn file(name: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    let text = fs::read_to_string(&path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (path, text)
}

/// The rows of the table with this first heading, cells without the marks around code.
fn table(heading: &str) -> Vec<Vec<String>> {
    let (_, text) = file("docs/server.md");
    let begin = format!("| {heading} |");
    let lines = text.lines().skip_while(|line| !line.starts_with(&begin)).skip(2);
    let rows = lines.take_while(|line| line.starts_with('|')).map(|line| {
        let cells = line.trim_matches('|').split(" |");
        cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect::<Vec<_>>()
    });
    let rows: Vec<_> = rows.collect();
    assert!(!rows.is_empty(), "docs/server.md has no table of {heading}");
    rows
}

#[test]
fn the_problems() {
    let kinds = Kind::ALL.iter().map(|kind| {
        vec![kind.name.to_owned(), kind.status.as_u16().to_string(), kind.title.to_owned()]
    });
    assert_eq!(table("kind"), kinds.collect::<Vec<_>>());
}

#[test]
fn the_limits() {
    let limits = serde_json::to_value(Limits::default()).unwrap();
    let mut limits: BTreeMap<String, serde_json::Value> = serde_json::from_value(limits).unwrap();
    for row in table("limit") {
        let name = &row[0];
        let default = limits.remove(name).unwrap_or_else(|| panic!("there is no limit {name}"));
        // The number of processors is not the same everywhere.
        if name != "workers" {
            assert_eq!(row[1], default.to_string(), "{name}");
        }
    }
    assert!(limits.is_empty(), "not documented: {limits:?}");
}

#[test]
fn the_configuration_file() {
    let (path, text) = file("packaging/lcd.toml");
    let (_, guide) = file("docs/server.md");
    assert!(guide.contains(&format!("```toml\n{text}```\n")), "docs/server.md shows another file");
    assert_eq!(ConfigFile::read(&path).unwrap().limits, Limits::default());

    // What is commented out is right as well, and then nothing is missing.
    let is_key = |line: &&str| line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
    let lines = text.lines().map(|line| line.strip_prefix("# ").filter(is_key).unwrap_or(line));
    let whole = lines.collect::<Vec<_>>().join("\n");
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("lcd.toml");
    fs::write(&path, &whole).unwrap();
    let ConfigFile { listen, data, token_file, allow_host, modules, shutdown_seconds, limits } =
        ConfigFile::read(&path).unwrap();
    assert!(listen.is_some() && data.is_some() && token_file.is_some() && modules.is_some());
    assert!(!allow_host.is_empty() && shutdown_seconds.is_some());
    assert_eq!(limits, Limits { workers: limits.workers, ..Limits::default() });
    let serde_json::Value::Object(limits) = serde_json::to_value(limits).unwrap() else {
        panic!("limits are no object");
    };
    for name in limits.keys() {
        assert!(whole.lines().any(|line| line.starts_with(&format!("{name} = "))), "{name}");
    }
}

#[test]
fn the_metrics() {
    // There is no list of them at run time: one that was not counted yet is not there.
    let source = include_str!("../src/telemetry.rs");
    let described = source.lines().filter_map(|line| {
        let (kind, rest) = line.trim_start().split_once("!(\"")?;
        let name = rest.split('"').next()?;
        let kinds = ["counter", "gauge", "histogram"];
        kinds.contains(&kind).then(|| vec![name.to_owned(), kind.to_owned()])
    });
    let listed = table("metric").into_iter().map(|row| row[..2].to_vec());
    assert_eq!(listed.collect::<Vec<_>>(), described.collect::<Vec<_>>());
}
