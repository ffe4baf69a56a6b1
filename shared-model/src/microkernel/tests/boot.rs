//! Boot: what a world file says is there before the first instruction, and nothing else is.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::prelude::{ProptestConfig, prop, proptest};

use super::{Bench, DATA, MAIN};
use crate::abi::{FaultKind, Hypercall, Received, Resource, boot_info, utcb};
use crate::address::{GuestPhysical, PAGE_SIZE};
use crate::capability::{Capability, Object, Place, Slot, SpaceId};
use crate::domain::{DomainId, ThreadState};
use crate::event::EventKind;
use crate::exit::{Access, Exit};
use crate::rights::Rights;
use crate::world::World;
use crate::world::tests::mutated::{change, changed};

const EVERYTHING: &str = r#"
name = "everything"
memory = [
    { name = "block", pages = 3, node = 1, contents = [{ offset = 0xffe, text = "across" }] },
    { name = "loan", lent = true, contents = [{ hex = "0102" }] },
]
endpoint = [{ name = "door" }, { name = "faults" }]
notification = [{ name = "bell" }]
channel = [{ name = "pipe", order = 1 }]
ports = [{ name = "ports", first = 0x40, last = 0x43 }]
interrupt = [{ name = "line", line = 4 }]

[[domain]]
name = "main"
module = "m"
faults = "faults"
fault_badge = 21
quota = { pages = 300, capabilities = 40, objects = 1 }
pages = [{ rights = "rw", at = 0x4000_0000 }]
caps = [
    { slot = 10, object = "block", rights = "rw", at = 0x4001_0000 },
    { slot = 11, object = "loan", rights = "r", at = 0x4002_0000 },
    { slot = 12, object = "door", rights = "wgc", badge = 7 },
    { slot = 13, object = "bell", rights = "rw", badge = 9 },
    { slot = 14, object = "pipe", rights = "rw", at = 0x4003_0000, badge = 1 },
    { slot = 15, object = "ports", rights = "rw" },
    { slot = 16, object = "line", rights = "r" },
    { slot = 17, object = "main", rights = "rw", name = "self" },
    { object = "peer", rights = "rwg", name = "" },
]
threads = [
    { call = "work", args = [5], kill_after = { instructions = 9, milliseconds = 8 } },
    { call = "work", start = false },
]

[[domain]]
name = "peer"
module = "m"
start = false
caps = [{ object = "door", rights = "w", under = "main" }]
threads = [{ call = "work" }]
"#;

/// The domains' numbers.
const A: DomainId = DomainId(0);
const B: DomainId = DomainId(1);

fn held(bench: &Bench, domain: DomainId, number: u64) -> Capability {
    let slot = Slot { space: SpaceId::Domain(domain), number };
    bench.kernel.capabilities.lookup(slot).expect("the world gives it")
}

fn parent(bench: &Bench, domain: DomainId, number: u64) -> Option<Slot> {
    let slot = Slot { space: SpaceId::Domain(domain), number };
    bench.kernel.capabilities.parent(slot).expect("the world gives it")
}

/// The names in a domain's boot information, with their slots.
fn names(bench: &Bench, domain: DomainId) -> Vec<(String, u64)> {
    let home = bench.kernel.domains[&domain].home.expect("it is configured");
    let page = bench.kernel.read_physical(domain, home.boot_info, PAGE_SIZE);
    let word = |at: usize| u64::from_le_bytes(page[at..at + 8].try_into().unwrap());
    (0..word(boot_info::COUNT) as usize)
        .map(|i| {
            let at = boot_info::ENTRIES + i * boot_info::ENTRY_SIZE;
            let name = &page[at..at + boot_info::ENTRY_SLOT];
            let name = core::str::from_utf8(name).unwrap().trim_end_matches('\0');
            (name.to_string(), word(at + boot_info::ENTRY_SLOT))
        })
        .collect()
}

/// When the domains are gone, what is the world's is there and nothing else.
fn end(mut bench: Bench) {
    for domain in [A, B] {
        bench.kernel.destroy_domain(domain).expect("it exists");
        bench.audit();
    }
    assert_eq!(bench.kernel.frames.in_use(), 3 + 1 + 2);
    let host = bench.kernel.capabilities.count(SpaceId::Host) as usize;
    assert_eq!((host, bench.kernel.capabilities.len()), (8, 8));
}

#[test]
fn every_capability_is_what_the_file_says() {
    let bench = Bench::new(EVERYTHING);
    let rights = |text: &str| text.parse::<Rights>().unwrap();
    let at = |page| Some(Place::Memory { domain: A, page: GuestPhysical(DATA + page) });
    for (slot, allowed, badge, mapped) in [
        (3, "rw", 0, at(0)),
        (4, "rwg", 0, None),
        (10, "rw", 0, at(0x1_0000)),
        (11, "r", 0, at(0x2_0000)),
        (12, "wgc", 7, None),
        (13, "rw", 9, None),
        (14, "rw", 1, at(0x3_0000)),
        (15, "rw", 0, None),
        (16, "r", 0, None),
        (17, "rw", 0, None),
    ] {
        let found = held(&bench, A, slot);
        let seen = (found.rights, found.badge, found.mapped);
        assert_eq!(seen, (rights(allowed), badge, mapped), "slot {slot}");
        let above = parent(&bench, A, slot).map(|slot| slot.space);
        // A page of its own is an original; all else is derived from the host's.
        assert_eq!(above, (slot != 3).then_some(SpaceId::Host), "slot {slot}");
    }
    assert!(matches!(held(&bench, A, 10).object, Object::Page(_)));
    assert!(matches!(held(&bench, A, 11).object, Object::Lent(_)));
    assert!(matches!(held(&bench, A, 14).object, Object::Channel(_)));
    assert_eq!(held(&bench, A, 16).object, Object::Interrupt(4));
    assert_eq!(held(&bench, A, 17).object, Object::Domain(A));
    assert_eq!(bench.kernel.capabilities.count(SpaceId::Domain(A)), 10);
    end(bench);
}

#[test]
fn blocks_begin_with_their_contents_and_are_on_nobodys_account() {
    let bench = Bench::new(EVERYTHING);
    let read = |at, length| bench.kernel.read_physical(A, GuestPhysical(DATA + at), length);
    assert_eq!(read(0x1_0ffe, 6), b"across");
    assert_eq!(read(0x1_0ffd, 1), [0]);
    assert_eq!(read(0x2_0000, 3), [1, 2, 0]);
    let block = bench.kernel.block_of(held(&bench, A, 10).object).unwrap();
    let block = &bench.kernel.blocks[&block];
    assert_eq!((block.frames.len(), block.node, block.account), (3, 1, None));
    assert_eq!(bench.kernel.lent().values().copied().collect::<Vec<_>>(), [1]);
}

#[test]
fn a_derived_capability_goes_with_its_parent() {
    let mut bench = Bench::new(EVERYTHING);
    let main = Slot { space: SpaceId::Domain(A), number: 12 };
    assert_eq!(parent(&bench, B, 3), Some(main));
    // It has its parent's badge, and not all of its rights.
    let found = held(&bench, B, 3);
    assert_eq!((found.rights, found.badge), (Rights::WRITE, 7));
    bench.done(MAIN, Hypercall::CapRevoke, &[12]);
    let gone = Slot { space: SpaceId::Domain(B), number: 3 };
    assert!(bench.kernel.capabilities.lookup(gone).is_err());
    end(bench);
}

#[test]
fn the_boot_information_names_what_a_domain_holds() {
    let bench = Bench::new(EVERYTHING);
    let expected = [
        ("block", 10),
        ("loan", 11),
        ("door", 12),
        ("bell", 13),
        ("pipe", 14),
        ("ports", 15),
        ("line", 16),
        ("self", 17),
    ];
    assert_eq!(names(&bench, A), expected.map(|(name, slot)| (name.to_string(), slot)));
    assert_eq!(names(&bench, B), [("door".to_string(), 3)]);
}

#[test]
fn threads_start_with_their_domain_unless_they_are_to_wait() {
    let mut bench = Bench::new(EVERYTHING);
    let threads = |bench: &Bench, id| bench.kernel.domains[&id].threads.clone();
    let states = |bench: &Bench, id| -> Vec<ThreadState> {
        threads(bench, id).into_iter().map(|thread| bench.kernel.thread(thread).state).collect()
    };
    use ThreadState::{Ready, Suspended};
    assert_eq!(states(&bench, A), [Ready, Ready, Suspended]);
    assert_eq!(states(&bench, B), [Suspended, Suspended]);
    let second = threads(&bench, A)[1];
    let kill = bench.kernel.thread(second).kill_after.unwrap();
    assert_eq!((kill.instructions, kill.milliseconds), (9, 8));
    let called: Vec<_> = bench
        .kernel
        .events()
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Call { symbol, arguments, .. } => Some((symbol.as_str(), arguments.clone())),
            _ => None,
        })
        .collect();
    let none = Vec::new;
    assert_eq!(called, [("init_module", none()), ("work", alloc::vec![5]), ("work", none())]);
    // The third waits to be resumed; the peer's wait for the domain to be run.
    bench.done(MAIN, Hypercall::ThreadResume, &[17, 2]);
    assert_eq!(states(&bench, A), [Ready, Ready, Ready]);
    bench.done(MAIN, Hypercall::DomainRun, &[4]);
    assert_eq!(states(&bench, B), [Ready, Ready]);
    end(bench);
}

#[test]
fn quotas_hold_from_the_start() {
    let bench = Bench::new(EVERYTHING);
    for (resource, limit) in [
        (Resource::Pages, 300),
        (Resource::Capabilities, 40),
        (Resource::Objects, 1),
        (Resource::Threads, u64::MAX),
    ] {
        assert_eq!(bench.kernel.accounts.of(A, resource).unwrap().0, limit, "{resource:?}");
    }
    assert_eq!(bench.kernel.accounts.of(B, Resource::Pages).unwrap().0, 1 << 16);
    // World memory is not on a domain's account.
    let used = bench.kernel.accounts.of(A, Resource::Capabilities).unwrap().1;
    assert_eq!(used, 10);
    for (quota, part) in [
        ("pages = 5", "quota of pages"),
        ("capabilities = 9", "cannot be given"),
        ("threads = 2", "quota of threads"),
    ] {
        let world = EVERYTHING.replace("pages = 300, capabilities = 40, objects = 1", quota);
        let mut bench = Bench::asleep(&world);
        let error = bench.kernel.boot().unwrap_err().to_string();
        assert!(error.contains(part), "{quota}: {error}");
        bench.audit();
    }
}

#[test]
fn faults_go_to_the_endpoint_that_the_file_names() {
    let source = EVERYTHING.replace(
        "caps = [{ object = \"door\", rights = \"w\", under = \"main\" }]",
        "caps = [{ object = \"faults\", rights = \"r\" }]",
    );
    let mut bench = Bench::new(&source.replace("start = false\ncaps", "caps"));
    let fault = Exit::Fault {
        address: GuestPhysical(DATA + 0x9000),
        from: crate::address::GuestVirtual(0x9000),
        access: Access::Read,
    };
    bench.exit(MAIN, fault);
    assert_eq!(bench.kernel.thread(MAIN).state, ThreadState::Blocked);
    let peer = bench.kernel.domains[&B].threads[0];
    bench.set_word(peer, utcb::ENDPOINT, 3);
    bench.set_word(peer, utcb::TIMEOUT, 0);
    bench.done(peer, Hypercall::SyncPollReceive, &[]);
    assert_eq!(bench.word(peer, utcb::RECEIVED), Received::Fault as u64);
    assert_eq!(bench.word(peer, utcb::BADGE), 21);
    assert_eq!(bench.word(peer, utcb::MESSAGE), FaultKind::Page as u64);
    assert_eq!(bench.word(peer, utcb::MESSAGE + 8), 0x9000);
    end(bench);
}

#[test]
fn a_service_runs_in_the_host() {
    let bench = Bench::new(
        "name = \"w\"\nendpoint = [{ name = \"e\" }]\n[[domain]]\nname = \"a\"\n\
         service = \"null-net\"\ncaps = [{ object = \"e\", rights = \"r\" }]\n",
    );
    assert!(matches!(held(&bench, A, 3).object, Object::Endpoint(_)));
    let mut host = bench.kernel.capabilities.in_space(SpaceId::Host);
    assert!(host.any(|(_, found)| found.object == Object::HostDomain(A)));
    assert!(bench.kernel.is_host_thread(MAIN));
    assert_eq!(bench.kernel.thread(MAIN).state, ThreadState::Ready);
}

#[test]
fn a_world_is_checked_again_when_it_boots() {
    let mut bench = Bench::asleep(EVERYTHING);
    bench.kernel.bundle.world.domains[1].caps[0].rights = Rights::EXECUTE;
    let error = bench.kernel.boot().unwrap_err().to_string();
    assert!(error.starts_with("domain[1].caps[0].rights: `door` is an endpoint"), "{error}");
    assert_eq!(bench.kernel.domains.len(), 0);
    bench.audit();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn whatever_is_read_boots_or_is_refused(changes in prop::collection::vec(change(), 1..4)) {
        let source = changed(EVERYTHING, &changes);
        if World::parse(&source).is_ok() {
            let mut bench = Bench::asleep(&source);
            // A refusal is no flaw of the world: it names another module, say. What must hold then
            // holds all the same.
            let _ = bench.kernel.boot();
            bench.audit();
        }
    }
}
