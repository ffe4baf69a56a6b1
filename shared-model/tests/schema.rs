//! The schemas say what serde writes: where they refer to each other, and for a few values.

use serde_json::{Value, json};
use shared_model::abi::{Hypercall, Status};
use shared_model::address::{Frame, GuestPhysical};
use shared_model::capability::{Object, Slot, SpaceId};
use shared_model::compare::Verdict;
use shared_model::domain::{DomainId, ThreadId};
use shared_model::event::{Event, EventKind, LogHeader, PageRange};
use shared_model::exit::{End, Exited, KillReason};
use shared_model::loader::inspect::Inspection;
use shared_model::registers::Registers;
use shared_model::report::RunReport;
use shared_model::rights::Rights;
use shared_model::snapshot::Snapshot;
use utoipa::openapi::{ComponentsBuilder, OpenApiBuilder};
use utoipa::{PartialSchema, ToSchema};

/// All schemas, by name.
fn schemas() -> Value {
    let mut all = Vec::new();
    fn add<T: ToSchema>(all: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
        all.push((T::name().into(), T::schema()));
        T::schemas(all);
    }
    add::<Event>(&mut all);
    add::<LogHeader>(&mut all);
    add::<RunReport>(&mut all);
    add::<Verdict>(&mut all);
    add::<Snapshot>(&mut all);
    add::<Inspection>(&mut all);
    let components = ComponentsBuilder::new().schemas_from_iter(all).build();
    let document = OpenApiBuilder::new().components(Some(components)).build();
    serde_json::to_value(document).unwrap()["components"]["schemas"].take()
}

/// The schema that a reference leads to.
fn resolve<'a>(all: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(path) => {
            let name = path.strip_prefix("#/components/schemas/").expect("a reference to a schema");
            assert!(!all[name].is_null(), "{name} is referred to and is not there");
            resolve(all, &all[name])
        }
        None => schema,
    }
}

/// Whether a value is what a schema says, as far as the keywords go that are used here.
fn fits(all: &Value, schema: &Value, value: &Value) -> bool {
    let schema = resolve(all, schema);
    let each =
        |key: &str| schema[key].as_array().map(|list| list.iter().map(|s| fits(all, s, value)));
    if each("oneOf").is_some_and(|mut found| found.by_ref().filter(|&fits| fits).count() != 1)
        || each("allOf").is_some_and(|mut found| !found.all(|fits| fits))
    {
        return false;
    }
    let is_type = |word: &Value| match word.as_str().expect("a type is a word") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("no type is called {other}"),
    };
    let typed = match &schema["type"] {
        Value::Null => true,
        Value::Array(words) => words.iter().any(is_type),
        word => is_type(word),
    };
    let listed = schema["enum"].as_array().is_none_or(|list| list.contains(value));
    let required = schema["required"].as_array().is_none_or(|keys| {
        keys.iter().all(|key| value.get(key.as_str().expect("a key")).is_some())
    });
    let properties = schema["properties"].as_object().is_none_or(|properties| {
        properties.iter().all(|(key, of)| value.get(key).is_none_or(|value| fits(all, of, value)))
    });
    let items = match (value.as_array(), &schema["items"]) {
        (Some(_), Value::Null | Value::Bool(_)) | (None, _) => true,
        (Some(list), of) => list.iter().all(|item| fits(all, of, item)),
    };
    typed && listed && required && properties && items
}

fn event(kind: EventKind) -> Event {
    Event { domain: DomainId(3), thread: Some(ThreadId(7)), kind }
}

fn ended(end: End) -> EventKind {
    EventKind::Ended { end, registers: Registers::default(), at: None, undefined_flags: 0 }
}

#[test]
fn every_schema_that_is_referred_to_is_there() {
    fn walk(all: &Value, at: &Value) {
        resolve(all, at);
        match at {
            Value::Object(map) => map.values().for_each(|value| walk(all, value)),
            Value::Array(list) => list.iter().for_each(|value| walk(all, value)),
            _ => {}
        }
    }
    let all = schemas();
    walk(&all, &all);
}

#[test]
fn events_are_as_described() {
    let all = schemas();
    let object = Object::Page(Frame(4));
    let rights = Rights::READ_WRITE;
    let page = GuestPhysical(!0xfff);
    let range = PageRange { page, frame: Frame(2), pages: 3, rights };
    let from = Some(Slot { space: SpaceId::Host, number: 5 });
    let kinds = [
        EventKind::DomainCreated { name: "main".into() },
        EventKind::Built { initial: ThreadId(0), pages: vec![range] },
        EventKind::ThreadStarted,
        EventKind::Hypercall {
            call: Some(Hypercall::CapCopy),
            number: 3,
            arguments: vec![1, u64::MAX],
            text: None,
            bytes: None,
            status: Status::NotPermitted,
        },
        EventKind::CapabilityAdded { space: None, slot: 1, object, rights, badge: 2, from },
        EventKind::CapabilityRemoved {
            space: SpaceId::Thread(ThreadId(1)),
            slot: 2,
            object: Object::Reply(ThreadId(0)),
            moved_to: Some(9),
            heir: None,
        },
        EventKind::Mapped { page, frame: Frame(1), rights, slot: None },
        ended(End::Exit(Exited { value: -1 })),
        ended(End::Killed(KillReason::Port { port: 1 })),
        ended(End::Killed(KillReason::Stuck)),
        EventKind::DomainDestroyed,
    ];
    for kind in kinds {
        let written = serde_json::to_value(event(kind)).unwrap();
        assert!(fits(&all, &all["Event"], &written), "{written}");
        let mut other = written.clone();
        other["event"] = json!("something_else");
        assert!(!fits(&all, &all["Event"], &other), "{other}");
        let mut other = written;
        other["domain"] = json!("three");
        assert!(!fits(&all, &all["Event"], &other), "{other}");
    }
}

#[test]
fn a_snapshot_is_as_described() {
    let all = schemas();
    let object = Object::Page(Frame(4));
    let rights = Rights::ALL;
    let from = Some(Slot { space: SpaceId::Domain(DomainId(3)), number: 1 });
    let kinds = [
        EventKind::DomainCreated { name: "main".into() },
        EventKind::Built { initial: ThreadId(7), pages: Vec::new() },
        EventKind::ThreadStarted,
        EventKind::CapabilityAdded { space: None, slot: 1, object, rights, badge: 0, from: None },
        EventKind::CapabilityAdded { space: None, slot: 2, object, rights, badge: 0, from },
        ended(End::Killed(KillReason::Timeout)),
    ];
    let written = serde_json::to_value(Snapshot::of(&kinds.map(event))).unwrap();
    assert_eq!(written["spaces"][0]["capabilities"][1]["from"]["number"], 1);
    assert!(fits(&all, &all["Snapshot"], &written), "{written:#}");
    let mut other = written;
    other["spaces"][0]["capabilities"][0]["rights"] = json!(31);
    assert!(!fits(&all, &all["Snapshot"], &other));
}

#[test]
fn an_end_by_itself_says_so() {
    let all = schemas();
    assert_eq!(resolve(&all, &all["Exited"]), &serde_json::to_value(Exited::schema()).unwrap());
    for end in [json!({"reason": "exit", "value": 3}), json!({"reason": "shutdown"})] {
        assert!(fits(&all, &all["End"], &end), "{end}");
        serde_json::from_value::<End>(end).unwrap();
    }
    assert!(!fits(&all, &all["End"], &json!({"reason": "boredom", "value": 3})));
}
