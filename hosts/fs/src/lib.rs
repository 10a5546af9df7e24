//! The part of every host that touches a disk: observe, execute, drive, lock.
//!
//! - [`disk`]: the narrow set of primitive operations that everything else is written on
//! - [`observe`]: what is there, as facts; it changes nothing
//! - [`execute`]: one atomic action: write beside, sync, rename over; nothing is ever deleted first
//! - [`drive`]: the bounded loop of look, ask, act
//! - [`decider`]: the seam where the component fits in; [`guard`]: what is refused, whoever asks
//! - [`many`]: what is there of many files, with few looks
//! - [`lock`]: the very files that the Python client locks; they save bandwidth and guarantee nothing
//!
//! It knows no network. Fetching is handed back to the host, which does it its own way.

mod bulk;
pub mod cache;
pub mod content;
pub mod decider;
pub mod disk;
pub mod drive;
pub mod execute;
pub mod failure;
mod group;
pub mod guard;
mod leftovers;
pub mod local;
pub mod lock;
pub mod many;
mod naming;
pub mod observe;
mod parts;
pub mod probe;
pub mod proof;
mod record;
pub mod space;
pub mod staged;
mod std_disk;
mod system;
mod twin;

pub use cache::{Cache, Durability, Target};
pub use decider::{Decider, LinkedCore};
pub use disk::Disk;
pub use failure::FsError;
pub use std_disk::StdDisk;

use hubstow_core::name::Nonce;

/// Makes a fresh private name from the system's randomness (invariant I10).
///
/// # Errors
/// A system without randomness.
pub fn fresh_nonce() -> Result<Nonce, FsError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| FsError::other("take random bits", error))?;
    Ok(Nonce::from_bits(u128::from_ne_bytes(bytes)))
}
