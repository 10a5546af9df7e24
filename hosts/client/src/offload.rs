//! Work that would hold up the async threads: it is handed to the host's workers, and waited for.

use std::{
    any::Any,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hubstow_cache::disk::cancel::Cancel;
use tokio::sync::oneshot;
use tracing::Span;

use crate::{
    api::error::{Error, ErrorKind},
    parts::{Beside, Workers},
};

/// The way to the host's workers.
#[derive(Clone)]
pub(crate) struct Offload(Arc<dyn Workers>);

impl Offload {
    pub(crate) fn new(workers: Arc<dyn Workers>) -> Self {
        Self(workers)
    }

    /// Begins work on a worker, to be waited for. Whoever drops what is returned cancels it.
    pub(crate) fn begin(&self, work: Box<dyn FnOnce(&Cancel) -> Whatever + Send>) -> Untyped {
        let (told, tells) = oneshot::channel();
        let cancel = Cancel::default();
        let waiting = Waiting(Some(cancel.clone()));
        self.start_any(Box::new(move || {
            let done = catch_unwind(AssertUnwindSafe(|| work(&cancel)));
            // Where nobody waits any more, what came of it ends here, on the worker.
            drop(told.send(done));
        }));
        Untyped { tells, waiting }
    }

    /// Makes sure that requests can be waited for here.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.0.check()
    }

    /// Says whether work runs beside whoever asks for it.
    pub(crate) fn beside(&self) -> Beside {
        self.0.beside()
    }

    /// Runs work that nobody waits for, within the span of whoever asks.
    pub(crate) fn start(&self, work: impl FnOnce() + Send + 'static) {
        self.start_any(Box::new(work));
    }

    fn start_any(&self, work: Box<dyn FnOnce() + Send>) {
        let span = Span::current();
        self.0.start(Box::new(move || span.in_scope(work)));
    }
}

/// What comes of work, or the panic that ended it. Its type is known at both ends and nowhere between, so that the way there
/// and back is compiled once and not for each kind of work.
pub(crate) type Whatever = Box<dyn Any + Send>;

/// Gives what came of work its type back, which is that of the work.
#[expect(clippy::expect_used, reason = "whoever has begun the work knows what it returns")]
pub(crate) fn typed<T: 'static>(done: Whatever) -> T {
    *done.downcast().expect("the work returns what is waited for")
}

/// Work that has begun on a worker.
pub(crate) struct Begun<T> {
    untyped: Untyped,
    done: PhantomData<fn() -> T>,
}

/// The same, where nobody knows what comes of it.
pub(crate) struct Untyped {
    tells: oneshot::Receiver<Result<Whatever, Whatever>>,
    waiting: Waiting,
}

impl<T: 'static> Begun<T> {
    /// Takes work that returns this.
    pub(crate) fn of(untyped: Untyped) -> Self {
        Self { untyped, done: PhantomData }
    }
}

impl<T: 'static> Future for Begun<T> {
    /// What comes of it; an error where the threads have ended before the work began. A panic of the work goes on here.
    type Output = Result<T, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let done = ready!(self.untyped.poll(context))?;
        Poll::Ready(Ok(typed(done)))
    }
}

impl Untyped {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Whatever, Error>> {
        let done = ready!(Pin::new(&mut self.tells).poll(context));
        self.waiting.0 = None;
        Poll::Ready(match done {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(panic)) => resume_unwind(panic),
            Err(_) => Err(Error::new(
                ErrorKind::Other,
                "work on the disk was given up, because the threads that do it have ended",
            )),
        })
    }
}

/// Somebody who waits for work; when they end before it does, it is not wanted any more.
struct Waiting(Option<Cancel>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(cancel) = &self.0 {
            cancel.cancel();
        }
    }
}

/// A thread for each piece of work, for tests.
#[cfg(test)]
pub(crate) struct Threads;

#[cfg(test)]
impl Workers for Threads {
    fn start(&self, work: Box<dyn FnOnce() + Send>) {
        std::thread::spawn(work);
    }

    fn beside(&self) -> Beside {
        Beside::Threads
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Mutex, PoisonError, mpsc},
        task::Waker,
        thread,
    };

    use super::*;

    fn begin<T: Send + 'static>(
        offload: &Offload,
        work: impl FnOnce(&Cancel) -> T + Send + 'static,
    ) -> Begun<T> {
        Begun::of(offload.begin(Box::new(move |cancel| Box::new(work(cancel)))))
    }

    /// Work that is put aside, to be run or dropped later.
    #[derive(Default)]
    struct Aside(Mutex<Vec<Box<dyn FnOnce() + Send>>>);

    impl Workers for Aside {
        fn start(&self, work: Box<dyn FnOnce() + Send>) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(work);
        }

        fn beside(&self) -> Beside {
            Beside::Threads
        }
    }

    #[tokio::test]
    async fn work_runs_on_another_thread_and_is_not_cancelled_while_it_is_waited_for() {
        let offload = Offload::new(Arc::new(Threads));
        let here = thread::current().id();
        let (there, cancelled) =
            begin(&offload, |cancel| (thread::current().id(), cancel.is_cancelled()))
                .await
                .unwrap();
        assert_ne!(here, there);
        assert!(!cancelled);
    }

    #[tokio::test]
    async fn work_that_is_dropped_is_an_error_and_not_a_panic() {
        let aside = Arc::new(Aside::default());
        let offload = Offload::new(aside.clone());
        let mut waiting = Box::pin(begin(&offload, |_| ()));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        aside.0.lock().unwrap().clear();
        let error = waiting.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Other);
        assert!(error.to_string().contains("threads"), "{error}");
    }

    #[tokio::test]
    #[should_panic(expected = "the work's own words")]
    async fn a_panic_of_the_work_goes_on_where_it_is_waited_for() {
        let offload = Offload::new(Arc::new(Threads));
        let _: Result<(), _> = begin(&offload, |_| panic!("the work's own words")).await;
    }

    #[tokio::test]
    async fn whoever_stops_waiting_cancels_the_work() {
        let offload = Offload::new(Arc::new(Threads));
        let (begun, has_begun) = mpsc::channel();
        let (ended, has_ended) = mpsc::channel();
        let waiting = begin(&offload, move |cancel| {
            begun.send(()).unwrap();
            while !cancel.is_cancelled() {
                thread::yield_now();
            }
            ended.send(()).unwrap();
        });
        has_begun.recv().unwrap();
        drop(waiting);
        has_ended.recv().unwrap();
    }
}
