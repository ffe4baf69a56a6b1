//! Every state that a few steps of a few domains can lead to: the microkernel itself, explored
//! breadth first. A state is what a sequence of steps leads to, and two that differ in nothing that
//! matters are one. After each step everything that must hold is checked, and of each state that it
//! can be torn down with nothing left.
//!
//! Revokes and destructions remove one capability a turn here, so that everything else happens at
//! every point of theirs.
//!
//! `LCD_EXPLORE=2 cargo test --release -p shared-model explore` goes two steps deeper.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::any::Any;
use core::cell::RefCell;
use core::fmt::Debug;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};

use stateright::{Checker, Model, Property};

use super::{Bench, Broken};
use crate::abi::Resource;
use crate::capability::SpaceId;
use crate::domain::{DomainId, ThreadId, ThreadState};

mod authority;
mod ends;
mod talks;

/// Something to explore.
trait Explored: Clone + 'static {
    /// How many steps deep it is explored by default.
    const DEPTH: usize;
    /// So many states there are at least.
    const STATES: usize;
    type Act: Copy + Debug;

    fn start(broken: Broken) -> Self;
    fn acts() -> Vec<Self::Act>;
    /// Does it, and checks what followed. Says whether it could be done.
    fn apply(&mut self, act: Self::Act) -> bool;
    fn bench(&mut self) -> &mut Bench;
}

/// All that decides what can happen from now on, but for what is in memory. Times are told by their
/// order.
fn digest(bench: &Bench) -> u64 {
    let kernel = &bench.kernel;
    let mut text = String::new();
    let mut add = |part: &dyn Debug| {
        use core::fmt::Write;
        write!(text, "{part:?};").expect("memory ends later");
    };
    for (number, thread) in kernel.threads.iter().enumerate() {
        add(&(thread.state, thread.paused, thread.replies, thread.bound, thread.reply_rights));
        let waiting = thread.waiting.as_ref();
        add(&waiting.map(|w| (w.call, &w.wait, w.through, w.deadline.is_some())));
        add(&thread.work);
        let id = ThreadId(number as u32);
        add(&kernel.deadlines.iter().position(|&(_, of)| of == id));
    }
    let domains = kernel.domains.keys().map(|&id| SpaceId::Domain(id));
    let threads = kernel.live.iter().map(|&id| SpaceId::Thread(id));
    for space in domains.chain(threads).chain([SpaceId::Host]) {
        for (slot, held) in kernel.capabilities.in_space(space) {
            let children: Vec<_> = kernel.capabilities.children(slot).expect("as above").collect();
            add(&(slot, held, children));
        }
    }
    for (id, domain) in &kernel.domains {
        add(&(id, domain.state));
        add(&Resource::ALL.map(|resource| kernel.accounts.of(*id, resource)));
    }
    add(&(&kernel.orphans, kernel.peers_changed, kernel.capabilities.unfinished()));
    for endpoint in kernel.endpoints.values() {
        add(endpoint);
    }
    add(&kernel.notifications);
    let mut hasher = std::hash::DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A state, told by its digest.
#[derive(Clone, Debug)]
struct State {
    path: Vec<u16>,
    digest: u64,
    /// What does not hold.
    violated: Option<String>,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

struct Space<S> {
    broken: Broken,
    depth: usize,
    subject: PhantomData<fn() -> S>,
}

/// What each of the checker's threads keeps: the first state, the last that it went on from, and
/// those that it has torn down.
struct Kept<S> {
    broken: Broken,
    first: S,
    last: (Vec<u16>, S),
    torn_down: BTreeSet<u64>,
}

std::thread_local! {
    static KEPT: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

impl<S: Explored> Space<S> {
    /// The state that a sequence of steps leads to.
    fn with_kept<R>(&self, path: &[u16], then: impl FnOnce(S, &mut BTreeSet<u64>) -> R) -> R {
        KEPT.with_borrow_mut(|kept| {
            let fits = |kept: &&mut Kept<S>| kept.broken == self.broken;
            let found = kept.as_mut().and_then(|kept| kept.downcast_mut::<Kept<S>>());
            if found.filter(fits).is_none() {
                let (first, torn_down) = (S::start(self.broken), BTreeSet::new());
                let last = (Vec::new(), first.clone());
                *kept = Some(Box::new(Kept { broken: self.broken, first, last, torn_down }));
            }
            let kept = kept.as_mut().and_then(|kept| kept.downcast_mut::<Kept<S>>());
            let kept = kept.expect("it was just put there");
            if kept.last.0 != path {
                let mut at = kept.first.clone();
                at.bench().unchecked = true;
                for &act in path {
                    at.apply(S::acts()[usize::from(act)]);
                }
                at.bench().unchecked = false;
                kept.last = (path.to_vec(), at);
            }
            then(kept.last.1.clone(), &mut kept.torn_down)
        })
    }

    fn try_act(&self, path: &[u16], act: u16) -> Option<State> {
        self.with_kept(path, |mut at, torn_down| {
            if !at.apply(S::acts()[usize::from(act)]) {
                return None;
            }
            let digest = digest(at.bench());
            if torn_down.insert(digest) {
                tear_down(at.bench());
            }
            let path = path.iter().copied().chain([act]).collect();
            Some(State { path, digest, violated: None })
        })
    }
}

fn tear_down(bench: &mut Bench) {
    bench.unchecked = true;
    bench.tear_down();
    assert!(bench.kernel.blocked().next().is_none() && bench.kernel.live.is_empty());
    assert!(bench.kernel.endpoints.is_empty() && bench.kernel.notifications.is_empty());
    assert!(bench.kernel.deadlines.is_empty() && bench.kernel.waiting_through.is_empty());
    assert!(bench.kernel.object_owners.is_empty() && bench.kernel.account_count() == 0);
}

impl<S: Explored> Model for Space<S> {
    type State = State;
    type Action = u16;

    fn init_states(&self) -> Vec<State> {
        let digest = self.with_kept(&[], |mut at, _| digest(at.bench()));
        alloc::vec![State { path: Vec::new(), digest, violated: None }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<u16>) {
        if state.violated.is_none() && state.path.len() < self.depth {
            actions.extend(0..S::acts().len() as u16);
        }
    }

    fn next_state(&self, state: &State, act: u16) -> Option<State> {
        let tried = catch_unwind(AssertUnwindSafe(|| self.try_act(&state.path, act)));
        tried.unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.into()));
            let path = state.path.iter().copied().chain([act]);
            let acts: Vec<_> = path.clone().map(|act| S::acts()[usize::from(act)]).collect();
            let violated = alloc::format!("{acts:#?}\n{}", text.unwrap_or_default());
            // No other state, so that it is looked at.
            let mut hasher = std::hash::DefaultHasher::new();
            violated.hash(&mut hasher);
            Some(State { path: path.collect(), digest: hasher.finish(), violated: Some(violated) })
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        alloc::vec![Property::always("what must hold", |_, state: &State| {
            state.violated.is_none()
        })]
    }
}

/// How many states there are, or what is violated and how.
fn explore<S: Explored>(broken: Broken, deeper: usize) -> Result<usize, String> {
    let space = Space::<S> { broken, depth: S::DEPTH + deeper, subject: PhantomData };
    let checker = space.checker().spawn_bfs().join();
    match checker.discovery("what must hold") {
        None => Ok(checker.unique_state_count()),
        Some(path) => Err(path.last_state().violated.clone().unwrap_or_default()),
    }
}

fn explore_all<S: Explored>() {
    let asked = std::env::var("LCD_EXPLORE").ok().and_then(|text| text.parse().ok());
    let states = explore::<S>(Broken::Nothing, asked.unwrap_or(0)).unwrap_or_else(|what| {
        panic!("{what}");
    });
    std::println!("{}: {states} states", core::any::type_name::<S>());
    assert!(states >= S::STATES, "only {states} states");
}

#[track_caller]
fn is_noticed<S: Explored>(broken: Broken) {
    assert!(explore::<S>(broken, 0).is_err(), "{broken:?} went unnoticed");
}

/// Whether a thread can make a hypercall now.
fn can_call(bench: &Bench, thread: ThreadId) -> bool {
    let kernel = &bench.kernel;
    let waits_for_reaping = kernel.workers.is_empty() && !kernel.orphans.is_empty();
    let state = kernel.thread(thread);
    !waits_for_reaping && state.state == ThreadState::Ready && state.work.is_none()
}
