//! The staged file of a receiver, which workers borrow to write and to verify it.

use std::io;

use hubstow_cache::{
    FsError,
    staged::{Intervals, StagedFile},
};

use crate::{
    handle::{CacheHandle, DiskBound, Worker},
    offload::{Begun, Whatever, typed},
    open::Open,
    parts::Beside,
};

/// A file on its way with its staged file, or the knowledge that a worker has it. Wherever it is dropped, the file is given
/// up on a worker, and what has come is kept where it is worth it.
pub(crate) struct Custody {
    cache: CacheHandle,
    open: Option<DiskBound<Open>>,
    received_bytes: u64,
    /// The size that came with the content, for whoever works on the file next.
    promised: Option<u64>,
}

/// What a staged file holds, and how it can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) intervals: Intervals,
    pub(crate) order: Order,
}

/// In which order bytes can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Any,
    Ascending,
}

/// What comes back of work on the staged file.
pub(crate) struct Returned {
    open: DiskBound<Open>,
    received_bytes: u64,
    done: io::Result<Whatever>,
}

/// Work on the staged file; see [`Whatever`] for why nobody knows what it returns.
type Work = Box<dyn FnOnce(&mut StagedFile) -> io::Result<Whatever> + Send>;

impl Custody {
    /// Takes a file that holds so many bytes.
    pub(crate) fn of(cache: CacheHandle, open: DiskBound<Open>, received_bytes: u64) -> Self {
        Self { cache, open: Some(open), received_bytes, promised: None }
    }

    /// Returns how many bytes the file holds.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// Says what the file holds, and how it can be written.
    ///
    /// # Errors
    /// A file that somebody else has.
    pub(crate) async fn holding(&mut self) -> io::Result<Holding> {
        let beside = self.beside();
        self.work(move |staged| {
            let order = match beside {
                Beside::Threads if staged.takes_positions() => Order::Any,
                Beside::Threads | Beside::Nothing => Order::Ascending,
            };
            Ok(Holding { intervals: staged.intervals().clone(), order })
        })
        .await
    }

    /// States the size where the hub said it only with the content.
    pub(crate) fn promise_size(&mut self, size: u64) {
        self.promised = Some(size);
    }

    /// Says whether work on the file runs beside whoever asks for it.
    pub(crate) fn beside(&self) -> Beside {
        self.cache.beside()
    }

    /// Begins work on the file, which is away until it is [back](Self::put_back).
    ///
    /// # Errors
    /// A file that somebody else has.
    pub(crate) fn begin<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut StagedFile) -> io::Result<T> + Send + 'static,
    ) -> io::Result<Begun<Returned>> {
        let boxed = |done| -> Whatever { Box::new(done) };
        self.begin_any(Box::new(move |staged| work(staged).map(boxed)))
    }

    fn begin_any(&mut self, work: Work) -> io::Result<Begun<Returned>> {
        let open = self.open.take();
        let open = open.ok_or_else(|| io::Error::other("the staged file is in use"))?;
        let (cache, promised) = (self.cache.clone(), self.promised.take());
        Ok(self.cache.run(move |_, worker| work_on(&cache, worker, open, promised, work)))
    }

    /// Takes the file back, and says what came of the work.
    ///
    /// # Errors
    /// What the work says.
    pub(crate) async fn put_back(&mut self, begun: Begun<Returned>) -> io::Result<Whatever> {
        let Returned { open, received_bytes, done } = begun.await.map_err(io::Error::other)?;
        self.open = Some(open);
        self.received_bytes = received_bytes;
        done
    }

    /// Works on the file off the async threads.
    ///
    /// # Errors
    /// What the work says.
    pub(crate) async fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut StagedFile) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let begun = self.begin(work)?;
        self.put_back(begun).await.map(typed)
    }

    /// Returns the file; `None` where a worker that had it was given up.
    pub(crate) fn into_open(self) -> Option<DiskBound<Open>> {
        self.open
    }
}

fn work_on(
    cache: &CacheHandle,
    worker: &Worker,
    open: DiskBound<Open>,
    promised: Option<u64>,
    work: Work,
) -> Returned {
    let mut open = Open::of(open, worker);
    let (received_bytes, done) = match open.placing.take_staged() {
        Ok(mut staged) => {
            if let Some(size) = promised {
                staged.promise_size(size);
            }
            let done = work(&mut staged);
            let received_bytes = staged.received_bytes();
            open.placing.fetched(staged);
            (received_bytes, done)
        }
        Err(error) => (0, Err(as_io(error))),
    };
    Returned { open: cache.keep(open), received_bytes, done }
}

fn as_io(error: FsError) -> io::Error {
    io::Error::other(error)
}
