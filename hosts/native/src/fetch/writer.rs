//! Writing and hashing what is received, beside receiving it.
//!
//! Pieces go through a bounded queue to a thread that appends them; a sandbox has no threads and appends in line.

use std::io;

use bytes::Bytes;
use hubstow_fs::staged::StagedFile;

#[cfg(not(target_family = "wasm"))]
pub(super) use threaded::Writer;

#[cfg(target_family = "wasm")]
pub(super) use inline::Writer;

#[cfg(not(target_family = "wasm"))]
mod threaded {
    use super::{Bytes, StagedFile, io};
    use tokio::{sync::mpsc, task::JoinHandle};

    /// How many received pieces may wait to be written, at about 16 KiB to 1 MiB each.
    const QUEUE_PIECES: usize = 16;

    /// A staged file on a thread of its own.
    pub(in super::super) struct Writer {
        to_disk: mpsc::Sender<Bytes>,
        thread: JoinHandle<(StagedFile, io::Result<()>)>,
    }

    impl Writer {
        pub(in super::super) fn start(mut staged: StagedFile) -> Self {
            let (to_disk, mut pieces) = mpsc::channel::<Bytes>(QUEUE_PIECES);
            let thread = tokio::task::spawn_blocking(move || {
                let mut result = Ok(());
                while let Some(piece) = pieces.blocking_recv() {
                    result = staged.append(&piece);
                    if result.is_err() {
                        break;
                    }
                }
                (staged, result)
            });
            Self { to_disk, thread }
        }

        /// Hands a piece over; `false` when the writer has stopped, and says why at its end.
        pub(in super::super) async fn write(&mut self, piece: Bytes) -> bool {
            self.to_disk.send(piece).await.is_ok()
        }

        /// Waits until everything is written, and returns the file.
        pub(in super::super) async fn end(self) -> (StagedFile, io::Result<()>) {
            drop(self.to_disk);
            match self.thread.await {
                Ok(ended) => ended,
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
    }
}

#[cfg(target_family = "wasm")]
mod inline {
    use super::{Bytes, StagedFile, io};

    /// A staged file that is written as pieces come.
    pub(in super::super) struct Writer {
        staged: StagedFile,
        result: io::Result<()>,
    }

    impl Writer {
        pub(in super::super) fn start(staged: StagedFile) -> Self {
            Self { staged, result: Ok(()) }
        }

        /// Appends a piece; `false` when that has failed, which the end says.
        pub(in super::super) async fn write(&mut self, piece: Bytes) -> bool {
            self.result = self.staged.append(&piece);
            self.result.is_ok()
        }

        /// Returns the file.
        pub(in super::super) async fn end(self) -> (StagedFile, io::Result<()>) {
            (self.staged, self.result)
        }
    }
}
