//! The async runtime, made only by the commands that need one.

use hubstow_client::{Error, ErrorKind};
use tokio::runtime::Runtime;

/// Runs a future to its end.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    runtime()?.block_on(future)
}

#[cfg(not(target_family = "wasm"))]
fn runtime() -> Result<Runtime, Error> {
    use std::{num::NonZero, thread};

    /// A few threads are enough: the work is waiting, receiving and hashing, and the disk is driven from threads of its
    /// own.
    const THREAD_LIMIT: usize = 4;
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(THREAD_LIMIT);
    hubstow_native::check_threads(threads)?;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime.worker_threads(threads).enable_all().build().map_err(no_runtime)
}

/// A sandbox has one thread.
#[cfg(target_family = "wasm")]
fn runtime() -> Result<Runtime, Error> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().map_err(no_runtime)
}

fn no_runtime(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Other, "the system gives no threads to work with").caused_by(error)
}
