//! Whether the target filesystem stores a file name as it is, found out before a byte is fetched.

use hubstow_core::name::{NameError, Naming};

use crate::{
    cache::{Cache, Target},
    failure::{ErrorGroup, FsError},
};

impl Cache {
    /// Checks that the filesystem below the cache root stores the name of a target. On Windows the rules are known; on
    /// other systems an unusual name is tried out, because the disk may still be an exFAT stick or a share.
    ///
    /// # Errors
    /// The inner error says which rule the name breaks; the outer one that nothing could be tried.
    pub fn storable(&self, target: &Target) -> Result<Result<(), NameError>, FsError> {
        let file = &target.file;
        if cfg!(windows) {
            return Ok(file.check(Naming::Windows));
        }
        let unusual = file.check(Naming::Windows).err();
        if unusual.is_none() && file.as_str().is_ascii() {
            return Ok(Ok(()));
        }
        let at = target.layout.name_trial(file);
        let tried = self.make_folders(&at.parent()).and_then(|()| {
            let made = self.disk.create(&at).map(|_| ());
            made.map_err(|error| FsError::io("make", &at, error))
        });
        let kept = self.disk.names(&at.parent()).unwrap_or_default().iter().any(|n| n == at.base());
        self.discard(&at);
        match tried {
            Ok(()) if kept => Ok(Ok(())),
            Ok(()) => Ok(Err(unusual.unwrap_or_else(|| file.not_stored()))),
            Err(error) => match error.group() {
                Some(
                    ErrorGroup::BadName
                    | ErrorGroup::Unsupported
                    | ErrorGroup::NameTooLong
                    | ErrorGroup::Raced
                    | ErrorGroup::Other,
                ) => Ok(Err(unusual.unwrap_or_else(|| file.not_stored()))),
                Some(
                    ErrorGroup::Denied
                    | ErrorGroup::CrossDevice
                    | ErrorGroup::TooManyLinks
                    | ErrorGroup::Busy
                    | ErrorGroup::Stale
                    | ErrorGroup::ReadOnly
                    | ErrorGroup::NoSpace,
                )
                | None => Err(error),
            },
        }
    }
}
