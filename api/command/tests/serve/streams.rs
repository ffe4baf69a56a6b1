//! What happens, followed as it happens.

use serde_json::{Value, json};

use crate::client::Client;
use crate::server::{Options, Server, eventually};
use crate::stream::Told;
use crate::subjects::{backends, in_simulator, log_of, spinning};

/// The events of the simulator's log, as a stream has to tell them.
fn told_of(world: &str) -> Vec<Told> {
    let log = String::from_utf8(log_of(world)).unwrap();
    let events = log.lines().skip(1).enumerate().map(|(index, line)| {
        let event: Value = serde_json::from_str(line).unwrap();
        Told {
            event: "log".into(),
            id: Some(format!("sim/{index}")),
            data: json!({ "backend": "sim", "index": index, "event": event }),
        }
    });
    events.collect()
}

fn of_logs(told: &[Told]) -> Vec<Told> {
    told.iter().filter(|told| told.event == "log").cloned().collect()
}

#[test]
fn a_follower_hears_every_state_and_event_in_order() {
    let server = Server::fresh();
    let client = &server.client;
    let run = client.start(&in_simulator("revoke"));
    // From wherever it is, and once more when it is over.
    for _ in 0..2 {
        let told = client.follow(&format!("/api/v1/runs/{run}/stream"), None).unwrap().rest();
        assert_eq!(of_logs(&told), told_of("revoke"));
        let end = told.last().unwrap();
        assert_eq!((end.event.as_str(), end.id.as_deref()), ("end", Some("end")));
        assert_eq!(
            (&end.data["state"], &end.data["outcome"]),
            (&"finished".into(), &"passed".into())
        );
        let states: Vec<_> = told.iter().filter(|told| told.event == "state").collect();
        assert_eq!(states.last().unwrap().data["state"], "finished");
        assert!(states.iter().all(|told| told.id.is_none()));
        assert_eq!(told.len(), states.len() + told_of("revoke").len() + 1);
    }
    let quiet = format!("/api/v1/runs/{run}/stream?events=false");
    let told = client.follow(&quiet, None).unwrap().rest();
    assert!(told.iter().all(|told| told.event != "log") && told.last().unwrap().event == "end");
}

#[test]
fn a_follower_who_was_cut_off_goes_on_where_they_were() {
    let server = Server::fresh();
    let client = &server.client;
    let run = client.start(&in_simulator("revoke"));
    client.over(run);
    let path = format!("/api/v1/runs/{run}/stream");
    let all = told_of("revoke");
    for seen in [0, all.len() / 2, all.len() - 1] {
        let rest = client.follow(&path, all[seen].id.as_deref()).unwrap().rest();
        assert_eq!(of_logs(&rest), all[seen + 1..], "after {seen}");
        assert_eq!(rest.last().unwrap().event, "end");
    }
    assert_eq!(client.follow(&path, Some("end")).err().expect("no stream").status, 204);
    for wrong in ["x", "sim", "sim/-1", "gpu/1"] {
        client.follow(&path, Some(wrong)).err().expect("no stream").expect(400);
    }
    client.follow("/api/v1/runs/77/stream", None).err().expect("no stream").expect(404);
}

#[test]
fn a_comparison_tells_one_log_after_the_other() {
    let server = Server::fresh();
    let client = &server.client;
    let run = client.start(&json!({ "world": "printk" }));
    let path = format!("/api/v1/runs/{run}/stream");
    let told = of_logs(&client.follow(&path, None).unwrap().rest());
    let mut expected = Vec::new();
    for backend in backends() {
        let log =
            client.get(&format!("/api/v1/runs/{run}/log?backend={backend}")).expect(200).text();
        expected.extend(log.lines().skip(1).enumerate().map(|(index, line)| {
            let event: Value = serde_json::from_str(line).unwrap();
            json!({ "backend": backend, "index": index, "event": event })
        }));
    }
    let data: Vec<_> = told.iter().map(|told| told.data.clone()).collect();
    assert_eq!(data, expected);
    // From the middle of the first log into the second.
    let rest = client.follow(&path, told[2].id.as_deref()).unwrap().rest();
    assert_eq!(of_logs(&rest), told[3..]);
}

#[test]
fn a_run_is_heard_of_before_it_is_over() {
    let server = Server::fresh();
    let client = &server.client;
    let world = spinning(client);
    for backend in backends() {
        let run = client.start(&json!({ "world": world, "kind": "run", "backends": [backend] }));
        let mut stream = client.follow(&format!("/api/v1/runs/{run}/stream"), None).unwrap();
        let first = stream.until("log");
        assert_eq!(first.id.as_deref(), Some(format!("{backend}/0").as_str()));
        let now = client.get(&format!("/api/v1/runs/{run}")).expect(200).json();
        assert_eq!(now["state"], "running", "{now:#}");
        assert_eq!(now["progress"]["backend"], backend, "{now:#}");
        client.tell(&format!("/api/v1/runs/{run}/cancel")).expect(202);
        assert_eq!(stream.until("end").data["state"], "cancelled");
        assert_eq!(stream.next(), None);
    }
}

#[test]
fn campaigns_are_followed() {
    let server = Server::fresh();
    let client = &server.client;
    let asked = json!({ "worlds": ["printk", "revoke"], "backends": ["sim"] });
    let id = client.post_json("/api/v1/campaigns", &asked).expect(202).json()["id"].clone();
    let path = format!("/api/v1/campaigns/{id}/stream");
    let told = client.follow(&path, None).unwrap().rest();
    let end = told.last().unwrap();
    assert_eq!((end.event.as_str(), &end.data["state"]), ("end", &"finished".into()));
    assert_eq!(end.data["over"], 2);
    let rest = client.follow(&path, Some("1-1")).unwrap().rest();
    assert_eq!(rest.first().unwrap().event, "reset", "an id of another start");
    assert_eq!(client.follow(&path, Some("end")).err().expect("no stream").status, 204);
    client.follow("/api/v1/campaigns/9/stream", None).err().expect("no stream").expect(404);
}

#[test]
fn all_changes_are_followed_and_nothing_is_missed_in_between() {
    let server = Server::fresh();
    let client = &server.client;
    let mut stream = client.follow("/api/v1/changes", None).unwrap();
    let run = client.start(&in_simulator("printk"));
    let mut last = None;
    let mut states = Vec::new();
    while states.last() != Some(&Value::from("finished")) {
        let told = stream.until("run");
        assert_eq!(told.data["id"], run);
        states.push(told.data["state"].clone());
        last = told.id;
    }
    drop(stream);
    // While nobody listens.
    let second = client.start(&in_simulator("printk"));
    client.over(second);
    let mut stream = client.follow("/api/v1/changes", last.as_deref()).unwrap();
    let told = stream.until("run");
    assert_eq!(told.data["id"], second);
    assert_eq!(client.follow("/api/v1/changes", Some("end")).err().expect("no stream").status, 204);
    let mut reset = client.follow("/api/v1/changes", Some("0-0")).unwrap();
    assert_eq!(reset.next().expect("it says so").event, "reset");
}

/// Waits until nobody follows anything any more.
fn until_nobody_follows(client: &Client) {
    eventually("streams of those who are gone end", || {
        (client.metric("lcd_streams") == 0.0).then_some(())
    });
}

#[test]
fn who_goes_away_is_not_followed_by_anything() {
    let server = Server::fresh_with(Options { limits: "streams = 2", ..Options::default() });
    let client = &server.client;
    let world = spinning(client);
    let run = client.start(&in_simulator(&world));
    let path = format!("/api/v1/runs/{run}/stream");
    let mut streams =
        [client.follow(&path, None).unwrap(), client.follow("/api/v1/changes", None).unwrap()];
    streams[0].until("state");
    let refused = client.follow(&path, None).err().expect("no stream").expect(429);
    assert!(refused.header("retry-after").parse::<u32>().is_ok());
    drop(streams);
    client.tell(&format!("/api/v1/runs/{run}/cancel")).expect(202);
    until_nobody_follows(client);
    client.follow(&path, None).unwrap().until("end");
}

#[test]
fn a_server_that_ends_says_so_to_those_who_follow() {
    let arguments = &["--shutdown", "20s"];
    let server = Server::fresh_with(Options { arguments, ..Options::default() });
    let client = server.client.clone();
    let mut streams = [(); 3].map(|()| client.follow("/api/v1/changes", None).unwrap());
    let run = client.start(&in_simulator("printk"));
    client.over(run);
    server.terminate();
    for stream in &mut streams {
        stream.until("shutdown");
    }
    // They are still held when the server has ended.
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("shutting down"), "{log}");
    drop(streams);
}

#[test]
fn a_run_that_a_shutdown_ends_is_interrupted_and_can_be_restarted() {
    let place = tempfile::tempdir().unwrap();
    let options = Options { arguments: &["--shutdown", "1s"], ..Options::default() };
    let server = Server::start(place.path(), options);
    let world = spinning(&server.client);
    let run = server.client.start(&in_simulator(&world));
    let mut stream = server.client.follow(&format!("/api/v1/runs/{run}/stream"), None).unwrap();
    stream.until("log");
    server.terminate();
    stream.until("shutdown");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(1), "something was cut off: {log}");
    let server = Server::start(place.path(), options);
    let client = &server.client;
    let before = client.get(&format!("/api/v1/runs/{run}")).expect(200).json();
    assert_eq!(before["state"], "interrupted");
    assert_eq!(before["logs"][0]["complete"], false, "{before:#}");
    let again = client.tell(&format!("/api/v1/runs/{run}/restart")).expect(202).json();
    client.until(again["id"].as_u64().unwrap(), &["running"]);
}
