//! The page's files, as browsers ask for them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use lcd_page::{File, POLICY, Page};
use ureq::http::Method;

use crate::server::{PATIENCE, Server};

/// The part of a policy that begins so.
fn directive<'a>(policy: &'a str, name: &str) -> &'a str {
    let mut parts = policy.split("; ");
    parts.find(|part| part.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {policy}"))
}

#[test]
fn every_file_is_there_as_it_is() {
    let server = Server::fresh();
    let client = &server.client;
    let mut files: Vec<(String, &File)> =
        Page::served().files().map(|(path, file)| (format!("/{path}"), file)).collect();
    files.push(("/".into(), Page::served().get("index.html").unwrap()));
    for (path, file) in files {
        let reply = client.get(&path).expect(200);
        assert!(reply.body == *file.bytes, "{path}");
        assert_eq!(reply.header("content-type"), file.media_type, "{path}");
        assert_eq!(reply.header("etag"), file.etag, "{path}");
        assert_eq!(reply.header("content-encoding"), "", "{path}");
        assert_eq!(reply.header("vary"), "accept-encoding", "{path}");
        let is_hashed = path.starts_with("/assets/");
        assert_eq!(reply.header("cache-control").contains("immutable"), is_hashed, "{path}");
        assert!(is_hashed || reply.header("cache-control") == "no-cache", "{path}");
        assert!(reply.header("content-security-policy").starts_with("default-src 'none'; "));
    }
    let site = client.get("/lcd/site.json").json();
    assert_eq!(site["server"], true);
    assert!(client.get("/").text().contains("<div id=\"app\">"));
    assert_eq!(client.get("/lcd/sim.wasm").header("content-type"), "application/wasm");
    for path in ["/assets/", "/assets/nothing.js", "/lcd/", "/lcd/worlds/printk", "/lcd/../api/v1"]
    {
        client.get(path).expect(404);
    }
    for (method, path) in [(Method::POST, "/"), (Method::DELETE, "/lcd/site.json")] {
        assert!(client.send(&method, path).expect(405).header("allow").contains("GET"));
    }
}

#[test]
fn what_a_browser_has_is_not_sent_again() {
    let server = Server::fresh();
    let client = &server.client;
    let first = client.get("/lcd/sim.wasm").expect(200);
    let again = client.with("if-none-match", first.header("etag")).get("/lcd/sim.wasm").expect(304);
    assert!(again.body.is_empty());
    for name in ["etag", "cache-control", "vary"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    let old = client.with("if-none-match", "\"00000000000000000000000000000000\"");
    assert!(old.get("/lcd/sim.wasm").expect(200).body == first.body);
    // Packed, it is other bytes, with another tag.
    let packing = client.with("accept-encoding", "br;q=1.0, gzip;q=0.8");
    let packed = packing.get("/lcd/sim.wasm").expect(200);
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(packed.header("content-type"), "application/wasm");
    let file = Page::served().get("lcd/sim.wasm").unwrap();
    assert!(packed.body == file.gzipped().unwrap() || packed.body == *file.bytes);
    assert_ne!(packed.header("etag"), first.header("etag"));
    let tag = packed.header("etag");
    packing.with("if-none-match", tag).get("/lcd/sim.wasm").expect(304);
    client.with("if-none-match", tag).get("/lcd/sim.wasm").expect(200);
}

/// Sends bytes, and returns all that comes until the other side closes.
fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.client.authority()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn head_is_get_without_the_body() {
    let server = Server::fresh();
    let head = "HEAD / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let answer = raw(&server, head);
    let (headers, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(headers.starts_with("HTTP/1.1 200 "), "{headers}");
    let length = Page::served().get("index.html").unwrap().bytes.len();
    assert!(headers.contains(&format!("content-length: {length}")), "{headers}");
    assert_eq!(body, "");
}

#[test]
fn the_page_may_do_what_it_needs_and_is_in_no_frame() {
    let server = Server::fresh();
    let client = &server.client;
    for path in ["/", "/index.html"] {
        let page = client.get(path).expect(200);
        let policy = page.header("content-security-policy");
        assert_eq!(policy, format!("{POLICY}; frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'"), "{policy}");
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert_eq!(page.header("cross-origin-resource-policy"), "same-origin");
        assert_eq!(page.header("referrer-policy"), "same-origin");
    }
    // A lesson can be shown anywhere, and can ask for nothing that the server was told.
    let lesson = client.get("/embed.html").expect(200);
    let policy = lesson.header("content-security-policy");
    assert_eq!(directive(policy, "frame-ancestors"), "frame-ancestors *");
    let host = client.authority();
    assert_eq!(directive(policy, "connect-src"), format!("connect-src {host}/assets/ {host}/lcd/"));
    assert_eq!(directive(policy, "script-src"), "script-src 'self' 'wasm-unsafe-eval'");
    assert_eq!(lesson.header("x-frame-options"), "");
    assert_eq!(lesson.header("cross-origin-resource-policy"), "cross-origin");
    // Nothing else can.
    for path in ["/", "/lcd/site.json", "/api/v1", "/docs/", "/problems/invalid", "/nowhere"] {
        let reply = client.get(path);
        let policy = reply.header("content-security-policy");
        assert_eq!(directive(policy, "frame-ancestors"), "frame-ancestors 'none'", "{path}");
        assert_eq!(reply.header("x-frame-options"), "DENY", "{path}");
    }
}
