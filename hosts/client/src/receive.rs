//! Bytes of content into a staged file, however often the line breaks.
//!
//! [`receiver`] owns the staged file and makes one try after the other. How one ended is a [`verdict`]; what follows from
//! that, [`decide`] says.

pub(crate) mod accept;
pub(crate) mod behind;
pub(crate) mod clock;
pub(crate) mod custody;
pub(crate) mod decide;
pub(crate) mod fetch;
pub(crate) mod memory;
pub(crate) mod meter;
pub(crate) mod ranges;
pub(crate) mod receiver;
#[cfg(test)]
mod stage;
pub(crate) mod stream;
mod syncing;
pub(crate) mod transfer;
pub(crate) mod verdict;
pub(crate) mod writer;
pub(crate) mod xet;
