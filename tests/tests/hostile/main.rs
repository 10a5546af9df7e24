//! A hostile component in the place of the core: every attack ends as a typed error within its bound, with the process
//! alive and the cache as it was.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

mod disk;
mod guest;
mod names;
mod plans;
mod process;
