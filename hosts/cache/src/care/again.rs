//! Looking again at what was decided over, right before anything is done.

use std::io;

use hubstow_core::care::Stamp;

use crate::{
    cache::folders::KnownFolders,
    care::inventory::{Item, stamp},
    disk::{Entry, Kind},
    observe::view::View,
};

/// Why a step was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// It is gone already.
    Gone,
    /// It is not what it was any more.
    Changed,
    /// Somebody works with it.
    InUse,
    /// Something leads to it by now.
    Needed,
    /// Something in it, or what it belongs to, stays.
    Holds,
    /// The system refuses, and says why.
    Refused(String),
}

/// Looks whether an entry still is what it was, in folders that lead nowhere else; returns what the system says of it, but for a
/// link.
///
/// # Errors
/// Why it is left alone.
pub(crate) fn look_again(
    view: &View,
    item: &Item,
    over: Stamp,
    known: &KnownFolders,
) -> Result<Option<Entry>, Skip> {
    let (cache, at) = (&view.cache, &item.at);
    if cache.check_folders(&at.parent(), known).is_err() {
        return Err(Skip::Changed);
    }
    let (now, entry) = match item.kind {
        Kind::Symlink => match cache.disk.link_text(at) {
            Ok(text) => (stamp(Kind::Symlink, None, Some(&text)), None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Skip::Gone),
            Err(_) => return Err(Skip::Changed),
        },
        Kind::File | Kind::Directory | Kind::Other => match cache.disk.entry(at) {
            Ok(Some(entry)) => (stamp(entry.kind, Some(&entry), None), Some(entry)),
            Ok(None) => return Err(Skip::Gone),
            Err(error) => return Err(Skip::Refused(error.to_string())),
        },
    };
    if now == over { Ok(entry) } else { Err(Skip::Changed) }
}
