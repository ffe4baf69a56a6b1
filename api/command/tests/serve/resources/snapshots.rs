//! What was the case at an event of a run.

use serde_json::Value;

use crate::client::Client;
use crate::server::Server;
use crate::subjects::in_simulator;

/// The numbers of the events of a kind that fit.
fn indices(client: &Client, run: u64, kind: &str, fits: impl Fn(&Value) -> bool) -> Vec<u64> {
    let path = format!("/api/v1/runs/{run}/events?limit=500&kind={kind}");
    let page = client.get(&path).expect(200).json();
    let items = page["items"].as_array().unwrap().iter();
    items.filter(|item| fits(&item["event"])).map(|item| item["index"].as_u64().unwrap()).collect()
}

/// The child's capability of the page, in the graph at an event: the world says that it is slot 7.
fn of_child(client: &Client, run: u64, at: u64) -> Option<Value> {
    let graph = client.get(&format!("/api/v1/runs/{run}/graph?at={at}")).expect(200).json();
    assert_eq!((&graph["events"], &graph["backend"]), (&(at + 1).into(), &"sim".into()));
    let spaces = graph["spaces"].as_array().unwrap();
    let space = spaces.iter().find(|space| space["space"].to_string().contains("domain\":1"))?;
    let capabilities = space["capabilities"].as_array().unwrap();
    capabilities.iter().find(|capability| capability["slot"] == 7).cloned()
}

#[test]
fn a_revoked_capability_is_there_before_and_not_after() {
    let server = Server::fresh();
    let client = &server.client;
    let run = client.start(&in_simulator("revoke"));
    client.over(run);
    let slot = |event: &Value| event["domain"] == 1 && event["slot"] == 7;
    let added = indices(client, run, "capability_added", slot);
    let removed = indices(client, run, "capability_removed", slot);
    let (&[added], &[removed]) = (&added[..], &removed[..]) else {
        panic!("{added:?} {removed:?}")
    };
    assert!(added < removed);
    assert_eq!(of_child(client, run, added - 1), None);
    let capability = of_child(client, run, added).expect("it was granted");
    assert!(capability["from"].is_object() || capability["parent"].is_object(), "{capability:#}");
    assert!(of_child(client, run, removed - 1).is_some());
    assert_eq!(of_child(client, run, removed), None);

    // The page was mapped in the child's space in between.
    let mapped = |at: u64| {
        let spaces =
            client.get(&format!("/api/v1/runs/{run}/spaces?at={at}&domain=1")).expect(200).json();
        let domains = spaces["domains"].as_array().unwrap().clone();
        assert_eq!(domains.len(), 1);
        domains[0]["memory"].as_array().unwrap().len()
    };
    let during = indices(client, run, "mapped", |event| event["domain"] == 1);
    let during = *during.iter().find(|&&at| at > added).expect("the child maps it");
    assert!(mapped(during) > mapped(during - 1));
    assert!(mapped(removed) < mapped(during));
}

#[test]
fn moments_and_domains_that_are_not_there_are_refused() {
    let server = Server::fresh();
    let client = &server.client;
    let run = client.start(&in_simulator("revoke"));
    let events = client.over(run)["logs"][0]["events"].as_u64().unwrap();
    for what in ["graph", "spaces"] {
        let path = format!("/api/v1/runs/{run}/{what}");
        let last = client.get(&path).expect(200).json();
        assert_eq!(last["events"], events);
        let first = client.get(&format!("{path}?at=0")).expect(200).json();
        assert_eq!(first["events"], 1);
        assert_eq!(client.get(&format!("{path}?at={}", events - 1)).expect(200).json(), last);
        let detail = client.get(&format!("{path}?at={events}")).expect(404).detail();
        assert!(detail.contains(&events.to_string()), "{detail}");
        client.get(&format!("{path}?at={}", u64::MAX)).expect(404);
        client.get(&format!("{path}?domain=99")).expect(404);
        client.get(&format!("{path}?at=x")).expect(400);
        let one = client.get(&format!("{path}?domain=1")).expect(200).json();
        assert_eq!(one["domains"].as_array().unwrap().len(), 1);
    }
}
