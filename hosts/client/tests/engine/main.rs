//! The engine as a whole, over a hub that answers by a script and a disk that says who touches it: on which threads that is,
//! what is left when somebody stops waiting, and how much is open at once.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails the test that called it")]

mod descriptors;
mod disk;
mod drops;
mod order;
mod remembered;
mod scene;
mod script;
mod threads;
