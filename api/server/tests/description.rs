//! The description of the HTTP API, as it is committed and as it is.
//!
//! With `LCD_BLESS=1` the committed one is written anew.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

fn description() -> Value {
    serde_json::to_value(lcd_server::openapi()).expect("it is plain data")
}

/// All operations: the path, the method, and what is said of it.
fn operations(description: &Value) -> Vec<(String, String, &Value)> {
    let paths = description["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("methods");
        item.iter().map(move |(method, operation)| (path.clone(), method.clone(), operation))
    });
    operations.collect()
}

/// Every value below, with itself.
fn every<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    found.push(value);
    match value {
        Value::Array(items) => items.iter().for_each(|item| every(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| every(field, found)),
        _ => {}
    }
}

#[test]
fn the_committed_description_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let now =
        serde_json::to_string_pretty(&lcd_server::openapi()).expect("it is plain data") + "\n";
    if std::env::var_os("LCD_BLESS").is_some() {
        std::fs::write(&path, &now).expect("it can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = committed.lines().zip(now.lines()).position(|(old, new)| old != new);
    assert!(
        committed == now,
        "docs/openapi.json is not what the server serves (first in line {}): look at what changed, then \
         LCD_BLESS=1 cargo test -p lcd-server --test description",
        differs.map_or(0, |line| line + 1)
    );
}

#[test]
fn every_operation_says_what_it_does() {
    let description = description();
    assert!(description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
    for field in ["title", "version", "description"] {
        assert!(!description["info"][field].as_str().expect(field).is_empty());
    }
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&description) {
        let place = format!("{method} {path}");
        let text =
            |field: &str| operation[field].as_str().is_some_and(|text| !text.trim().is_empty());
        assert!(text("summary") || text("description"), "{place} says nothing");
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{place} has no id"));
        assert!(ids.insert(id), "{place}: {id} is another's id, too");
        let tags = operation["tags"].as_array().unwrap_or_else(|| panic!("{place} has no tag"));
        assert_eq!(tags.len(), 1, "{place}: {tags:?}");
        let responses = operation["responses"].as_object().expect("responses");
        assert!(responses.keys().any(|status| status.starts_with('2')), "{place} never works");
        for (status, response) in responses {
            assert!(
                !response["description"].as_str().unwrap_or_default().is_empty(),
                "{place}: {status}"
            );
        }
    }
    assert!(ids.len() > 30, "{} operations", ids.len());
}

#[test]
fn parameters_are_those_of_the_path_and_described() {
    let description = description();
    for (path, method, operation) in operations(&description) {
        let place = format!("{method} {path}");
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let mut of_path = BTreeSet::new();
        for parameter in &parameters {
            let name = parameter["name"].as_str().expect("a name");
            let text = parameter["description"].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{place}: nothing is said of {name}");
            if parameter["in"] == "path" {
                of_path.insert(name);
                assert_eq!(parameter["required"], true, "{place}: {name}");
            }
        }
        let named = path.split(['{', '}']).skip(1).step_by(2).collect::<BTreeSet<_>>();
        assert_eq!(of_path, named, "{place}");
    }
}

#[test]
fn every_schema_is_there_and_used() {
    let description = description();
    let mut values = Vec::new();
    every(&description, &mut values);
    let mut used = BTreeSet::new();
    for reference in values.iter().filter_map(|value| value["$ref"].as_str()) {
        let pointer = reference.strip_prefix('#').expect("it is of this document");
        assert!(description.pointer(pointer).is_some(), "{reference} is not there");
        used.extend(pointer.strip_prefix("/components/schemas/"));
    }
    let schemas = description["components"]["schemas"].as_object().expect("schemas");
    let unused: Vec<_> = schemas.keys().filter(|name| !used.contains(name.as_str())).collect();
    assert!(unused.is_empty(), "nobody uses {unused:?}");
    for (name, schema) in schemas {
        let root = serde_json::json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": format!("#/components/schemas/{name}"),
            "components": description["components"],
        });
        let made = jsonschema::options().build(&root);
        assert!(made.is_ok(), "{name} is no schema: {:?}: {schema:#}", made.err());
    }
}
