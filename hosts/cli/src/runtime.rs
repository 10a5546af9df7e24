//! The async runtime, made only by the commands that need one.

use hubstow_client::Error;
#[cfg(not(target_family = "wasm"))]
use hubstow_native::blocking::runtime;

/// Runs a future to its end.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    runtime()?.block_on(future)
}

/// A sandbox has one thread.
#[cfg(target_family = "wasm")]
fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().map_err(|error| {
        let what = "the system gives no threads to work with";
        Error::new(hubstow_client::ErrorKind::Other, what).caused_by(error)
    })
}
