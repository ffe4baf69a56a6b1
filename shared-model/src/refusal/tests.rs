//! Logs that no microkernel writes. What those it does write tell is tested with it.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::refusal;
use crate::event::Event;

fn events(lines: &[&str]) -> Vec<Event> {
    lines.iter().map(|line| serde_json::from_str(line).expect(line)).collect()
}

const FAULT: &str = r#"{"domain":1,"thread":3,"event":"faulted","fault":{"reason":"fault","address":1073745920,"guest_physical":1073745920,"access":"write"},"rip":7}"#;

#[test]
fn a_log_that_tells_nothing_before_gives_a_refusal_all_the_same() {
    let refused = refusal(&events(&[FAULT]), 0).unwrap();
    assert_eq!((refused.access.as_str(), refused.domain.0), ("write", 1));
    assert!(
        refused.text.contains("domain 1") && refused.text.contains("never"),
        "{}",
        refused.text
    );
    assert_eq!((refused.slot, refused.taken_by, refused.operation), (None, None, None));
    assert_eq!(refusal(&[], 0), None);
    assert_eq!(refusal(&events(&[FAULT]), 1), None);
}

#[test]
fn derivations_that_go_in_a_circle_end() {
    let lines = [
        r#"{"domain":1,"event":"capability_added","slot":5,"object":{"page":9},"rights":"r----","from":{"space":{"domain":1},"number":6}}"#,
        r#"{"domain":1,"event":"capability_added","slot":6,"object":{"page":9},"rights":"r----","from":{"space":{"domain":1},"number":5}}"#,
        r#"{"domain":1,"event":"mapped","page":1073745920,"frame":9,"rights":"r----","slot":6}"#,
        FAULT,
    ];
    let refused = refusal(&events(&lines), 3).unwrap();
    assert_eq!((refused.slot, refused.missing.as_deref()), (Some(6), Some("w")));
    assert_eq!(refused.taken_by, Some(0), "the first that came without the right");
}

#[test]
fn every_event_of_a_log_in_any_order_can_be_asked_about() {
    let mut lines = Vec::from([
        r#"{"domain":1,"event":"unmapped","page":1073745920,"frame":9}"#,
        r#"{"domain":1,"thread":3,"event":"completed","call":"sync_receive","status":"cancelled"}"#,
        r#"{"domain":1,"thread":3,"event":"hypercall","call":"cap_grant","number":2,"arguments":[],"status":"not_permitted"}"#,
        r#"{"domain":1,"thread":3,"event":"hypercall","number":99,"arguments":[],"status":"no_system_call"}"#,
        r#"{"domain":1,"event":"capability_removed","space":{"domain":1},"slot":6,"object":{"page":9}}"#,
        r#"{"domain":1,"event":"mapped","page":1073745920,"frame":9,"rights":"r----","slot":6}"#,
        FAULT,
    ]);
    for _ in 0..lines.len() {
        lines.rotate_left(1);
        let events = events(&lines);
        for number in 0..events.len() {
            let text = refusal(&events, number).map(|refusal| refusal.text.to_string());
            assert!(text.is_none_or(|text| text.ends_with('.')));
        }
    }
}
