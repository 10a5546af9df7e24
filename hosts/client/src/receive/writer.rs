//! Writing and hashing what is received, beside receiving it.
//!
//! Pieces go through a queue, bounded in bytes, to a thread that writes them where they belong and from there to one that
//! hashes them. What is next in order is hashed as it comes; what came early is not kept, but read back once its turn has
//! come. Where there are no threads pieces are appended one by one.

use std::{io, sync::Arc, thread};

use bytes::Bytes;
use hubstow_cache::{disk::content::Hasher, staged::StagedFile};
use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    mpsc::{self, error::TryRecvError},
};

use super::{
    behind::{Behind, READ_BYTES},
    custody::{Custody, Returned},
    syncing::Syncing,
};
use crate::{http::session::ROOM_BYTES, offload::Begun, parts::Beside};

/// What is shorter than this is hashed by the thread that writes it: another one would cost more than it saves.
const HASH_BESIDE_BYTES: u64 = 4 << 20;
/// How far hashing may be behind what could be hashed: as far as takes no time worth mentioning at the end.
const FAR_BEHIND_BYTES: u64 = 32 << 20;

/// A piece, and the room that it takes in the queue until it is hashed, or left to be read back.
struct Queued {
    place: Place,
    piece: Bytes,
    _room: OwnedSemaphorePermit,
}

/// Where a piece belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Where the first byte is missing.
    Next,
    /// At this offset.
    At(u64),
}

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
    thread: Begun<Returned>,
}

impl<'a> Writer<'a> {
    /// Starts to write; `missing` is how much is to come, where that is known, and `room` where it may wait.
    ///
    /// # Errors
    /// A staged file that somebody else has.
    pub(crate) fn start(
        custody: &'a mut Custody,
        missing: Option<u64>,
        room: &Arc<Semaphore>,
    ) -> io::Result<Self> {
        let writing = match custody.beside() {
            Beside::Threads => Writing::Queue(Queue::start(custody, missing, Arc::clone(room))?),
            Beside::Nothing => Writing::InLine(Ok(())),
        };
        Ok(Self { custody, writing })
    }

    /// Hands a piece over, when there is room for it; `false` when the writer has stopped, and says why at its end. Where
    /// there are no threads, every piece is the next.
    pub(crate) async fn write(&mut self, place: Place, piece: Bytes) -> bool {
        match &mut self.writing {
            Writing::Queue(queue) => queue.write(place, piece).await,
            Writing::InLine(written) => {
                *written = self.custody.work(move |staged| staged.append(&piece)).await;
                written.is_ok()
            }
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
                self.custody.put_back(thread).await.map(drop)
            }
            Writing::InLine(written) => written,
        }
    }
}

impl Queue {
    fn start(
        custody: &mut Custody,
        missing: Option<u64>,
        room: Arc<Semaphore>,
    ) -> io::Result<Self> {
        let (to_disk, pieces) = mpsc::unbounded_channel();
        let beside = missing.is_none_or(|missing| missing >= HASH_BESIDE_BYTES);
        let thread = custody.begin(move |staged| {
            if beside { write_and_hash(staged, pieces) } else { append(staged, pieces) }
        })?;
        Ok(Self { to_disk, room, thread })
    }

    async fn write(&mut self, mut place: Place, mut piece: Bytes) -> bool {
        while !piece.is_empty() {
            let some = piece.split_to(piece.len().min(ROOM_BYTES));
            let len = some.len();
            let room = Arc::clone(&self.room);
            let Ok(room) = room.acquire_many_owned(len as u32).await else {
                return false;
            };
            if self.to_disk.send(Queued { place, piece: some, _room: room }).is_err() {
                return false;
            }
            if let Place::At(offset) = &mut place {
                *offset += len as u64;
            }
        }
        true
    }
}

/// Appends pieces until there are no more, or one can't be written.
fn append(staged: &mut StagedFile, mut pieces: mpsc::UnboundedReceiver<Queued>) -> io::Result<()> {
    while let Some(Queued { place, piece, _room }) = pieces.blocking_recv() {
        match place {
            Place::Next => staged.append(&piece)?,
            Place::At(offset) => staged.write_at(offset, &piece)?,
        }
    }
    Ok(())
}

/// Does the same with threads beside it: one hashes what has been written, and one brings it to the disk.
fn write_and_hash(
    staged: &mut StagedFile,
    mut pieces: mpsc::UnboundedReceiver<Queued>,
) -> io::Result<()> {
    // Where there is no second handle, whoever verifies reads what was not hashed here.
    let reader = if staged.takes_positions() { staged.reader().ok() } else { None };
    let reader = reader.map(|mut reader| move |at, into: &mut [u8]| reader.read_at(at, into));
    let held = staged.intervals().clone();
    let mut syncing = Syncing::of(staged);
    let mut hasher = staged.lend_hasher();
    let (to_hasher, to_hash) = mpsc::unbounded_channel();
    let result = thread::scope(|scope| {
        let hasher = &mut hasher;
        let hashing = move || hash(Behind::new(hasher, reader, held), to_hash);
        if let Err(error) = thread::Builder::new().spawn_scoped(scope, hashing) {
            tracing::debug!(%error, "no thread is left; what is written is hashed at the end");
        }
        while let Some(mut queued) = pieces.blocking_recv() {
            let offset = match queued.place {
                Place::Next => staged.prefix_bytes(),
                Place::At(offset) => offset,
            };
            staged.write_at(offset, &queued.piece)?;
            syncing.written(queued.piece.len() as u64);
            queued.place = Place::At(offset);
            // A hasher that is gone has panicked, which the end of the scope tells, or could not begin.
            let _ = to_hasher.send(queued);
        }
        drop(to_hasher);
        Ok(())
    });
    staged.return_hasher(hasher);
    if let Err(error) = syncing.end() {
        staged.did_not_sync(&error);
    }
    result
}

/// Hashes what has been written until there is no more. What is left then, whoever verifies the file reads. Where that
/// would be much, each piece keeps its room until as much has been hashed: receiving goes on, and no faster than hashing.
fn hash<R>(mut behind: Behind<&mut Hasher, R>, mut written: mpsc::UnboundedReceiver<Queued>)
where
    R: FnMut(u64, &mut [u8]) -> io::Result<usize>,
{
    loop {
        let unread_bytes = behind.unread_bytes();
        // Pieces go first: they hold room that others wait for.
        let next = if unread_bytes > 0 {
            match written.try_recv() {
                Ok(next) => next,
                Err(TryRecvError::Empty) => {
                    behind.read(READ_BYTES as u64);
                    continue;
                }
                Err(TryRecvError::Disconnected) => return,
            }
        } else {
            match written.blocking_recv() {
                Some(next) => next,
                None => return,
            }
        };
        let Queued { place, piece, _room } = next;
        if let Place::At(offset) = place {
            behind.written(offset, &piece);
        }
        let len = piece.len() as u64;
        drop(piece);
        if unread_bytes >= FAR_BEHIND_BYTES {
            behind.read(len);
        }
    }
}

#[cfg(test)]
mod tests {
    use hubstow_cache::staged::Intervals;
    use hubstow_core::name::Etag;

    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn far_behind_as_much_is_hashed_as_comes() {
        for (what, written, expected) in [
            ("nothing to hash", 0, 0),
            ("not far behind, what comes goes first", 31 * MIB, 0),
            ("far behind", 40 * MIB, 4 * MIB),
        ] {
            let etag = Etag::parse(&"0".repeat(64)).unwrap();
            let mut hasher = Hasher::new(&etag, None);
            let mut held = Intervals::default();
            held.insert(0..written);
            let read = |_: u64, into: &mut [u8]| Ok(into.len());
            let (to_hasher, to_hash) = mpsc::unbounded_channel();
            let room = Arc::new(Semaphore::new(4));
            for at in 0..4 {
                let _room = Arc::clone(&room).try_acquire_owned().unwrap();
                let piece = Bytes::from(vec![0; MIB as usize]);
                let place = Place::At((100 + at) * MIB);
                assert!(to_hasher.send(Queued { place, piece, _room }).is_ok());
            }
            drop(to_hasher);
            hash(Behind::new(&mut hasher, Some(read), held), to_hash);
            assert_eq!(hasher.passed_bytes(), expected, "{what}");
            assert_eq!(room.available_permits(), 4, "{what}");
        }
    }
}
