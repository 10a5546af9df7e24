//! Bytes of content into a staged file, however often the line breaks.

pub(crate) mod accept;
pub(crate) mod fetch;
pub(crate) mod memory;
pub(crate) mod meter;
pub(crate) mod ranges;
pub(crate) mod stream;
pub(crate) mod writer;
#[cfg(all(feature = "xet", not(target_family = "wasm")))]
pub(crate) mod xet;
