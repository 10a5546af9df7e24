//! Whether the system lets this process start the threads that questions need.
//!
//! Runtimes ask for threads when work comes, and panic or wait for ever where they get none: it is found out before.

use hubstow_client::{Error, ErrorKind};

/// How many threads work on the disk at once where one file is received: one writes and one hashes while others look.
const FOR_DISK: usize = 4;

/// Makes sure that as many threads can be started as a runtime with so many of its own needs here, which is tried where the
/// system says that there is a limit.
///
/// # Errors
/// Fewer can.
pub fn check_threads(of_runtime: usize) -> Result<(), Error> {
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
    use std::{
        sync::{Mutex, PoisonError},
        thread::{self, Builder},
    };

    const STACK_BYTES: usize = 64 << 10;
    let gate = Mutex::new(());
    thread::scope(|scope| {
        let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
        let waits = || drop(gate.lock());
        let start =
            |_: &usize| Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, waits).is_ok();
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
