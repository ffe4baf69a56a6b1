//! Whatever a server answers is held against the description that it serves: the path and method
//! are there, the status is one that they document, the media type is documented for it, and the
//! body is what the schema says, with nothing more and nothing less.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock};

use jsonschema::Validator;
use serde_json::{Value, json};
use ureq::http::Method;

use crate::client::{Client, Reply};

/// Where the description is.
const DESCRIPTION: &str = "/api/v1/openapi.json";
const PROBLEM: &str = "application/problem+json";

static LEARNT: OnceLock<Description> = OnceLock::new();

/// A description, with what is made of it.
struct Description {
    document: Value,
    /// Its components, closed: with no room for what they do not name.
    components: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

/// Reads a server's description, unless one was read before: all servers here are of one build.
pub(crate) fn learn(client: &Client) {
    LEARNT.get_or_init(|| {
        let reply = client.ask_anything(&Method::GET, DESCRIPTION, "", &[]).expect("an answer");
        assert_eq!((reply.status, reply.media_type()), (200, "application/json"));
        Description::new(reply.json())
    });
}

/// Holds an answer against the description.
#[track_caller]
pub(crate) fn check(method: &str, path: &str, reply: &Reply) {
    let description = LEARNT.get().expect("a client has learnt it");
    let place = format!("{method} {path}: {}", reply.status);
    check_headers(&place, reply);
    let path = path.split('?').next().unwrap_or_default();
    match description.operation(method, path) {
        Some((template, operation)) => {
            let place = format!("{method} {template}: {}", reply.status);
            description.check_answer(&place, operation, reply);
        }
        None if reply.status >= 400 => description.check_problem(&place, reply),
        // Pages for people.
        None => {
            let directory = |name| path.starts_with(name);
            let file = path.trim_start_matches('/');
            let of_page = path == "/" || lcd_page::Page::served().get(file).is_some();
            let pages = path == DESCRIPTION || directory("/docs") || directory("/problems/");
            assert!(of_page || pages, "{place}: this path is not described");
        }
    }
}

/// What every answer has.
#[track_caller]
fn check_headers(place: &str, reply: &Reply) {
    assert!(!reply.header("x-request-id").is_empty(), "{place}: it has no id");
    assert_eq!(reply.header("x-content-type-options"), "nosniff", "{place}");
    assert!(!reply.header("content-security-policy").is_empty(), "{place}");
}

impl Description {
    fn new(document: Value) -> Self {
        let mut components = document["components"].clone();
        let schemas = components["schemas"].as_object_mut().expect("schemas");
        let mut parts = BTreeSet::new();
        schemas.values().for_each(|schema| find_parts(schema, false, &mut parts));
        // What is part of something larger does not say what else is there.
        let mut size = 0;
        while size != parts.len() {
            size = parts.len();
            for name in parts.clone() {
                if let Some(schema) = schemas.get(&name) {
                    find_parts(schema, true, &mut parts);
                }
            }
        }
        for (name, schema) in schemas {
            close(schema, parts.contains(name));
        }
        Self { document, components, validators: Mutex::default() }
    }

    /// What is described for a path as it is asked for. A name in the path fits before a parameter.
    fn operation(&self, method: &str, path: &str) -> Option<(&str, &Value)> {
        let paths = self.document["paths"].as_object().expect("paths");
        let fitting = paths.iter().filter(|(template, _)| fits(template, path));
        let (template, item) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
        Some((template, item.get(method.to_ascii_lowercase())?))
    }

    #[track_caller]
    fn check_answer(&self, place: &str, operation: &Value, reply: &Reply) {
        let documented = &operation["responses"][reply.status.to_string()];
        assert!(documented.is_object(), "{place} is not documented: {}", reply.text());
        if reply.status >= 400 {
            self.check_problem(place, reply);
        }
        for name in documented["headers"].as_object().into_iter().flat_map(|all| all.keys()) {
            assert!(!reply.header(name).is_empty(), "{place}: there is no header {name}");
        }
        let Some(content) = documented["content"].as_object() else {
            assert!(reply.body.is_empty(), "{place}: a body, and none is documented");
            return;
        };
        let media_type = reply.media_type();
        let content = content.get(media_type).unwrap_or_else(|| {
            panic!("{place}: `{media_type}` is not documented: {}", reply.text())
        });
        if media_type == "application/json" || media_type == PROBLEM {
            self.validate(&format!("{place} {media_type}"), &content["schema"], reply);
        }
    }

    /// Every refusal is a problem, complete, and says the same as the answer's head.
    #[track_caller]
    fn check_problem(&self, place: &str, reply: &Reply) {
        assert_eq!(reply.media_type(), PROBLEM, "{place}: {}", reply.text());
        let problem = reply.json();
        let schema = json!({ "$ref": "#/components/schemas/ProblemDetails" });
        self.validate(PROBLEM, &schema, reply);
        assert_eq!(problem["status"], reply.status, "{place}");
        let id = reply.header("x-request-id");
        assert_eq!(problem["instance"], format!("urn:request:{id}"), "{place}");
        assert!(problem["type"].as_str().is_some_and(|name| name.starts_with("/problems/")));
        for field in ["title", "detail", "advice"] {
            assert!(
                problem[field].as_str().is_some_and(|text| !text.is_empty()),
                "{place}: {problem}"
            );
        }
    }

    #[track_caller]
    fn validate(&self, key: &str, schema: &Value, reply: &Reply) {
        let validator = {
            let mut validators = self.validators.lock().expect("nobody panicked");
            let made =
                validators.entry(key.into()).or_insert_with(|| Arc::new(self.compile(schema)));
            Arc::clone(made)
        };
        let body = reply.json();
        let errors: Vec<_> = validator
            .iter_errors(&body)
            .take(5)
            .map(|error| format!("at `{}`: {error}", error.instance_path()))
            .collect();
        let shown: String = reply.text().chars().take(2000).collect();
        assert!(errors.is_empty(), "{key}:\n{}\n{shown}", errors.join("\n"));
    }

    fn compile(&self, schema: &Value) -> Validator {
        let mut schema = schema.clone();
        close(&mut schema, false);
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": self.components,
        });
        let options = jsonschema::options().should_validate_formats(true);
        options.build(&whole).expect("every schema is one")
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut left, mut right) = (template.split('/'), path.split('/'));
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(name), Some(given)) if name == given || name.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// The names of schemas that are referred to as parts of larger ones.
fn find_parts(schema: &Value, part: bool, found: &mut BTreeSet<String>) {
    if let Some(name) = schema["$ref"].as_str()
        && part
    {
        found.extend(name.rsplit('/').next().map(String::from));
    }
    for (key, below) in schema.as_object().into_iter().flatten() {
        let of_whole = match key.as_str() {
            "allOf" => true,
            "oneOf" | "anyOf" => part,
            _ => false,
        };
        match below {
            Value::Array(items) => items.iter().for_each(|item| find_parts(item, of_whole, found)),
            Value::Object(_) if key == "properties" => {
                below
                    .as_object()
                    .into_iter()
                    .flatten()
                    .for_each(|(_, s)| find_parts(s, false, found));
            }
            Value::Object(_) => find_parts(below, false, found),
            _ => {}
        }
    }
}

/// Has a schema refuse properties that it does not name, unless it is part of a larger one.
fn close(schema: &mut Value, part: bool) {
    let Some(object) = schema.as_object_mut() else { return };
    for (key, below) in object.iter_mut() {
        match (key.as_str(), below) {
            ("allOf", Value::Array(items)) => items.iter_mut().for_each(|item| close(item, true)),
            ("oneOf" | "anyOf", Value::Array(items)) => {
                items.iter_mut().for_each(|item| close(item, part));
            }
            ("prefixItems", Value::Array(items)) => {
                items.iter_mut().for_each(|item| close(item, false));
            }
            ("properties", Value::Object(properties)) => {
                properties.values_mut().for_each(|property| close(property, false));
            }
            ("items" | "additionalProperties", below) => close(below, false),
            _ => {}
        }
    }
    if part {
        return;
    }
    if object.contains_key("allOf") {
        object.entry("unevaluatedProperties").or_insert(false.into());
    } else if object.contains_key("properties") {
        object.entry("additionalProperties").or_insert(false.into());
    }
}

#[test]
fn what_is_not_described_is_noticed() {
    let document = json!({
        "paths": {
            "/a/{id}": { "get": { "responses": { "200": { "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Whole" },
            } } } } } },
            "/a/b": {},
        },
        "components": { "schemas": {
            "Part": { "type": "object", "required": ["x"], "properties": { "x": { "type": "integer" } } },
            "Whole": { "allOf": [
                { "$ref": "#/components/schemas/Part" },
                { "type": "object", "properties": { "y": { "type": "string", "format": "date-time" } } },
            ] },
        } },
    });
    let description = Description::new(document);
    assert_eq!(description.operation("GET", "/a/c").map(|(template, _)| template), Some("/a/{id}"));
    assert!(description.operation("GET", "/a/b").is_none());
    assert!(description.operation("POST", "/a/c").is_none());
    let validator = description.compile(&json!({ "$ref": "#/components/schemas/Whole" }));
    let valid = |value: &Value| validator.is_valid(value);
    assert!(valid(&json!({ "x": 1, "y": "2025-01-01T00:00:00Z" })));
    assert!(!valid(&json!({ "y": "2025-01-01T00:00:00Z" })));
    assert!(!valid(&json!({ "x": 1, "y": "yesterday" })));
    assert!(!valid(&json!({ "x": 1, "z": 1 })));
}
