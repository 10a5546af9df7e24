//! A file, read in pieces for the body of an answer.
//!
//! A piece that the system has in memory is read where it is asked for: handing it to another thread takes longer than reading it.
//! What has to come from the disk is read on the blocking threads.
//!
//! INVARIANT (no wait): nothing here waits for a disk but on a blocking thread.

use std::{
    collections::VecDeque,
    fs::File,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use tokio::task::{JoinHandle, spawn_blocking};

/// The most bytes of a piece: what is read into the processor's cache is still there when it is sent.
pub(crate) const PIECE_BYTES: u64 = 128 * 1024;
/// How many pieces a connection may have at once: the rest of one, and the next.
const KEPT: usize = 2;

/// A file that is read in pieces.
#[derive(Debug)]
pub(crate) struct Pieces {
    file: Arc<File>,
    /// Who has read the next piece, or reads it.
    next: Option<Next>,
    /// The pieces that were given last. New memory for each would cost more than reading it.
    given: VecDeque<Bytes>,
}

/// A piece that nobody has yet.
#[derive(Debug)]
enum Next {
    Read(Bytes),
    Reading(JoinHandle<io::Result<Bytes>>),
}

impl Pieces {
    pub(crate) fn of(file: File) -> Self {
        Self { file: Arc::new(file), next: None, given: VecDeque::new() }
    }

    /// Reads what is at an offset: up to so many bytes, and one at least. One piece after the other is asked for.
    ///
    /// # Errors
    /// The disk's, or that the file is shorter than asked for.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        (at, most_bytes): (u64, u64),
    ) -> Poll<io::Result<Bytes>> {
        let next = self.next.take().unwrap_or_else(|| self.begin(at, most_bytes));
        let piece = match next {
            Next::Read(piece) => piece,
            Next::Reading(mut reading) => {
                let Poll::Ready(read) = Pin::new(&mut reading).poll(cx) else {
                    self.next = Some(Next::Reading(reading));
                    return Poll::Pending;
                };
                let piece = read.map_err(io::Error::other)??;
                // Where the disk is waited for it may work while this piece is sent.
                let len = piece.len() as u64;
                if len < most_bytes {
                    self.next = Some(self.begin(at + len, most_bytes - len));
                }
                piece
            }
        };
        self.given.push_back(piece.clone());
        if self.given.len() > KEPT {
            self.given.pop_front();
        }
        Poll::Ready(Ok(piece))
    }

    fn begin(&mut self, at: u64, most_bytes: u64) -> Next {
        let mut buffer = self.buffer(most_bytes.min(PIECE_BYTES));
        if let Some(count) = in_memory::read_at(&self.file, &mut buffer, at) {
            buffer.truncate(count);
            return Next::Read(buffer.freeze());
        }
        let file = Arc::clone(&self.file);
        Next::Reading(spawn_blocking(move || {
            read_exact_at(&file, &mut buffer, at)?;
            Ok(buffer.freeze())
        }))
    }

    /// Returns a buffer of so many bytes, which is that of an earlier piece where that has been sent.
    fn buffer(&mut self, len_bytes: u64) -> BytesMut {
        let sent = self.given.iter().position(Bytes::is_unique);
        let sent = sent.and_then(|at| self.given.remove(at)).unwrap_or_default();
        let mut buffer = sent.try_into_mut().unwrap_or_default();
        // It is `PIECE_BYTES` at most.
        buffer.resize(usize::try_from(len_bytes).unwrap_or_default(), 0);
        buffer
    }
}

fn read_exact_at(file: &File, mut into: &mut [u8], mut at: u64) -> io::Result<()> {
    while !into.is_empty() {
        match read_at(file, into, at) {
            Ok(0) => {
                let what = "the file became shorter";
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what));
            }
            Ok(count) => {
                at += count as u64;
                into = into.get_mut(count..).unwrap_or_default();
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, at)
}

#[cfg(windows)]
fn read_at(file: &File, into: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, at)
}

#[cfg(target_os = "linux")]
mod in_memory {
    use std::{fs::File, io::IoSliceMut};

    use rustix::io::{ReadWriteFlags, preadv2};

    /// Reads what is in memory at an offset; `None` where nothing is, or something else is to be said of it.
    pub(super) fn read_at(file: &File, into: &mut [u8], at: u64) -> Option<usize> {
        let into = &mut [IoSliceMut::new(into)];
        preadv2(file, into, at, ReadWriteFlags::NOWAIT).ok().filter(|count| *count > 0)
    }
}

#[cfg(not(target_os = "linux"))]
mod in_memory {
    use std::fs::File;

    /// No other system tells.
    pub(super) fn read_at(_: &File, _: &mut [u8], _: u64) -> Option<usize> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::poll_fn,
        io::{Seek as _, Write as _},
    };

    use super::*;

    fn file_of(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        // Where the handle stands is of no matter.
        file.seek(io::SeekFrom::End(0)).unwrap();
        file
    }

    fn content_of(len: u64) -> Vec<u8> {
        (0..len).map(|at| (at * 7 / 3 % 251) as u8).collect()
    }

    fn blocking<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(test)
    }

    #[test]
    fn pieces_are_what_the_file_holds_and_none_changes_that_somebody_has() {
        let content = content_of(PIECE_BYTES * 5 + 1);
        let (start, end) = (3, content.len() as u64);
        blocking(async {
            let mut pieces = Pieces::of(file_of(&content));
            let (mut at, mut had) = (start, Vec::new());
            while at < end {
                let piece = poll_fn(|cx| pieces.poll(cx, (at, end - at))).await.unwrap();
                assert!(!piece.is_empty() && piece.len() as u64 <= PIECE_BYTES);
                at += piece.len() as u64;
                had.push(piece);
            }
            assert!(had.concat() == content[3..]);
        });
    }

    #[test]
    fn the_memory_of_pieces_that_are_sent_is_used_again() {
        blocking(async {
            let mut pieces = Pieces::of(file_of(&content_of(PIECE_BYTES * 20)));
            let mut places = std::collections::HashSet::new();
            for number in 0..20 {
                let at = number * PIECE_BYTES;
                let piece = poll_fn(|cx| pieces.poll(cx, (at, PIECE_BYTES))).await.unwrap();
                places.insert(piece.as_ptr().addr());
            }
            assert!(places.len() <= KEPT, "{} places", places.len());
        });
    }

    #[test]
    fn a_file_that_is_shorter_is_an_error() {
        blocking(async {
            let mut pieces = Pieces::of(file_of(b"four"));
            let piece = poll_fn(|cx| pieces.poll(cx, (1, 9))).await;
            let rest = match piece {
                // The system has the three that are there.
                Ok(piece) if piece == "our" => poll_fn(|cx| pieces.poll(cx, (4, 6))).await,
                other => other,
            };
            assert_eq!(rest.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        });
    }
}
