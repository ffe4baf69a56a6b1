//! `lcd --server`: what is done on a server is printed as if it had been done here.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::thread;
use std::time::{Duration, Instant};

use lcd_tests::elf::{Elf, READ_EXECUTE, Segment};

use crate::command::{
    DIVERGE, Done, FAILURE, Place, SETUP, SUCCESS, USAGE, backends, lcd, lcd_with,
};
use crate::server::Server;

/// What stands for a time. Nothing else differs between two runs of the same.
const TIME: &str = "TIME";

/// A text with times replaced. Where there are some, columns may have other widths, too.
fn without_times(text: &str) -> String {
    let is_time = |text: &str, unit: &str| {
        text.parse::<f64>().is_ok()
            && ["ms", "s", "us", "ns"].contains(&unit.trim_end_matches([';', ',']))
    };
    let line = |line: &str| {
        if let Some((key, _)) = line.split_once("seconds\":") {
            return format!("{key}seconds: {TIME}");
        }
        let mut words: Vec<_> = line.split_whitespace().collect();
        for i in 1..words.len() {
            if is_time(words[i - 1], words[i]) {
                words[i - 1] = TIME;
            }
        }
        words.join(" ")
    };
    let replaced = text.lines().map(line).collect::<Vec<_>>().join("\n");
    if replaced.contains(TIME) { replaced } else { text.into() }
}

fn on(server: &Server, arguments: &[&str]) -> Done {
    lcd(&[&["--server", &server.url], arguments].concat())
}

/// Does it here and there, in both formats, and expects the same, except for times.
#[track_caller]
fn same(server: &Server, arguments: &[&str], code: i32) {
    for format in ["human", "json"] {
        let arguments = [arguments, &["--format", format]].concat();
        let here = lcd(&arguments).expect(code);
        let there = on(server, &arguments).expect(code);
        assert_eq!(without_times(&there.stdout), without_times(&here.stdout), "{arguments:?}");
        if !there.stderr.contains(&server.url) {
            assert_eq!(without_times(&there.stderr), without_times(&here.stderr), "{arguments:?}");
        }
    }
}

/// World files and modules that end in every way.
fn inputs() -> Place {
    let place = Place::with(&[
        "printk.ko",
        "unprovided.ko",
        "high_base.elf",
        "low_base.elf",
        "consumer.ko",
        "geometry.ko",
    ]);
    let world = |name: &str, rest: &str| {
        let text = format!(
            "name = \"{name}\"\n{rest}[[domain]]\nname = \"main\"\nmodule = \"printk.ko\"\n"
        );
        place.file(&format!("{name}.toml"), text);
    };
    world("plain", "");
    world("full", "[limits]\npages = 3\n");
    world("mistaken", "[limits]\npigs = 3\n");
    let expecting = fs::read_to_string(place.join("plain.toml")).unwrap()
        + "[[expect]]\ndomain = \"main\"\nend = \"exception\"\nvector = 6\n";
    place.file("unmet.toml", expecting);
    place.file("notes.ko", "these are notes");
    place
}

#[test]
fn runs_are_the_same_there() {
    let (server, place) = (Server::start(&["--workers", "2"]), inputs());
    let path = |name: &str| place.join(name).to_str().unwrap().to_owned();
    same(&server, &["run", "revoke"], SUCCESS);
    same(&server, &["run", &path("plain.toml"), "--timeout", "20s"], SUCCESS);
    for backend in backends() {
        let run = |what: &str, code| same(&server, &["run", what, "--backend", backend], code);
        run("ping-pong", SUCCESS);
        run(&path("high_base.elf"), FAILURE);
        run(&path("unprovided.ko"), FAILURE);
        run(&path("unmet.toml"), FAILURE);
        // It is refused there, in the same words.
        run(&path("full.toml"), SETUP);
        let done = on(&server, &["run", &path("full.toml"), "--backend", backend]);
        assert!(done.stderr.contains("raise `pages` in [limits]"), "{done:#?}");
        assert!(done.stderr.contains(&server.url), "{done:#?}");
    }
    let turns = ["run", "parallel-calls", "--backend", "sim", "--seed", "5", "--preempt", "100"];
    same(&server, &turns, SUCCESS);
    let (here, there) = (path("here.log"), path("there.log"));
    lcd(&[&turns[..], &["--log", &here]].concat()).expect(SUCCESS);
    on(&server, &[&turns[..], &["--log", &there]].concat()).expect(SUCCESS);
    assert_eq!(fs::read(here).unwrap(), fs::read(there).unwrap());
}

#[test]
fn a_parallel_run_there_is_repeated_there() {
    let server = Server::start(&[]);
    let arguments = ["run", "--parallel", "parallel-token", "--format", "json"];
    if !backends().contains(&"native") {
        let done = on(&server, &arguments).expect(SETUP);
        assert!(done.stderr.to_lowercase().contains("kvm"), "{done:#?}");
        return;
    }
    let done = on(&server, &arguments).expect(SUCCESS);
    assert!(done.stderr.contains("repeated in the simulator: all"), "{done:#?}");
    let report = done.json();
    assert_eq!(report["repeated"]["outcome"], "agree");
    assert_eq!(report["backend"], "native");
}

#[test]
fn comparisons_are_the_same_there() {
    let (server, place) = (Server::start(&["--workers", "2"]), inputs());
    let path = |name: &str| place.join(name).to_str().unwrap().to_owned();
    same(&server, &["diff", "printk", "revoke", &path("high_base.elf")], SUCCESS);
    same(&server, &["diff", "printk", &path("unmet.toml"), "sieve"], DIVERGE);
    same(&server, &["diff", &path("full.toml")], SETUP);
    same(&server, &["diff", "printk", "--backend", "sim"], SUCCESS);
    // Hardware counts no instructions, so it is left out on both sides, for the same reason.
    same(&server, &["diff", "parallel-calls", "--seed", "1", "--preempt", "100"], SUCCESS);
    // More than are on their way at a time, in the order in which they were given.
    let many = ["printk", "ping-pong", "revoke"].repeat(7);
    same(&server, &[&["diff", "--backend", "sim"], &many[..]].concat(), SUCCESS);
    // The list is in the program.
    same_text(&lcd(&["diff", "--list"]), &on(&server, &["diff", "--list"]));
}

#[track_caller]
fn same_text(here: &Done, there: &Done) {
    assert_eq!((here.code, &here.stdout, &here.stderr), (there.code, &there.stdout, &there.stderr));
}

#[test]
fn calls_modules_and_the_host_are_the_same_there() {
    let (server, place) = (Server::start(&[]), inputs());
    let path = |name: &str| place.join(name).to_str().unwrap().to_owned();
    for backend in backends() {
        let area = ["call", &path("geometry.ko"), "geometry_area", "6", "7", "--backend", backend];
        same(&server, &area, lcd(&area).code);
        same(
            &server,
            &["call", &path("printk.ko"), "cleanup_module", "--backend", backend],
            SUCCESS,
        );
        same(&server, &["call", &path("printk.ko"), "nothing", "--backend", backend], SETUP);
    }
    for module in ["printk.ko", "unprovided.ko", "low_base.elf", "consumer.ko"] {
        same(&server, &["inspect", &path(module)], SUCCESS);
    }
    same(&server, &["inspect", &path("notes.ko")], SETUP);
    let modules = place.path().to_str().unwrap();
    same(&server, &["--modules", modules, "inspect", "printk"], SUCCESS);
    same(&server, &["host"], SUCCESS);
}

#[test]
fn mistakes_are_found_before_anything_is_sent() {
    let place = inputs();
    let path = |name: &str| place.join(name).to_str().unwrap().to_owned();
    // Nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = format!("http://{address}");
    for arguments in [
        vec!["run".to_owned(), path("mistaken.toml")],
        vec!["run".into(), "no-such-world".into()],
        vec!["call".into(), path("printk.ko"), "f".into(), "twelve".into()],
        vec!["inspect".into(), path("missing.ko")],
    ] {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let here = lcd(&arguments).expect(SETUP);
        same_text(&here, &lcd(&[&["--server", &server], &arguments[..]].concat()));
    }
    for arguments in [&["run", "printk"][..], &["diff"], &["host"]] {
        let done = lcd(&[&["--server", &server], arguments].concat()).expect(SETUP);
        assert_eq!((done.stdout.as_str(), done.stderr.lines().count()), ("", 1), "{done:#?}");
        for part in [&server, "lcd serve --listen", "LCD_SERVER"] {
            assert!(done.stderr.contains(part), "{part}: {done:#?}");
        }
    }
}

#[test]
fn what_is_done_here_alone_takes_no_server() {
    let refused = |arguments: &[&str], part: &str| {
        let done = lcd(arguments).expect(USAGE);
        assert!(done.stderr.contains(part), "{done:#?}");
    };
    let server = ["--server", "http://127.0.0.1:1"];
    refused(&[&server[..], &["bench"]].concat(), "measures the machine it runs on");
    refused(&[&server[..], &["serve"]].concat(), "leave --server");
    refused(&["--server", "https://lab.example", "host"], "ssh -L");
    refused(&["host", "--server", "127.0.0.1:7171"], "http://HOST:PORT");
}

#[test]
fn a_world_that_is_too_large_is_not_sent() {
    let place = Place::new();
    let config = place.file("lcd.toml", "[limits]\nworld-bytes = 2097152\n");
    let server = Server::start(&["--config", &config]);
    let code = vec![0xc3; 3 << 20];
    let file = Elf::executable(0x40_0000, vec![Segment::new(0x40_0000, READ_EXECUTE, &code)]);
    let path = place.file("large.elf", file.bytes());
    let done = on(&server, &["run", &path, "--backend", "sim"]).expect(SETUP);
    for part in ["large", "2097152", "world-bytes", &server.url] {
        assert!(done.stderr.contains(part), "{part}: {done:#?}");
    }
}

#[test]
fn a_token_is_shown() {
    let place = Place::new();
    let token = |name: &str, text: &str| {
        let path = place.file(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    };
    let right = token("right", "0123456789abcdef0123");
    let wrong = token("wrong", "0123456789abcdef0124");
    let server = Server::start(&["--token-file", &right]);
    for arguments in [&["host"][..], &["--token-file", &wrong, "host"], &["run", "printk"]] {
        let done = on(&server, arguments).expect(SETUP);
        assert!(done.stderr.contains("LCD_TOKEN_FILE"), "{done:#?}");
        assert_eq!(done.stdout, "");
    }
    on(&server, &["--token-file", &right, "run", "printk"]).expect(SUCCESS);
    let environment = [("LCD_SERVER", server.url.as_str()), ("LCD_TOKEN_FILE", &right)];
    lcd_with(&["run", "printk"], &environment).expect(SUCCESS);
    let missing = on(&server, &["--token-file", "/nonexistent/token", "host"]).expect(SETUP);
    assert!(missing.stderr.contains("/nonexistent/token"), "{missing:#?}");
}

#[test]
fn a_run_that_somebody_cancels_says_so() {
    let (server, place) = (Server::start(&[]), Place::new());
    let code = [0xeb, 0xfe]; // jmp .
    let file = Elf::executable(0x40_0000, vec![Segment::new(0x40_0000, READ_EXECUTE, &code)]);
    let path = place.file("spin.elf", file.bytes());
    let agent =
        ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
    let cancel = format!("{}/api/v1/runs/1/cancel", server.url);
    let canceller = thread::spawn(move || {
        let deadline = Instant::now() + Duration::from_secs(60);
        while agent.post(&cancel).send_empty().is_ok_and(|answer| answer.status() != 202) {
            assert!(Instant::now() < deadline, "there was no run to cancel");
            thread::sleep(Duration::from_millis(20));
        }
    });
    let done = on(&server, &["run", &path, "--backend", "sim"]).expect(SETUP);
    canceller.join().unwrap();
    assert!(done.stderr.contains("was cancelled") && done.stderr.contains("run 1"), "{done:#?}");
    assert_eq!(done.stdout, "");
}

/// Something that answers requests one after the other, each with the next of these and then not at
/// all. Its address.
fn answering(answers: Vec<String>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                head.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

fn answer(status: &str, media_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\
         Connection: close\r\nRetry-After: 1\r\n\r\n{body}"
    )
}

#[test]
fn what_is_no_server_is_not_taken_for_one() {
    let problem = r#"{"type": "/problems/not-found", "title": "t", "status": 404, "detail": "d", "advice": "a"}"#;
    for wrong in [
        answer("200 OK", "text/html", "<html>hello"),
        answer("404 Not Found", "text/html", "nothing"),
        answer("404 Not Found", "application/problem+json", problem),
        answer("302 Found", "text/html", ""),
        answer("500 Internal Server Error", "application/problem+json", "{}"),
        "HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n{\"version\"".into(),
        "SSH-2.0-OpenSSH_9.6\r\n".into(),
    ] {
        let server = answering(vec![wrong.clone()]);
        let done = lcd(&["--server", &server, "host"]).expect(SETUP);
        assert!(done.stderr.contains(&server), "{wrong}: {done:#?}");
        assert_eq!(done.stdout, "");
    }
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let here = lcd(&["host", "--format", "json"]).expect(SUCCESS).json();
    let problem = r#"{"type": "/problems/too-many", "title": "t", "status": 429,
        "detail": "too many \u001b[2Jrequests", "advice": "wait"}"#;
    let json = |body: &str| answer("200 OK", "application/json", body);
    let busy = answer("429 Too Many Requests", "application/problem+json", problem);
    let index = json(r#"{"version": "99.0", "links": {}}"#);
    let server = answering(vec![busy.clone(), index, busy, json(&here.to_string())]);
    let done = lcd(&["--server", &server, "host", "--format", "json"]).expect(SUCCESS);
    assert_eq!(done.json(), here);
    assert!(done.stderr.contains("the server is lcd 99.0"), "{done:#?}");
    assert!(done.stderr.contains("is busy") && !done.stderr.contains('\u{1b}'), "{done:#?}");
}
