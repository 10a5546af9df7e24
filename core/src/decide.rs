//! Who decides, and what is refused whoever asks.
//!
//! An engine holds a [`Guarded`] and nothing else: whatever is asked through it has been compared with the facts before
//! anything can follow from it. Who stands behind it, the linked core or a component, is a [`Decider`].

mod decider;
mod guard;
mod guarded;

pub use decider::{Decider, DeciderError, LinkedCore};
pub use guard::broken_name;
pub use guarded::{Guarded, Question, Undecided};
