//! Whether a refusal is explained by what brought it about.

use alloc::string::ToString;

use super::{Bench, CODE, DATA, G, MAIN, PEER, R, TWO, W};
use crate::abi::{Hypercall, Status};
use crate::address::{GuestPhysical, GuestVirtual};
use crate::capability::Object;
use crate::domain::ThreadId;
use crate::exit::{Access, Exit};
use crate::refusal::{Refusal, refusal};

use Hypercall::{
    CapCopy, CapDelete, CapGrant, CapMove, CapRevoke, DomainInspect, EndpointCreate, PageAllocate,
    PageMap, PageUnmap, SyncReceive,
};

/// Every right.
const ALL: u64 = 31;

impl Bench {
    /// A thread accesses a page of a window, and is refused that.
    fn fault(&mut self, thread: ThreadId, page: u64, access: Access) -> Refusal {
        let address = GuestPhysical(page + 8);
        let at = self.kernel.events().len();
        self.exit(thread, Exit::Fault { address, from: GuestVirtual(page + 8), access });
        let number = (at..self.kernel.events().len())
            .find(|&number| self.kernel.events()[number].kind.word() == "ended");
        refusal(self.kernel.events(), number.expect("it ends")).expect("that is a refusal")
    }

    /// A hypercall that is refused.
    fn why(&mut self, call: Hypercall, words: &[u64]) -> Refusal {
        let at = self.kernel.events().len();
        assert_ne!(self.call(MAIN, call, words), Status::Ok);
        let refusal = refusal(self.kernel.events(), at).expect("that is a refusal");
        assert_eq!((refusal.access.as_str(), refusal.thread), (call.name(), Some(MAIN)));
        refusal
    }

    fn last(&self, word: &str) -> usize {
        self.kernel.events().iter().rposition(|event| event.kind.word() == word).expect(word)
    }
}

#[test]
fn a_page_that_was_revoked_names_who_revoked_it() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, CapGrant, &[26, 25, 7, R | W]);
    bench.done(PEER, PageMap, &[7, DATA + 0x5000, R | W]);
    bench.done(MAIN, CapRevoke, &[25]);
    let (revoke, removed) = (bench.last("hypercall"), bench.last("capability_removed"));
    let found = bench.fault(PEER, DATA + 0x5000, Access::Read);
    assert_eq!((found.domain.0, found.thread, found.slot), (1, Some(PEER), Some(7)));
    assert!(matches!(found.object, Some(Object::Page(_))));
    assert_eq!((found.missing, found.taken_by), (None, Some(removed)));
    let operation = found.operation.unwrap();
    assert_eq!((operation.event, operation.call), (revoke, CapRevoke));
    assert_eq!((operation.thread, operation.domain.0), (Some(MAIN), 0));
    for part in ["`peer`", "`main`", "cap_revoke", "slot 7"] {
        assert!(found.text.contains(part), "{part}: {}", found.text);
    }
}

#[test]
fn a_page_that_was_unmapped_deleted_or_moved_before_is_told_apart() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, CapMove, &[25, 28, ALL]);
    bench.done(MAIN, PageUnmap, &[28]);
    let (call, unmapped) = (bench.last("hypercall"), bench.last("unmapped"));
    let found = bench.fault(MAIN, DATA, Access::Write);
    assert_eq!((found.slot, found.taken_by), (Some(28), Some(unmapped)));
    assert_eq!(found.operation.map(|operation| operation.event), Some(call));

    let mut bench = Bench::new(TWO);
    bench.done(MAIN, CapDelete, &[25]);
    let found = bench.fault(MAIN, DATA, Access::Write);
    assert_eq!(found.operation.map(|operation| operation.call), Some(CapDelete));
    assert_eq!(found.taken_by, Some(bench.last("capability_removed")));
}

#[test]
fn a_right_that_is_missing_names_where_it_was_left_out() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, PageAllocate, &[22, R | W | G, 0]);
    bench.done(MAIN, CapCopy, &[22, 23, R | G]);
    let copied = bench.last("capability_added");
    bench.done(MAIN, CapGrant, &[26, 23, 7, R]);
    bench.done(PEER, PageMap, &[7, DATA, R]);
    let found = bench.fault(PEER, DATA, Access::Write);
    assert_eq!((found.slot, found.missing.as_deref()), (Some(7), Some("w")));
    assert_eq!(found.taken_by, Some(copied), "what it was granted from had it no more");
    assert_eq!(found.operation.map(|operation| operation.call), Some(CapCopy));

    // The capability allows it, the mapping does not.
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, PageAllocate, &[22, R | W, 0]);
    bench.done(MAIN, PageMap, &[22, DATA + 0x9000, R]);
    let mapped = bench.last("mapped");
    let found = bench.fault(MAIN, DATA + 0x9000, Access::Write);
    assert_eq!((found.missing.as_deref(), found.taken_by), (Some("w"), Some(mapped)));
    assert_eq!(found.operation.map(|operation| operation.call), Some(PageMap));
}

#[test]
fn what_was_never_there_says_so() {
    let mut bench = Bench::new(TWO);
    let found = bench.fault(MAIN, CODE + 0x3000, Access::Execute);
    assert_eq!((found.access.as_str(), found.slot, found.taken_by), ("execute", None, None));
    assert!(found.text.contains("No capability was ever mapped"), "{}", found.text);
    let found = bench.fault(PEER, 0x3fc0_0000, Access::Read);
    assert!(found.text.contains("outside the windows"), "{}", found.text);
}

#[test]
fn the_tables_of_the_domain_refuse_too() {
    let texts = [(4, 8, "null"), (7, 0x1000_0000, "protect"), (21, 0x4000_0000, "execute")];
    for (code, address, expected) in texts {
        let mut bench = Bench::new(TWO);
        let address = Some(GuestVirtual(address));
        bench.exit(MAIN, Exit::Exception { vector: 14, code, address });
        let found = refusal(bench.kernel.events(), bench.last("ended")).unwrap();
        assert!(found.text.contains(expected), "{}", found.text);
    }
    let mut bench = Bench::new(TWO);
    bench.exit(MAIN, Exit::Exception { vector: 0, code: 0, address: None });
    assert_eq!(refusal(bench.kernel.events(), bench.last("ended")), None);
}

#[test]
fn a_hypercall_names_the_slot_that_is_empty() {
    let mut bench = Bench::new(TWO);
    let found = bench.why(CapDelete, &[20]);
    assert_eq!((found.slot, found.taken_by), (Some(20), None));
    bench.done(MAIN, EndpointCreate, &[20]);
    bench.done(MAIN, CapMove, &[20, 21, ALL]);
    let found = bench.why(CapDelete, &[20]);
    assert!(found.text.contains("moved to slot 21"), "{}", found.text);
    bench.done(MAIN, CapDelete, &[21]);
    let found = bench.why(CapCopy, &[21, 29, R]);
    assert_eq!(
        (found.slot, found.operation.map(|operation| operation.call)),
        (Some(21), Some(CapDelete))
    );
    // Something else is wrong: the destination.
    let found = bench.why(CapCopy, &[25, 26, R]);
    assert_eq!((found.slot, found.taken_by), (None, None));
    assert!(found.text.contains("taken"), "{}", found.text);
}

#[test]
fn a_hypercall_names_the_right_that_it_lacks() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, CapCopy, &[26, 24, W]);
    let found = bench.why(DomainInspect, &[24]);
    assert_eq!((found.slot, found.missing.as_deref()), (Some(24), Some("r")));
    assert_eq!(found.operation.map(|operation| operation.call), Some(CapCopy));
    bench.done(MAIN, CapCopy, &[25, 27, R]);
    let found = bench.why(CapGrant, &[26, 27, 9, R]);
    assert_eq!((found.slot, found.missing.as_deref()), (Some(27), Some("g")));
    let found = bench.why(PageMap, &[27, DATA + 0x9000, R | W]);
    assert_eq!((found.slot, found.missing.as_deref()), (Some(27), Some("w")));
}

#[test]
fn a_wait_that_was_cancelled_names_who_took_the_capability() {
    let mut bench = Bench::new(TWO);
    bench.done(MAIN, EndpointCreate, &[20]);
    bench.done(MAIN, CapGrant, &[26, 20, 7, R]);
    assert_eq!(bench.send(PEER, SyncReceive, 7, 0), Status::Waiting);
    bench.done(MAIN, CapRevoke, &[20]);
    let completed = bench
        .kernel
        .events()
        .iter()
        .position(|event| event.thread == Some(PEER) && event.kind.word() == "completed");
    let found = refusal(bench.kernel.events(), completed.unwrap()).unwrap();
    assert_eq!((found.thread, found.slot), (Some(PEER), Some(7)));
    assert_eq!(found.operation.map(|operation| operation.call), Some(CapRevoke));
    assert!(found.object.is_some() && !found.text.is_empty() && found.domain.0 == 1);
    assert_eq!(found.access.to_string(), "sync_receive");
}
