//! Requests that are wrong in every way somebody thought of: each is refused, or does what it says,
//! and nothing breaks.
//!
//! `LCD_MALFORMED` says how many, `LCD_SEED` which.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use serde_json::Value;

use super::generator::{Drawn, Generator};
use super::raw::{Answer, Raw};
use crate::client::Client;
use crate::server::{Options, PATIENCE, Server, eventually, has_panicked};
use crate::subjects::{in_simulator, unique};

/// Connections at the same time.
const THREADS: u64 = 16;

/// What was answered, by status; and apart from that how often the connection was closed without an
/// answer, and how often what was said did not come as far as to the routes.
#[derive(Default, Debug)]
struct Heard {
    statuses: BTreeMap<u16, u64>,
    closed: u64,
    unnamed: BTreeMap<u16, u64>,
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn nothing_that_is_sent_breaks_the_server() {
    // Bodies that never come are given up soon; no campaign can begin.
    let limits = "uploads = 64\nrequest-milliseconds = 1000\ncampaign-runs = 1\nmodule-bytes = 100000\nworld-bytes = 100000\n\
                  run-milliseconds = 1000\nqueue = 100000";
    let mut server = Server::fresh_with(Options { limits, ..Options::default() });
    let client = server.client.clone();
    let bundle = client.get("/api/v1/worlds/init-fails/bundle").expect(200).body;
    client.upload_module("m.ko", &unique(0, 8)).expect(201);
    client.over(client.start(&in_simulator("printk")));
    let (count, seed) = (number("LCD_MALFORMED", 10_000), number("LCD_SEED", 1));
    let heard = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let mut generator = Generator::new(seed * THREADS + thread, bundle.clone());
                let client = &client;
                scope.spawn(move || talk(client, &mut generator, count / THREADS))
            })
            .collect();
        let heard = threads.into_iter().map(|thread| thread.join().expect("no answer is wrong"));
        heard.fold(Heard::default(), Heard::and)
    });
    println!("{count} requests of seed {seed}: {heard:?}");
    assert!(server.is_alive());
    client.is_well();
    until_idle(&client);
    assert_eq!(client.metric("lcd_http_panics_total"), 0.0);
    client.get("/readyz").expect(200);
    assert!(!has_panicked(&server.log()), "{}", server.log());
    for status in [200, 201, 400, 404, 405, 422] {
        assert!(
            count < 1000 || heard.statuses.contains_key(&status),
            "nothing was answered with {status}"
        );
    }
}

/// Waits until all runs are over; what was run must not have ended its worker.
fn until_idle(client: &Client) {
    eventually("all that was accepted is over", || {
        let ready = client.get("/readyz").expect(200).json();
        (ready["queued"] == 0 && ready["active"] == 0).then_some(())
    });
    let failed = client.get("/api/v1/runs?state=failed&limit=500").expect(200).json();
    for run in failed["items"].as_array().expect("items") {
        let reason = run["reason"].as_str().expect("a reason");
        assert!(!reason.starts_with("the worker"), "{run:#}");
    }
    assert_eq!(client.metric("lcd_workers_died_total"), 0.0);
}

/// Sends so many requests, over as few connections as they leave open.
fn talk(client: &Client, generator: &mut Generator, count: u64) -> Heard {
    let mut heard = Heard::default();
    let (mut connection, mut next) = (None, None);
    for _ in 0..count {
        let drawn = next.take().unwrap_or_else(|| generator.draw());
        let mut raw = match connection.take() {
            Some(raw) if !drawn.alone => raw,
            _ => Raw::connect(client.authority(), PATIENCE).expect("the server accepts"),
        };
        let answer = match raw.say(&drawn.bytes, drawn.head_only) {
            // A head that is changed may not be one of HEAD any more, or become one.
            Err(error) if drawn.alone && error.kind() == ErrorKind::UnexpectedEof => None,
            answer => answer.unwrap_or_else(|error| panic!("{error}: {}", shown(&drawn))),
        };
        let Some(answer) = answer else {
            heard.closed += 1;
            continue;
        };
        judge(&drawn, &answer);
        if answer.status == 201 {
            let stored: Value =
                serde_json::from_slice(&answer.body).expect("it says what it stored");
            next = generator.further(&stored);
        }
        if answer.status >= 400 && !answer.named {
            *heard.unnamed.entry(answer.status).or_default() += 1;
        } else {
            *heard.statuses.entry(answer.status).or_default() += 1;
        }
        if !answer.last && !drawn.alone {
            connection = Some(raw);
        }
    }
    heard
}

/// Whether this may be answered to anything.
#[track_caller]
fn judge(drawn: &Drawn, answer: &Answer) {
    let status = answer.status;
    let text =
        || format!("{status} {}\nto {}", String::from_utf8_lossy(&answer.body), shown(drawn));
    assert!(status < 500 || [501, 505, 507].contains(&status), "{}", text());
    if status < 400 || drawn.head_only {
        return;
    }
    assert_eq!(answer.media_type, "application/problem+json", "{}", text());
    let problem: Value =
        serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("{}", text()));
    assert_eq!(problem["status"], status, "{}", text());
    assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{}", text());
}

fn shown(drawn: &Drawn) -> String {
    let start = &drawn.bytes[..drawn.bytes.len().min(600)];
    start.escape_ascii().to_string()
}

impl Heard {
    fn and(mut self, other: Self) -> Self {
        self.closed += other.closed;
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        for (status, count) in other.unnamed {
            *self.unnamed.entry(status).or_default() += count;
        }
        self
    }
}
