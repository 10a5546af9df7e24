//! Links: made under a private name or, where they appear whole, at once, and read through before they count.

use std::io;

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    policy::{Method, Support},
};

use crate::{
    cache::{
        private::{LINK_TRIES, Naming},
        proofs::Verdict,
        target::Target,
    },
    disk::{
        Identity, Kind,
        failure::{FsError, as_unsupported},
    },
    execute::Beside,
    fresh_nonce,
    observe::view::View,
};

impl View {
    /// Tells whether a link needs no private name: it appears whole, never over anything, and links that this process
    /// has made here could be read through.
    pub(super) fn links_directly(&self) -> bool {
        self.cache.disk.links_appear_whole() && self.methods().symlink == Support::Works
    }

    pub(super) fn link_directly(
        &self,
        target: &Target,
        at: &CachePath,
        blob: &CachePath,
    ) -> Result<(), FsError> {
        let proved = self.proves(&target.layout, blob, &target.etag, target.size);
        if !matches!(proved, Ok(Verdict::Holds)) {
            return Err(FsError::io("link", blob, io::ErrorKind::NotFound.into()));
        }
        let text = RepoLayout::link_text(&target.file, &target.etag);
        self.cache
            .disk
            .symlink(&text, at)
            .map_err(|error| FsError::method(Method::Symlink, at, error))
    }

    /// Links to content under a private name. What is gone as soon as it was made is made again: a process of
    /// ours that starts may have taken it for a dead one's.
    pub(super) fn link(
        &self,
        target: &Target,
        by: Method,
        from: &CachePath,
        name: &Naming<'_>,
    ) -> Result<Beside, FsError> {
        let mut tries_left = LINK_TRIES;
        loop {
            let scratch = name(&fresh_nonce()?);
            self.make_folders(&scratch.parent())?;
            let made = match by {
                Method::Symlink => {
                    let text = RepoLayout::link_text(&target.file, &target.etag);
                    let made = self.cache.disk.symlink(&text, &scratch);
                    made.map(|()| None).map_err(|error| self.cache.refused_at(by, &scratch, error))
                }
                Method::Hardlink => self.share(target, by, from, &scratch).map(Some),
                Method::Reflink | Method::Copy | Method::Move => {
                    self.share(target, by, from, &scratch).map(|_| None)
                }
            };
            let shared = made.inspect_err(|_| self.cache.discard(&scratch))?;
            let Err(error) = self.read_through(by, &scratch, from) else {
                return Ok(Beside { scratch, _held: None, shared });
            };
            tries_left -= 1;
            let gone = matches!(self.cache.disk.entry(&scratch), Ok(None));
            self.cache.discard(&scratch);
            if !gone || tries_left == 0 {
                return Err(error);
            }
        }
    }

    /// Shares the bytes of a file that is proved at this moment; a source that changed since it was looked at is raced.
    fn share(
        &self,
        target: &Target,
        by: Method,
        from: &CachePath,
        scratch: &CachePath,
    ) -> Result<Identity, FsError> {
        let changed = || FsError::io("link", from, io::ErrorKind::NotFound.into());
        let seen = || {
            // A second name of a link would be a second link.
            let entry = if by == Method::Hardlink {
                self.cache.disk.entry(from)
            } else {
                self.cache.disk.through(from)
            };
            entry.map_err(|error| FsError::io("look at", from, error))?.ok_or_else(changed)
        };
        let before = seen()?;
        // Another link to it changes its identity but not its bytes: it is proved again then, not given up.
        let proved = self.proves(&target.layout, from, &target.etag, target.size);
        if before.kind != Kind::File || !matches!(proved, Ok(Verdict::Holds)) {
            return Err(changed());
        }
        let shared = if by == Method::Hardlink {
            self.cache.disk.hardlink(from, scratch)
        } else {
            self.cache.disk.reflink(from, scratch)
        };
        shared.map_err(|error| self.cache.refused_at(by, scratch, error))?;
        if seen()?.identity.same_content(&before.identity) {
            Ok(before.identity)
        } else {
            Err(changed())
        }
    }

    /// A link is opened before it gets its name: some systems make links that can't be read, and some report success and
    /// make nothing.
    fn read_through(
        &self,
        by: Method,
        scratch: &CachePath,
        from: &CachePath,
    ) -> Result<(), FsError> {
        let unreadable = |error| FsError::method(by, scratch, as_unsupported(error));
        let source = self.cache.disk.through(from).map_err(|e| FsError::io("look at", from, e))?;
        match (self.cache.disk.through(scratch).map_err(unreadable)?, source) {
            (Some(made), Some(source)) if made.len_bytes == source.len_bytes => {
                self.cache.disk.open(scratch).map(|_| ()).map_err(unreadable)
            }
            (_, None) => Err(FsError::io("read", from, io::ErrorKind::NotFound.into())),
            (Some(_) | None, Some(_)) => {
                Err(unreadable(io::Error::other("what was made does not lead to the content")))
            }
        }
    }
}
