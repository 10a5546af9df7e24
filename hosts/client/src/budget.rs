//! How many files and connections may be open at once.
//!
//! Every file on its way takes a permit before it opens anything, and everything else that is counted in files follows from
//! how many permits there are. What is opened for a moment, such as a folder that is listed, has a share of its own.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a file on its way has open: its lock, its staged file and its connection.
const FILE_DESCRIPTORS: usize = 3;
/// The most files on their way, however many descriptors there are: more would bring nothing.
const MOST_FILES: usize = 352;
/// The most connections that large files are received on beside their first.
const MOST_CONNECTIONS: usize = 64;
/// How much is left to the runtime, to the program around it, and to what is opened for a moment: an eighth, and within
/// these bounds.
const REST_LEAST: usize = 16;
const REST_MOST: usize = 256;

/// How many descriptors there are for what. All clones share them.
#[derive(Clone)]
pub(crate) struct Budget {
    permits: Arc<Semaphore>,
    shares: Shares,
}

/// How the descriptors of a process are shared out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shares {
    /// How many files may be on their way.
    files: usize,
    /// How many more connections large files may use.
    connections: usize,
    /// How many threads may have something open for a moment.
    threads: usize,
}

/// One file on its way may have open what it needs. It ends with its holder.
pub(crate) struct Permit(
    #[expect(dead_code, reason = "held until it is dropped")] Option<OwnedSemaphorePermit>,
);

impl Budget {
    /// Shares out so many descriptors, or as many as are of use where no limit is known.
    pub(crate) fn of(descriptors: Option<usize>) -> Self {
        let shares = Shares::of(descriptors);
        Self { permits: Arc::new(Semaphore::new(shares.files)), shares }
    }

    /// Returns how many files may be on their way.
    pub(crate) fn files(&self) -> usize {
        self.shares.files
    }

    /// Returns how many more connections large files may use.
    pub(crate) fn connections(&self) -> usize {
        self.shares.connections
    }

    /// Returns how many threads may look at files at once.
    pub(crate) fn threads(&self) -> usize {
        self.shares.threads
    }

    /// Waits for the permit of a file.
    pub(crate) async fn permit(&self) -> Permit {
        // The semaphore is never closed.
        Permit(Arc::clone(&self.permits).acquire_owned().await.ok())
    }

    /// Waits for the permit of a file, and takes those of others that are free, no more than so many in all.
    pub(crate) async fn permits(&self, most: usize) -> Vec<Permit> {
        let mut permits = vec![self.permit().await];
        let more = || Arc::clone(&self.permits).try_acquire_owned().ok();
        permits.extend(
            std::iter::from_fn(more).take(most.saturating_sub(1)).map(|one| Permit(Some(one))),
        );
        permits
    }
}

impl Shares {
    fn of(descriptors: Option<usize>) -> Self {
        let Some(descriptors) = descriptors else {
            let threads = REST_MOST / 2;
            return Self { files: MOST_FILES, connections: MOST_CONNECTIONS, threads };
        };
        let connections = (descriptors / 16).clamp(1, MOST_CONNECTIONS);
        let rest = (descriptors / 8).clamp(REST_LEAST, REST_MOST);
        let files = descriptors.saturating_sub(connections + rest) / FILE_DESCRIPTORS;
        // Half of the rest is the runtime's and the program's.
        Self { files: files.clamp(1, MOST_FILES), connections, threads: rest / 2 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_descriptors_of_a_process_are_shared_out_and_never_exceeded() {
        for (descriptors, files, connections, threads) in [
            (None, 352, 64, 128),
            (Some(1 << 20), 352, 64, 128),
            (Some(1024), 277, 64, 64),
            (Some(256), 69, 16, 16),
            (Some(128), 34, 8, 8),
            (Some(64), 14, 4, 8),
            (Some(32), 4, 2, 8),
            (Some(8), 1, 1, 8),
        ] {
            let shares = Shares::of(descriptors);
            assert_eq!(shares, Shares { files, connections, threads }, "{descriptors:?}");
            if let Some(descriptors) = descriptors.filter(|descriptors| *descriptors >= 32) {
                let used = files * FILE_DESCRIPTORS + connections + 2 * threads;
                assert!(used <= descriptors, "{used} of {descriptors}");
            }
        }
    }

    #[tokio::test]
    async fn a_permit_ends_with_its_holder() {
        let budget = Budget::of(Some(32));
        let held = budget.permits(3).await;
        assert_eq!(held.len(), 3);
        assert_eq!(budget.permits(9).await.len(), 1, "what is left");
        drop(held);
        assert_eq!(budget.permits(9).await.len(), 4);
    }
}
