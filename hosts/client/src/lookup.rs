//! What the hub says of a file, of a revision, and of a listing.

pub(crate) mod ahead;
pub(crate) mod complete;
pub(crate) mod direct;
pub(crate) mod entry;
pub(crate) mod head;
pub(crate) mod json;
pub(crate) mod listing;
pub(crate) mod patience;
pub(crate) mod raw;
mod shape;
pub(crate) mod xet_token;
