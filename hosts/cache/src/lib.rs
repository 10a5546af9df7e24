//! One cache directory: looking at it, acting in it, and the loop between the two and whoever decides.
//!
//! From below upwards, and imports run down only:
//!
//! - [`disk`]: the narrow set of primitive operations that everything else is written on, and the one table of its errors
//! - [`cache`]: the directory itself: its folders, private files, whole writes, locks and leftovers
//! - [`observe`]: what is there, as facts, and what is known and remembered of it ([`observe::view`]); it changes nothing
//! - [`staged`]: a download under a private name, until it is complete and on the disk
//! - [`execute`]: one atomic action: write beside, sync, rename over; nothing is ever deleted first
//! - [`drive`]: the bounded loop of look, ask, act
//! - [`care`]: what a whole cache holds, and carrying out plans of what may go (feature `care`)
//!
//! It knows no network. Fetching is handed back to the host, which does it its own way.

pub mod cache;
#[cfg(feature = "care")]
pub mod care;
pub mod disk;
pub mod drive;
pub mod execute;
pub mod observe;
pub mod staged;

pub use cache::{Durability, target::Target};
pub use disk::{Disk, failure::FsError, std_disk::StdDisk};
pub use observe::view::View as Cache;

use hubstow_core::name::Nonce;

/// Makes a fresh private name from the system's randomness (invariant I10).
///
/// # Errors
/// A system without randomness.
pub fn fresh_nonce() -> Result<Nonce, FsError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| FsError::other("take random bits", std::io::Error::from(error)))?;
    Ok(Nonce::from_bits(u128::from_ne_bytes(bytes)))
}
