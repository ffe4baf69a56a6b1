//! `spawner`: creates another host domain, which runs `init`, and lets it run.

use super::Context;
use crate::abi::{Hypercall, Status};
use crate::host::HostCall;

/// Where the other domain's capability goes.
const CHILD: u64 = 8;
/// What it runs.
const SERVICE: &str = "init";

pub(super) async fn spawner(cx: Context) -> i64 {
    match spawn(&cx).await {
        Ok(()) => 0,
        Err(status) => status as i64,
    }
}

async fn spawn(cx: &Context) -> Result<(), Status> {
    let create = HostCall::new(Hypercall::HostDomainCreate, &[CHILD, SERVICE.len() as u64]);
    cx.run(&create.with_bytes(SERVICE.as_bytes())).await.checked()?;
    cx.call(Hypercall::DomainRun, &[CHILD]).await?;
    Ok(())
}
