//! The thread that starts workers.
//!
//! A worker asks the kernel to be killed when its parent ends, and to the kernel that is not the
//! process but the thread that started it. Threads of a runtime come and go, so there is one thread
//! that starts all workers and lives as long as the process.

use std::io;
use std::sync::{LazyLock, mpsc};
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

struct Request {
    command: Command,
    /// The runtime that will wait for the child.
    runtime: Handle,
    answer: oneshot::Sender<io::Result<Child>>,
}

static PARENT: LazyLock<io::Result<mpsc::Sender<Request>>> = LazyLock::new(|| {
    let (sender, requests) = mpsc::channel::<Request>();
    thread::Builder::new().name("parent".into()).spawn(move || {
        for Request { mut command, runtime, answer } in requests {
            let _inside = runtime.enter();
            // If nobody waits for it any more, it is dropped, and that kills it.
            let _ = answer.send(command.spawn());
        }
    })?;
    Ok(sender)
});

/// Starts a process that may ask to be killed with its parent.
pub(super) async fn start(command: Command) -> io::Result<Child> {
    let gone = || io::Error::other("the thread that starts workers is gone");
    let parent =
        PARENT.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let (answer, child) = oneshot::channel();
    let request = Request { command, runtime: Handle::current(), answer };
    parent.send(request).map_err(|_| gone())?;
    child.await.map_err(|_| gone())?
}
