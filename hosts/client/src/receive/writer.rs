//! Writing and hashing what is received, beside receiving it.
//!
//! Pieces go through a queue, bounded in bytes, to a thread that writes them and from there to one that hashes them, in
//! order: a staged file is a right prefix at any moment. A sandbox has no threads and appends in line.

use std::io;

use bytes::Bytes;
use hubstow_cache::staged::StagedFile;

use super::custody::Custody;

#[cfg(not(target_family = "wasm"))]
pub(crate) use threaded::Writer;

#[cfg(target_family = "wasm")]
pub(crate) use inline::Writer;

#[cfg(not(target_family = "wasm"))]
mod threaded {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
            mpsc as blocking,
        },
        thread,
    };

    use tokio::{
        sync::{OwnedSemaphorePermit, Semaphore, mpsc},
        task::JoinHandle,
    };

    use super::{Bytes, Custody, StagedFile, io};

    /// How many received bytes may wait to be written and hashed: enough to keep both busy while the other waits for a
    /// turn, and little beside what a program may take.
    const QUEUE_BYTES: u32 = 4 << 20;
    /// What is shorter than this is hashed by the thread that writes it: another one would cost more than it saves.
    const HASH_BESIDE_BYTES: u64 = 4 << 20;

    /// A piece, and the room that it takes in the queue until it is hashed.
    type Queued = (Bytes, OwnedSemaphorePermit);

    /// A staged file on a thread of its own.
    pub(crate) struct Writer {
        to_disk: mpsc::UnboundedSender<Queued>,
        room: Arc<Semaphore>,
        written: Arc<AtomicU64>,
        thread: JoinHandle<(StagedFile, io::Result<()>)>,
    }

    impl Writer {
        /// Starts to write; `missing` is how much is to come, where that is known.
        pub(crate) fn start(staged: StagedFile, missing: Option<u64>) -> Self {
            let (to_disk, pieces) = mpsc::unbounded_channel();
            let written = Arc::new(AtomicU64::new(staged.received_bytes()));
            let beside = missing.is_none_or(|missing| missing >= HASH_BESIDE_BYTES);
            let told = Arc::clone(&written);
            let thread = tokio::task::spawn_blocking(move || match beside {
                true => write_and_hash(staged, pieces, &told),
                false => append(staged, pieces, &told),
            });
            Self { to_disk, room: Arc::new(Semaphore::new(QUEUE_BYTES as usize)), written, thread }
        }

        /// Hands a piece over, when there is room for it; `false` when the writer has stopped, and says why at its end.
        pub(crate) async fn write(&mut self, mut piece: Bytes) -> bool {
            while !piece.is_empty() {
                let some = piece.split_to(piece.len().min(QUEUE_BYTES as usize));
                let room = Arc::clone(&self.room);
                let Ok(room) = room.acquire_many_owned(some.len() as u32).await else {
                    return false;
                };
                if self.to_disk.send((some, room)).is_err() {
                    return false;
                }
            }
            true
        }

        /// Returns how many bytes the file holds by now.
        pub(crate) fn written_bytes(&self) -> u64 {
            self.written.load(Ordering::Relaxed)
        }

        /// Waits until everything is written, and puts the file back.
        ///
        /// # Errors
        /// Why not everything could be written.
        pub(crate) async fn end(self, to: &mut Custody) -> io::Result<()> {
            drop(self.to_disk);
            let (staged, written) = match self.thread.await {
                Ok(ended) => ended,
                Err(ended) => match ended.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    Err(cancelled) => return Err(io::Error::other(cancelled)),
                },
            };
            to.put_back(staged);
            written
        }
    }

    /// Appends pieces until there are no more, or one can't be written.
    fn append(
        mut staged: StagedFile,
        mut pieces: mpsc::UnboundedReceiver<Queued>,
        written: &AtomicU64,
    ) -> (StagedFile, io::Result<()>) {
        while let Some((piece, _room)) = pieces.blocking_recv() {
            if let Err(error) = staged.append(&piece) {
                return (staged, Err(error));
            }
            written.store(staged.received_bytes(), Ordering::Relaxed);
        }
        (staged, Ok(()))
    }

    /// Does the same with a thread beside it that hashes what has been written.
    fn write_and_hash(
        mut staged: StagedFile,
        mut pieces: mpsc::UnboundedReceiver<Queued>,
        written: &AtomicU64,
    ) -> (StagedFile, io::Result<()>) {
        let mut hasher = staged.lend_hasher();
        let (to_hasher, to_hash) = blocking::channel::<Queued>();
        let result = thread::scope(|scope| {
            let hasher = &mut hasher;
            scope.spawn(move || {
                for (piece, _room) in to_hash {
                    hasher.update(&piece);
                }
            });
            while let Some((piece, room)) = pieces.blocking_recv() {
                staged.write_unhashed(&piece)?;
                written.store(staged.received_bytes(), Ordering::Relaxed);
                // A hasher that is gone has panicked, which the end of the scope tells.
                let _ = to_hasher.send((piece, room));
            }
            drop(to_hasher);
            Ok(())
        });
        staged.return_hasher(hasher);
        (staged, result)
    }
}

#[cfg(target_family = "wasm")]
mod inline {
    use super::{Bytes, Custody, StagedFile, io};

    /// A staged file that is written as pieces come.
    pub(crate) struct Writer {
        staged: StagedFile,
        result: io::Result<()>,
    }

    impl Writer {
        pub(crate) fn start(staged: StagedFile, _missing: Option<u64>) -> Self {
            Self { staged, result: Ok(()) }
        }

        /// Appends a piece; `false` when that has failed, which the end says.
        pub(crate) async fn write(&mut self, piece: Bytes) -> bool {
            self.result = self.staged.append(&piece);
            self.result.is_ok()
        }

        /// Returns how many bytes the file holds by now.
        pub(crate) fn written_bytes(&self) -> u64 {
            self.staged.received_bytes()
        }

        /// Puts the file back.
        ///
        /// # Errors
        /// Why not everything could be written.
        pub(crate) async fn end(self, to: &mut Custody) -> io::Result<()> {
            to.put_back(self.staged);
            self.result
        }
    }
}
