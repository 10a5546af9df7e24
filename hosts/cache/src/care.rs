//! Care of a whole cache directory: what it holds, and carrying out plans of what may go or is converted.
//!
//! An inventory is one pass that writes nothing, follows no link and leaves the cache directory nowhere. What may go, the
//! core says ([`hubstow_core::care`]); what is done is looked at again before each step.

mod again;
pub mod alone;
pub mod beside;
mod complete;
pub mod damage;
pub mod execute;
pub mod heal;
pub mod inventory;
pub mod leads;
mod life;
pub mod local;
mod locks;
mod look;
mod part;
pub mod pins;
pub mod portions;
mod refs;
pub mod relink;
mod role;
pub mod summary;
pub mod uses;
pub mod verify;
mod walk;
