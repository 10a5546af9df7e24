//! A runtime for questions, and whether the system lets this process start the threads that they need.
//!
//! Runtimes ask for threads when work comes, and panic or wait for ever where they get none: it is found out before.

use std::thread;

use hubstow_client::{Error, ErrorKind};
use tokio::runtime::{Builder, Runtime};

/// A few threads are enough: the work is waiting, receiving and hashing, and the disk is driven from threads of its own.
const THREAD_LIMIT: usize = 4;

/// How many threads work on the disk at once where one file is received: one writes and one hashes while others look.
const FOR_DISK: usize = 4;

/// Makes a runtime that has all that questions need.
///
/// # Errors
/// A system that gives fewer threads than a download needs.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_native::blocking;
///
/// let runtime = blocking::runtime()?;
/// assert_eq!(runtime.block_on(async { 1 + 1 }), 2);
/// # Ok(())
/// # }
/// ```
pub fn runtime() -> Result<Runtime, Error> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(THREAD_LIMIT);
    check_threads(threads)?;
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(threads).thread_name("hubstow").enable_all().build().map_err(|error| {
        let what = "the system gives no threads to work with";
        Error::new(ErrorKind::Other, what).caused_by(error)
    })
}

/// Makes sure that as many threads can be started as a runtime with so many of its own needs here, which is tried where the
/// system says that there is a limit.
///
/// # Errors
/// Fewer can.
fn check_threads(of_runtime: usize) -> Result<(), Error> {
    let needed = of_runtime.saturating_add(FOR_DISK);
    if !is_limited(needed) {
        return Ok(());
    }
    let started = started_at_once(needed);
    if started == needed {
        return Ok(());
    }
    let what = format!(
        "the system lets this user start only {started} more threads, and a download needs {needed}"
    );
    Err(Error::new(ErrorKind::Other, what).hint(
        "raise the limit (`ulimit -u`, or that of the container), or end what runs beside it",
    ))
}

/// How few processes a user may have for it to be worth trying; with more, so many threads are there but for bad luck.
#[cfg(unix)]
const FEW: u64 = 4096;

#[cfg(unix)]
fn is_limited(needed: usize) -> bool {
    use rustix::process::{Resource, getrlimit};
    let few = FEW.max(u64::try_from(needed).unwrap_or(u64::MAX));
    getrlimit(Resource::Nproc).current.is_some_and(|limit| limit < few)
}

#[cfg(not(unix))]
fn is_limited(_needed: usize) -> bool {
    false
}

/// Starts threads, up to so many that are there at once, and ends them; returns how many there were.
fn started_at_once(most: usize) -> usize {
    use std::sync::{Mutex, PoisonError};

    const STACK_BYTES: usize = 64 << 10;
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = || drop(gate.lock());
        let start = |_: &usize| {
            thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, waits).is_ok()
        };
        let started = (0..most).take_while(start).count();
        drop(closed);
        started
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_can_be_had_are_counted() {
        assert_eq!(started_at_once(3), 3);
        assert!(check_threads(1).is_ok());
    }
}
