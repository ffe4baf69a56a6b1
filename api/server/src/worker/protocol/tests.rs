use std::io::{Cursor, Read as _};

use lcd::Backend;
use lcd::model::event::{Digest, LogHeader};
use lcd::model::microkernel::Schedule;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use proptest::sample::Index;
use serde_json::json;

use super::{Action, Answer, Conversation, HEAD, Job, ProtocolError, Ready, RunEnded, kind};
use crate::worker::sandbox::Confinement;

/// Reads one answer without a runtime's threads.
fn read(bytes: &[u8]) -> Result<Option<(Answer, u64)>, ProtocolError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(Answer::read(&mut Cursor::new(bytes)))
}

fn header(backend: Backend) -> LogHeader {
    LogHeader {
        lcd_log: 1,
        backend: backend.to_string(),
        world: "world".into(),
        inputs: Digest::of([b"inputs".as_slice()]),
        schedule: Schedule::Cooperative,
    }
}

fn ended(backend: Backend, error: Option<&str>) -> Answer {
    let error = error.map(String::from);
    let (instructions, entries) = (Some(7), None);
    Answer::RunEnded(RunEnded { backend, seconds: 0.5, instructions, entries, error })
}

fn ready() -> Answer {
    Answer::Ready(Ready { version: super::VERSION, confinement: Confinement::Seccomp })
}

fn started(backend: Backend) -> Answer {
    Answer::LogStarted { backend, header: header(backend) }
}

fn events(backend: Backend) -> Answer {
    Answer::Events { backend, lines: "{\"a\":1}\n{}\n".into() }
}

fn backends() -> impl Strategy<Value = Backend> {
    prop_oneof![Just(Backend::Native), Just(Backend::Sim)]
}

fn answers() -> impl Strategy<Value = Answer> {
    let lines = vec(any::<String>(), 1..4).prop_map(|texts| {
        texts.iter().map(|text| json!({ "text": text }).to_string() + "\n").collect::<String>()
    });
    prop_oneof![
        Just(ready()),
        backends().prop_map(started),
        (backends(), lines).prop_map(|(backend, lines)| Answer::Events { backend, lines }),
        (backends(), prop::option::of(".{0,50}"))
            .prop_map(|(backend, error)| ended(backend, error.as_deref())),
        any::<String>().prop_map(|text| Answer::Finished { result: json!([text]) }),
        any::<String>().prop_map(|message| Answer::Failed { message }),
    ]
}

fn jobs() -> impl Strategy<Value = Job> {
    let schedules = prop_oneof![
        Just(Schedule::Cooperative),
        Just(Schedule::Parallel),
        (any::<u64>(), any::<Option<u64>>())
            .prop_map(|(seed, preempt)| Schedule::Seeded { seed, preempt }),
    ];
    let run = (backends(), schedules.clone())
        .prop_map(|(backend, schedule)| Action::Run { backend, schedule });
    let compare = (vec(backends(), 0..3), prop::option::of(schedules))
        .prop_map(|(backends, schedule)| Action::Compare { backends, schedule });
    let limits = any::<[Option<u64>; 3]>();
    (prop_oneof![run, compare], limits).prop_map(|(action, limits)| {
        let [timeout_ms, cpu_seconds, memory_bytes] = limits;
        Job { action, timeout_ms, cpu_seconds, memory_bytes }
    })
}

proptest! {
    #[test]
    fn answers_arrive_as_they_were_given(answer in answers()) {
        let mut bytes = answer.encode().unwrap();
        let length = bytes.len();
        bytes.extend(b"the next frame");
        let (read, count) = read(&bytes).unwrap().unwrap();
        assert_eq!(read, answer);
        assert_eq!(count, length as u64);
    }

    #[test]
    fn jobs_arrive_as_they_were_given(job in jobs(), bundle in vec(any::<u8>(), 0..2000)) {
        let bytes = job.encode(&bundle).unwrap();
        let mut input = Cursor::new(bytes.as_slice());
        assert_eq!(Job::read(&mut input).unwrap(), Some((job, bundle)));
        assert!(Job::read(&mut input).unwrap().is_none());
    }

    #[test]
    fn an_answer_that_was_changed_is_another_or_an_error(
        answer in answers(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in any::<Index>(),
    ) {
        let mut bytes = answer.encode().unwrap();
        changes.iter().for_each(|(at, byte)| bytes[at.index(bytes.len())] = *byte);
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Ok(Some((other, count))) = read(&bytes) {
            assert!(count <= bytes.len() as u64);
            // It is one that could have been given.
            assert_eq!(read(&other.encode().unwrap()).unwrap().unwrap().0, other);
        }
    }

    #[test]
    fn a_job_that_was_changed_is_another_or_an_error(
        job in jobs(),
        changes in vec((any::<Index>(), any::<u8>()), 1..4),
        cut in any::<Index>(),
    ) {
        let mut bytes = job.encode(b"bundle").unwrap();
        changes.iter().for_each(|(at, byte)| bytes[at.index(bytes.len())] = *byte);
        bytes.truncate(cut.index(bytes.len() + 1));
        if let Ok(Some((job, bundle))) = Job::read(&mut bytes.as_slice()) {
            assert!(bundle.len() + 2 * HEAD <= bytes.len());
            job.encode(&bundle).unwrap();
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_answer(bytes in vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
        let _ = Job::read(&mut bytes.as_slice());
    }

    #[test]
    fn a_kind_has_its_limit_whatever_follows(kind in any::<u8>(), length in any::<u32>()) {
        let mut bytes = vec![kind];
        bytes.extend(length.to_le_bytes());
        bytes.extend(b"{}");
        let limit = kind::limit(kind).filter(|_| kind >= kind::READY);
        match (read(&bytes), limit) {
            (Err(ProtocolError::Kind(found)), None) => assert_eq!(found, kind),
            (Err(ProtocolError::TooLong { .. }), Some(limit)) => assert!(length as usize > limit),
            (Err(ProtocolError::Truncated), Some(limit)) => {
                assert!(length > 2 && length as usize <= limit);
            }
            (_, Some(_)) => assert!(length <= 2),
            (other, None) => panic!("{other:?}"),
        }
    }
}

#[test]
fn nothing_is_the_end_and_half_a_frame_is_not() {
    assert!(read(&[]).unwrap().is_none());
    assert!(Job::read(&mut [].as_slice()).unwrap().is_none());
    let bytes = events(Backend::Sim).encode().unwrap();
    for length in 1..bytes.len() {
        assert!(matches!(read(&bytes[..length]), Err(ProtocolError::Truncated)), "{length}");
    }
    let action = Action::Run { backend: Backend::Sim, schedule: Schedule::Cooperative };
    let job = Job { action, timeout_ms: None, cpu_seconds: None, memory_bytes: None };
    let bytes = job.encode(b"bundle").unwrap();
    for length in 1..bytes.len() {
        assert!(Job::read(&mut &bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_frame_that_claims_much_gets_memory_only_for_what_comes() {
    // The limit itself is claimed, and a few bytes come: read to their end, and that is all.
    let limit = u32::try_from(kind::limit(kind::BUNDLE).unwrap()).unwrap();
    let mut bytes = vec![kind::BUNDLE];
    bytes.extend(limit.to_le_bytes());
    bytes.extend([0; 10]);
    let mut input = bytes.as_slice().chain(std::io::empty());
    let error = super::read_frame(&mut input, |_| true).unwrap_err();
    assert!(matches!(error, ProtocolError::Truncated), "{error}");
    // One more is refused before anything of it is read.
    bytes[1..HEAD].copy_from_slice(&(limit + 1).to_le_bytes());
    let mut input = bytes.as_slice();
    let error = super::read_frame(&mut input, |_| true).unwrap_err();
    assert!(matches!(error, ProtocolError::TooLong { .. }), "{error}");
    assert_eq!(input.len(), 10);
}

#[test]
fn what_is_too_long_is_not_sent() {
    let message = "x".repeat(1 << 17);
    let error = Answer::Failed { message: message.clone() }.encode().unwrap_err();
    assert!(matches!(error, ProtocolError::TooLong { .. }), "{error}");
    assert!(Answer::Failed { message: super::shortened(&message) }.encode().is_ok());
    assert_eq!(super::shortened("short"), "short");
}

#[test]
fn lines_are_whole_and_objects() {
    let wrong = ["", "{}", "{}\n{}", "{}\n\n", "\n", "[]\n", "{\n", "{} {}\n", "{\"a\":}\n"];
    for lines in wrong {
        let bytes = Answer::Events { backend: Backend::Sim, lines: lines.into() }.encode().unwrap();
        let error = read(&bytes).unwrap_err();
        assert!(matches!(error, ProtocolError::Payload { .. }), "{lines:?}: {error}");
    }
}

#[test]
fn a_log_is_that_of_the_backend_it_names() {
    let lie = Answer::LogStarted { backend: Backend::Native, header: header(Backend::Sim) };
    assert!(matches!(read(&lie.encode().unwrap()), Err(ProtocolError::Payload { .. })));
}

#[test]
fn answers_have_an_order() {
    let (native, sim) = (Backend::Native, Backend::Sim);
    let accepted = |answers: &[Answer]| {
        let mut conversation = Conversation::default();
        answers.iter().try_for_each(|answer| conversation.accept(answer)).is_ok()
    };
    let done = || Answer::Finished { result: json!(null) };
    let failed = || Answer::Failed { message: String::new() };
    let whole = [
        ready(),
        started(native),
        events(native),
        events(native),
        ended(native, None),
        started(sim),
        ended(sim, Some("it broke")),
        done(),
    ];
    for length in 0..=whole.len() {
        assert!(accepted(&whole[..length]), "{length}");
    }
    for good in [
        vec![failed()],
        vec![ready(), ended(sim, Some("cannot be loaded")), failed()],
        vec![ready(), started(sim), failed()],
    ] {
        assert!(accepted(&good), "{good:?}");
    }
    for bad in [
        vec![done()],
        vec![ready(), ready()],
        vec![started(sim)],
        vec![ready(), events(sim)],
        vec![ready(), started(native), events(sim)],
        vec![ready(), started(sim), started(sim)],
        vec![ready(), started(sim), done()],
        vec![ready(), ended(sim, None)],
        vec![ready(), started(sim), ended(sim, None), events(sim)],
        vec![ready(), started(sim), ended(sim, None), ended(sim, Some("again"))],
        vec![ready(), done(), done()],
        vec![failed(), ready()],
    ] {
        assert!(!accepted(&bad), "{bad:?}");
    }
}
