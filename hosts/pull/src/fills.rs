//! Which content is being fetched: each once, whoever asks for it, and however many.
//!
//! A fetch belongs to nobody: it goes on when the one who began it leaves, ends when nobody has wanted it for
//! [`DESERTED_FOR`](crate::limits::DESERTED_FOR), and what has come then is continued by the next.

use std::{
    collections::HashMap,
    fs::File,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use hubstow_client::{ErrorKind, FoundFile, Hub, with_causes};
use hubstow_core::name::Repo;
use hubstow_serve::{Ranges, Refusal};
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::{
    counting::{Counts, count},
    feed::{Attendance, Feed},
    limits::{DESERTED_FOR, FILLS, WAITING_FILLS},
    refusals::{come_again, refusal_of},
    room::Rooms,
    sent::{Key, Sent},
    tier::{Share, Tiers},
};

/// All that is being fetched.
#[derive(Debug)]
pub(crate) struct Fills {
    running: Mutex<HashMap<Key, Arc<Feed>>>,
    /// Whoever fetches has one.
    slots: Arc<Semaphore>,
    busy: AtomicUsize,
    sent: Arc<Sent>,
    rooms: Rooms,
    tiers: Tiers,
    counts: Arc<Counts>,
}

/// What somebody is to a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// It is made with the token of this one.
    Began,
    /// It is made with somebody else's.
    Joined,
}

/// Removes a fetch from the table however it ends.
struct Running {
    fills: Arc<Fills>,
    key: Key,
    feed: Arc<Feed>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing changes where it has ended in another way before.
        self.feed.failed(Refusal::new(503, "The server stops"));
        self.fills.running().remove(&self.key);
    }
}

impl Fills {
    pub(crate) fn new(counts: &Arc<Counts>, rooms: &Rooms, tiers: &Tiers) -> Arc<Self> {
        Arc::new(Self {
            running: Mutex::default(),
            slots: Arc::new(Semaphore::new(FILLS)),
            busy: AtomicUsize::new(0),
            sent: Arc::default(),
            rooms: rooms.clone(),
            tiers: tiers.clone(),
            counts: Arc::clone(counts),
        })
    }

    /// Returns how many are being fetched now.
    pub(crate) fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }

    /// Says whether a content that is being fetched can be had in parts.
    pub(crate) fn ranges(&self, key: &Key) -> Ranges {
        if self.sent.is_spoilt(key) { Ranges::OnlyFromStart } else { Ranges::Given }
    }

    /// Says whether a content that is here, however it came, can be had in parts.
    pub(crate) fn ranges_of_here(&self, key: &Key) -> Ranges {
        let is_arriving = self.running().get(key).is_some_and(|feed| feed.is_unproved());
        if is_arriving || !self.sent.unproved(key).is_empty() {
            return Ranges::OnlyFromStart;
        }
        self.ranges(key)
    }

    /// Joins the fetch of a content, or begins it.
    ///
    /// # Errors
    /// Too many wait already.
    pub(crate) fn join(
        self: &Arc<Self>,
        repo: &Repo,
        found: FoundFile,
        hub: &Hub,
    ) -> Result<(Attendance, Part), Refusal> {
        let key = (repo.clone(), found.etag().clone());
        let mut running = self.running();
        if let Some(feed) = running.get(&key) {
            return Ok((feed.attend(), Part::Joined));
        }
        if running.len() >= FILLS + WAITING_FILLS {
            return Err(come_again(503, "Too many files are being fetched; try again later"));
        }
        let feed = Feed::new(key.clone(), found.size(), &self.sent);
        running.insert(key.clone(), Arc::clone(&feed));
        drop(running);
        let attendance = feed.attend();
        let guard = Running { fills: Arc::clone(self), key, feed };
        tokio::spawn(guard.run(hub.clone(), found));
        Ok((attendance, Part::Began))
    }

    /// Tells whether anything of a repo is being fetched.
    pub(crate) fn is_of(&self, repo: &Repo) -> bool {
        self.running().keys().any(|(of, _)| of == repo)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Key, Arc<Feed>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    async fn run(self, hub: Hub, found: FoundFile) {
        let (repo, etag) = &self.key;
        let counts = &self.fills.counts;
        tokio::select! {
            fetched = self.fetched(hub, found) => match fetched {
                Ok(file) => {
                    count(&counts.fills_done);
                    self.feed.placed(file);
                }
                Err(refusal) => {
                    count(&counts.fills_failed);
                    tracing::info!(%repo, %etag, %refusal, "not fetched");
                    self.feed.failed(refusal);
                }
            },
            () = self.feed.deserted(DESERTED_FOR) => {
                tracing::info!(%repo, %etag, "nobody wants it any more; what has come is kept");
                self.feed.failed(Refusal::new(503, "Nobody has read for too long"));
            }
        }
    }
}

impl Running {
    /// Fetches a content, once it is its turn and there is room for it. Waiting for another node takes no slot.
    async fn fetched(&self, hub: Hub, found: FoundFile) -> Result<File, Refusal> {
        let share = self.fills.tiers.begin(found).await;
        let Ok(_slot) = Arc::clone(&self.fills.slots).acquire_owned().await else {
            return Err(Refusal::new(503, "The server stops"));
        };
        let _busy = Busy::count(&self.fills);
        let _room = self.fills.rooms.make(share.found()).await?;
        match fetch(hub, &share, &self.feed).await {
            Ok((file, path)) => {
                share.came(path);
                Ok(file)
            }
            Err(refusal) => {
                share.failed();
                Err(refusal)
            }
        }
    }
}

async fn fetch(hub: Hub, share: &Share, feed: &Arc<Feed>) -> Result<(File, PathBuf), Refusal> {
    let hub = hub.read_by(share.watched(feed));
    let found = share.found();
    let report = hub.download_found(found).await.map_err(|error| {
        if error.kind() == ErrorKind::ContentMismatch {
            feed.is_wrong();
        }
        tracing::debug!(error = %with_causes(&error), "a file was not fetched");
        refusal_of(&error)
    })?;
    let path = report.path;
    let opened = spawn_blocking(move || Ok((File::open(&path)?, path))).await;
    opened.map_err(std::io::Error::other).flatten().map_err(|error| {
        tracing::error!(%error, "what was just fetched can't be opened");
        Refusal::new(500, "The cache directory of this server can't be read")
    })
}

/// A fetch that is on its way.
struct Busy(Arc<Fills>);

impl Busy {
    fn count(fills: &Arc<Fills>) -> Self {
        fills.busy.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(fills))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}
