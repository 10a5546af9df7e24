//! What is to be done next, as functions of what was seen: no store, no clock, no network.
//!
//! The tier carries out what these say, and the tests run them through all interleavings of nodes on a small store. Whoever
//! implements the format in another language finds its rules here.

mod claim;
mod confirm;
mod fill;
mod sweep;

pub use claim::{ClaimFacts, LIVES_AT_MOST_MS, Standing, standing};
pub use confirm::{Base, Settled, Word, next_sequence, settle};
pub use fill::{ClaimSeen, ObjectSeen, Turn, turn};
pub use sweep::{Bounds, Candidate, Fresh, Held, Leftover, Recheck, is_leftover, plan, recheck};
