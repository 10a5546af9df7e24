//! Giving what is whole its public name, over nothing but what the decision was made over.

use std::io;

use hubstow_core::layout::CachePath;

use crate::{
    cache::target::Target,
    disk::{Entry, Kind, failure::FsError},
    execute::impossible,
    observe::view::View,
    staged::StagedFile,
};

impl View {
    pub(crate) fn publish_staged(
        &self,
        target: &Target,
        slot: &mut Option<StagedFile>,
        at: &CachePath,
        still: impl Fn(Option<Kind>) -> bool,
    ) -> Result<Entry, FsError> {
        let Some(staged) = slot.as_mut() else {
            return Err(impossible("no staged file"));
        };
        let private = staged.at().clone();
        // What is cut afterwards would change the times that the proof is bound to.
        staged.settle();
        let named =
            self.cache.disk.entry(&private).map_err(|e| FsError::io("look at", &private, e))?;
        let Some(entry) = named.filter(|entry| staged.is_whole(entry)) else {
            // Somebody cleaned up, or wrote to it: the bytes that were verified are not there and must be fetched again.
            *slot = None;
            return Err(FsError::io("publish", &private, io::ErrorKind::NotFound.into()));
        };
        if let Err(error) = staged.sync() {
            // After a failed sync the system may have dropped the bytes: they are never published (I18).
            *slot = None;
            self.cache.discard(&private);
            return Err(FsError::io("sync", &private, error));
        }
        self.check_over(at, still)?;
        let renamed =
            self.cache.disk.rename(&private, at).map_err(|e| FsError::io("publish", at, e));
        if renamed.is_ok() {
            *slot = None;
        }
        tracing::debug!(path = %at, etag = %target.etag, published = renamed.is_ok());
        renamed.map(|()| entry)
    }

    pub(crate) fn publish(
        &self,
        scratch: &CachePath,
        at: &CachePath,
        still: impl Fn(Option<Kind>) -> bool,
    ) -> Result<Entry, FsError> {
        let gone = || FsError::io("publish", scratch, io::ErrorKind::NotFound.into());
        let entry =
            self.cache.disk.entry(scratch).map_err(|e| FsError::io("look at", scratch, e))?;
        let entry = entry.ok_or_else(gone)?;
        let renamed = self.check_over(at, still).and_then(|()| {
            self.cache.disk.rename(scratch, at).map_err(|error| FsError::io("publish", at, error))
        });
        // A rename onto another name of the same file succeeds and does nothing.
        if renamed.is_err() || matches!(self.cache.disk.entry(scratch), Ok(Some(_))) {
            self.cache.discard(scratch);
        }
        renamed.map(|()| entry)
    }

    fn check_over(
        &self,
        at: &CachePath,
        still: impl Fn(Option<Kind>) -> bool,
    ) -> Result<(), FsError> {
        let entry: Option<Entry> =
            self.cache.disk.entry(at).map_err(|error| FsError::io("look at", at, error))?;
        if still(entry.map(|entry| entry.kind)) {
            Ok(())
        } else {
            Err(FsError::io("replace", at, io::ErrorKind::AlreadyExists.into()))
        }
    }
}
