//! Looking again at what was decided over, right before anything is done.

use std::io;

use hubstow_core::care::Stamp;

use crate::{
    care::inventory::{Item, stamp},
    disk::Kind,
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

/// Says why an entry is left alone that is not what it was.
pub(crate) fn look_again(view: &View, item: &Item, over: Stamp) -> Option<Skip> {
    let (cache, at) = (&view.cache, &item.at);
    let now = match item.kind {
        Kind::Symlink => match cache.disk.link_text(at) {
            Ok(text) => stamp(Kind::Symlink, None, Some(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Some(Skip::Gone),
            Err(_) => return Some(Skip::Changed),
        },
        Kind::File | Kind::Directory | Kind::Other => match cache.disk.entry(at) {
            Ok(Some(entry)) => stamp(entry.kind, Some(&entry), None),
            Ok(None) => return Some(Skip::Gone),
            Err(error) => return Some(Skip::Refused(error.to_string())),
        },
    };
    (now != over).then_some(Skip::Changed)
}
