//! What a host brings: the seams of the client.

use std::{path::Path, sync::Arc};

use hubstow_cache::Disk;
use hubstow_core::decide::Decider;

use crate::http::{transport::Transport, xet::XetStore};

/// What a host brings: who decides, how requests are sent, and how directories are reached.
pub struct Parts {
    /// Who decides.
    pub decider: Arc<dyn Decider>,
    /// How requests are sent.
    pub transport: Arc<dyn Transport>,
    /// Makes the disk of a directory.
    pub disk: DiskOf,
    /// The store that content of Xet repos comes from; without one it comes from the hub's own address.
    pub store: Option<Arc<dyn XetStore>>,
}

/// Makes the disk of a directory, which need not exist yet.
pub type DiskOf = Box<dyn Fn(&Path) -> Arc<dyn Disk> + Send + Sync>;
