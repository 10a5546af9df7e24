//! The async runtime, made only by the commands that need one.

use hubstow_client::{Error, ErrorKind};
use tokio::runtime::Runtime;

/// Runs a future to its end.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = runtime().map_err(|error| {
        Error::new(ErrorKind::Other, "the system gives no threads to work with").caused_by(error)
    })?;
    runtime.block_on(future)
}

#[cfg(not(target_family = "wasm"))]
fn runtime() -> std::io::Result<Runtime> {
    use std::{num::NonZero, thread};

    /// A few threads are enough: the work is waiting, receiving and hashing, and the disk is driven from threads of its
    /// own.
    const THREAD_LIMIT: usize = 4;
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads.min(THREAD_LIMIT))
        .enable_all()
        .build()
}

/// A sandbox has one thread.
#[cfg(target_family = "wasm")]
fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_time().build()
}
