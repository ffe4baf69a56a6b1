//! Clients that are slow, or do not listen.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::BYTES;
use crate::server::{Options, PATIENCE, Server, eventually};
use crate::subjects::{chatty, in_simulator};

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.client.authority()).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    stream
}

/// What comes until the other side closes.
fn rest(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_request_that_comes_byte_by_byte_is_given_up() {
    let limits = "request-milliseconds = 1500";
    let server = Server::fresh_with(Options { limits, ..Options::default() });
    let start = Instant::now();
    let mut streams: Vec<_> = (0..20).map(|_| connect(&server)).collect();
    let mut head = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ".iter();
    // Until every connection has been closed by the other side.
    while !streams.is_empty() {
        let byte = *head.next().unwrap_or(&b'a');
        streams.retain_mut(|stream| {
            let written = stream.write_all(&[byte]).is_ok();
            stream.set_nonblocking(true).expect("a flag");
            let open = match stream.read(&mut [0; 512]) {
                Ok(read) => read > 0,
                Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
            };
            stream.set_nonblocking(false).expect("a flag");
            written && open
        });
        assert!(start.elapsed() < PATIENCE, "{} are still open", streams.len());
        std::thread::sleep(Duration::from_millis(50));
    }
    server.client.is_well();
}

#[test]
fn a_body_that_pauses_is_given_up_with_a_reason() {
    let limits = "request-milliseconds = 1500";
    let server = Server::fresh_with(Options { limits, ..Options::default() });
    let mut stream = connect(&server);
    let head = format!(
        "POST /api/v1/modules?name=m.ko HTTP/1.1\r\nhost: localhost\r\ncontent-type: {BYTES}\r\n\
         content-length: 1000\r\n\r\nabc"
    );
    stream.write_all(head.as_bytes()).expect("it is taken");
    let answer = rest(&mut stream);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("paused"), "{answer}");
    // One that breaks off leaves nothing behind, and the right to upload is free again.
    for _ in 0..20 {
        let mut stream = connect(&server);
        stream.write_all(head.as_bytes()).expect("it is taken");
        stream.shutdown(Shutdown::Both).expect("it can be closed");
    }
    let modules = server.client.get("/api/v1/modules").expect(200).json();
    assert_eq!(modules["items"], json!([]));
    eventually("uploads are possible again", || {
        (server.client.upload_module("m.ko", &chatty(1)).status == 201).then_some(())
    });
}

#[test]
fn a_client_who_does_not_read_is_cut_off_and_keeps_nobody_waiting() {
    let limits = "stall-milliseconds = 3000\nstreams = 1";
    let server = Server::fresh_with(Options { limits, ..Options::default() });
    let client = &server.client;
    // More than what the operating system keeps for a connection.
    client.upload_module("chatty", &chatty(120_000)).expect(201);
    let run = client.start(&json!({ "module": "chatty", "kind": "run", "backends": ["sim"] }));
    let run = client.over(run);
    let (id, bytes) = (&run["id"], run["logs"][0]["bytes"].as_u64().expect("a log"));
    assert!(bytes > 12 << 20, "{bytes} bytes");
    let mut stalled = connect(&server);
    let head = format!("GET /api/v1/runs/{id}/log HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stalled.write_all(head.as_bytes()).expect("it is taken");
    // Others are answered meanwhile.
    let next = client.over(client.start(&in_simulator("printk")));
    assert_eq!(next["outcome"], "passed");
    let log = eventually("who does not read is cut off", || {
        let reply = client.get(&format!("/api/v1/runs/{id}/log"));
        assert!(matches!(reply.status, 200 | 429), "{}", reply.status);
        (reply.status == 200).then_some(reply.body)
    });
    assert_eq!(log.len() as u64, bytes, "who reads gets all");
    assert!(client.metric("lcd_http_stalled_total") >= 1.0);
    let partial = rest(&mut stalled).len() as u64;
    assert!(partial < bytes, "what was cut off is not whole");
}

#[test]
fn connections_that_say_nothing_are_given_up() {
    let limits = "request-milliseconds = 1500\nconnections = 4";
    let server = Server::fresh_with(Options { limits, ..Options::default() });
    let mut silent: Vec<_> = (0..4).map(|_| connect(&server)).collect();
    // This one waits until one of those is closed.
    server.client.is_well();
    for stream in &mut silent {
        rest(stream);
    }
}
