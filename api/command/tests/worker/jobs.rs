//! What a job comes to.

use std::fs;
use std::process::Command;

use lcd::model::bundle::Bundle;
use lcd::model::microkernel::Schedule;
use lcd_server::worker::process::Outcome;
use lcd_server::worker::protocol::{Action, Answer};
use lcd_server::worker::sandbox::Confinement;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::worker::{LIMITS, answers, backends, bundled, compare, job, log, ready, run};

#[tokio::test]
async fn the_answers_are_the_log_that_the_command_writes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    for backend in backends() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lcd"));
        command.args(["run", "printk", "--backend", &backend.to_string(), "--log"]).arg(&path);
        assert!(command.output().unwrap().status.success());
        let bundle = bundled("printk");
        let (outcome, said) = answers(ready().await, &run(backend), &bundle, LIMITS).await;
        let Outcome::Finished(result) = outcome else { panic!("{outcome}") };
        assert_eq!(log(&said, backend), fs::read_to_string(&path).unwrap());
        let domain = &result["report"]["domains"][0];
        assert!(domain["console"].as_str().unwrap().starts_with("hello from a domain\n"));
        assert_eq!(result["unmet"], json!([]));
        let Some(Answer::RunEnded(ended)) = said.last() else { panic!("{said:?}") };
        assert_eq!((ended.backend, &ended.error), (backend, &None));
        assert!(ended.seconds > 0.0);
    }
}

#[tokio::test]
async fn expectations_that_are_not_met_are_said() {
    let mut bundle = bundled("printk");
    bundle.world.expect[0].console = Some("something else".into());
    let backend = lcd::Backend::Sim;
    let (outcome, _) = answers(ready().await, &run(backend), &bundle, LIMITS).await;
    let Outcome::Finished(result) = outcome else { panic!("{outcome}") };
    assert_eq!(result["unmet"].as_array().unwrap().len(), 1, "{result:#}");
}

#[tokio::test]
async fn a_comparison_comes_to_a_case() {
    let schedules = [None, Some(Schedule::Seeded { seed: 7, preempt: None })];
    for schedule in schedules {
        let asked = job(Action::Compare { backends: backends(), schedule });
        let (outcome, said) = answers(ready().await, &asked, &bundled("printk"), LIMITS).await;
        let Outcome::Finished(case) = outcome else { panic!("{outcome}") };
        assert_eq!(case["name"], "printk");
        let expected = if backends().len() == 2 { "agree" } else { "skipped" };
        assert_eq!(case["outcome"], expected, "{case:#}");
        let ends = said.iter().filter(|answer| matches!(answer, Answer::RunEnded(_))).count();
        assert_eq!(ends, backends().len());
    }
}

#[tokio::test]
async fn a_module_that_cannot_be_loaded_is_a_reason() {
    let mut bundle = bundled("printk");
    bundle.files.iter_mut().for_each(|file| file.bytes.truncate(100));
    for backend in backends() {
        let (outcome, _) = answers(ready().await, &run(backend), &bundle, LIMITS).await;
        // Whether the log says so or the backend does, the worker is alive and answers.
        assert!(matches!(outcome, Outcome::Failed(_) | Outcome::Finished(_)), "{outcome}");
    }
    let (outcome, _) = answers(ready().await, &compare(), &bundle, LIMITS).await;
    let Outcome::Finished(case) = outcome else { panic!("{outcome}") };
    assert_ne!(case["outcome"], "diverge", "{case:#}");
}

#[tokio::test]
async fn a_bundle_that_is_garbage_is_refused_by_the_worker() {
    for bytes in [b"garbage".to_vec(), Vec::new(), vec![0xff; 1 << 20]] {
        let mut nothing = |_: Answer| Ok(());
        let never = CancellationToken::new();
        let asked = run(lcd::Backend::Sim);
        let outcome = ready().await.run(&asked, &bytes, &mut nothing, &never, LIMITS).await;
        let Outcome::Failed(message) = outcome else { panic!("{outcome}") };
        assert!(message.contains("not a bundle"), "{message}");
    }
}

#[tokio::test]
async fn a_world_that_no_file_could_declare_is_refused() {
    let mut bundle: Bundle = bundled("printk");
    bundle.world.domains.push(bundle.world.domains[0].clone());
    let (outcome, _) = answers(ready().await, &run(lcd::Backend::Sim), &bundle, LIMITS).await;
    assert!(matches!(outcome, Outcome::Failed(_)), "{outcome}");
}

#[tokio::test]
async fn workers_are_confined_here() {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_lcd"));
    let spawned = lcd_server::worker::process::Worker::spawn(program, &["worker"]);
    let (worker, said) = spawned.await.unwrap().ready(crate::worker::PATIENCE).await.unwrap();
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        assert_eq!(said.confinement, Confinement::Seccomp);
        let status = fs::read_to_string(format!("/proc/{}/status", worker.process().unwrap()));
        let status = status.unwrap();
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace().nth(1).unwrap().to_owned()
        };
        assert_eq!(field("Seccomp:"), "2");
        assert_eq!(field("NoNewPrivs:"), "1");
        assert_eq!(u64::from_str_radix(&field("CapEff:"), 16), Ok(0));
    }
    worker.end().await;
}
