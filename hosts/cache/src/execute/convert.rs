//! Making a blob or a pointer anew of what lies elsewhere in the cache.

use hubstow_core::{layout::CachePath, name::Nonce, policy::Method};

use crate::{
    cache::target::Target,
    disk::{Kind, failure::FsError},
    execute::{Beside, impossible},
    observe::view::View,
};

impl View {
    /// Makes what is at `at`, the blob or the pointer of a target, a link to the blob, or another name or a copy of a file
    /// that is proved to hold the content. A copy keeps times and mode. It must be of the kind `over`, or not there, when that
    /// happens.
    pub(crate) fn convert(
        &self,
        target: &Target,
        at: &CachePath,
        by: Method,
        from: &CachePath,
        over: Option<Kind>,
    ) -> Result<(), FsError> {
        self.make_folders(&at.parent())?;
        let Target { layout, file, .. } = target;
        let scratch = |nonce: &Nonce| match by {
            Method::Symlink => layout.link_scratch(file, nonce),
            Method::Hardlink | Method::Reflink | Method::Copy | Method::Move => {
                layout.scratch(nonce)
            }
        };
        let (made, shared) = self.beside(at, &scratch, &mut |name| {
            let beside = match by {
                Method::Symlink | Method::Hardlink | Method::Reflink => {
                    self.link(target, by, from, name)?
                }
                Method::Copy => {
                    let copy = self.copy_verified(target, from, name)?;
                    Beside { scratch: copy.at.clone(), _held: Some(copy), shared: None }
                }
                Method::Move => return Err(impossible("move what others may use")),
            };
            if by == Method::Copy || by == Method::Reflink {
                self.keep_as_it_was(&beside.scratch, from);
            }
            let made = self.publish(&beside.scratch, at, |now| now == over)?;
            Ok((made, beside.shared))
        })?;
        let unchanged = shared.is_none_or(|proved| made.identity.same_content(&proved));
        if by != Method::Symlink && unchanged {
            self.published(layout, at, &target.etag, &made);
        }
        Ok(())
    }

    /// That times and mode can't be had loses nothing.
    fn keep_as_it_was(&self, copy: &CachePath, from: &CachePath) {
        if let Err(error) = self.cache.disk.file_like(copy, from) {
            tracing::debug!(path = %from, %error, "a copy has times and a mode of its own");
        }
    }
}
