use lcd::Backend;
use lcd::assemble::{self, Modules};
use lcd::model::microkernel::Schedule;

use super::serve;
use crate::worker::protocol::{Action, Answer, Conversation, Job, ProtocolError};

/// What a worker answers to these bytes, where only the simulator can be used.
fn served(input: &[u8]) -> Result<Vec<Answer>, ProtocolError> {
    let mut output = Vec::new();
    let field = vec![(Backend::Native, Err("it is not there".into())), (Backend::Sim, Ok(()))];
    serve(&mut &*input, &mut output, &field)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut output = output.as_slice();
    let mut answers = Vec::new();
    while let Some((answer, _)) = runtime.block_on(Answer::read(&mut output))? {
        answers.push(answer);
    }
    Ok(answers)
}

fn asked(action: Action) -> Vec<u8> {
    let job = Job { action, timeout_ms: None, cpu_seconds: None, memory_bytes: None };
    let bundle = assemble::anything("printk", &Modules::default()).unwrap();
    job.encode(&bundle.encode()).unwrap()
}

fn run(backend: Backend) -> Action {
    Action::Run { backend, schedule: Schedule::Cooperative }
}

#[test]
fn answers_come_in_their_order() {
    let ready = super::Ready {
        version: super::protocol::VERSION,
        confinement: crate::worker::sandbox::Confinement::Seccomp,
    };
    let actions =
        [run(Backend::Sim), Action::Compare { backends: Backend::ALL.into(), schedule: None }];
    for action in actions {
        let mut conversation = Conversation::default();
        conversation.accept(&Answer::Ready(ready.clone())).unwrap();
        let answers = served(&asked(action)).unwrap();
        answers.iter().for_each(|answer| conversation.accept(answer).unwrap());
        assert!(matches!(answers.last(), Some(Answer::Finished { .. })), "{answers:?}");
    }
}

#[test]
fn a_backend_that_was_not_there_at_the_beginning_is_not_there_later() {
    let answers = served(&asked(run(Backend::Native))).unwrap();
    assert_eq!(answers, [Answer::Failed { message: "it is not there".into() }]);
    let action = Action::Compare { backends: Backend::ALL.into(), schedule: None };
    let answers = served(&asked(action)).unwrap();
    let Some(Answer::Finished { result }) = answers.last() else { panic!("{answers:?}") };
    assert_eq!(result["outcome"], "skipped");
    assert!(result["reason"].as_str().unwrap().contains("it is not there"));
}

#[test]
fn no_job_is_no_error_and_half_a_job_is() {
    assert!(served(&[]).unwrap().is_empty());
    let whole = asked(run(Backend::Sim));
    assert!(matches!(served(&whole[..whole.len() / 2]), Err(ProtocolError::Truncated)));
    assert!(matches!(served(b"GET / HTTP/1.1\r\n"), Err(ProtocolError::Kind(b'G'))));
}
