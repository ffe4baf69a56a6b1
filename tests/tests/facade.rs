//! The Rust facade: the same program on both backends, by one word.

use std::path::Path;
use std::time::Duration;

use bundled_worlds::WORLDS;
use lcd::model::domain::{LifecycleError, ThreadState};
use lcd::model::event::EventKind;
use lcd::model::exit::{End, Exited, KillReason};
use lcd::{Backend, BackendError, Domain, Error, Host, Thread};
use tempfile::TempDir;

/// Longer than anything here takes; no test waits for it to pass.
const LONG: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(30);

/// A directory with these bundled modules.
fn store(names: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for name in names {
        let mut files = WORLDS.iter().flat_map(|world| world.files);
        let (_, bytes) = files.find(|(file, _)| file == name).expect("it is bundled");
        std::fs::write(directory.path().join(name), bytes).expect("a file");
    }
    directory
}

/// Runs a scenario on every backend that is there.
fn on_every_backend(scenario: impl Fn(&dyn Fn(&Path) -> Host)) {
    for backend in Backend::ALL {
        if backend == Backend::Native && !lcd_tests::native_or_note() {
            continue;
        }
        println!("{backend}");
        scenario(&|path| Host::with_module_path(backend, path).expect("it is available"));
    }
}

const KILLED: End = End::Killed(KillReason::Killed);
const FINE: End = End::Exit(Exited { value: 0 });

#[track_caller]
fn assert_refused<T>(result: Result<T, Error>, part: &str) {
    let Err(error) = result else { panic!("it was not refused") };
    assert!(matches!(error, Error::Backend(BackendError::Lifecycle(_))), "{error:?}");
    assert!(error.to_string().contains(part), "{error}");
}

#[test]
fn a_module_is_started_waited_for_and_destroyed() {
    on_every_backend(|host| {
        let store = store(&["printk.ko"]);
        let host = host(store.path());
        let domain = host.create("printk.ko").unwrap();
        assert_eq!(domain.init_thread().report().unwrap().state, ThreadState::Suspended);
        assert_eq!(domain.console().unwrap(), "");
        domain.init_thread().start().unwrap();
        assert_eq!(domain.init_thread().wait(LONG).unwrap(), Some(FINE));
        assert_eq!(domain.init_thread().end().unwrap(), Some(FINE));
        assert!(domain.console().unwrap().starts_with("hello from a domain\n"));
        domain.destroy().unwrap();
        let last = host.log().unwrap().events.pop().unwrap();
        assert_eq!(last.kind, EventKind::DomainDestroyed);
    });
}

#[test]
fn a_name_without_its_ending_is_found_too() {
    on_every_backend(|host| {
        let store = store(&["printk.ko"]);
        let domain = host(store.path()).create("printk").map(drop);
        assert!(domain.is_ok(), "{domain:?}");
    });
}

/// A domain whose thread has been running for a moment and never ends by itself.
fn spinning(host: &Host) -> (Domain, Thread) {
    let domain = host.create("load.ko").unwrap();
    let thread = domain.init_thread().clone();
    thread.start().unwrap();
    assert_eq!(thread.wait(MOMENT).unwrap(), None);
    (domain, thread)
}

#[test]
fn a_spinning_thread_is_killed() {
    on_every_backend(|host| {
        let store = store(&["load.ko"]);
        let host = host(store.path());
        let (domain, thread) = spinning(&host);
        thread.kill().unwrap();
        assert_eq!(thread.end().unwrap(), Some(KILLED));
        assert_refused(thread.kill(), "cannot kill a thread that is dead");
        assert_refused(thread.start(), "cannot start a thread that is dead");
        assert_eq!(thread.end().unwrap(), Some(KILLED), "the first reason sticks");
        domain.destroy().unwrap();
    });
}

#[test]
fn a_domain_is_destroyed_while_its_thread_spins() {
    on_every_backend(|host| {
        let store = store(&["load.ko"]);
        let host = host(store.path());
        let (domain, thread) = spinning(&host);
        domain.destroy().unwrap();
        assert_eq!(thread.end().unwrap(), Some(End::Killed(KillReason::Destroyed)));
        assert_refused(thread.start(), "dead");
        assert_refused(thread.kill(), "dead");
    });
}

#[test]
fn a_thread_starts_once() {
    on_every_backend(|host| {
        let store = store(&["load.ko"]);
        let host = host(store.path());
        let domain = host.create("load.ko").unwrap();
        let thread = domain.init_thread();
        thread.start().unwrap();
        assert_refused(thread.start(), "cannot start a thread that is started");
        assert_eq!(thread.report().unwrap().state, ThreadState::Ready);
        thread.kill().unwrap();
    });
}

#[test]
fn a_thread_that_never_started_can_be_killed() {
    on_every_backend(|host| {
        let store = store(&["printk.ko"]);
        let host = host(store.path());
        let domain = host.create("printk.ko").unwrap();
        domain.init_thread().kill().unwrap();
        assert_eq!(domain.init_thread().wait(LONG).unwrap(), Some(KILLED));
        assert_refused(domain.init_thread().start(), "dead");
        assert_eq!(domain.console().unwrap(), "");
    });
}

#[test]
fn a_missing_module_is_named_and_nothing_is_left() {
    on_every_backend(|host| {
        let store = store(&["printk.ko"]);
        std::fs::write(store.path().join("text.ko"), "not a module").unwrap();
        let host = host(store.path());
        let error = host.create("foo.ko").map(drop).unwrap_err();
        assert!(matches!(error, Error::Modules(_)) && error.to_string().contains("foo"), "{error}");
        let error = host.create("text.ko").map(drop).unwrap_err();
        assert!(error.to_string().contains("text.ko"), "{error}");
        let events = host.log().unwrap().events;
        let destroyed = |kind: &EventKind| *kind == EventKind::DomainDestroyed;
        let created = |kind: &EventKind| matches!(kind, EventKind::DomainCreated { .. });
        let count = |what: &dyn Fn(&EventKind) -> bool| {
            events.iter().filter(|event| what(&event.kind)).count()
        };
        assert_eq!(count(&created), count(&destroyed));
        // The machine goes on.
        let domain = host.create("printk.ko").unwrap();
        domain.init_thread().start().unwrap();
        assert_eq!(domain.init_thread().wait(LONG).unwrap(), Some(FINE));
    });
}

#[test]
fn two_domains_live_side_by_side() {
    on_every_backend(|host| {
        let store = store(&["load.ko", "printk.ko", "null_pointer.ko"]);
        let host = host(store.path());
        let spinning = host.create("load.ko").unwrap();
        let printing = host.create("printk.ko").unwrap();
        let falling = host.create("null_pointer.ko").unwrap();
        falling.init_thread().start().unwrap();
        assert!(matches!(
            falling.init_thread().wait(LONG).unwrap(),
            Some(End::Killed(KillReason::Exception { vector: 14, .. }))
        ));
        printing.init_thread().start().unwrap();
        assert_eq!(printing.init_thread().wait(LONG).unwrap(), Some(FINE));
        spinning.init_thread().start().unwrap();
        assert_eq!(spinning.init_thread().wait(MOMENT).unwrap(), None);
        // One goes, the others stay.
        printing.destroy().unwrap();
        assert_eq!(spinning.init_thread().report().unwrap().state, ThreadState::Ready);
        spinning.init_thread().kill().unwrap();
        assert_eq!(spinning.init_thread().end().unwrap(), Some(KILLED));
        falling.destroy().unwrap();
        spinning.destroy().unwrap();
    });
}

#[test]
fn a_host_goes_while_a_thread_spins_and_handles_outlive_it() {
    on_every_backend(|host| {
        let store = store(&["load.ko"]);
        let host = host(store.path());
        let (domain, thread) = spinning(&host);
        drop(host);
        assert!(matches!(thread.kill(), Err(Error::Gone)));
        assert!(matches!(thread.wait(LONG), Err(Error::Gone)));
        assert!(matches!(domain.console(), Err(Error::Gone)));
        assert!(matches!(domain.destroy(), Err(Error::Gone)));
    });
}

#[test]
fn requests_come_through_from_several_host_threads() {
    on_every_backend(|host| {
        let store = store(&["load.ko"]);
        let host = host(store.path());
        let domain = host.create("load.ko").unwrap();
        let thread = domain.init_thread();
        thread.start().unwrap();
        // Of many kills exactly one takes effect, whatever their order.
        let results: Vec<_> = std::thread::scope(|scope| {
            let killers: Vec<_> = (0..4).map(|_| scope.spawn(|| thread.kill())).collect();
            killers.into_iter().map(|killer| killer.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        for error in results.into_iter().filter_map(Result::err) {
            let Error::Backend(BackendError::Lifecycle(error)) = error else { panic!("{error}") };
            assert!(matches!(error, LifecycleError::ThreadState { .. }));
        }
    });
}

#[test]
fn many_domains_come_and_go() {
    on_every_backend(|host| {
        let store = store(&["printk.ko"]);
        let host = host(store.path());
        for turn in 0..20 {
            let domain = host.create("printk.ko").unwrap();
            domain.init_thread().start().unwrap();
            assert_eq!(domain.init_thread().wait(LONG).unwrap(), Some(FINE), "turn {turn}");
            domain.destroy().unwrap();
        }
    });
}

#[test]
fn a_host_without_a_module_directory_says_so() {
    let error = Host::with_module_path(Backend::Sim, Path::new("/nonexistent")).map(drop);
    assert!(error.unwrap_err().to_string().contains("/nonexistent"));
}
