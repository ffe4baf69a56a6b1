//! Runs and comparisons: from a request to what they leave.

use serde_json::{Value, json};

use super::all;
use crate::client::{JSON, TOML};
use crate::server::Server;
use crate::subjects::{backends, bundled, in_simulator, log_of, spinning, world_of};

#[test]
fn a_run_goes_to_its_end_on_each_backend() {
    let server = Server::fresh();
    let client = &server.client;
    for backend in backends() {
        let asked = json!({ "world": "printk", "kind": "run", "backends": [backend] });
        let id = client.start(&asked);
        let run = client.over(id);
        assert_eq!(
            (&run["state"], &run["outcome"]),
            (&"finished".into(), &"passed".into()),
            "{run:#}"
        );
        assert_eq!(run["request"], asked);
        let [log] = &run["logs"].as_array().unwrap()[..] else { panic!("{run:#}") };
        assert_eq!((&log["backend"], &log["complete"]), (&backend.into(), &true.into()));
        let report = client.get(&format!("/api/v1/runs/{id}/report")).expect(200).json();
        let domain = &report["report"]["domains"][0];
        assert_eq!(
            (&domain["name"], &report["report"]["backend"]),
            (&"main".into(), &backend.into())
        );
        let console = client.get(&format!("/api/v1/runs/{id}/console")).expect(200).json();
        assert_eq!(console["domains"][0]["text"], domain["console"]);
        assert!(domain["console"].as_str().unwrap().starts_with("hello from a domain\n"));
        let other = format!("/api/v1/runs/{id}/console?domain=nobody");
        assert_eq!(client.get(&other).expect(200).json()["domains"], json!([]));
        let whole = client.get(log["href"].as_str().unwrap()).expect(200);
        assert_eq!(whole.body.len() as u64, log["bytes"].as_u64().unwrap());
        let lines = whole.text().lines().count() as u64;
        assert_eq!(lines, 1 + log["events"].as_u64().unwrap());
    }
}

#[test]
fn a_log_is_the_one_that_the_command_writes() {
    let server = Server::fresh();
    let client = &server.client;
    for world in ["printk", "revoke", "ping-pong"] {
        let id = client.start(&in_simulator(world));
        client.over(id);
        let log = client.get(&format!("/api/v1/runs/{id}/log?backend=sim")).expect(200);
        assert!(log.body == log_of(world), "{world}: the logs differ");
        assert!(log.header("content-disposition").contains(&format!("{world}-{id}-sim.jsonl")));
        client.get(&format!("/api/v1/runs/{id}/log?backend=native")).expect(404);
    }
}

#[test]
fn events_come_in_pages_and_filtered() {
    let server = Server::fresh();
    let client = &server.client;
    let id = client.start(&in_simulator("revoke"));
    client.over(id);
    let log: Vec<Value> = String::from_utf8(log_of("revoke"))
        .unwrap()
        .lines()
        .skip(1)
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let events = |query: &str| {
        let page = client.get(&format!("/api/v1/runs/{id}/events?{query}")).expect(200).json();
        assert_eq!((&page["growing"], &page["backend"]), (&false.into(), &"sim".into()));
        page
    };
    let (mut from, mut found) = (0, Vec::new());
    loop {
        let page = events(&format!("limit=7&from={from}"));
        for item in page["items"].as_array().unwrap() {
            assert_eq!(item["index"], found.len());
            found.push(item["event"].clone());
        }
        match page["next"].as_u64() {
            Some(next) => from = next,
            None => break,
        }
    }
    assert_eq!(found, log);
    // One field after the other.
    let filtered = |query: &str, wanted: &dyn Fn(&Value) -> bool| {
        let page = events(&format!("limit=500&{query}"));
        let items = page["items"].as_array().unwrap();
        let wanted = log.iter().enumerate().filter(|(_, event)| wanted(event));
        let wanted: Vec<_> = wanted
            .map(|(index, event)| json!({ "index": index, "event": event }))
            .take(500)
            .collect();
        assert_eq!(items, &wanted, "{query}");
        assert!(!items.is_empty(), "{query}");
    };
    filtered("kind=hypercall", &|event| event["event"] == "hypercall");
    filtered("kind=mapped,unmapped", &|e| e["event"] == "mapped" || e["event"] == "unmapped");
    filtered("domain=1", &|event| event["domain"] == 1);
    filtered("thread=0&kind=hypercall", &|e| e["thread"] == 0 && e["event"] == "hypercall");
    let past = events(&format!("from={}", log.len() + 10));
    assert_eq!((&past["items"], &past["next"]), (&json!([]), &Value::Null));
    for wrong in ["limit=0", "from=-1", "backend=gpu", "thread=x", "knd=a"] {
        client.get(&format!("/api/v1/runs/{id}/events?{wrong}")).expect(400);
    }
}

#[test]
fn a_comparison_says_whether_the_backends_agree() {
    let server = Server::fresh();
    let client = &server.client;
    let backends = backends();
    let id = client.start(&json!({ "world": "null-pointer" }));
    let run = client.over(id);
    let both = backends.len() == 2;
    assert_eq!(run["outcome"], if both { "agree" } else { "skipped" }, "{run:#}");
    let report = client.get(&format!("/api/v1/runs/{id}/report")).expect(200).json();
    assert_eq!(report["case"]["outcome"], run["outcome"], "{report:#}");
    assert!(report.get("report").is_none());
    let logs: Vec<_> = run["logs"].as_array().unwrap().iter().map(|log| &log["backend"]).collect();
    assert_eq!(logs, backends);
    for backend in backends {
        client.get(&format!("/api/v1/runs/{id}/console?backend={backend}")).expect(200);
    }
}

#[test]
fn modules_run_by_themselves_and_functions_are_called() {
    let server = Server::fresh();
    let client = &server.client;
    client.upload_module("printk.ko", bundled("printk.ko")).expect(201);
    let run = client.over(client.start(&json!({ "module": "printk.ko", "kind": "run" })));
    assert_eq!(
        (&run["outcome"], &run["world"]),
        (&"passed".into(), &"printk.ko".into()),
        "{run:#}"
    );
    client.upload_module("load.ko", bundled("load.ko")).expect(201);
    let called = json!({
        "module": "printk.ko", "kind": "run", "backends": ["sim"], "call": { "function": "nobody" },
    });
    let run = client.over(client.start(&called));
    assert_ne!(run["outcome"], "passed", "{run:#}");
    client.post_json("/api/v1/runs", &json!({ "module": "nobody.ko" })).expect(404);
}

#[test]
fn what_cannot_be_run_is_refused_at_once() {
    let server = Server::fresh();
    let client = &server.client;
    for (body, status) in [
        ("", 400),
        ("{", 400),
        ("{}", 422),
        ("[]", 422),
        (r#"{"world": "printk", "wrld": 1}"#, 422),
        (r#"{"world": 7}"#, 422),
        (r#"{"world": "printk", "timeout_ms": 0}"#, 422),
        (r#"{"world": "printk", "timeout_ms": -1}"#, 422),
        (r#"{"world": "printk", "backends": []}"#, 422),
        (r#"{"world": "printk", "module": "printk.ko"}"#, 422),
        (r#"{"world": "nobody"}"#, 404),
        (r#"{"world": "../printk"}"#, 404),
    ] {
        client.post("/api/v1/runs", JSON, body).expect(status);
    }
    client.post("/api/v1/runs", TOML, "{}").expect(415);
    client.post("/api/v1/runs", JSON, format!("\"{}\"", "a".repeat(300 << 10))).expect(413);
    assert!(all(client, "/api/v1/runs", 10).is_empty());
    for path in ["", "/report", "/events", "/log", "/console", "/graph", "/spaces", "/stream"] {
        for id in ["1", "x", "-1", "18446744073709551615", "18446744073709551616"] {
            client.get(&format!("/api/v1/runs/{id}{path}")).expect(404);
        }
    }
    for path in ["/cancel", "/restart"] {
        client.tell(&format!("/api/v1/runs/1{path}")).expect(404);
    }
}

#[test]
fn a_run_that_goes_on_can_be_looked_at_cancelled_and_restarted() {
    let server = Server::fresh();
    let client = &server.client;
    let world = spinning(client);
    let id = client.start(&in_simulator(&world));
    let run = client.until(id, &["running"]);
    assert_eq!((&run["world"], &run["world_id"]), (&"spinning".into(), &world.clone().into()));
    for path in ["", "/log", "/events", "/console"] {
        // Its log may not have begun, but is no error for that.
        let status = client.get(&format!("/api/v1/runs/{id}{path}")).status;
        assert!(matches!(status, 200 | 404), "{path}: {status}");
    }
    let path = format!("/api/v1/runs/{id}");
    client.get(&format!("{path}/report")).expect(409);
    client.tell(&format!("{path}/restart")).expect(409);
    client.delete(&path).expect(409);
    let page = crate::server::eventually("its log begins", || {
        let reply = client.get(&format!("{path}/events"));
        (reply.status == 200).then(|| reply.json())
    });
    assert_eq!(page["growing"], true, "{page:#}");

    client.tell(&format!("{path}/cancel")).expect(202);
    let run = client.over(id);
    assert_eq!((&run["state"], &run["outcome"]), (&"cancelled".into(), &Value::Null), "{run:#}");
    client.tell(&format!("{path}/cancel")).expect(409);
    let report = client.get(&format!("{path}/report")).expect(200).json();
    assert!(report.get("report").is_none() && report.get("case").is_none());
    // What it wrote stays, and is marked as not the whole.
    assert_eq!(run["logs"][0]["complete"], false, "{run:#}");

    let restarted = client.tell(&format!("{path}/restart")).expect(202).json();
    assert_eq!(restarted["restarted_from"], id);
    let second = restarted["id"].as_u64().unwrap();
    client.tell(&format!("/api/v1/runs/{second}/cancel")).expect(202);
    assert_eq!(client.over(second)["state"], "cancelled");
    client.delete(&path).expect(204);
    client.get(&path).expect(404);
    client.get(&format!("{path}/log")).expect(404);
    assert_eq!(all(client, "/api/v1/runs", 1).len(), 1);
}

#[test]
fn a_run_that_takes_too_long_ends_by_itself() {
    let server = Server::fresh();
    let client = &server.client;
    let world = spinning(client);
    for backend in backends() {
        let asked =
            json!({ "world": world, "kind": "run", "backends": [backend], "timeout_ms": 300 });
        let run = client.over(client.start(&asked));
        assert_ne!(run["outcome"], "passed", "{run:#}");
    }
}

#[test]
fn runs_are_found_by_what_they_are() {
    let server = Server::fresh();
    let client = &server.client;
    client.upload_module("printk.ko", bundled("printk.ko")).expect(201);
    let world = world_of("fails", "printk.ko")
        + "\n[[expect]]\ndomain = \"main\"\nend = \"exit\"\nvalue = 1\n";
    client.upload_world(&world).expect(201);
    let passed = client.start(&in_simulator("printk"));
    let failed = client.start(&in_simulator("fails"));
    let compared = client.start(&json!({ "world": "printk", "backends": ["sim"] }));
    for run in [passed, failed, compared] {
        client.over(run);
    }
    let found = |query: &str| -> Vec<u64> {
        let runs = all(client, &format!("/api/v1/runs?{query}"), 2);
        runs.iter().map(|run| run["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(found("state=finished"), [compared, failed, passed]);
    assert_eq!(found("outcome=passed"), [passed]);
    assert_eq!(found("outcome=failed"), [failed]);
    assert_eq!(found("kind=comparison"), [compared]);
    assert_eq!(found("world=printk"), [compared, passed]);
    assert!(found("state=queued").is_empty());
    assert!(found("campaign=1").is_empty());
    let reason = client.over(failed)["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("expected value 1"), "{reason}");
    for wrong in ["state=over", "outcome=good", "kind=walk", "campaign=x", "colour=red"] {
        client.get(&format!("/api/v1/runs?{wrong}")).expect(400);
    }
}
