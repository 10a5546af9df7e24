//! One file: what is meant, how it gets to its place, and why.

pub(crate) mod content;
pub(crate) mod download;
pub(crate) mod explain;
pub(crate) mod found;
pub(crate) mod here;
pub(crate) mod lock;
pub(crate) mod place;
pub(crate) mod resolve;
pub(crate) mod underway;
