//! What a host brings: the seams of the client.

use std::{io, path::Path, sync::Arc};

use hubstow_cache::Disk;
use hubstow_core::decide::{Decider, LinkedCore};

use crate::{
    api::error::Error,
    http::{transport::Transport, xet::XetStore},
};

/// What a host brings: who decides, how requests are sent, how directories are reached, and where their work is done.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_client::{Config, Hub};
///
/// let config = Config::new("/models");
/// let mut parts = hubstow_native::parts(&config);
/// parts.descriptors = Some(64);
/// let hub = Hub::with_parts(config, parts)?;
/// # Ok(())
/// # }
/// ```
#[non_exhaustive]
pub struct Parts {
    /// Who decides.
    pub decider: Arc<dyn Decider>,
    /// How requests are sent.
    pub transport: Arc<dyn Transport>,
    /// Makes the disk of a directory.
    pub disk: DiskOf,
    /// Where work runs that would hold up the async threads.
    pub workers: Arc<dyn Workers>,
    /// How many files and connections the process may have open, where the host knows a limit. No more are opened at once,
    /// and some are left to the program around it.
    pub descriptors: Option<usize>,
    /// The store that content of Xet repos comes from; without one it comes from the hub's own address.
    pub store: Option<Arc<dyn XetStore>>,
}

impl Parts {
    /// Puts the parts together that every host has to bring. The core that is linked decides, and no limit and no Xet store is
    /// known; the fields say otherwise where they are set.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use hubstow_cache::{Disk, StdDisk};
    /// use hubstow_client::{Parts, Transport, Workers};
    ///
    /// fn parts(transport: Arc<dyn Transport>, workers: Arc<dyn Workers>) -> Parts {
    ///     let disk = |folder: &std::path::Path| Ok(Arc::new(StdDisk::new(folder)) as Arc<dyn Disk>);
    ///     Parts::new(transport, Box::new(disk), workers)
    /// }
    /// ```
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, disk: DiskOf, workers: Arc<dyn Workers>) -> Self {
        let decider = Arc::new(LinkedCore);
        Self { decider, transport, disk, workers, descriptors: None, store: None }
    }
}

/// Makes the disk of a directory, which need not exist yet. A host that can't reach the directory says so here, before
/// anything is asked or sent.
pub type DiskOf = Box<dyn Fn(&Path) -> io::Result<Arc<dyn Disk>> + Send + Sync>;

/// Where work runs that would hold up the async threads.
///
/// ```
/// use hubstow_client::{Beside, Workers};
///
/// /// For a program without threads: work is done at once.
/// struct AtOnce;
///
/// impl Workers for AtOnce {
///     fn start(&self, work: Box<dyn FnOnce() + Send>) {
///         work();
///     }
///
///     fn beside(&self) -> Beside {
///         Beside::Nothing
///     }
/// }
///
/// assert!(AtOnce.check().is_ok());
/// ```
pub trait Workers: Send + Sync {
    /// Runs work beside whoever asks for it, or at once where there are no threads. Work that can't be run is dropped;
    /// whoever waits for it is told so.
    fn start(&self, work: Box<dyn FnOnce() + Send>);

    /// Makes sure that requests can be waited for on the present thread; every async question asks this first.
    ///
    /// # Errors
    /// What is missing, such as a runtime.
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Says whether work runs beside whoever asks for it.
    fn beside(&self) -> Beside;
}

/// What work runs beside whoever asks for it.
///
/// ```
/// use hubstow_client::{Beside, Workers};
///
/// fn may_overlap(workers: &dyn Workers) -> bool {
///     workers.beside() == Beside::Threads
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Threads of its own.
    Threads,
    /// None: it is done before whoever has asked goes on.
    Nothing,
}
