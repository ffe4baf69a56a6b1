//! Whether moments are the same however a run gets to them, and whether runs stop where they should.

mod code;
mod looks;
mod stops;
mod taken;

use proptest::prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest};
use shared_model::abi::Hypercall;
use shared_model::bundle::Bundle;
use shared_model::event::Digest;
use shared_model::laboratory::{Goal, Position, Stopped, Stops};
use shared_model::microkernel::Schedule;
use shared_model::session::{Progress, Request, Session};
use shared_model::world::World;

use super::Laboratory;
use crate::SimArch;
use code::{Code, DATA, WINDOW};

/// A run under examination.
struct Bench {
    session: Session<SimArch>,
    laboratory: Laboratory,
}

impl Bench {
    fn booted(bundle: &Bundle, request: &str) -> Self {
        let session = Session::new(SimArch::new(), bundle.clone());
        let mut bench = Self { session, laboratory: Laboratory::default() };
        bench.ask(request).unwrap();
        bench
    }

    fn ask(&mut self, request: &str) -> Result<String, String> {
        let answer = self.laboratory.handle(&mut self.session, request.as_bytes())?;
        Ok(String::from_utf8(answer).unwrap())
    }

    fn go(&mut self, goal: Goal, stops: &Stops, budget: u64) -> Stopped {
        self.laboratory.advance(&mut self.session, goal, stops, budget)
    }

    fn position(&self) -> Position {
        self.laboratory.position(&self.session)
    }

    fn digest(&mut self) -> Digest {
        self.session.kernel_mut().digest()
    }

    fn events(&self) -> usize {
        self.session.kernel().event_log().len()
    }
}

/// Two domains that compute, wait and call a service, and in the end one of them faults.
fn busy() -> Bundle {
    let code = Code::new().r12d(4);
    let top = code.here();
    let worker = code
        .spin(150)
        .increment(DATA)
        .call(Hypercall::Yield, &[])
        .send(Hypercall::SyncCall, 3)
        .again(top)
        .fill(DATA + 0x1000, 10_000)
        .call(Hypercall::PageAllocate, &[10, 3, 0])
        .call(Hypercall::PageMap, &[10, WINDOW as u32, 3])
        .load(DATA)
        .store(WINDOW)
        .call(Hypercall::Sleep, &[5])
        .call(Hypercall::CapDelete, &[10])
        .load(WINDOW)
        .exit(1);
    let code = Code::new().r12d(6);
    let top = code.here();
    let talker = code
        .spin(90)
        .call(Hypercall::ConsolePut, &[65])
        .send(Hypercall::SyncCall, 3)
        .again(top)
        .exit(7);
    bundle(
        r#"
name = "busy"
[limits]
instructions = 60_000
[[endpoint]]
name = "line"
[[domain]]
name = "worker"
module = "worker"
caps = [{ slot = 3, object = "line", rights = "wcg" }]
[[domain]]
name = "talker"
module = "talker"
caps = [{ slot = 3, object = "line", rights = "wcg" }]
[[domain]]
name = "echo"
service = "echo"
caps = [{ slot = 3, object = "line", rights = "r" }]
"#,
        &[("worker", &worker), ("talker", &talker)],
    )
}

fn bundle(world: &str, modules: &[(&str, &Code)]) -> Bundle {
    let mut bundle = Bundle::new(World::parse(world).unwrap());
    for (name, code) in modules {
        let file = bundle.add_file(name, &code.build());
        bundle.modules.insert((*name).into(), vec![file]);
    }
    bundle
}

fn log_of(bundle: &Bundle, schedule: Schedule) -> String {
    let mut session = Session::new(SimArch::new(), bundle.clone());
    if schedule != Schedule::Cooperative {
        session.handle(Request::Schedule(schedule)).unwrap();
    }
    session.handle(Request::Boot).unwrap();
    while session.run(u64::MAX, u32::MAX) != Progress::Idle {}
    session.handle(Request::Finish).unwrap();
    session.log().to_json_lines()
}

/// A run as if hardware had made it, its threads at the same time.
fn recorded() -> String {
    let log = log_of(&busy(), Schedule::Seeded { seed: 5, preempt: Some(70) });
    let log = log.replacen(r#"{"seeded":{"seed":5,"preempt":70}}"#, r#""parallel""#, 1);
    log.replacen(r#""backend":"sim""#, r#""backend":"native""#, 1)
}

/// What a log's order is asked for with.
fn order_of(log: &str) -> String {
    let text = log.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!(r#"{{"order":{{"recorded":"{text}"}}}}"#)
}

/// How a run is begun: in several orders of turns, and as another one's repetition.
fn beginnings() -> Vec<String> {
    let mut session = Session::new(SimArch::new(), busy());
    let order =
        Laboratory::default().handle(&mut session, order_of(&recorded()).as_bytes()).unwrap();
    let order = String::from_utf8(order).unwrap();
    let schedule = order.strip_prefix(r#"{"schedule":"#).unwrap();
    let schedule = schedule.strip_suffix(r#","races":false}"#).unwrap();
    assert!(schedule.starts_with(r#"{"recorded":{"exits":["#), "{schedule}");
    vec![
        r#"{"boot":{}}"#.into(),
        r#"{"boot":{"schedule":{"seeded":{"seed":7}}}}"#.into(),
        r#"{"boot":{"schedule":{"seeded":{"seed":3,"preempt":40}}}}"#.into(),
        format!(r#"{{"boot":{{"schedule":{schedule}}}}}"#),
    ]
}

#[test]
fn single_steps_pass_all_moments_and_a_run_in_one_go_ends_as_they_do() {
    for beginning in beginnings() {
        let mut bench = Bench::booted(&busy(), &beginning);
        let mut last = bench.position();
        assert_eq!(last, Position::default());
        while bench.go(Goal::Single(1), &Stops::default(), u64::MAX) == Stopped::Goal {
            let now = bench.position();
            assert!(now > last && now.retired <= last.retired + 1 && now.steps <= last.steps + 1);
            last = now;
        }
        let mut other = Bench::booted(&busy(), &beginning);
        assert_eq!(other.go(Goal::End, &Stops::default(), u64::MAX), Stopped::Over);
        assert_eq!((other.position(), other.digest()), (last, bench.digest()));
        let end = other.ask(r#""state""#).unwrap();
        assert!(end.contains(r#""over":true"#), "{end}");
    }
}

#[test]
fn a_finished_log_is_that_of_a_run_without_a_laboratory() {
    for schedule in [Schedule::Cooperative, Schedule::Seeded { seed: 3, preempt: Some(40) }] {
        let expected = log_of(&busy(), schedule.clone());
        let beginning = match schedule {
            Schedule::Cooperative => r#"{"boot":{}}"#,
            _ => r#"{"boot":{"schedule":{"seeded":{"seed":3,"preempt":40}}}}"#,
        };
        let mut bench = Bench::booted(&busy(), beginning);
        bench.go(Goal::End, &Stops::default(), u64::MAX);
        assert_eq!(bench.session.log().to_json_lines(), expected);
        let header = bench.ask(r#""header""#).unwrap();
        let events = bench.ask(r#"{"events":{"from":0,"limit":100000}}"#).unwrap();
        assert_eq!(format!("{header}\n{events}"), expected, "its parts are its lines");
    }
}

/// A way to go on.
#[derive(Clone, Copy, Debug)]
enum Stride {
    Single(u64),
    Budget(u64),
    Events(usize),
    Hypercall(u64),
    Position(u64, u64),
}

fn stride() -> impl Strategy<Value = Stride> {
    prop_oneof![
        (1..40_u64).prop_map(Stride::Single),
        prop_oneof![1..20_u64, 1..3000_u64].prop_map(Stride::Budget),
        (1..6_usize).prop_map(Stride::Events),
        prop_oneof![1..50_u64, Just(u64::MAX)].prop_map(Stride::Hypercall),
        (0..800_u64, 0..4_u64).prop_map(|(retired, steps)| Stride::Position(retired, steps)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn moments_do_not_depend_on_how_a_run_was_cut(
        beginning in 0..4_usize,
        strides in proptest::collection::vec(stride(), 1..40),
        swap in any::<bool>(),
    ) {
        let beginning = &beginnings()[beginning];
        let mut cut = Bench::booted(&busy(), beginning);
        let mut whole = Bench::booted(&busy(), beginning);
        let mut moments = Vec::new();
        for stride in strides {
            let Position { retired, steps } = cut.position();
            let (goal, budget) = match stride {
                Stride::Single(count) => (Goal::Single(count), u64::MAX),
                Stride::Budget(budget) => (Goal::End, budget),
                Stride::Events(more) => (Goal::Events(cut.events() + more), u64::MAX),
                Stride::Hypercall(budget) => (Goal::Hypercall, budget),
                Stride::Position(r, s) => {
                    (Goal::Position(Position { retired: retired + r, steps: steps + s }), u64::MAX)
                }
            };
            cut.go(goal, &Stops::default(), budget);
            moments.push((cut.position(), cut.digest()));
        }
        // Only some of them, in bigger strides.
        for (i, (position, digest)) in moments.into_iter().enumerate() {
            if i % 3 == usize::from(swap) {
                whole.go(Goal::Position(position), &Stops::default(), u64::MAX);
                assert_eq!((whole.position(), whole.digest()), (position, digest));
            }
        }
    }
}
