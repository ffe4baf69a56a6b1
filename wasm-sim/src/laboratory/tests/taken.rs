//! A log that leaves the machine while it grows, and what becomes of a run that way.

use proptest::prelude::{ProptestConfig, any, prop_assert, prop_assert_eq, proptest};
use shared_model::event::Event;
use shared_model::laboratory::{Goal, Stopped, Stops};
use shared_model::refusal::{Earlier, Excerpt, refusal};

use super::{Bench, beginnings, busy, order_of, recorded};

impl Bench {
    fn take(&mut self, known: usize, limit: usize) -> Result<String, String> {
        self.ask(&format!(r#"{{"take":{{"known":{known},"limit":{limit}}}}}"#))
    }
}

#[test]
fn what_is_taken_is_the_log_and_gone() {
    let mut whole = Bench::booted(&busy(), r#"{"boot":{}}"#);
    whole.go(Goal::End, &Stops::default(), u64::MAX);
    let expected = whole.ask(r#"{"events":{"from":0,"limit":100000}}"#).unwrap();

    let mut bench = Bench::booted(&busy(), r#"{"boot":{}}"#);
    let mut taken = String::new();
    let mut known = 0;
    while bench.go(Goal::End, &Stops::default(), 700) != Stopped::Over {
        taken += &bench.take(known, 5).unwrap();
        known = taken.lines().count();
    }
    taken += &bench.take(known, usize::MAX).unwrap();
    assert_eq!(taken, expected);
    let log = bench.session.kernel().event_log();
    assert_eq!((log.kept().len(), log.forgotten()), (0, expected.lines().count()));
    assert_eq!(bench.take(log_length(&bench), 9).unwrap(), "", "nothing is new");

    for request in [r#"{"events":{"from":3,"limit":9}}"#, r#"{"take":{"known":3,"limit":9}}"#] {
        let refused = bench.ask(request).unwrap_err();
        assert!(refused.contains("forgotten"), "{refused}");
    }
    for request in [r#""state""#, r#""graph""#, r#""digest""#] {
        assert_eq!(bench.ask(request), whole.ask(request), "{request}");
    }
}

fn log_length(bench: &Bench) -> usize {
    bench.session.kernel().event_log().len()
}

#[test]
fn a_log_is_repeated_by_its_order_alone() {
    let log = recorded();
    let mut bench = Bench::booted(&busy(), &beginnings()[3]);
    bench.go(Goal::End, &Stops::default(), u64::MAX);
    let repeated = bench.ask(r#"{"events":{"from":0,"limit":100000}}"#).unwrap();
    let (_, events) = log.split_once('\n').unwrap();
    assert_eq!(repeated, events);

    let mark = r#""inputs":""#;
    let digit = log.find(mark).unwrap() + mark.len();
    let mut foreign = log;
    foreign.replace_range(digit..=digit, if &foreign[digit..=digit] == "0" { "1" } else { "0" });
    let foreign = order_of(&foreign);
    assert!(bench.ask(&foreign).unwrap_err().contains("other inputs"));
}

#[test]
fn lines_are_compared_as_hosts_may_show_them() {
    let mut bench = Bench::booted(&busy(), r#"{"boot":{}}"#);
    let line = |reason, rax| {
        format!(
            r#"{{\"event\":\"ended\",\"end\":{{\"reason\":\"{reason}\"}},\"registers\":{{\"rax\":{rax}}}}}"#
        )
    };
    for (one, other, parallel, alike) in [
        (line("killed", 1), line("killed", 2), false, "true"),
        (line("killed", 1), "{}".into(), false, "false"),
        (line("fault", 1), line("fault", 2), false, "false"),
        (line("fault", 1), line("fault", 2), true, "true"),
    ] {
        let request =
            format!(r#"{{"alike":{{"one":"{one}","other":"{other}","parallel":{parallel}}}}}"#);
        assert_eq!(bench.ask(&request).unwrap(), alike, "{one} {other} {parallel}");
    }
}

#[test]
fn stops_are_found_by_the_numbers_of_the_whole_log() {
    let stops =
        Stops { hypercalls: vec![shared_model::abi::Hypercall::ConsolePut], ..Stops::default() };
    let found = |takes: bool| {
        let mut bench = Bench::booted(&busy(), r#"{"boot":{}}"#);
        let mut found = Vec::new();
        loop {
            match bench.go(Goal::End, &stops, 500) {
                Stopped::Over => return found,
                Stopped::Budget => {}
                stopped => found.push(stopped),
            }
            if takes {
                bench.take(log_length(&bench), 0).unwrap();
            }
        }
    };
    assert_eq!(found(true), found(false));
    assert_eq!(found(true).len(), 6);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_digest_does_not_depend_on_what_was_forgotten_and_when(
        beginning in 0..4_usize,
        strides in proptest::collection::vec((1..2000_u64, any::<bool>(), 0..30_usize), 1..30),
    ) {
        let beginning = &beginnings()[beginning];
        let mut whole = Bench::booted(&busy(), beginning);
        let mut bench = Bench::booted(&busy(), beginning);
        for (budget, graph, late) in strides {
            for bench in [&mut whole, &mut bench] {
                bench.go(Goal::End, &Stops::default(), budget);
            }
            if graph {
                bench.ask(r#""graph""#).unwrap();
            }
            let known = log_length(&bench).saturating_sub(late);
            let known = known.max(bench.session.kernel().event_log().forgotten());
            bench.take(known, late / 2).unwrap();
            prop_assert_eq!(bench.digest(), whole.digest());
            prop_assert_eq!(bench.ask(r#""graph""#), whole.ask(r#""graph""#));
            prop_assert_eq!(bench.position(), whole.position());
        }
    }

    #[test]
    fn a_refusal_is_the_same_from_as_much_of_the_log_as_it_takes(
        beginning in 0..4_usize,
        first in 0..60_usize,
        lengths in proptest::collection::vec(0..200_usize, 1..8),
    ) {
        let mut bench = Bench::booted(&busy(), &beginnings()[beginning]);
        bench.go(Goal::End, &Stops::default(), u64::MAX);
        let all: &[Event] = bench.session.kernel().events();
        let mut refusals = 0;
        for number in 0..all.len() {
            let expected = refusal(all, number);
            refusals += usize::from(expected.is_some());
            for &length in &lengths {
                let from = (number + 1).saturating_sub(length);
                let excerpt = Excerpt {
                    beginning: &all[..first.min(from)],
                    from,
                    events: &all[from..],
                };
                match excerpt.refusal(number) {
                    Ok(found) => prop_assert_eq!(&found, &expected),
                    Err(Earlier) => prop_assert!(from > 0),
                }
            }
        }
        prop_assert!(refusals > 0);
    }
}
