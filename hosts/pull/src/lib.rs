//! A pull-through between a hub and its clients, on a cache directory.
//!
//! Unmodified clients ask it in the place of the hub, by `HF_ENDPOINT` alone. What is here is answered from here; what is not is
//! fetched once, and sent while it arrives.
//!
//! - `callers`: who asks, told apart without keeping any token, and the hub as each of them is let in
//! - `memory`: what upstream has said a short while ago: who may read what, and what revisions and files are
//! - `feed`, `sent`: content that is arriving: what of it may be sent to whom, and what was
//! - `fills`: which content is being fetched, each once
//! - `files`, `passing`: the two questions; `answers`: room for what the second hands on
//! - `tier`: what is shared with other nodes, where there is a tier
//!
//! What it does not do: it has no opinion on HTTP towards clients (that is `hubstow-serve`), and none on how content is fetched,
//! proved and placed (that is the client's engine, as for any download).
//!
//! INVARIANT (withheld): the last piece of a file is sent to nobody before the whole is proved, so no client that reads a file to
//! its end ends with a wrong one.
//!
//! INVARIANT (access): what is here is given to whom upstream lets have it, or has let a short while ago. A token goes to the
//! endpoint's origin only, and is written nowhere.

mod answers;
mod away;
mod bounded;
mod callers;
mod counting;
mod feed;
mod files;
mod fills;
mod here;
mod kept;
mod limits;
mod memory;
mod node;
mod passing;
mod refusals;
mod room;
mod sent;
mod tier;
mod turns;

pub use hubstow_tier;
pub use node::Node;
pub use tier::TierRules;

/// The example of the page beside this crate.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
