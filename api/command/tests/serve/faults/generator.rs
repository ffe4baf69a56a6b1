//! Requests that are wrong, or nearly right: drawn from a seed.

use lcd_tests::Random;
use lcd_tests::elf::Elf;
use serde_json::{Value, json};

use crate::client::{BUNDLE, BYTES, JSON, TOML};
use crate::subjects::{bundled, executable, world_of};

/// A request on its way.
pub(super) struct Drawn {
    pub(super) bytes: Vec<u8>,
    /// Whether the answer to it has no body.
    pub(super) head_only: bool,
    /// Whether what follows it on the connection could be taken for a part of it.
    pub(super) alone: bool,
}

/// Draws requests.
pub(super) struct Generator {
    pub(super) random: Random,
    /// Small modules, and a bundle of a small world.
    modules: [Vec<u8>; 3],
    bundle: Vec<u8>,
}

const PATHS: &[&str] = &[
    "/api/v1",
    "/api/v1/host",
    "/api/v1/backends",
    "/api/v1/modules",
    "/api/v1/modules/m.ko",
    "/api/v1/modules/m.ko/content",
    "/api/v1/worlds",
    "/api/v1/worlds/printk",
    "/api/v1/runs",
    "/api/v1/runs/1",
    "/api/v1/runs/1/report",
    "/api/v1/runs/1/events?from=3&limit=5&kind=mapped",
    "/api/v1/runs/1/log",
    "/api/v1/runs/1/console",
    "/api/v1/runs/1/graph?at=3",
    "/api/v1/runs/1/spaces?domain=0&at=9",
    "/api/v1/campaigns",
    "/api/v1/campaigns/1",
    "/api/v1/verdicts",
    "/api/v1/divergences",
    "/api/v1/divergences/0123456789abcdef",
    "/api/v1/statistics",
    "/api/v1/history/printk?limit=3",
    "/healthz",
    "/readyz",
    "/metrics",
    "/problems/not-found",
    "/api/v1/openapi.json",
    "/docs/",
    "/api/v1/runs/1/stream",
];

const METHODS: &[&str] = &[
    "GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT",
    "BREW",
];

/// Pieces of text that are put where they do not belong.
const PIECES: &[&[u8]] = &[
    b"",
    b"\0",
    b"%00",
    b"%",
    b"%zz",
    b"%2f",
    b"..",
    b"/",
    b"//",
    b"?",
    b"&",
    b"=",
    b"#",
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b"\r\n",
    b"\xff\xfe",
    b"\xc3\x28",
    b"18446744073709551616",
    b"-1",
    b"1e999",
    b"'",
    b"\"",
    b"<",
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"\\u0000",
    b"\\ud800",
    b"A",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    b"${x}",
    b"$(x)",
    b"; drop table runs",
    b"http://evil.example",
    b"inf",
    b"0x7f",
];

impl Generator {
    pub(super) fn new(seed: u64, bundle: Vec<u8>) -> Self {
        let kernel = ["printk.ko", "sorting.ko"].map(|name| bundled(name).to_vec());
        let [first, second] = kernel;
        let modules = [executable(&[0x0f, 0x0b]), first, second];
        Self { random: Random::new(seed), modules, bundle }
    }

    /// The next request.
    pub(super) fn draw(&mut self) -> Drawn {
        match self.random.below(20) {
            0..=2 => self.noise(),
            3..=8 => self.mutated_head(),
            9..=11 => self.mutated_module(),
            12..=13 => self.mutated_world(),
            14..=15 => self.mutated_bundle(),
            16..=18 => self.mutated_json(),
            _ => self.wrong_length(),
        }
    }

    /// What can be asked about something that was stored although it was changed.
    pub(super) fn further(&mut self, stored: &Value) -> Option<Drawn> {
        let id = stored["id"].as_str()?;
        let module = stored["size"].is_u64();
        if self.random.once_in(20) {
            let what = if module { "module" } else { "world" };
            let run = json!({ what: id, "kind": "run", "backends": ["sim"], "timeout_ms": 200 });
            return Some(post(b"/api/v1/runs", JSON, run.to_string().as_bytes()));
        }
        let target = stored["href"].as_str()?;
        let bytes = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").into_bytes();
        self.random.once_in(2).then_some(Drawn { bytes, head_only: false, alone: false })
    }

    /// Bytes without a sense.
    fn noise(&mut self) -> Drawn {
        let len = self.random.below(300);
        let mut bytes: Vec<u8> = (0..len).map(|_| self.random.below(256) as u8).collect();
        if self.random.once_in(2) {
            bytes.splice(0..0, b"GET / HTTP/1.1\r\n".iter().copied());
        }
        bytes.extend(b"\r\n\r\n");
        Drawn { bytes, head_only: false, alone: true }
    }

    /// A request without a body, something in whose head is changed.
    fn mutated_head(&mut self) -> Drawn {
        let path = self.random.one_of(PATHS);
        let method = self.random.one_of(METHODS);
        let mut target = path.as_bytes().to_vec();
        if self.random.once_in(2) {
            mutate(&mut self.random, &mut target);
        }
        let mut head =
            [method.as_bytes(), b" ", &target, b" HTTP/1.1\r\nhost: localhost\r\n"].concat();
        let further: &[&str] = &[
            "",
            "",
            "accept: application/json\r\n",
            "last-event-id: native/3\r\n",
            "range: bytes=0-\r\n",
            "authorization: Bearer x\r\n",
            "expect: 100-continue\r\n",
            "upgrade: h2c\r\n",
            "te: trailers\r\n",
            "origin: http://localhost\r\n",
            "if-none-match: *\r\n",
            "cookie: a=b\r\n",
            "x: \u{e9}\r\n",
            "host: localhost\r\n",
            "content-length: 0\r\n",
            "accept-encoding: gzip\r\n",
            "connection: upgrade\r\n",
        ];
        for _ in 0..self.random.below(4) {
            head.extend(self.random.one_of(further).as_bytes());
        }
        let whole = self.random.once_in(3);
        if whole {
            mutate(&mut self.random, &mut head);
        }
        head.extend(b"\r\n");
        Drawn { bytes: head, head_only: method == "HEAD", alone: whole || method == "CONNECT" }
    }

    fn mutated_module(&mut self) -> Drawn {
        let at = self.random.below(self.modules.len() as u64) as usize;
        let mut module = self.modules[at].clone();
        if self.random.once_in(4) {
            module = self.wild_executable();
        }
        for _ in 0..=self.random.below(4) {
            mutate_bytes(&mut self.random, &mut module);
        }
        let mut name = b"m.ko".to_vec();
        if self.random.once_in(8) {
            name = self.random.one_of(&[&b"m.ko.gz"[..], b"m.ko.xz", b"m.ko.zst"]).to_vec();
        }
        let target = [b"/api/v1/modules?name=".as_slice(), &name].concat();
        post(&target, BYTES, &module)
    }

    /// An executable with sizes and addresses that no linker gives.
    fn wild_executable(&mut self) -> Vec<u8> {
        use lcd_tests::elf::{READ_EXECUTE, Segment};
        let edges = [0, 1, 0xfff, 0x1000, 0x40_0000, 1 << 30, 1 << 47, u64::MAX - 0xfff, u64::MAX];
        let mut edge = || self.random.one_of(&edges);
        let segment =
            Segment { at: edge(), flags: READ_EXECUTE, bytes: vec![0xcc; 64], zeros: edge() >> 1 };
        let mut elf = Elf::executable(edge(), vec![segment]);
        elf.extra.push((self.random.below(10) as u32, vec![1; 40]));
        elf.bytes()
    }

    fn mutated_world(&mut self) -> Drawn {
        let mut world = world_of("w", "nobody.ko");
        world.push_str(
            "kill_after = { instructions = 10, milliseconds = 10 }\n[limits]\npages = 10\n\
             [schedule]\nparallel = false\n[[expect]]\ndomain = \"main\"\nend = \"exit\"\nvalue = -1\n\
             [[endpoint]]\nname = \"e\"\n[[memory]]\nname = \"m\"\n",
        );
        let mut world = world.into_bytes();
        if self.random.once_in(10) {
            let depth = 1 + self.random.below(20_000) as usize;
            world = [b"a = ".as_slice(), &b"[".repeat(depth)].concat();
        }
        for _ in 0..=self.random.below(3) {
            mutate(&mut self.random, &mut world);
        }
        post(
            self.random.one_of(&[b"/api/v1/worlds".as_slice(), b"/api/v1/worlds/check"]),
            TOML,
            &world,
        )
    }

    fn mutated_bundle(&mut self) -> Drawn {
        let mut bundle = self.bundle.clone();
        // What says how long everything is stands at the beginning.
        let end = if self.random.once_in(2) { bundle.len() } else { bundle.len().min(400) };
        for _ in 0..=self.random.below(3) {
            let mut part = bundle[..end.min(bundle.len())].to_vec();
            mutate_bytes(&mut self.random, &mut part);
            bundle.splice(..end.min(bundle.len()), part);
        }
        post(
            self.random.one_of(&[b"/api/v1/worlds".as_slice(), b"/api/v1/worlds/check"]),
            BUNDLE,
            &bundle,
        )
    }

    fn mutated_json(&mut self) -> Drawn {
        let bodies: &[&str] = &[
            r#"{"world": "nobody", "kind": "run", "backends": ["sim"], "timeout_ms": 10}"#,
            r#"{"module": "nobody.ko", "call": {"function": "f", "arguments": [1, {"text": "a"}, {"hex": "00"}]}}"#,
            r#"{"world": "nobody", "turns": {"seed": 1, "preempt": 100, "parallel": false}}"#,
            r#"{"name": "c", "worlds": ["nobody", "nobody"], "backends": ["sim", "native"]}"#,
        ];
        let mut body = self.random.one_of(bodies).as_bytes().to_vec();
        match self.random.below(8) {
            0 => {
                let depth = 1 + self.random.below(100_000) as usize;
                let open = self.random.one_of(&[
                    b"[".as_slice(),
                    br#"{"world":"#,
                    br#"{"call":{"arguments":["#,
                ]);
                body = open.repeat(depth.min(200_000 / open.len()));
            }
            1 => {
                let digits = 1 + self.random.below(2000) as usize;
                body = format!(r#"{{"world": "nobody", "timeout_ms": {}}}"#, "9".repeat(digits))
                    .into_bytes();
            }
            _ => {
                for _ in 0..=self.random.below(3) {
                    mutate(&mut self.random, &mut body);
                }
            }
        }
        post(self.random.one_of(&[b"/api/v1/runs".as_slice(), b"/api/v1/campaigns"]), JSON, &body)
    }

    /// A body that is not as long as its head says.
    fn wrong_length(&mut self) -> Drawn {
        let lengths: &[&str] = &[
            "content-length: 1",
            "content-length: 3",
            "content-length: -1",
            "content-length: 0x10",
            "content-length: 99999999999999999999",
            "content-length: 18446744073709551615",
            "content-length: 7\r\ncontent-length: 8",
            "content-length: 7, 7",
            "content-length: +7",
            "content-length: ",
            "transfer-encoding: chunked",
            "transfer-encoding: gzip, chunked",
            "transfer-encoding: chunked\r\ncontent-length: 3",
            "transfer-encoding: identity",
            "transfer-encoding: chunked, chunked",
            "expect: 100-continue\r\ncontent-length: 7",
        ];
        let length = self.random.one_of(lengths);
        let bodies: &[&str] = &[
            "{}",
            "{\"a\":1}",
            "2\r\n{}\r\n0\r\n\r\n",
            "fffffffffffffffff\r\n",
            "-1\r\n{}\r\n",
            "",
        ];
        let body = self.random.one_of(bodies);
        let head = format!(
            "POST /api/v1/runs HTTP/1.1\r\nhost: localhost\r\ncontent-type: {JSON}\r\n{length}\r\n\r\n{body}"
        );
        Drawn { bytes: head.into_bytes(), head_only: false, alone: true }
    }
}

fn post(target: &[u8], media_type: &str, body: &[u8]) -> Drawn {
    let middle = format!(
        " HTTP/1.1\r\nhost: localhost\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let bytes = [b"POST ", target, middle.as_bytes(), body].concat();
    Drawn { bytes, head_only: false, alone: false }
}

/// Changes a text somewhere.
fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() as u64 + 1) as usize;
    let end = (at + random.below(12) as usize).min(bytes.len());
    match random.below(5) {
        0 => drop(bytes.splice(at..at, random.one_of(PIECES).iter().copied())),
        1 => drop(bytes.splice(at..end, random.one_of(PIECES).iter().copied())),
        2 => drop(bytes.drain(at..end)),
        3 => {
            let again = bytes[at..end].to_vec();
            bytes.splice(at..at, again);
        }
        _ => mutate_bytes(random, bytes),
    }
}

/// Changes bytes somewhere: one, four to an edge, or how many there are.
fn mutate_bytes(random: &mut Random, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len() as u64) as usize;
    match random.below(6) {
        0 => bytes.truncate(at),
        1 => {
            let edges = [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX, u32::MAX - 1, 0x1000, 64];
            let edge = random.one_of(&edges).to_le_bytes();
            for (byte, new) in bytes[at..].iter_mut().zip(edge) {
                *byte = new;
            }
        }
        2 => bytes[at] ^= 1 << random.below(8),
        _ => bytes[at] = random.below(256) as u8,
    }
}
