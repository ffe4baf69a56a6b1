//! Logs that no microkernel writes. What those it does write tell is tested with it.

use alloc::format;
use alloc::string::{String, ToString};
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

/// The end of a thread by general protection, with port 0x3f8 in `dx`.
const PROTECTED: &str = r#"{"domain":1,"thread":3,"event":"ended","end":{"reason":"exception","vector":13,"code":0,"address":null},"registers":{"general":[0,0,1016,0,0,0,0,0,0,0,0,0,0,0,0,0],"rip":268500994,"rflags":582},"undefined_flags":16}"#;

/// Capabilities to ports 0x3f8 to 0x3ff come into slots 5 and 6, the second for reading alone.
const PORTS: [&str; 2] = [
    r#"{"domain":1,"event":"capability_added","slot":5,"object":{"ports":{"first":1016,"last":1023}},"rights":"rw---"}"#,
    r#"{"domain":1,"event":"capability_added","slot":6,"object":{"ports":{"first":1016,"last":1023}},"rights":"r----","from":{"space":{"domain":1},"number":5}}"#,
];

fn removed(slot: u64) -> String {
    format!(
        r#"{{"domain":1,"thread":3,"event":"capability_removed","space":{{"domain":1}},"slot":{slot},"object":{{"ports":{{"first":1016,"last":1023}}}}}}"#
    )
}

#[test]
fn a_port_is_refused_for_want_of_the_last_capability_to_it() {
    let delete = r#"{"domain":1,"thread":3,"event":"hypercall","call":"cap_delete","number":0,"arguments":[5],"status":"ok"}"#;
    let [five, six] = [removed(5), removed(6)];
    let [both, reading] = PORTS;
    let refused = |lines: &[&str]| refusal(&events(lines), lines.len() - 1).unwrap();

    let never = refused(&[PROTECTED]);
    assert_eq!((never.access.as_str(), never.slot, never.taken_by), ("execute", None, None));
    assert!(never.text.contains("I/O port"), "{}", never.text);

    let gone = refused(&[both, reading, &six, delete, &five, PROTECTED]);
    assert_eq!((gone.slot, gone.taken_by, gone.missing), (Some(5), Some(4), None));
    assert_eq!(gone.operation.map(|operation| operation.event), Some(3));
    assert!(gone.text.contains("ports 0x3f8 to 0x3ff in slot 5"), "{}", gone.text);

    let narrow = refused(&[both, reading, delete, &five, PROTECTED]);
    assert_eq!((narrow.slot, narrow.missing.as_deref()), (Some(6), Some("w")));
    assert_eq!(narrow.taken_by, Some(1));

    let other = PROTECTED.replace("1016", "1015");
    assert_eq!(refused(&[both, &other]).slot, None, "another port");
    let enough = refused(&[both, reading, PROTECTED]);
    assert_eq!((enough.slot, enough.taken_by), (None, None), "it was no port");
    let taken =
        r#"{"domain":1,"event":"capability_added","slot":5,"object":{"page":9},"rights":"r----"}"#;
    let used_again = refused(&[both, delete, &five, taken, PROTECTED]);
    assert_eq!((used_again.slot, used_again.taken_by), (Some(5), Some(2)));

    let divided = PROTECTED.replace("\"vector\":13", "\"vector\":0");
    assert_eq!(refusal(&events(&[&divided]), 0), None, "that is the code's own mistake");
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
