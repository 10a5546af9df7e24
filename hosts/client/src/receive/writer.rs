//! Writing and hashing what is received, beside receiving it.
//!
//! Pieces go through a queue, bounded in bytes, to a thread that writes them and from there to one that hashes them, in
//! order: a staged file is a right prefix at any moment. Where there are no threads they are appended one by one.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc as blocking,
    },
    thread,
};

use bytes::Bytes;
use hubstow_cache::staged::StagedFile;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::custody::{Custody, Returned};
use crate::{offload::Begun, parts::Beside};

/// How many received bytes may wait to be written and hashed: enough to keep both busy while the other waits for a turn, and
/// little beside what a program may take.
const QUEUE_BYTES: u32 = 4 << 20;
/// What is shorter than this is hashed by the thread that writes it: another one would cost more than it saves.
const HASH_BESIDE_BYTES: u64 = 4 << 20;

/// A piece, and the room that it takes in the queue until it is hashed.
type Queued = (Bytes, OwnedSemaphorePermit);

/// Whoever writes a staged file.
pub(crate) struct Writer<'a> {
    custody: &'a mut Custody,
    writing: Writing,
}

/// How it is written.
enum Writing {
    /// By a thread that gets pieces through a queue.
    Queue(Queue),
    /// One piece after the other, as they come; the error is why no more can be.
    InLine(io::Result<()>),
}

struct Queue {
    to_disk: mpsc::UnboundedSender<Queued>,
    room: Arc<Semaphore>,
    written: Arc<AtomicU64>,
    thread: Begun<Returned<()>>,
}

impl<'a> Writer<'a> {
    /// Starts to write; `missing` is how much is to come, where that is known.
    ///
    /// # Errors
    /// A staged file that somebody else has.
    pub(crate) fn start(custody: &'a mut Custody, missing: Option<u64>) -> io::Result<Self> {
        let writing = match custody.beside() {
            Beside::Threads => Writing::Queue(Queue::start(custody, missing)?),
            Beside::Nothing => Writing::InLine(Ok(())),
        };
        Ok(Self { custody, writing })
    }

    /// Hands a piece over, when there is room for it; `false` when the writer has stopped, and says why at its end.
    pub(crate) async fn write(&mut self, piece: Bytes) -> bool {
        match &mut self.writing {
            Writing::Queue(queue) => queue.write(piece).await,
            Writing::InLine(written) => {
                *written = self.custody.work(move |staged| staged.append(&piece)).await;
                written.is_ok()
            }
        }
    }

    /// Returns how many bytes the file holds by now.
    pub(crate) fn written_bytes(&self) -> u64 {
        match &self.writing {
            Writing::Queue(queue) => queue.written.load(Ordering::Relaxed),
            Writing::InLine(_) => self.custody.received_bytes(),
        }
    }

    /// Waits until everything is written, and puts the file back.
    ///
    /// # Errors
    /// Why not everything could be written.
    pub(crate) async fn end(self) -> io::Result<()> {
        match self.writing {
            Writing::Queue(Queue { to_disk, thread, .. }) => {
                drop(to_disk);
                self.custody.put_back(thread).await
            }
            Writing::InLine(written) => written,
        }
    }
}

impl Queue {
    fn start(custody: &mut Custody, missing: Option<u64>) -> io::Result<Self> {
        let (to_disk, pieces) = mpsc::unbounded_channel();
        let written = Arc::new(AtomicU64::new(custody.received_bytes()));
        let beside = missing.is_none_or(|missing| missing >= HASH_BESIDE_BYTES);
        let told = Arc::clone(&written);
        let thread = custody.begin(move |staged| {
            if beside {
                write_and_hash(staged, pieces, &told)
            } else {
                append(staged, pieces, &told)
            }
        })?;
        Ok(Self { to_disk, room: Arc::new(Semaphore::new(QUEUE_BYTES as usize)), written, thread })
    }

    async fn write(&mut self, mut piece: Bytes) -> bool {
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
}

/// Appends pieces until there are no more, or one can't be written.
fn append(
    staged: &mut StagedFile,
    mut pieces: mpsc::UnboundedReceiver<Queued>,
    written: &AtomicU64,
) -> io::Result<()> {
    while let Some((piece, _room)) = pieces.blocking_recv() {
        staged.append(&piece)?;
        written.store(staged.received_bytes(), Ordering::Relaxed);
    }
    Ok(())
}

/// Does the same with a thread beside it that hashes what has been written.
fn write_and_hash(
    staged: &mut StagedFile,
    mut pieces: mpsc::UnboundedReceiver<Queued>,
    written: &AtomicU64,
) -> io::Result<()> {
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
    result
}
