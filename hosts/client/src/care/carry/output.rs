//! The place outside of the cache that an export is written to, and what the system says of it.

use std::path::Path;

use hubstow_cache::disk::failure::ErrorGroup;
use hubstow_core::layout::CachePath;

use crate::{
    api::error::{Detail, Error, ErrorKind},
    care::CacheDir,
};

impl CacheDir {
    /// Makes sure that what is written is no part of the cache itself.
    ///
    /// # Errors
    /// A place in the cache, or the cache.
    pub fn check_outside(&self, place: &Path) -> Result<(), Error> {
        let root = self.native(&CachePath::root());
        if !super::real(place).starts_with(super::real(&root)) {
            return Ok(());
        }
        let what = format!("`{}` is in the cache that is exported", place.display());
        Err(Error::new(ErrorKind::Usage, what).hint("name a place outside of it"))
    }
}

/// Says of what the system refused at the place that is written to that it is about that place, and not about the cache.
pub(super) fn at_output(error: Error, place: &Path) -> Error {
    let is_of_system = matches!(
        error.detail(),
        Detail::System(_) | Detail::NoFolder | Detail::OutOfReach | Detail::FolderIsLink
    );
    if !is_of_system || error.way_out().is_some() {
        return error;
    }
    let what = format!("`{}` can't be written", place.display());
    Error::new(error.kind(), what).with_detail(Detail::Output).caused_by(error)
}

/// Tells whether an error can only come from writing.
pub(super) fn is_of_writing(error: &Error) -> bool {
    matches!(
        error.detail(),
        Detail::System(
            ErrorGroup::NoSpace
                | ErrorGroup::ReadOnly
                | ErrorGroup::NameTooLong
                | ErrorGroup::BadName
        )
    )
}
