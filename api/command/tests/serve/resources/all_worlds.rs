//! Every bundled world, through everything that can be asked about a run: whatever events, ends and
//! objects there are, they come as they are described.

use serde_json::{Value, json};

use super::all;
use crate::client::Client;
use crate::server::{Server, eventually};
use crate::subjects::in_simulator;

/// Waits until nothing is run any more.
fn until_idle(client: &Client) {
    eventually("all runs are over", || {
        let ready = client.get("/readyz").expect(200).json();
        (ready["queued"] == 0 && ready["active"] == 0).then_some(())
    });
}

#[test]
fn whatever_happens_in_a_world_is_described() {
    let server = Server::fresh();
    let client = &server.client;
    // All that are available; those that race are compared another way, and end in the same ways.
    client.post_json("/api/v1/campaigns", &json!({ "backends": ["sim"] })).expect(202);
    let built = bundled_worlds::WORLDS.iter().filter(|world| world.unavailable.is_none());
    let mut names: Vec<_> = built.map(|world| world.name).collect();
    for name in &names {
        client.start(&in_simulator(name));
    }
    until_idle(client);
    let runs = all(client, "/api/v1/runs?kind=run", 100);
    assert_eq!(runs.len(), names.len());
    for run in &runs {
        assert_eq!(
            (&run["state"], &run["outcome"]),
            (&"finished".into(), &"passed".into()),
            "{run:#}"
        );
        let path = run["href"].as_str().unwrap();
        for what in ["", "/report", "/console", "/graph", "/spaces", "/events?limit=500"] {
            client.get(&format!("{path}{what}")).expect(200);
        }
    }
    let verdicts = all(client, "/api/v1/verdicts", 100);
    for verdict in &verdicts {
        let path = verdict["href"].as_str().unwrap();
        let case = client.get(&format!("{path}/report")).expect(200).json()["case"].clone();
        assert_eq!(case["outcome"], verdict["outcome"], "{case:#}");
        assert_ne!(verdict["outcome"], "diverge", "{case:#}");
    }
    let mut seen: Vec<_> = verdicts.iter().map(|run| run["world"].as_str().unwrap()).collect();
    seen.sort_unstable();
    names.sort_unstable();
    assert_eq!(seen, names);
    let states = client.get("/api/v1/statistics").expect(200).json()["states"].clone();
    assert_eq!(states, json!({ "finished": 2 * names.len() }), "{}", Value::from(names));
}
