//! Content from the Xet store.

pub(crate) mod access;
pub(crate) mod store;
