//! Bringing many complete staged files to the disk at once, before any of them is published.
//!
//! One flush of the filesystem costs about as much as the sync of one file, however many files it is for. It promises
//! nothing by itself: a file that no flush has covered is synced by itself before it is published, and one whose own sync
//! has failed is never published (invariants I11, I18).

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use hubstow_core::facts::Staged;

use crate::{
    cache::{Cache, Durability},
    staged::{OnDisk, StagedFile, next_opened},
};

/// From how many files on one flush is for all of them: it costs what one sync does, but waits for others' bytes too.
const FLUSH_FROM_FILES: usize = 2;

impl Cache {
    /// Brings complete staged files to the disk: those of one filesystem by one flush where that is to be had, and each by
    /// itself where the flush fails. Files on a disk without such a flush are left as they are; publishing syncs them.
    ///
    /// Nothing is returned: what could not be synced can't be published, and says why then.
    pub fn sync_group(&self, files: &mut [&mut StagedFile]) {
        if self.durability == Durability::Fast {
            return;
        }
        let mut disks = BTreeMap::<u64, Vec<&mut StagedFile>>::new();
        for staged in files.iter_mut() {
            let waiting = staged.state() == Staged::Complete && staged.on_disk == OnDisk::Unsure;
            if let Some(disk) = staged.file.flushable().filter(|_| waiting) {
                disks.entry(disk).or_default().push(staged);
            }
        }
        disks.into_values().for_each(sync_together);
    }
}

/// Brings files of one filesystem to the disk.
fn sync_together(mut files: Vec<&mut StagedFile>) {
    if files.len() >= FLUSH_FROM_FILES && flush_for(&mut files) {
        return;
    }
    for staged in files {
        if let Err(error) = staged.sync() {
            tracing::debug!(path = %staged.at(), %error, "a complete file did not reach the disk");
        }
    }
}

/// Flushes the filesystem for all of these files; tells whether that went well.
fn flush_for(files: &mut [&mut StagedFile]) -> bool {
    // A handle tells of failures since it was opened, so the oldest one tells of all bytes of all these files.
    let Some(oldest) = files.iter_mut().min_by_key(|staged| staged.opened) else {
        return true;
    };
    if let Err(error) = oldest.file.sync_all() {
        tracing::debug!(%error, files = files.len(), "a flush failed; each file is synced by itself");
        if let Some(oldest) = files.iter_mut().min_by_key(|staged| staged.opened) {
            // What it has told once it does not tell again.
            oldest.opened = next_opened();
        }
        return false;
    }
    tracing::debug!(files = files.len(), "flushed");
    for staged in files {
        staged.on_disk = OnDisk::Synced;
    }
    true
}

/// What is to be done with a staged file when it has been in its group.
type Done = Box<dyn FnOnce(StagedFile) + Send>;

/// A queue of complete staged files. One flush is for all that wait when it begins; those that come while it runs wait for
/// the next, so the slower the disk, the larger the groups.
///
/// Whoever is told to [`run`](Self::run) it does so on a thread that may block, and nobody else has to:
///
/// ```text
/// let (send, synced) = oneshot::channel();
/// if group.hand_in(staged, move |staged| drop(send.send(staged))) == Turn::Run {
///     spawn_blocking(move || group.run());
/// }
/// placing.fetched(synced.await?);
/// ```
///
/// Every waiting file is open, so a host bounds how many it lets wait.
pub struct GroupSync {
    cache: Cache,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(StagedFile, Done)>,
    /// Whether somebody has been told to run.
    runs: bool,
}

/// What whoever hands a file in has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a queue that nobody runs hands nothing back"]
pub enum Turn {
    /// Run the queue, now.
    Run,
    /// Nothing: somebody runs it, or nothing had to be done.
    Wait,
}

impl GroupSync {
    /// Makes an empty queue for staged files of this cache.
    #[must_use]
    pub fn new(cache: Cache) -> Self {
        Self { cache, queue: Mutex::default() }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands in a staged file. `done` gets it back on the thread that runs the queue, when it has reached the disk or is
    /// to be synced by itself; it must not block.
    pub fn hand_in(
        &self,
        staged: StagedFile,
        done: impl FnOnce(StagedFile) + Send + 'static,
    ) -> Turn {
        if self.cache.durability == Durability::Fast {
            done(staged);
            return Turn::Wait;
        }
        let mut queue = self.queue();
        queue.waiting.push((staged, Box::new(done)));
        if std::mem::replace(&mut queue.runs, true) { Turn::Wait } else { Turn::Run }
    }

    /// Flushes for all that wait, again and again until nobody waits any more. It blocks.
    pub fn run(&self) {
        let ended = Ended(self);
        while let Some(mut group) = self.next_group() {
            let mut files: Vec<_> = group.iter_mut().map(|(staged, _)| staged).collect();
            self.cache.sync_group(&mut files);
            for (staged, done) in group {
                done(staged);
            }
        }
        std::mem::forget(ended);
    }

    /// Takes all that wait; where nobody does, the next one to come is told to run.
    fn next_group(&self) -> Option<Vec<(StagedFile, Done)>> {
        let mut queue = self.queue();
        let group = std::mem::take(&mut queue.waiting);
        queue.runs = !group.is_empty();
        queue.runs.then_some(group)
    }
}

/// Should a callback panic, those that wait are given up, and the queue can be used again.
struct Ended<'a>(&'a GroupSync);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let given_up = std::mem::take(&mut *self.0.queue());
        drop(given_up);
    }
}
