//! `lcd bench`. Counts are tested; times are only there.

use serde_json::Value;

use crate::command::{SUCCESS, USAGE, backends, lcd};

/// A section's JSON.
#[track_caller]
fn section(name: &str, arguments: &[&str]) -> Value {
    let arguments = [&["bench", "--format", "json", "--only", name], arguments].concat();
    let report = lcd(&arguments).expect(SUCCESS).json();
    assert!(report["host"]["class"].is_string(), "{report}");
    assert_eq!(report["native_skipped"].is_string(), backends() == ["sim"], "{report}");
    for other in ["compute", "messages", "rings", "capabilities"] {
        assert_eq!(report[other].is_object(), other == name, "{other}: {report}");
    }
    report[name].clone()
}

/// A measured thing of a backend.
#[track_caller]
fn cost<'a>(section: &'a Value, backend: &str, key: &str, value: &str) -> &'a Value {
    let mut costs = section["costs"].as_array().expect("costs").iter();
    let found = costs.find(|cost| cost["backend"] == backend && cost[key] == value);
    let found = found.unwrap_or_else(|| panic!("{backend}, {value}: {section}"));
    assert!(found["microseconds"].is_number(), "{found}");
    found
}

#[test]
fn every_backend_computes_the_same() {
    let compute = section("compute", &["--rounds", "2"]);
    let runs = compute["runs"].as_array().expect("runs");
    assert_eq!(runs.len(), backends().len());
    assert_eq!(runs[0]["backend"], "sim");
    assert!(compute["instructions"].as_u64().unwrap() > 100_000);
    for run in runs {
        assert_eq!(run["digest"], runs[0]["digest"]);
        assert!(run["seconds"].is_number() && run["million_instructions_per_second"].is_number());
    }
}

#[test]
fn a_round_trip_enters_each_side_once() {
    let messages = section("messages", &["--trips", "50"]);
    let operations =
        [("hypercall", 1.0), ("call and reply", 2.0), ("signal and wait, both ways", 4.0)];
    for backend in backends() {
        for (operation, entries) in operations {
            let cost = cost(&messages, backend, "operation", operation);
            assert!(cost["hypercalls"].is_number(), "{cost}");
            if backend == "native" {
                assert_eq!(cost["entries"], entries, "{cost}");
            } else {
                // As many as the loop has, so a whole number, and a few.
                let instructions = cost["instructions"].as_f64().unwrap();
                assert!((4.0..100.0).contains(&instructions), "{cost}");
                assert_eq!(instructions.fract(), 0.0, "{cost}");
            }
        }
    }
}

#[test]
fn a_message_through_a_ring_takes_a_share_of_an_entry() {
    let rings = section("rings", &["--messages", "5120"]);
    let slots = rings["slots"].as_f64().unwrap();
    for backend in backends() {
        let yields = cost(&rings, backend, "waiting", "yields");
        assert!(yields["messages_per_second"].is_number(), "{yields}");
        if backend == "native" {
            // Each side yields once for each time that the ring is full, or empty.
            assert_eq!(yields["entries"].as_f64().unwrap() * slots, 2.0, "{yields}");
            // Others have only what a thread's start and end take, and that cancels out.
            let polls = cost(&rings, backend, "waiting", "polls, in parallel");
            assert_eq!(polls["entries"], 0.0, "{polls}");
        } else {
            assert!(yields["instructions"].as_f64().unwrap() > 10.0, "{yields}");
        }
    }
}

#[test]
fn capabilities_are_measured_beside_a_hash_map() {
    let capabilities = section("capabilities", &["--operations", "200"]);
    let costs = capabilities["costs"].as_array().expect("costs");
    for operation in ["lookup", "delete and grant again", "revoke, by 1000", "size"] {
        assert!(costs.iter().any(|cost| cost["operation"] == operation), "{operation}");
    }
    for cost in costs {
        assert!(cost["each"].as_f64().unwrap() > 0.0, "{cost}");
        assert!(cost["capabilities"].is_number() && cost["unit"].is_string(), "{cost}");
        // That is a count.
        let fits = cost["operation"] != "size" || cost["each"].as_f64().unwrap() <= 64.0;
        assert!(fits, "{cost}");
    }
}

#[test]
fn sections_are_tables_for_people() {
    let done = lcd(&["bench", "--only", "compute,messages", "--rounds", "1", "--trips", "10"]);
    let text = done.expect(SUCCESS).stdout;
    assert!(text.starts_with("host: "), "{text}");
    assert!(text.contains("\ncompute: ") && text.contains("\nmessages: "), "{text}");
    assert!(text.contains("call and reply") && !text.contains("\nrings: "), "{text}");
    lcd(&["bench", "--only", "everything"]).expect(USAGE);
    lcd(&["bench", "--trips", "0"]).expect(USAGE);
}
