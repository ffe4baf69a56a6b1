//! What a process cannot do once it has locked itself in.
//!
//! Each test starts this program again, as a process that enters the sandbox and then does one
//! thing, and looks what became of it.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, exit};
use std::thread;
use std::time::Duration;

use lcd_server::worker::sandbox;
use rustix::process::{Pid, Resource, Rlimit, getppid, setrlimit, test_kill_process};

const DEED: &str = "LCD_TEST_DEED";
/// How the process ends.
const DONE: i32 = 40;
const REFUSED: i32 = 41;
const OTHER_ERROR: i32 = 42;
const NOT_CONFINED: i32 = 43;
const SIGSYS: i32 = 31;

/// What can be done, by name.
const DEEDS: &[(&str, fn() -> io::Result<()>)] = &[
    ("compute", compute),
    ("thread", || thread::spawn(|| ()).join().map_err(|_| io::ErrorKind::Other.into())),
    ("sleep", || Ok(thread::sleep(Duration::from_millis(1)))),
    ("read", || File::open("/etc/passwd").map(drop)),
    ("read own memory", || File::open("/proc/self/mem").map(drop)),
    ("write", || File::create("/tmp/lcd-sandbox-test").map(drop)),
    ("list", || fs::read_dir("/").map(drop)),
    ("delete", || fs::remove_file("/tmp/lcd-there-is-no-such-file")),
    ("link", || std::os::unix::fs::symlink("/", "/tmp/lcd-sandbox-link")),
    ("move", || std::env::set_current_dir("/")),
    ("raise a limit", raise_a_limit),
    ("pipe", || io::pipe().map(drop)),
    ("make code", make_code),
    ("connect", || TcpStream::connect(("127.0.0.1", 1)).map(drop)),
    ("listen", || TcpListener::bind(("127.0.0.1", 0)).map(drop)),
    ("send", || UdpSocket::bind(("127.0.0.1", 0)).map(drop)),
    ("socket pair", || UnixStream::pair().map(drop)),
    ("start a program", || Command::new("/bin/true").status().map(drop)),
    ("become a program", || Err(Command::new("/bin/true").exec())),
    ("kill the parent", kill_the_parent),
    ("from another thread", from_another_thread),
];

fn compute() -> io::Result<()> {
    // Enough for the allocator to ask the kernel, and a hash table for its seed.
    let bytes = vec![1u8; 64 << 20];
    let table: std::collections::HashMap<usize, u8> =
        bytes.iter().copied().enumerate().take(99).collect();
    (table.len() == 99).then_some(()).ok_or_else(|| io::ErrorKind::Other.into())
}

fn raise_a_limit() -> io::Result<()> {
    let limit = Rlimit { current: Some(1 << 20), maximum: Some(1 << 20) };
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// Compiles, which needs memory that is executable.
fn make_code() -> io::Result<()> {
    lcd::available(lcd::Backend::Sim).map_err(|error| {
        let text = error.to_string();
        assert!(text.contains("not permitted"), "{text}");
        io::ErrorKind::PermissionDenied.into()
    })
}

fn kill_the_parent() -> io::Result<()> {
    let parent: Pid = getppid().ok_or(io::ErrorKind::NotFound)?;
    Ok(test_kill_process(parent)?)
}

/// One that was there before the sandbox.
fn from_another_thread() -> io::Result<()> {
    // Its end is that of the process.
    TcpStream::connect(("127.0.0.1", 1)).map(drop)
}

/// Not a test, but what the tests start.
#[test]
fn deed() {
    let Ok(name) = std::env::var(DEED) else { return };
    let (_, deed) = DEEDS.iter().find(|(other, _)| *other == name).expect("there is such a deed");
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let before = thread::spawn(move || wait.recv().map(|()| deed()));
    if sandbox::enter().is_err() {
        exit(NOT_CONFINED);
    }
    let result = match name.as_str() {
        "from another thread" => {
            go.send(()).expect("it waits");
            before.join().expect("it does not panic").expect("it was told")
        }
        _ => deed(),
    };
    exit(match result {
        Ok(()) => DONE,
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => REFUSED,
        Err(_) => OTHER_ERROR,
    });
}

fn outcome(deed: &str) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
    command.args(["--exact", "deed", "--nocapture", "--test-threads=1"]).env(DEED, deed);
    let output = command.output().expect("this program starts");
    assert_ne!(output.status.code(), Some(NOT_CONFINED), "{deed}");
    output.status
}

#[test]
fn it_can_compute() {
    for deed in ["compute", "thread", "sleep"] {
        assert_eq!(outcome(deed).code(), Some(DONE), "{deed}");
    }
}

#[test]
fn files_pipes_and_code_are_refused() {
    let refused = [
        "read",
        "read own memory",
        "write",
        "list",
        "delete",
        "link",
        "move",
        "raise a limit",
        "pipe",
        "make code",
    ];
    for deed in refused {
        assert_eq!(outcome(deed).code(), Some(REFUSED), "{deed}");
    }
}

#[test]
fn networks_programs_and_other_processes_are_its_end() {
    let fatal = [
        "connect",
        "listen",
        "send",
        "socket pair",
        "start a program",
        "become a program",
        "kill the parent",
        "from another thread",
    ];
    for deed in fatal {
        let status = outcome(deed);
        assert_eq!(status.signal(), Some(SIGSYS), "{deed}: {status}");
        assert!(!status.core_dumped(), "{deed}");
    }
}
