//! Converting a cache to the methods of a policy: what its files are proved to hold, and carrying out the plan.
//!
//! The plan is the core's ([`hubstow_core::care::relink`]). Here is found out which files hold the same bytes, by hash and
//! never by name or size, and each step is done by the same code that places what was downloaded.

mod apparent;
pub mod contents;
mod digest;
pub mod execute;
mod naming;
mod survey;
pub mod told;
mod wanted;

use std::{collections::BTreeSet, io};

use hubstow_core::{
    care::{Hold, Id, Role},
    layout::RepoLayout,
    policy::{Method, Methods, Support},
};

use crate::{
    care::{
        complete::is_ours,
        inventory::{Inventory, Item},
    },
    disk::{
        Kind,
        failure::{ErrorGroup, FsError, group},
    },
    observe::view::View,
};

impl Inventory {
    /// Returns the private files of repos that runs of ours have left which were broken off. What they have downloaded is
    /// none of these: a download goes on with it.
    #[must_use]
    pub fn left_by_dead_runs(&self) -> BTreeSet<Id> {
        // A link is made and renamed while its repo is leased: where nobody holds that lease, nobody makes it any more.
        let is_left = |item: &Item| {
            item.role == Role::Staged
                && (item.hold == Hold::Free || item.kind == Kind::Symlink)
                && is_ours(item)
                && !item.at.base().ends_with(".incomplete")
        };
        self.iter().filter(|(_, item)| is_left(item)).map(|(id, _)| id).collect()
    }
}

impl View {
    /// Finds out which methods work here, by trying each at the root of the cache.
    ///
    /// # Errors
    /// A cache directory in which no file can be made; a disk that is full or fails, which says nothing of a method.
    pub fn methods_by_probe(&self) -> Result<Methods, FsError> {
        for method in [Method::Symlink, Method::Hardlink, Method::Reflink] {
            if self.methods().support(method) == Support::Untried {
                let probed = self.probe_root(method)?;
                let support = Self::support_of(&probed);
                probed.or_else(check_disk)?;
                self.learned(|methods| methods.with(method, support));
            }
        }
        Ok(self.methods())
    }
}

/// Lets an error pass that is about the method, and not about the state of the disk.
fn check_disk(error: io::Error) -> Result<(), FsError> {
    let is_of_disk = match group(&error) {
        ErrorGroup::NoSpace
        | ErrorGroup::ReadOnly
        | ErrorGroup::TooManyOpen
        | ErrorGroup::Busy
        | ErrorGroup::Stale => true,
        ErrorGroup::Other => error.raw_os_error().is_some(),
        ErrorGroup::Unsupported
        | ErrorGroup::Denied
        | ErrorGroup::CrossDevice
        | ErrorGroup::TooManyLinks
        | ErrorGroup::Raced
        | ErrorGroup::NameTooLong
        | ErrorGroup::BadName => false,
    };
    if is_of_disk {
        Err(FsError::io("try a link in", &RepoLayout::probe_folder(), error))
    } else {
        Ok(())
    }
}
