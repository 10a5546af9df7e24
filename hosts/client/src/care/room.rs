//! Room on a disk that is bounded: a cache directory that gives way to what is asked for now.
//!
//! Whoever fills it asks for room before a byte is fetched, and holds what it got until the file is in its place. Where there
//! is none, what was used least recently goes, by the plan of the core ([`hubstow_core::care::evict`]) and with the care of
//! every cleaning: nothing that is pinned, that somebody works with, or that was used a moment ago. How much there is, is
//! known from the last look and from what was asked for since; other programs that write there are seen at the next look.
//!
//! INVARIANT (relied on): room is asked for by content, of which some may be here. What is here is reserved nothing for, and
//! nothing that is planned after that takes it.

mod book;
mod needs;
mod pin_list;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hubstow_cache::{
    care::{inventory::Inventory, uses::Uses},
    disk::failure::with_causes,
};
use hubstow_core::{
    care::{Bounds, evict},
    layout::RepoLayout,
    name::{Commit, FileName, Repo, Revision},
};

pub use self::pin_list::PinList;
use self::{
    book::{Book, Ticket},
    needs::Needs,
};
use super::CacheDir;
use crate::{
    api::error::{Error, ErrorKind},
    file::found::FoundFile,
};

/// How much goes where something has to, as a share of all: down to nine tenths, so that not every file asks for a look at
/// the whole cache.
const TENTHS_LEFT: u64 = 9;
/// What was used so lately is not evicted, if nothing else is said.
const UNUSED_FOR: Duration = Duration::from_secs(5 * 60);
/// How often it is looked at what is here of a content, where something has gone between looking and holding it.
const LOOKS: usize = 3;

/// What a cache directory may hold.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RoomRules {
    /// How many bytes of files there may be.
    pub limit_bytes: u64,
    /// For how long nobody must have used what makes room.
    pub unused_for: Duration,
    /// What never makes room, besides what is pinned in the cache itself.
    pub pins: PinList,
}

impl RoomRules {
    /// Makes rules for so many bytes: what was used within five minutes stays, and nothing is pinned.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Self {
        Self { limit_bytes, unused_for: UNUSED_FOR, pins: PinList::default() }
    }
}

/// Why there is no room.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoRoom {
    /// It is larger than all that there may be.
    #[error("{bytes} bytes are more than the {limit_bytes} that the disk may hold")]
    TooLarge {
        /// How many were asked for.
        bytes: u64,
        /// How many there may be.
        limit_bytes: u64,
    },
    /// What is there may not go.
    #[error(
        "there is no room for {bytes} bytes: {taken_bytes} of the {limit_bytes} that the disk may hold are \
         pinned, in use, or were used a moment ago"
    )]
    Taken {
        /// How many were asked for.
        bytes: u64,
        /// How many are taken.
        taken_bytes: u64,
        /// How many there may be.
        limit_bytes: u64,
    },
    /// The cache can't be looked at.
    #[error("nobody knows what the disk holds")]
    Unknown(#[source] Error),
}

impl From<NoRoom> for Error {
    fn from(none: NoRoom) -> Self {
        let error = Self::new(ErrorKind::NoSpace, none.to_string());
        match none {
            NoRoom::TooLarge { .. } => {
                error.hint("the disk needs to be larger than its largest file")
            }
            NoRoom::Taken { .. } => error.hint("try again later, or pin less"),
            NoRoom::Unknown(source) => error.caused_by(source),
        }
    }
}

/// What has become of the room so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomStats {
    /// How many bytes there may be.
    pub limit_bytes: u64,
    /// How many bytes of files there are, as far as is known.
    pub held_bytes: u64,
    /// How many bytes are reserved for what is being fetched.
    pub reserved_bytes: u64,
    /// How often something had to go.
    pub evictions: u64,
    /// How many bytes have gone.
    pub evicted_bytes: u64,
    /// How often there was no room.
    pub refused: u64,
}

/// The room of a bounded cache directory. Clones share it. What is asked here blocks its thread.
#[derive(Clone)]
pub struct Room {
    shared: Arc<Shared>,
}

struct Shared {
    cache: CacheDir,
    limit_bytes: u64,
    unused_for: Duration,
    pins: Mutex<PinList>,
    /// What pinned revisions mean.
    meant: Mutex<BTreeMap<(Repo, String), Commit>>,
    uses: Mutex<HashMap<Repo, Uses>>,
    /// Held by the one who makes room for all.
    turn: Mutex<()>,
    /// Held while it is planned what goes, and while it goes.
    evicting: Mutex<()>,
    book: Mutex<Book>,
}

/// Room for something that is being fetched; when this is dropped, it is taken for being there.
#[must_use = "the room is somebody else's when this is dropped"]
pub struct Reserved {
    shared: Arc<Shared>,
    ticket: Ticket,
}

impl CacheDir {
    /// Keeps this cache directory within bounds. There should be one such for a directory in a program.
    #[must_use]
    pub fn room(&self, rules: RoomRules) -> Room {
        let RoomRules { limit_bytes, unused_for, pins } = rules;
        let shared = Shared {
            cache: self.clone(),
            limit_bytes,
            unused_for,
            pins: Mutex::new(pins),
            meant: Mutex::default(),
            uses: Mutex::default(),
            turn: Mutex::default(),
            evicting: Mutex::default(),
            book: Mutex::new(Book::new(limit_bytes)),
        };
        Room { shared: Arc::new(shared) }
    }
}

impl Room {
    /// Makes room for what is not here of a file, and keeps it and what is. A file whose size nobody knows takes what it takes,
    /// and is seen afterwards.
    ///
    /// # Errors
    /// Why there is none.
    pub fn make(&self, found: &FoundFile) -> Result<Reserved, NoRoom> {
        let reserved = self.hold(found);
        let made = self.try_make(&reserved);
        if made.is_err() {
            locked(&self.shared.book).refused();
        }
        made.map(|()| reserved)
    }

    /// Holds what is here of a file, so that it does not go to make room for the rest.
    fn hold(&self, found: &FoundFile) -> Reserved {
        let shared = Arc::clone(&self.shared);
        let mut looks = 0;
        loop {
            let evictions = locked(&shared.book).evictions();
            let needs = Needs::of(&shared.cache, found);
            let _evicting = locked(&shared.evicting);
            let mut book = locked(&shared.book);
            looks += 1;
            if book.evictions() == evictions || looks == LOOKS {
                let ticket = book.enter(needs);
                drop(book);
                return Reserved { shared: Arc::clone(&shared), ticket };
            }
        }
    }

    fn try_make(&self, reserved: &Reserved) -> Result<(), NoRoom> {
        let reserve = || locked(&self.shared.book).reserve(reserved.ticket);
        if reserve()? {
            return Ok(());
        }
        let _turn = locked(&self.shared.turn);
        // Somebody may have made enough for both.
        if reserve()? {
            return Ok(());
        }
        let bytes = locked(&self.shared.book).asked(reserved.ticket);
        self.shared.clean(bytes).map_err(NoRoom::Unknown)?;
        if reserve()? {
            return Ok(());
        }
        let stats = self.stats();
        let taken_bytes = stats.held_bytes.saturating_add(stats.reserved_bytes);
        Err(NoRoom::Taken { bytes, taken_bytes, limit_bytes: self.shared.limit_bytes })
    }

    /// Takes note that a file was used just now: it goes later than what was not.
    pub fn touch(&self, repo: &Repo, commit: &Commit, file: &FileName) {
        let now = now_s();
        if let Some(uses) = locked(&self.shared.uses).get_mut(repo) {
            return uses.note(commit, file, now);
        }
        let mut uses = Uses::default();
        uses.note(commit, file, now);
        locked(&self.shared.uses).entry(repo.clone()).or_default().note_all(uses);
    }

    /// Sets what never makes room, besides what is pinned in the cache itself.
    pub fn set_pins(&self, pins: PinList) {
        *locked(&self.shared.pins) = pins;
    }

    /// Returns what never makes room.
    #[must_use]
    pub fn pins(&self) -> PinList {
        locked(&self.shared.pins).clone()
    }

    /// Says which commit a revision means: where that is pinned, the commit is. Without it only the refs in the cache tell.
    pub fn means(&self, repo: &Repo, revision: &Revision, commit: &Commit) {
        let pins = locked(&self.shared.pins);
        let is_pinned =
            pins.of(repo).is_some_and(|pins| pins.revisions.contains(revision.as_str()));
        if is_pinned {
            let key = (repo.clone(), revision.as_str().to_owned());
            locked(&self.shared.meant).insert(key, commit.clone());
        }
    }

    /// Looks at what there is, writes down what was used, and makes room where others have taken more than there may be. To
    /// be called from time to time: a minute is a good one, and once before the end.
    ///
    /// # Errors
    /// A directory that can't be listed.
    pub fn tend(&self) -> Result<RoomStats, Error> {
        let _turn = locked(&self.shared.turn);
        self.shared.clean(0)?;
        Ok(self.stats())
    }

    /// Returns what has become of the room so far.
    #[must_use]
    pub fn stats(&self) -> RoomStats {
        self.shared.stats()
    }
}

impl Shared {
    fn stats(&self) -> RoomStats {
        locked(&self.book).stats(self.limit_bytes)
    }

    /// Looks at all there is, and makes room for so many bytes more where that takes anything.
    fn clean(&self, bytes: u64) -> Result<(), Error> {
        self.note_uses();
        let look = locked(&self.book).look();
        let mut inventory = self.cache.inventory()?;
        self.pin(&mut inventory);
        let _evicting = locked(&self.evicting);
        let in_use = locked(&self.book).seen(&look, &inventory.staged_bytes());
        inventory.hold(&in_use);
        let (held, to_come) = (inventory.held(), self.stats().reserved_bytes);
        let (total, to_come) = (held.len_bytes(), to_come.saturating_add(bytes));
        let mut freed = 0;
        if total.saturating_add(to_come) > self.limit_bytes {
            let goal = self.limit_bytes / 10 * TENTHS_LEFT;
            let max_bytes = goal.saturating_sub(to_come);
            let used_before = now_s().saturating_sub(self.unused_for.as_secs()) + 1;
            for doubt in inventory.damage.iter().filter(|damage| damage.flaw.is_doubt()) {
                tracing::warn!(path = %doubt.at, flaw = %doubt.flaw, "nothing it may keep makes room");
            }
            let plan = evict(&held, &Bounds { max_bytes, used_before });
            freed = self.cache.execute(&inventory, &plan, |_| {}).freed_bytes;
            tracing::info!(total, to_come, freed, "made room");
        }
        locked(&self.book).looked(look, total.saturating_sub(freed), freed);
        Ok(())
    }

    fn pin(&self, inventory: &mut Inventory) {
        let (pins, meant) = (locked(&self.pins).clone(), locked(&self.meant).clone());
        for (repo, pins) in pins.iter() {
            let mut pins = pins.clone();
            let commits =
                meant.iter().filter(|((of, said), _)| of == repo && pins.revisions.contains(said));
            let commits: Vec<_> = commits.map(|(_, it)| it.as_str().to_owned()).collect();
            pins.revisions.extend(commits);
            inventory.pin(repo, &pins);
        }
    }

    /// Writes down what was used. What can't be written is kept for the next time.
    fn note_uses(&self) {
        let noted = std::mem::take(&mut *locked(&self.uses));
        for (repo, uses) in noted {
            let written = self.cache.cache().note_uses(&RepoLayout::new(&repo), uses.clone());
            if let Err(error) = written {
                tracing::warn!(%repo, error = %with_causes(&error), "uses could not be written down");
                locked(&self.uses).entry(repo).or_default().note_all(uses);
            }
        }
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        locked(&self.shared.book).leave(self.ticket);
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
