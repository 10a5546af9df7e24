//! The staged file of a receiver, which threads borrow to write and to verify it.

use std::io;

use hubstow_cache::staged::StagedFile;

use crate::task::blocking;

/// A staged file, or the knowledge that a thread has it.
pub(crate) struct Custody {
    staged: Option<StagedFile>,
}

impl Custody {
    pub(crate) fn of(staged: StagedFile) -> Self {
        Self { staged: Some(staged) }
    }

    /// Returns how many bytes the file holds.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.staged.as_ref().map_or(0, StagedFile::received_bytes)
    }

    /// States the size where the hub said it only with the content.
    pub(crate) fn promise_size(&mut self, size: u64) {
        if let Some(staged) = &mut self.staged {
            staged.promise_size(size);
        }
    }

    /// Gives the file away, until it is [put back](Self::put_back).
    ///
    /// # Errors
    /// A file that somebody else has.
    pub(crate) fn lend(&mut self) -> io::Result<StagedFile> {
        self.staged.take().ok_or_else(|| io::Error::other("the staged file is in use"))
    }

    pub(crate) fn put_back(&mut self, staged: StagedFile) {
        self.staged = Some(staged);
    }

    /// Works on the file off the async threads.
    ///
    /// # Errors
    /// What the work says.
    pub(crate) async fn work<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut StagedFile) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let mut staged = self.lend()?;
        let (staged, done) = blocking(move || {
            let done = work(&mut staged);
            (staged, done)
        })
        .await;
        self.put_back(staged);
        done
    }

    /// Returns the file; `None` where a thread that had it was given up.
    pub(crate) fn into_staged(self) -> Option<StagedFile> {
        self.staged
    }
}
