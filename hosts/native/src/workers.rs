//! Where a native program's disk work is done: on tokio's blocking pool, or on plain threads where no runtime runs.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use hubstow_client::{Beside, Error, Workers};
use tokio::runtime::Handle;

use crate::reactor::Fit;

/// The blocking pool of whichever runtime asks.
#[derive(Default)]
pub(crate) struct BlockingPool(Fit);

impl Workers for BlockingPool {
    fn start(&self, work: Box<dyn FnOnce() + Send>) {
        match Handle::try_current() {
            // A runtime that ends drops what it has not begun, and one that gets no thread for it panics.
            Ok(runtime) => {
                drop(catch_unwind(AssertUnwindSafe(|| drop(runtime.spawn_blocking(work)))));
            }
            // A system without another thread drops the work.
            Err(_) => drop(thread::Builder::new().name("hubstow".to_owned()).spawn(work)),
        }
    }

    fn check(&self) -> Result<(), Error> {
        self.0.check()
    }

    fn beside(&self) -> Beside {
        Beside::Threads
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn work_is_done_on_another_thread_with_a_runtime_and_without_one() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let there = || {
            let (tell, told) = mpsc::channel();
            BlockingPool::default()
                .start(Box::new(move || tell.send(thread::current().id()).unwrap()));
            told.recv().unwrap()
        };
        assert_ne!(there(), thread::current().id());
        assert_ne!(runtime.block_on(async { there() }), thread::current().id());
    }

    #[test]
    fn a_runtime_that_has_ended_drops_the_work() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let handle = runtime.handle().clone();
        drop(runtime);
        let (tell, told) = mpsc::channel::<()>();
        let _inside = handle.enter();
        BlockingPool::default().start(Box::new(move || tell.send(()).unwrap()));
        assert!(told.recv().is_err());
    }
}
