//! A file on its way to its place.

use crate::{handle::DiskBound, lookup::ahead::Ahead, open::Open, receive::memory::Unfinished};

/// A file on its way to its place.
#[derive(Default)]
pub(crate) struct Underway {
    /// What it has open; `None` where it is only to be started.
    pub(crate) open: Option<DiskBound<Open>>,
    /// An attempt to fetch it that did not simply succeed.
    pub(crate) first: Option<Unfinished>,
    /// The answer to the first request of its fetch.
    pub(crate) ahead: Ahead,
}
