//! Who is let in, and what nobody can have.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use ureq::http::Method;

use crate::client::{BYTES, JSON};
use crate::server::{Options, PATIENCE, Server, command, has_panicked};
use crate::subjects::{in_simulator, spinning, unique, world_of};

#[test]
fn other_names_and_other_pages_are_turned_away() {
    let server = Server::fresh();
    let client = &server.client;
    let port = client.authority().rsplit(':').next().unwrap();
    for path in ["/api/v1", "/metrics", "/docs/", "/nowhere", "/assets/nothing.js"] {
        let rebound = client.with("host", "evil.example").get(path).expect(421);
        assert!(rebound.detail().contains("evil.example"));
        client.with("origin", "http://evil.example").get(path).expect(403);
        client.with("origin", "null").get(path).expect(403);
        client.with("sec-fetch-site", "cross-site").get(path).expect(403);
    }
    // The page is for links from anywhere, and lessons for frames; but not for scripts of others.
    for path in ["/", "/embed.html", "/lcd/sim.wasm"] {
        for site in ["cross-site", "same-site", "none"] {
            client.with("sec-fetch-site", site).get(path).expect(200);
        }
        client.with("host", "evil.example").get(path).expect(421);
        client.with("origin", "http://evil.example").get(path).expect(403);
        client.with("sec-fetch-site", "cross-site").send(&Method::DELETE, path).expect(403);
    }
    // Probes know an address and no name.
    for path in ["/healthz", "/readyz"] {
        client.with("host", "10.1.2.3").get(path).expect(200);
    }
    let own = client.with("host", &format!("localhost:{port}"));
    own.get("/api/v1").expect(200);
    own.with("origin", &format!("http://localhost:{port}")).get("/api/v1").expect(200);
    client.with("sec-fetch-site", "same-origin").get("/api/v1").expect(200);
    // What changes something is refused in the same way.
    let foreign = client.with("origin", "http://evil.example");
    foreign.post("/api/v1/runs", JSON, r#"{"world": "printk"}"#).expect(403);
    assert_eq!(client.get("/api/v1/statistics").json()["runs"], 0);
    // There is no permission for pages of others, either.
    let asked = client.with("origin", "http://evil.example").send(&Method::OPTIONS, "/api/v1/runs");
    assert!(asked.expect(403).header("access-control-allow-origin").is_empty());
}

#[test]
fn further_names_are_allowed_by_name() {
    let arguments = &["--allow-host", "lab.example"];
    let server = Server::fresh_with(Options { arguments, ..Options::default() });
    server.client.with("host", "lab.example").get("/api/v1").expect(200);
    server.client.with("host", "lab.example.evil").get("/api/v1").expect(421);
}

/// Writes a token file.
fn token_file(place: &Path, token: &str, mode: u32) -> PathBuf {
    let path = place.join("token");
    fs::write(&path, token).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn with_a_token_everything_but_probes_documentation_and_the_page_needs_it() {
    let place = tempfile::tempdir().unwrap();
    let token = "correct-horse-battery-staple";
    let path = token_file(place.path(), token, 0o600);
    let arguments = &["--token-file", path.to_str().unwrap()];
    let server = Server::start(place.path(), Options { arguments, ..Options::default() });
    let client = &server.client;
    let shown = |text: &str| client.with("authorization", text);
    for path in ["/api/v1", "/api/v1/runs", "/metrics", "/nowhere"] {
        let refused = client.get(path).expect(401);
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
        for wrong in [
            "Bearer wrong",
            "Basic dXNlcjpwYXNz",
            "Bearer",
            token,
            "Bearer correct-horse-battery-stapl",
        ] {
            shown(wrong).get(path).expect(401);
        }
    }
    let right = shown(&format!("Bearer {token}"));
    right.get("/api/v1/runs").expect(200);
    right.get("/nowhere").expect(404);
    // Also to somebody who says a lot before they listen.
    client.upload_module("m.ko", &vec![0; 3 << 20]).expect(401);
    for open in ["/healthz", "/readyz", "/docs/", "/problems/unauthorized", "/api/v1/openapi.json"]
    {
        client.get(open).expect(200);
    }
    // The page asks people for the token, and then shows it as every client does, streams included.
    for open in ["/", "/index.html", "/lcd/site.json", "/lcd/sim.wasm"] {
        client.get(open).expect(200);
    }
    client.with("sec-fetch-site", "same-origin").get("/api/v1/changes").expect(401);
    let page = right.with("sec-fetch-site", "same-origin");
    let page = page.with("origin", &format!("http://{}", client.authority()));
    page.get("/api/v1/runs").expect(200);
    assert!(page.follow("/api/v1/changes", None).is_ok());
    // Neither its log nor any answer repeats it.
    let log = server.stop();
    assert!(!log.contains("horse"), "{log}");
}

/// What a server says that does not begin.
fn refusal(place: &Path, arguments: &[&str]) -> String {
    let output = command(place, Options { arguments, ..Options::default() }).output().unwrap();
    assert_eq!(output.status.code(), Some(96), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!has_panicked(&text), "{text}");
    text
}

#[test]
fn what_is_not_safe_or_cannot_be_does_not_begin() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let exposed = refusal(place, &["--listen", "0.0.0.0:0"]);
    assert!(exposed.contains("--token-file") && exposed.contains("0.0.0.0"), "{exposed}");
    let readable = token_file(place, "0123456789abcdef", 0o644);
    let readable = refusal(place, &["--token-file", readable.to_str().unwrap()]);
    assert!(readable.contains("chmod 600"), "{readable}");
    let short = token_file(place, "short", 0o600);
    let short = refusal(place, &["--token-file", short.to_str().unwrap()]);
    assert!(short.contains("16 to 512"), "{short}");
    let missing = place.join("nowhere");
    let missing = refusal(place, &["--token-file", missing.to_str().unwrap()]);
    assert!(missing.contains("nowhere"), "{missing}");
    // Another server has the directory, or the address.
    let server = Server::start(place, Options::default());
    let locked = refusal(place, &[]);
    assert!(locked.contains("data"), "{locked}");
    let elsewhere = tempfile::tempdir().unwrap();
    let taken = refusal(elsewhere.path(), &["--listen", server.client.authority()]);
    assert!(taken.contains("--listen"), "{taken}");
}

#[test]
fn paths_and_methods_that_are_not_there_say_what_is() {
    let server = Server::fresh();
    let client = &server.client;
    for path in
        ["/api", "/api/v2", "/api/v1/", "/api/v1/nothing", "/api/v1/runs/1/nothing", "/index.php"]
    {
        client.get(path).expect(404);
    }
    for (method, path, allowed) in [
        (Method::DELETE, "/api/v1/runs", "POST"),
        (Method::PUT, "/api/v1/modules/a", "DELETE"),
        (Method::PATCH, "/api/v1/worlds", "GET"),
        (Method::POST, "/api/v1/statistics", "GET"),
        (Method::DELETE, "/healthz", "GET"),
        (Method::OPTIONS, "/api/v1/runs", "POST"),
    ] {
        let refused = client.send(&method, path).expect(405);
        assert!(refused.header("allow").contains(allowed), "{path}: {}", refused.header("allow"));
    }
}

#[test]
fn no_more_waits_than_may() {
    let limits = "queue = 1\nworkers = 1\nuploads = 1";
    let server = Server::fresh_with(Options { limits, ..Options::default() });
    let client = &server.client;
    let world = spinning(client);
    let running = client.start(&in_simulator(&world));
    client.until(running, &["running"]);
    let waiting = client.start(&in_simulator("printk"));
    let refused = client.post_json("/api/v1/runs", &in_simulator("printk")).expect(429);
    assert!(refused.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    client.post_json("/api/v1/campaigns", &json!({ "worlds": ["printk"] })).expect(429);
    let queued = client.get(&format!("/api/v1/runs/{waiting}")).expect(200).json();
    assert_eq!((&queued["state"], &queued["progress"]["before"]), (&"queued".into(), &0.into()));
    assert_eq!(client.get("/api/v1/statistics").expect(200).json()["runs"], 2);
    client.tell(&format!("/api/v1/runs/{running}/cancel")).expect(202);
    assert_eq!(client.over(waiting)["outcome"], "passed");
}

#[test]
fn a_store_has_no_more_than_it_may() {
    let server = Server::fresh_with(Options { limits: "store-bytes = 1", ..Options::default() });
    let client = &server.client;
    client.upload_module("m.ko", &unique(1, 8)).expect(507);
    client.post_json("/api/v1/runs", &in_simulator("printk")).expect(507);
    client.get("/api/v1/runs").expect(200);
}

#[test]
fn a_body_that_is_too_long_is_refused_before_it_has_come() {
    let server =
        Server::fresh_with(Options { limits: "module-bytes = 1000", ..Options::default() });
    let mut stream = TcpStream::connect(server.client.authority()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "POST /api/v1/modules?name=m.ko HTTP/1.1\r\nhost: localhost\r\ncontent-type: {BYTES}\r\n\
         content-length: 100000000000\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("problem+json"), "{answer}");
    // One that does not say how long it is.
    let mut stream = TcpStream::connect(server.client.authority()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = head.replace("content-length: 100000000000", "transfer-encoding: chunked");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"3e8\r\n").unwrap();
    stream.write_all(&[0; 1000]).unwrap();
    stream.write_all(b"\r\n1\r\n0\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&answer));
}

#[test]
fn names_are_no_paths_out_of_the_store() {
    let place = tempfile::tempdir().unwrap();
    let modules = place.path().join("modules");
    fs::create_dir(&modules).unwrap();
    let secret = place.path().join("secret.ko");
    fs::write(&secret, unique(1, 8)).unwrap();
    fs::write(modules.join("open.ko"), unique(2, 8)).unwrap();
    std::os::unix::fs::symlink(&secret, modules.join("link.ko")).unwrap();
    let arguments = &["--modules", modules.to_str().unwrap()];
    let server = Server::start(place.path(), Options { arguments, ..Options::default() });
    let client = &server.client;
    client.upload_world(&world_of("open", "open.ko")).expect(201);
    let absolute = secret.to_str().unwrap();
    let names = [
        absolute.to_owned(),
        format!("file:{absolute}"),
        format!("file://{absolute}"),
        "../secret.ko".into(),
        "../secret".into(),
        "..".into(),
        "./../secret.ko".into(),
        "link.ko".into(),
        "link".into(),
        "/etc/passwd".into(),
        "modules/../../secret.ko".into(),
    ];
    for name in &names {
        let refused = client.upload_world(&world_of("mine", name)).expect(422);
        assert!(!refused.text().contains("root:"), "{name}: {}", refused.text());
        let reply = client.post_json("/api/v1/runs", &json!({ "module": name }));
        assert!(matches!(reply.status, 404 | 422), "{name}: {}", reply.text());
        let named = "name = \"mine\"\n[[domain]]\nname = \"main\"\nmodule = \"m\"\n\n[[module]]\nname = \"m\"\n";
        client.upload_world(&format!("{named}file = \"{name}\"\n")).expect(422);
    }
    assert!(client.get("/api/v1/worlds/mine").expect(404).detail().contains("mine"));
    for name in [
        "..",
        ".",
        "../a.ko",
        "a/b.ko",
        "/etc/passwd",
        ".hidden",
        "a%00b",
        "a%0ab",
        "",
        "%2e%2e",
        ".gz",
        "a b",
    ] {
        let path = format!("/api/v1/modules?name={}", name.replace(' ', "%20"));
        client.post(&path, BYTES, unique(3, 8)).expect(400);
    }
    for path in [
        "/api/v1/modules/..%2f..%2fetc%2fpasswd",
        "/api/v1/worlds/%2e%2e",
        "/docs/..%2f..%2fCargo.toml",
    ] {
        client.get(path).expect(404);
    }
}
