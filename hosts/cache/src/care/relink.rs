//! Converting a cache to the methods of a policy: what its files are proved to hold, and carrying out the plan.
//!
//! The plan is the core's ([`hubstow_core::care::relink`]). Here is found out which files hold the same bytes, by hash and
//! never by name or size, and each step is done by the same code that places what was downloaded.

pub mod contents;
mod digest;
pub mod execute;
mod naming;
mod survey;
pub mod told;
mod wanted;

use hubstow_core::policy::{Method, Methods, Support};

use crate::{disk::failure::FsError, observe::view::View};

impl View {
    /// Finds out which methods work here, by trying each at the root of the cache.
    ///
    /// # Errors
    /// A cache directory in which no file can be made.
    pub fn methods_by_probe(&self) -> Result<Methods, FsError> {
        for method in [Method::Symlink, Method::Hardlink, Method::Reflink] {
            if self.methods().support(method) == Support::Untried {
                let support = Self::support_of(&self.probe_root(method)?);
                self.learned(|methods| methods.with(method, support));
            }
        }
        Ok(self.methods())
    }
}
