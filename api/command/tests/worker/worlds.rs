//! The sandbox takes nothing from the worlds: all of them run in it as they do outside.

use bundled_worlds::WORLDS;
use lcd::Backend;
use lcd::assemble::{self, Modules};
use lcd::differential::{self, Field};
use lcd::model::bundle::Bundle;
use lcd::model::compare::{Verdict, compare};
use lcd::model::event::Log;
use lcd::model::microkernel::Schedule;
use lcd_server::worker::pool::Pool;
use lcd_server::worker::process::Outcome;
use lcd_server::worker::protocol::Action;

use crate::worker::{LIMITS, answers, backends, compare as comparison, job, log, settings};

/// The bundled worlds that were built here.
fn worlds() -> impl Iterator<Item = Bundle> {
    let built = WORLDS.iter().filter(|world| world.unavailable.is_none());
    built.map(|world| assemble::anything(world.name, &Modules::default()).expect("it was built"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_world_compares_as_it_does_outside() {
    let pool = Pool::start(settings(1));
    let field: Field = backends().into_iter().map(|backend| (backend, Ok(()))).collect();
    for bundle in worlds() {
        let name = &bundle.world.name;
        let worker = pool.take().await.expect("a worker");
        let (outcome, said) = answers(worker, &comparison(), &bundle, LIMITS).await;
        let Outcome::Finished(inside) = outcome else { panic!("{name}: {outcome}") };
        let outside = differential::case(&bundle, &field, None);
        let outside = serde_json::to_value(outside).expect("a case is plain data");
        for key in ["outcome", "reason", "unmet"] {
            assert_eq!(inside.get(key), outside.get(key), "{name}: {inside:#}");
        }
        for backend in backends() {
            Log::from_json_lines(&log(&said, backend)).expect("a log");
        }
    }
    pool.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_world_gives_the_same_log_as_outside() {
    let pool = Pool::start(settings(1));
    for bundle in worlds() {
        // Threads that wait for each other by looking at memory are compared above.
        if bundle.world.schedule.parallel {
            continue;
        }
        for backend in backends() {
            let name = format!("{} on {backend}", bundle.world.name);
            let worker = pool.take().await.expect("a worker");
            let asked = job(Action::Run { backend, schedule: Schedule::Cooperative });
            let (outcome, said) = answers(worker, &asked, &bundle, LIMITS).await;
            let Outcome::Finished(result) = outcome else { panic!("{name}: {outcome}") };
            assert_eq!(result["unmet"], serde_json::json!([]), "{name}");
            let inside = log(&said, backend);
            let outside = lcd::run(&bundle, backend, None).expect("it runs").log;
            match backend {
                Backend::Sim => assert_eq!(inside, outside.to_json_lines(), "{name}"),
                // Where the host's clock ends a thread, the moment differs from run to run.
                Backend::Native => {
                    let inside = Log::from_json_lines(&inside).expect("a log");
                    let verdict = compare(&inside, &outside);
                    assert!(!matches!(verdict, Verdict::Diverge(_)), "{name}: {verdict:?}");
                }
            }
        }
    }
    pool.shut_down().await;
}
