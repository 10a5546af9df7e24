//! The bounds of the cache directory, where it has any.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use hubstow_client::{
    FoundFile,
    care::room::{NoRoom, Reserved, Room},
    with_causes,
};
use hubstow_core::name::{Commit, FileName, Repo, Revision};
use hubstow_serve::{DiskCounts, Refusal};
use tokio::task::spawn_blocking;

use crate::refusals::come_again;

/// How often the cache directory is looked after.
const TENDED_EVERY: Duration = Duration::from_secs(60);

/// The room of the cache directory, once somebody has said how much there is. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Rooms(Arc<OnceLock<Room>>);

impl fmt::Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rooms").field("is_bounded", &self.0.get().is_some()).finish()
    }
}

impl Rooms {
    pub(crate) fn set(&self, room: Room) {
        let _ = self.0.set(room);
    }

    /// Makes room for what is not here of a file, and keeps what is.
    ///
    /// # Errors
    /// There is none: 507 for what will never fit, 503 for what does not fit now.
    pub(crate) async fn make(&self, found: &FoundFile) -> Result<Option<Reserved>, Refusal> {
        let (Some(room), found) = (self.0.get().cloned(), found.clone()) else { return Ok(None) };
        let made = spawn_blocking(move || room.make(&found)).await;
        match made {
            Ok(Ok(reserved)) => Ok(Some(reserved)),
            Ok(Err(none)) => Err(refused(&none)),
            Err(_) => Err(Refusal::new(503, "The server stops")),
        }
    }

    /// Takes note that a file was asked for.
    pub(crate) fn touch(&self, repo: &Repo, commit: &Commit, file: &FileName) {
        if let Some(room) = self.0.get() {
            room.touch(repo, commit, file);
        }
    }

    /// Takes note of what a revision is, which may be pinned by its name.
    pub(crate) fn means(&self, repo: &Repo, revision: &Revision, commit: &Commit) {
        if let Some(room) = self.0.get() {
            room.means(repo, revision, commit);
        }
    }

    /// Tells whether a file is likely to find room without anything going for it.
    pub(crate) fn is_ample(&self) -> bool {
        let Some(room) = self.0.get() else { return true };
        let stats = room.stats();
        stats.held_bytes + stats.reserved_bytes < stats.limit_bytes / 2
    }

    pub(crate) fn disk(&self) -> Option<DiskCounts> {
        let stats = self.0.get()?.stats();
        let mut counts = DiskCounts::default();
        counts.held_bytes = stats.held_bytes + stats.reserved_bytes;
        counts.evicted_bytes = stats.evicted_bytes;
        counts.refused = stats.refused;
        Some(counts)
    }

    /// Looks after the directory from time to time.
    pub(crate) async fn tend(&self) {
        while self.0.get().is_some() {
            self.tend_once().await;
            tokio::time::sleep(TENDED_EVERY).await;
        }
    }

    /// Looks after it now.
    pub(crate) async fn tend_once(&self) {
        let Some(room) = self.0.get().cloned() else { return };
        if let Ok(Err(error)) = spawn_blocking(move || room.tend()).await {
            tracing::warn!(error = %with_causes(&error), "the disk could not be looked after");
        }
    }
}

fn refused(none: &NoRoom) -> Refusal {
    tracing::warn!(error = %with_causes(none), "no room on the disk");
    if let NoRoom::TooLarge { .. } = none {
        return Refusal::new(507, "The disk of this server is smaller than this file");
    }
    come_again(503, "The disk of this server is full of what is in use")
}
