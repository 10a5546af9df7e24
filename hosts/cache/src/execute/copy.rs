//! Copies: made under a private name, and proved on the way.

use std::io::{self, Read};

use hubstow_core::layout::CachePath;

use crate::{
    cache::{
        private::{Naming, PrivateFile},
        target::Target,
    },
    disk::{
        content::{Hasher, pass_through},
        failure::FsError,
    },
    observe::view::View,
    staged::StagedFile,
};

/// The bytes of a complete staged file, from its beginning.
pub(crate) struct Content<'a> {
    staged: &'a mut StagedFile,
    at: u64,
}

impl<'a> Content<'a> {
    pub(crate) fn of(staged: &'a mut StagedFile) -> Self {
        Self { staged, at: 0 }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.staged.file.read_at(self.at, into)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl View {
    /// Copies a file of the cache to a private one and proves it on the way; what does not pass is raced, for it was proved
    /// before.
    pub(crate) fn copy_verified(
        &self,
        target: &Target,
        from: &CachePath,
        name: &Naming<'_>,
    ) -> Result<PrivateFile, FsError> {
        let opened = || {
            let source = self.cache.disk.open(from)?;
            Ok((source, self.cache.disk.through(from)?))
        };
        let (mut source, found) =
            opened().map_err(|error: io::Error| FsError::io("read", from, error))?;
        let size = found.as_ref().map(|found| found.len_bytes);
        let copied = self.copy_of(target, &mut *source, size, name)?;
        copied.map_err(|at| {
            if let Some(found) = &found {
                self.proofs.refuted(&target.etag, &found.identity);
            }
            FsError::io("copy to", &at, io::ErrorKind::NotFound.into())
        })
    }

    /// Copies all that is read to a private file. `Err` within says where the copy was that is not the content.
    pub(crate) fn copy_of(
        &self,
        target: &Target,
        source: &mut dyn Read,
        size: Option<u64>,
        name: &Naming<'_>,
    ) -> Result<Result<PrivateFile, CachePath>, FsError> {
        let mut copy = self.cache.create_private(name)?;
        let mut fill = || -> io::Result<bool> {
            let mut hasher = Hasher::new(&target.etag, size);
            pass_through(source, &mut hasher, &self.cancel, |bytes| copy.file.write_all(bytes))?;
            self.cache.sync(&mut *copy.file)?;
            Ok(hasher.finish().is_ok())
        };
        let filled = fill();
        if !matches!(filled, Ok(true)) {
            self.cache.discard(&copy.at);
        }
        match filled {
            Ok(true) => Ok(Ok(copy)),
            Ok(false) => Ok(Err(copy.at)),
            Err(error) => Err(FsError::io("copy to", &copy.at, error)),
        }
    }
}
