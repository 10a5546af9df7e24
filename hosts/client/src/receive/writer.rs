//! Writing and hashing what is received, beside receiving it.
//!
//! Pieces go through a queue, bounded in bytes, to a thread that writes them and from there to one that hashes them, in
//! order: a staged file is a right prefix at any moment. Where there are no threads, pieces are appended in line.

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

use super::custody::Custody;
use crate::{
    offload::{Begun, Offload},
    parts::Beside,
};

/// How many received bytes may wait to be written and hashed: enough to keep both busy while the other waits for a turn,
/// and little beside what a program may take.
const QUEUE_BYTES: u32 = 4 << 20;
/// What is shorter than this is hashed by the thread that writes it: another one would cost more than it saves.
const HASH_BESIDE_BYTES: u64 = 4 << 20;

/// A piece, and the room that it takes in the queue until it is hashed.
type Queued = (Bytes, OwnedSemaphorePermit);

/// A staged file that is being written.
pub(crate) enum Writer {
    /// On a thread of its own.
    Beside(WriterThread),
    /// As pieces come.
    InLine { staged: Box<StagedFile>, result: io::Result<()> },
}

/// A staged file on a thread of its own.
pub(crate) struct WriterThread {
    to_disk: mpsc::UnboundedSender<Queued>,
    room: Arc<Semaphore>,
    written: Arc<AtomicU64>,
    thread: Begun<(StagedFile, io::Result<()>)>,
}

impl Writer {
    /// Starts to write; `missing` is how much is to come, where that is known.
    ///
    /// # Errors
    /// A file that somebody else has.
    pub(crate) fn start(custody: &mut Custody, missing: Option<u64>) -> io::Result<Self> {
        let staged = custody.lend()?;
        Ok(match custody.offload().beside() {
            Beside::Threads => {
                Self::Beside(WriterThread::start(staged, missing, custody.offload()))
            }
            Beside::Nothing => Self::InLine { staged: Box::new(staged), result: Ok(()) },
        })
    }

    /// Hands a piece over, when there is room for it; `false` when the writer has stopped, and says why at its end.
    pub(crate) async fn write(&mut self, piece: Bytes) -> bool {
        match self {
            Self::Beside(thread) => thread.write(piece).await,
            Self::InLine { staged, result } => {
                *result = staged.append(&piece);
                result.is_ok()
            }
        }
    }

    /// Returns how many bytes the file holds by now.
    pub(crate) fn written_bytes(&self) -> u64 {
        match self {
            Self::Beside(thread) => thread.written.load(Ordering::Relaxed),
            Self::InLine { staged, .. } => staged.received_bytes(),
        }
    }

    /// Waits until everything is written, and puts the file back.
    ///
    /// # Errors
    /// Why not everything could be written.
    pub(crate) async fn end(self, to: &mut Custody) -> io::Result<()> {
        let (staged, written) = match self {
            Self::InLine { staged, result } => (*staged, result),
            Self::Beside(WriterThread { to_disk, thread, .. }) => {
                drop(to_disk);
                thread.done().await.map_err(io::Error::other)?
            }
        };
        to.put_back(staged);
        written
    }
}

impl WriterThread {
    fn start(staged: StagedFile, missing: Option<u64>, offload: &Offload) -> Self {
        let (to_disk, pieces) = mpsc::unbounded_channel();
        let written = Arc::new(AtomicU64::new(staged.received_bytes()));
        let beside = missing.is_none_or(|missing| missing >= HASH_BESIDE_BYTES);
        let told = Arc::clone(&written);
        let thread = offload.begin(move |_| match beside {
            true => write_and_hash(staged, pieces, &told),
            false => append(staged, pieces, &told),
        });
        Self { to_disk, room: Arc::new(Semaphore::new(QUEUE_BYTES as usize)), written, thread }
    }

    async fn write(&self, mut piece: Bytes) -> bool {
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
