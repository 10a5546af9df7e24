//! Making a blob of what lies elsewhere in the cache.

use hubstow_core::{facts::Blob, layout::CachePath, name::Nonce, policy::Method};

use crate::{
    cache::target::Target,
    disk::failure::FsError,
    execute::{Beside, impossible, over_blob},
    observe::view::View,
};

impl View {
    /// Makes the blob of a target another name, or a copy, of a file of the cache that is proved to hold its content.
    pub(crate) fn seal_by(
        &self,
        target: &Target,
        by: Method,
        from: &CachePath,
        over: Blob,
    ) -> Result<(), FsError> {
        let at = target.blob();
        self.make_folders(&target.layout.blobs())?;
        let scratch = |nonce: &Nonce| target.layout.scratch(nonce);
        let (made, shared) = self.beside(&at, &scratch, &mut |name| {
            let beside = match by {
                Method::Hardlink | Method::Reflink => self.link(target, by, from, name)?,
                Method::Copy => {
                    let copy = self.copy_verified(target, from, name)?;
                    Beside { scratch: copy.at.clone(), _held: Some(copy), shared: None }
                }
                Method::Symlink | Method::Move => return Err(impossible("seal by this method")),
            };
            let made = self.publish(&beside.scratch, &at, |entry| over_blob(over, entry))?;
            Ok((made, beside.shared))
        })?;
        if shared.is_none_or(|proved| made.identity.same_content(&proved)) {
            self.published(&target.layout, &at, &target.etag, &made);
        }
        Ok(())
    }
}
