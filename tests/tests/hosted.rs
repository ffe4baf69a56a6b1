//! Code of this process in host domains: the same on both backends, and never in the way.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use bundled_worlds::WORLDS;
use lcd::model::abi::{Hypercall, Status};
use lcd::model::event::Event;
use lcd::model::exit::{End, Exited, KillReason};
use lcd::model::host::Message;
use lcd::model::rights::Rights;
use lcd::{Backend, Domain, Host, HostContext, HostError};

const LONG: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(20);
const FINE: End = End::Exit(Exited { value: 0 });

/// Runs a scenario on every backend that is there, and returns what it did on each.
fn on_every_backend<T>(scenario: impl Fn(Host) -> T) -> Vec<T> {
    let there = |&backend: &Backend| backend != Backend::Native || lcd_tests::native_or_note();
    let backends = Backend::ALL.into_iter().filter(there);
    backends.map(|backend| scenario(Host::new(backend).expect("it is available"))).collect()
}

/// Creates a host domain and lets it run.
fn started(
    host: &Host,
    body: impl FnOnce(&mut HostContext) -> Result<i64, HostError> + Send + 'static,
) -> Domain {
    let domain = host.spawn("host", body).unwrap();
    domain.init_thread().start().unwrap();
    domain
}

fn ends(domain: &Domain) -> Option<End> {
    domain.init_thread().wait(LONG).unwrap()
}

#[test]
fn code_talks_to_a_service_and_to_other_code_always_alike() {
    let logs = on_every_backend(|host| {
        let echo = host.service("echo", "echo").unwrap();
        let server = host
            .spawn("server", |cx| {
                let mut call = cx.receive(3)?;
                let mut served = 0;
                loop {
                    served += 1;
                    let answer = Message::new(&[call.message[0] + 1, served]);
                    match cx.reply_receive(3, &answer) {
                        Ok(next) => call = next,
                        Err(HostError::Refused(Status::PeerDied)) => return Ok(served as i64),
                        Err(error) => return Err(error),
                    }
                }
            })
            .unwrap();
        let client = host
            .spawn("client", |cx| {
                for (domain, endpoint) in [(20, 21), (22, 23)] {
                    cx.create_endpoint(endpoint)?;
                    cx.grant(domain, endpoint, 3, Rights::READ | Rights::GRANT, 0)?;
                    cx.run_domain(domain)?;
                }
                let mut sum = 0;
                for number in 0..100 {
                    let number = cx.call(21, &Message::new(&[number]))?.message[0];
                    sum += cx.call(23, &Message::new(&[number]))?.message[0];
                }
                cx.print("done\n")?;
                Ok(sum as i64)
            })
            .unwrap();
        client.give(20, &server, Rights::ALL).unwrap();
        client.give(22, &echo, Rights::ALL).unwrap();
        client.init_thread().start().unwrap();
        assert_eq!(ends(&client), Some(End::Exit(Exited { value: 5050 })));
        assert_eq!(client.console().unwrap(), "done\n");
        // Nobody is left who could call them.
        assert_eq!(ends(&server), Some(End::Exit(Exited { value: 100 })));
        assert_eq!(ends(&echo), Some(FINE));
        host.log().unwrap().events
    });
    let again: Vec<Event> = logs[0].clone();
    assert!(logs.iter().all(|log| *log == again));
}

#[test]
fn code_creates_domains_from_modules() {
    for backend in Backend::ALL {
        if backend == Backend::Native && !lcd_tests::native_or_note() {
            continue;
        }
        let directory = tempfile::tempdir().unwrap();
        let mut files = WORLDS.iter().flat_map(|world| world.files);
        let (_, bytes) = files.find(|(file, _)| *file == "printk.ko").expect("it is bundled");
        std::fs::write(directory.path().join("printk.ko"), bytes).unwrap();
        let host = Host::with_module_path(backend, directory.path()).unwrap();
        let module = host.provide("printk.ko").unwrap();
        let creator = started(&host, move |cx| {
            cx.create_domain(20)?;
            cx.configure(20, &module)?;
            assert_eq!(cx.configure(20, &module), Err(HostError::Refused(Status::BadState)));
            cx.run_domain(20)?;
            loop {
                let [_, live, exited, value, ..] = cx.hypercall(Hypercall::DomainInspect, &[20])?;
                if live == 0 {
                    return Ok(if exited == 1 { value as i64 } else { -1 });
                }
                cx.yield_turn()?;
            }
        });
        assert_eq!(ends(&creator), Some(FINE));
    }
}

#[test]
fn memory_is_reached_as_capabilities_allow() {
    on_every_backend(|host| {
        let domain = started(&host, |cx| {
            cx.allocate(20, Rights::READ | Rights::WRITE, 9)?;
            cx.copy(20, 21, Rights::READ, 0)?;
            // More than one request carries.
            let bytes: Vec<u8> = (0..(3 << 19)).map(|i: u32| (i % 251) as u8).collect();
            cx.write(20, 4000, &bytes)?;
            let mut back = vec![0; bytes.len()];
            cx.read(21, 4000, &mut back)?;
            assert!(back == bytes);
            assert_eq!(cx.write(21, 0, b"x"), Err(HostError::Refused(Status::NotPermitted)));
            assert_eq!(cx.read(20, 2 << 20, &mut [0]), Err(HostError::Refused(Status::Invalid)));
            cx.revoke(20)?;
            assert_eq!(cx.read(21, 0, &mut [0]), Err(HostError::Refused(Status::NotFound)));
            Ok(0)
        });
        assert_eq!(ends(&domain), Some(FINE));
    });
}

#[test]
fn a_panic_ends_its_domain_and_nothing_else() {
    on_every_backend(|host| {
        let broken = started(&host, |_| panic!("no way\nout"));
        let message = String::from("no way out");
        assert_eq!(ends(&broken), Some(End::Killed(KillReason::Panicked { message })));
        let refused = started(&host, |cx| cx.create_endpoint(0).map(|()| 0));
        assert_eq!(ends(&refused), Some(End::Exit(Exited { value: Status::Invalid as i64 })));
        assert_eq!(ends(&started(&host, |_| Ok(0))), Some(FINE));
    });
}

/// A host domain whose code waits for ever, and what its wait ended with.
fn waiting(host: &Host) -> (Domain, mpsc::Receiver<HostError>) {
    let (sender, ended) = mpsc::channel();
    let (began, beginning) = mpsc::channel();
    let domain = started(host, move |cx| {
        began.send(()).unwrap();
        let error = cx.sleep(u64::MAX).unwrap_err();
        // Every further call fails alike.
        assert_eq!(cx.print("x"), Err(error));
        sender.send(error).unwrap();
        Err(error)
    });
    // Code whose domain ends before its first turn is not run at all.
    beginning.recv_timeout(LONG).unwrap();
    (domain, ended)
}

#[test]
fn code_that_waits_is_told_when_its_domain_ends() {
    on_every_backend(|host| {
        let (domain, ended) = waiting(&host);
        domain.init_thread().kill().unwrap();
        assert_eq!(ended.recv_timeout(LONG), Ok(HostError::Ended));
        assert_eq!(ends(&domain), Some(End::Killed(KillReason::Killed)));

        let (domain, ended) = waiting(&host);
        domain.destroy().unwrap();
        assert_eq!(ended.recv_timeout(LONG), Ok(HostError::Ended));

        let (_domain, ended) = waiting(&host);
        drop(host);
        assert_eq!(ended.recv_timeout(LONG), Ok(HostError::Ended));
    });
}

#[test]
fn code_that_never_makes_a_call_can_be_killed_and_holds_nobody_up() {
    on_every_backend(|host| {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let domain = started(&host, move |_| {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(7)
        });
        // The machine stands still, and still answers.
        assert_eq!(domain.init_thread().wait(MOMENT).unwrap(), None);
        domain.init_thread().kill().unwrap();
        assert_eq!(ends(&domain), Some(End::Killed(KillReason::Killed)));
        assert_eq!(ends(&started(&host, |_| Ok(0))), Some(FINE));
        // What it returns comes too late.
        stop.store(true, Ordering::Relaxed);
        assert_eq!(ends(&domain), Some(End::Killed(KillReason::Killed)));
    });
}
