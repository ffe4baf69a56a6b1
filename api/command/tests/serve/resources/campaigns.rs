//! Campaigns, and what is seen over many runs: verdicts, divergences, statistics, history.

use serde_json::{Value, json};

use super::{all, each};
use crate::client::Client;
use crate::server::{Server, eventually};
use crate::subjects::{backends, bundled, in_simulator, spinning, world_of};

fn until_over(client: &Client, campaign: u64) -> Value {
    eventually("the campaign is over", || {
        let campaign = client.get(&format!("/api/v1/campaigns/{campaign}")).expect(200).json();
        (campaign["state"] != "running").then_some(campaign)
    })
}

#[test]
fn a_campaign_compares_each_of_its_worlds() {
    let server = Server::fresh();
    let client = &server.client;
    let worlds = ["printk", "null-pointer", "revoke"];
    let asked = json!({ "name": "three", "worlds": worlds });
    let reply = client.post_json("/api/v1/campaigns", &asked).expect(202);
    let id = reply.json()["id"].as_u64().unwrap();
    assert_eq!(reply.header("location"), format!("/api/v1/campaigns/{id}"));
    let campaign = until_over(client, id);
    let outcome = if backends().len() == 2 { "agree" } else { "skipped" };
    assert_eq!(campaign["state"], "finished");
    assert_eq!((&campaign["total"], &campaign["over"]), (&3.into(), &3.into()));
    assert_eq!(campaign["outcomes"], json!({ outcome: 3 }), "{campaign:#}");
    assert_eq!(campaign["request"], asked);
    let runs = all(client, campaign["runs"].as_str().unwrap(), 2);
    let mut ran = each(&runs, "world");
    ran.reverse();
    assert_eq!(ran, worlds);

    let verdicts = all(client, "/api/v1/verdicts", 2);
    assert_eq!(each(&verdicts, "outcome"), [outcome; 3]);
    client.tell(&format!("/api/v1/campaigns/{id}/stop")).expect(202);
    client.delete(&format!("/api/v1/campaigns/{id}")).expect(204);
    client.get(&format!("/api/v1/campaigns/{id}")).expect(404);
    assert!(all(client, "/api/v1/runs", 10).is_empty(), "its runs go with it");
}

#[test]
fn a_campaign_that_is_stopped_ends_its_runs() {
    let server = Server::fresh();
    let client = &server.client;
    let world = spinning(client);
    let asked = json!({ "worlds": vec![world; 6], "backends": ["sim"] });
    let id =
        client.post_json("/api/v1/campaigns", &asked).expect(202).json()["id"].as_u64().unwrap();
    let path = format!("/api/v1/campaigns/{id}");
    eventually("one of its runs goes on", || {
        let campaign = client.get(&path).expect(200).json();
        campaign["states"]["running"].as_u64().filter(|&running| running > 0)
    });
    client.delete(&path).expect(409);
    client.tell(&format!("{path}/stop")).expect(202);
    let campaign = until_over(client, id);
    assert_eq!(campaign["state"], "stopped");
    assert_eq!(campaign["states"], json!({ "cancelled": 6 }));
    assert!(campaign["stopped_at"].is_string());
    client.delete(&path).expect(204);
}

#[test]
fn campaigns_that_make_no_sense_are_refused_whole() {
    let server = Server::fresh();
    let client = &server.client;
    let name = "n".repeat(201);
    for (asked, status) in [
        (json!({ "worlds": [] }), 422),
        (json!({ "worlds": ["printk", "nobody"] }), 404),
        (json!({ "worlds": ["printk"], "backends": ["sim", "sim"] }), 422),
        (json!({ "worlds": ["printk"], "name": name }), 422),
        (json!({ "worlds": vec!["printk"; 1025] }), 422),
        (json!({ "world": "printk" }), 422),
        (json!([]), 422),
    ] {
        client.post_json("/api/v1/campaigns", &asked).expect(status);
    }
    assert!(all(client, "/api/v1/campaigns", 10).is_empty());
    assert!(all(client, "/api/v1/runs", 10).is_empty());
    client.get("/api/v1/campaigns/1").expect(404);
    client.tell("/api/v1/campaigns/1/stop").expect(404);
    client.delete("/api/v1/campaigns/1").expect(404);
}

/// A world that does not end as it says.
fn upload_wrong(client: &Client, name: &str, value: i32) {
    let expect = format!("\n[[expect]]\ndomain = \"main\"\nend = \"exit\"\nvalue = {value}\n");
    client.upload_world(&(world_of(name, "printk.ko") + &expect)).expect(201);
}

#[test]
fn divergences_that_look_the_same_are_one() {
    let server = Server::fresh();
    let client = &server.client;
    client.upload_module("printk.ko", bundled("printk.ko")).expect(201);
    upload_wrong(client, "one", 1);
    upload_wrong(client, "other", 2);
    let compare = |world: &str| {
        let run = client.over(client.start(&json!({ "world": world })));
        assert_eq!(run["outcome"], "diverge", "{run:#}");
        run
    };
    let first = compare("one");
    let second = compare("one");
    assert_eq!(first["signature"], second["signature"]);
    let [group] = &all(client, "/api/v1/divergences", 10)[..] else {
        panic!("more than one group")
    };
    assert_eq!((&group["count"], &group["worlds"]), (&2.into(), &json!(["one"])));
    assert_eq!((&group["id"], &group["newest_run"]), (&first["signature"], &second["href"]));
    assert_eq!(group["signature"]["event"], "expectation");
    assert_eq!(&client.get(group["href"].as_str().unwrap()).expect(200).json(), group);
    let runs = all(client, group["runs"].as_str().unwrap(), 1);
    assert_eq!(runs.len(), 2);
    // Another expectation looks different.
    let third = compare("other");
    assert_ne!(third["signature"], first["signature"]);
    let groups = all(client, "/api/v1/divergences", 1);
    assert_eq!(
        each(&groups, "id"),
        [third["signature"].as_str().unwrap(), group["id"].as_str().unwrap()]
    );
    client.get("/api/v1/divergences/0123456789abcdef").expect(404);
    let verdicts = all(client, "/api/v1/verdicts", 1);
    assert_eq!(each(&verdicts, "world"), ["other", "one"], "the newest of each world");
    assert_eq!(verdicts[1]["id"], second["id"]);
}

#[test]
fn numbers_and_the_past_of_a_world_are_kept() {
    let server = Server::fresh();
    let client = &server.client;
    let empty = client.get("/api/v1/statistics").expect(200).json();
    assert_eq!((&empty["runs"], &empty["modules"]), (&0.into(), &0.into()));
    client.upload_module("printk.ko", bundled("printk.ko")).expect(201);
    client.upload_world(&world_of("mine", "printk.ko")).expect(201);
    let runs: Vec<_> = (0..3).map(|_| client.start(&in_simulator("printk"))).collect();
    for &run in &runs {
        client.over(run);
    }
    let now = client.get("/api/v1/statistics").expect(200).json();
    assert_eq!((&now["runs"], &now["modules"], &now["worlds"]), (&3.into(), &1.into(), &1.into()));
    assert_eq!((&now["states"]["finished"], &now["outcomes"]["passed"]), (&3.into(), &3.into()));
    for place in ["blobs", "journal", "index"] {
        assert!(now["disk"][place].as_u64().unwrap() > 0, "{now:#}");
    }
    let history = client.get("/api/v1/history/printk").expect(200).json();
    let items = history["items"].as_array().unwrap();
    let mut seen: Vec<_> = items.iter().map(|item| item["run"].as_u64().unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, runs);
    for item in items {
        let sim = &item["backends"]["sim"];
        assert!(
            sim["seconds"].as_f64().unwrap() > 0.0 && sim["instructions"].as_u64().unwrap() > 0
        );
    }
    let last = client.get("/api/v1/history/printk?limit=1").expect(200).json();
    assert_eq!(last["items"].as_array().unwrap().len(), 1);
    assert_eq!(client.get("/api/v1/history/nobody").expect(200).json()["items"], json!([]));
    client.get("/api/v1/history/printk?limit=0").expect(400);
    assert!(client.metric("lcd_runs_total") == 3.0);
}

#[test]
fn the_machine_and_the_documentation_are_there() {
    let server = Server::fresh();
    let client = &server.client;
    let index = client.get("/api/v1").expect(200).json();
    for (name, link) in index["links"].as_object().unwrap() {
        if name == "changes" {
            continue; // It does not end.
        }
        let reply = client.get(link.as_str().unwrap());
        assert!(matches!(reply.status, 200 | 303 | 307), "{name}: {}", reply.status);
    }
    let names: Vec<_> = client.get("/api/v1/backends").expect(200).json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|backend| (backend["name"].clone(), backend["available"].clone()))
        .collect();
    let native = backends().len() == 2;
    assert_eq!(names, [("native".into(), native.into()), ("sim".into(), true.into())]);
    let limits = &client.get("/api/v1/host").expect(200).json()["limits"];
    assert_eq!(limits["queue"], 1024, "{limits:#}");
    client.is_well();
    assert_eq!(client.get("/readyz").expect(200).json()["status"], "ready");
    assert!(client.get("/metrics").expect(200).text().contains("lcd_uptime_seconds"));
    client.get("/docs/").expect(200);
    client.get("/problems/not-found").expect(200);
    client.get("/problems/nothing").expect(404);
}
