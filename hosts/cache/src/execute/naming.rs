//! Whether the target filesystem stores a file name as it is, found out before a byte is fetched.

use std::io;

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::{FileName, NameError, Naming},
};

use crate::{
    cache::{private::is_closed, target::Target},
    disk::failure::{ErrorGroup, FsError, group, with_causes},
    fresh_nonce,
    observe::view::View,
};

impl View {
    /// Checks that the filesystem below the cache root stores the name of a target. On Windows the rules are known; on
    /// other systems an unusual name is tried out, because the disk may still be an exFAT stick or a share.
    ///
    /// # Errors
    /// The inner error says which rule the name breaks; the outer one that nothing could be tried.
    pub fn storable(&self, target: &Target) -> Result<Result<(), NameError>, FsError> {
        let file = &target.file;
        let unusual = file.check(Naming::Windows).err();
        if cfg!(windows) {
            return Ok(unusual.map_or(Ok(()), Err));
        }
        if unusual.is_none() && file.as_str().is_ascii() {
            return Ok(Ok(()));
        }
        if let Err(error) = self.make_folders(&target.layout.private()) {
            return if is_closed(&error) { Ok(Ok(())) } else { Err(error) };
        }
        let nonce = fresh_nonce()?;
        let steps: Vec<_> = target.layout.name_trial(file, &nonce).collect();
        let mut made = Vec::new();
        let kept = steps.iter().try_for_each(|(folder, part)| {
            self.cache.disk.make_folder(folder)?;
            made.push(folder);
            let Some(at) = RepoLayout::tried(folder, part) else {
                return Err(io::ErrorKind::InvalidFilename.into());
            };
            self.cache.disk.create(&at)?;
            let names = self.cache.disk.names(folder)?;
            self.cache.disk.remove(&at)?;
            if names.iter().any(|name| name == part) {
                Ok(())
            } else {
                Err(io::ErrorKind::InvalidFilename.into())
            }
        });
        for folder in made.into_iter().rev() {
            let _ = self.cache.disk.remove_folder(folder);
        }
        let refused = || unusual.clone().unwrap_or_else(|| file.not_stored());
        match kept {
            Ok(()) => Ok(Ok(())),
            Err(error) if is_about_the_name(&error) => Ok(Err(refused())),
            // What is private to others of a group tells nothing of names.
            Err(error) if group(&error) == ErrorGroup::Denied => Ok(Ok(())),
            Err(error) => Err(FsError::io("try a name in", &trial_root(&steps, target), error)),
        }
    }
}

impl View {
    /// Tells whether the filesystem takes two names for one, by making the first and looking for the second. Where nothing
    /// may be written, what the repo shows must do; where it can't be tried, placing the second will tell.
    #[must_use]
    pub fn are_one(&self, layout: &RepoLayout, one: &str, other: &str) -> bool {
        if self.is_looking_only() {
            let folded = self.cache.disk.entry(&layout.folded_snapshots());
            return one.eq_ignore_ascii_case(other) && matches!(folded, Ok(Some(_)));
        }
        self.try_both(layout, one, other).unwrap_or_else(|error| {
            tracing::debug!(one, other, error = %with_causes(&error), "two names could not be tried");
            false
        })
    }

    fn try_both(&self, layout: &RepoLayout, one: &str, other: &str) -> Result<bool, FsError> {
        self.make_folders(&layout.private())?;
        let (file, nonce) = (FileName::parse(one).map_err(FsError::from)?, fresh_nonce()?);
        let Some((folder, _)) = layout.name_trial(&file, &nonce).next() else { return Ok(false) };
        let names = RepoLayout::tried(&folder, one).zip(RepoLayout::tried(&folder, other));
        let Some((one, other)) = names else { return Ok(false) };
        let disk = &self.cache.disk;
        let look = || {
            disk.make_folder(&folder)?;
            disk.create(&one)?;
            let found = disk.entry(&other)?.is_some();
            disk.remove(&one)?;
            Ok(found)
        };
        let found = look();
        let _ = disk.remove_folder(&folder);
        found.map_err(|error| FsError::io("try a name in", &folder, error))
    }
}

fn trial_root(steps: &[(CachePath, &str)], target: &Target) -> CachePath {
    steps.first().map_or_else(|| target.layout.private(), |(folder, _)| folder.clone())
}

/// Tells whether an error says that this name can't be kept, and not that nothing can.
fn is_about_the_name(error: &io::Error) -> bool {
    match group(error) {
        ErrorGroup::BadName
        | ErrorGroup::Unsupported
        | ErrorGroup::NameTooLong
        | ErrorGroup::Raced
        | ErrorGroup::Other => true,
        ErrorGroup::Denied
        | ErrorGroup::CrossDevice
        | ErrorGroup::TooManyLinks
        | ErrorGroup::Busy
        | ErrorGroup::Stale
        | ErrorGroup::ReadOnly
        | ErrorGroup::NoSpace
        | ErrorGroup::TooManyOpen => false,
    }
}
