//! What this user may not see or read, and whose it is.

use std::{io, iter};

use hubstow_core::layout::CachePath;

use crate::{
    cache::Cache,
    disk::failure::{ErrorGroup, FsError, group},
};

impl Cache {
    /// Makes the error of something that can't be looked at or read. Where that is a matter of rights, it says whose it is;
    /// of what is in a closed folder, whose the folder is.
    pub(crate) fn unseen(&self, what: &'static str, at: &CachePath, source: io::Error) -> FsError {
        if group(&source) != ErrorGroup::Denied {
            return FsError::io(what, at, source);
        }
        let above = |at: &CachePath| (*at != CachePath::root()).then(|| at.parent());
        let mut ways = iter::successors(Some(at.clone()), above);
        match ways.find_map(|at| Some((self.disk.owner(&at)?, at))) {
            Some((owner, closed)) => {
                let path = self.disk.native(&closed).display().to_string();
                FsError::Closed { path, owner: Some(owner), source }
            }
            None => FsError::io(what, at, source),
        }
    }
}
