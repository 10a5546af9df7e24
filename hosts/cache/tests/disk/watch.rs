//! What a test sees of each primitive operation, and what it lets happen at a chosen one.
//!
//! Besides, every operation of every test is held to the rules that no run may break, whatever happens to it: only
//! private names are renamed or written to (I3, I10, I12), and no bytes get a public name before they are synced (I11,
//! I18).

use std::{
    collections::BTreeSet,
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::system::Errno;

/// A primitive operation of a disk or of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Entry,
    Through,
    Modified,
    LinkText,
    Names,
    Kinds,
    FreeBytes,
    Open,
    OpenPrivate,
    Create,
    OpenLock,
    MakeFolder,
    MakeRoot,
    Symlink,
    Hardlink,
    Reflink,
    Rename,
    Remove,
    RemoveFolder,
    Read,
    Write,
    Seek,
    Sync,
    SyncAll,
    Reserve,
    StartWriting,
    SetLen,
    TryLock,
    SecondHandle,
    Free,
}

impl Op {
    /// Whether it works on a handle, whatever has become of the name.
    pub(crate) fn has_handle(self) -> bool {
        match self {
            Self::Read
            | Self::Write
            | Self::Seek
            | Self::Sync
            | Self::SyncAll
            | Self::Reserve
            | Self::StartWriting
            | Self::SetLen
            | Self::TryLock
            | Self::SecondHandle
            | Self::Free => true,
            Self::Entry
            | Self::Through
            | Self::Modified
            | Self::LinkText
            | Self::Names
            | Self::Kinds
            | Self::FreeBytes
            | Self::Open
            | Self::OpenPrivate
            | Self::Create
            | Self::OpenLock
            | Self::MakeFolder
            | Self::MakeRoot
            | Self::Symlink
            | Self::Hardlink
            | Self::Reflink
            | Self::Rename
            | Self::Remove
            | Self::RemoveFolder => false,
        }
    }

    /// Whether it changes the tree.
    pub(crate) fn changes(self) -> bool {
        match self {
            Self::Create
            | Self::OpenLock
            | Self::MakeFolder
            | Self::MakeRoot
            | Self::Symlink
            | Self::Hardlink
            | Self::Reflink
            | Self::Rename
            | Self::Remove
            | Self::RemoveFolder
            | Self::Write
            | Self::SetLen => true,
            Self::Entry
            | Self::Through
            | Self::Modified
            | Self::LinkText
            | Self::Names
            | Self::Kinds
            | Self::FreeBytes
            | Self::Open
            | Self::OpenPrivate
            | Self::Read
            | Self::Seek
            | Self::Sync
            | Self::SyncAll
            | Self::Reserve
            | Self::StartWriting
            | Self::TryLock
            | Self::SecondHandle
            | Self::Free => false,
        }
    }
}

/// Tells whether an operation on a path is the one to wait for.
type Notice = Box<dyn Fn(Op, &str) -> bool + Send>;

/// What happens at the chosen operation.
pub(crate) enum Event {
    /// The process is killed: this operation and every later one fail. Where it dies between two changes makes no
    /// difference to what is left, so only changes are counted.
    Death,
    /// This operation fails, and no other.
    Failure(Errno),
    /// A peer does something just before it. Between two operations that can notice the deed it makes no difference when
    /// it is done, so only those are counted.
    Deed { noticed: Notice, deed: Box<dyn FnOnce() + Send> },
}

/// Why an operation was not done.
pub(crate) enum Fate {
    /// It was under way when the process was killed.
    Killed,
    /// It failed.
    Failed(io::Error),
    /// The process was killed before it.
    Dead,
}

impl From<Fate> for io::Error {
    fn from(fate: Fate) -> Self {
        match fate {
            Fate::Killed => Self::other("the process was killed"),
            Fate::Failed(error) => error,
            Fate::Dead => Self::other("the process is dead"),
        }
    }
}

/// The record of all operations of one process.
#[derive(Default)]
pub(crate) struct Watch(Mutex<State>);

#[derive(Default)]
struct State {
    planned: Option<(usize, Event)>,
    counted: usize,
    log: Vec<(Op, String)>,
    happened: Option<usize>,
    dead: bool,
    unsynced: BTreeSet<u64>,
    /// Files of which a sync has failed: the next one may succeed without their bytes.
    lost: BTreeSet<u64>,
    /// How many bytes the disk was told to begin with.
    begun_bytes: u64,
    misconduct: Vec<String>,
}

impl Watch {
    /// Plans an event for the `at`-th operation of those that count for it, the first being one.
    pub(crate) fn with(at: usize, event: Event) -> Self {
        Self(Mutex::new(State { planned: Some((at, event)), ..State::default() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets an operation pass, or not.
    pub(crate) fn pass(&self, op: Op, path: &str) -> Result<(), Fate> {
        let mut state = self.state();
        if state.dead {
            return Err(Fate::Dead);
        }
        state.log.push((op, path.to_owned()));
        let counts = match &state.planned {
            Some((_, Event::Death)) => op.changes(),
            Some((_, Event::Failure(_))) => true,
            Some((_, Event::Deed { noticed, .. })) => noticed(op, path),
            None => false,
        };
        state.counted += usize::from(counts);
        let now = matches!(&state.planned, Some((at, _)) if counts && *at == state.counted);
        let Some((_, event)) = state.planned.take_if(|_| now) else {
            return Ok(());
        };
        state.happened = Some(state.log.len());
        match event {
            Event::Death => {
                state.dead = true;
                Err(Fate::Killed)
            }
            Event::Failure(errno) => Err(Fate::Failed(errno.into())),
            Event::Deed { deed, .. } => {
                deed();
                Ok(())
            }
        }
    }

    /// The process is killed now: whatever it does from now on is not done.
    pub(crate) fn kill(&self) {
        self.state().dead = true;
    }

    /// The operation at which the planned event happened, if it did.
    pub(crate) fn event(&self) -> Option<String> {
        let state = self.state();
        let (op, path) = state.log.get(state.happened? - 1)?;
        Some(format!("{op:?} {path}"))
    }

    /// Whether a path was looked at at or after the planned event.
    pub(crate) fn looked_since(&self, path: &str) -> bool {
        let state = self.state();
        let since = state.happened.map_or(0, |at| at - 1);
        state.log.iter().skip(since).any(|(op, at)| *op == Op::Entry && at == path)
    }

    /// How many operations there were.
    pub(crate) fn operations(&self) -> usize {
        self.state().log.len()
    }

    /// Whether there was an operation of this kind.
    pub(crate) fn did(&self, op: Op) -> bool {
        self.state().log.iter().any(|(done, _)| *done == op)
    }

    /// How often an operation was done on a path.
    pub(crate) fn count(&self, op: Op, path: &str) -> usize {
        self.state().log.iter().filter(|(done, at)| *done == op && at == path).count()
    }

    /// Whether a file was made at a path.
    pub(crate) fn has_made(&self, path: &str) -> bool {
        self.count(Op::Create, path) > 0
    }

    /// How many such operations there were.
    pub(crate) fn matching(&self, is_such: impl Fn(Op, &str) -> bool) -> usize {
        self.state().log.iter().filter(|(op, path)| is_such(*op, path)).count()
    }

    /// How many operations of this kind there were.
    pub(crate) fn total(&self, op: Op) -> usize {
        self.state().log.iter().filter(|(done, _)| *done == op).count()
    }

    /// The operations that would have changed the tree.
    pub(crate) fn changes(&self) -> Vec<(Op, String)> {
        self.state().log.iter().filter(|(op, _)| op.changes()).cloned().collect()
    }

    /// The disk is told to begin with so many bytes.
    pub(crate) fn begun(&self, len_bytes: u64) {
        self.state().begun_bytes += len_bytes;
    }

    /// How many bytes the disk was told to begin with.
    pub(crate) fn begun_bytes(&self) -> u64 {
        self.state().begun_bytes
    }

    /// The rules that were broken.
    pub(crate) fn misconduct(&self) -> Vec<String> {
        self.state().misconduct.clone()
    }

    /// The file may hold bytes that are not on the disk yet.
    pub(crate) fn written(&self, inode: u64) {
        self.state().unsynced.insert(inode);
    }

    /// All its bytes are on the disk.
    pub(crate) fn synced(&self, inode: u64) {
        self.state().unsynced.remove(&inode);
    }

    /// Some of its bytes will never be on the disk.
    pub(crate) fn lost(&self, inode: u64) {
        self.state().lost.insert(inode);
    }

    /// All bytes of all files are on the disk.
    pub(crate) fn all_synced(&self) {
        self.state().unsynced.clear();
    }

    /// A file is being made or opened for writing.
    pub(crate) fn judge_writing(&self, path: &str) {
        let known = ["CACHEDIR.TAG", ".gitignore"].iter().any(|name| path.ends_with(name));
        let marker = path.contains("/.no_exist/");
        if !is_private(path) && !is_name_trial(path) && !known && !marker {
            self.broken(format!("`{path}` is written to under its public name"));
        }
    }

    /// A name is being removed.
    pub(crate) fn judge_removal(&self, path: &str) {
        if !is_private(path) && !is_name_trial(path) && !path.ends_with(".lock") {
            self.broken(format!("`{path}` is removed"));
        }
    }

    /// A file is being renamed.
    pub(crate) fn judge_rename(&self, inode: u64, from: &str, to: &str) {
        if !is_private(from) {
            self.broken(format!("`{from}` is moved, and others may use it"));
        }
        if !is_private(to) && self.state().unsynced.contains(&inode) {
            self.broken(format!("`{to}` is published before its bytes are on the disk"));
        }
        if !is_private(to) && self.state().lost.contains(&inode) {
            self.broken(format!("`{to}` is published although a sync of it has failed"));
        }
    }

    /// A file is getting the name of the content.
    pub(crate) fn judge_content(&self, right: bool, to: &str) {
        if !right {
            self.broken(format!("`{to}` is published with wrong bytes"));
        }
    }

    fn broken(&self, rule: String) {
        self.state().misconduct.push(rule);
    }
}

/// Whether a name is only tried out there.
fn is_name_trial(path: &str) -> bool {
    path.contains("/.hubstow/") && path.contains(".names/")
}

/// Whether a path can only be the work of one attempt.
pub(crate) fn is_private(path: &str) -> bool {
    let base = path.rsplit_once('/').map_or(path, |(_, base)| base);
    let ours = (base.starts_with(".hubstow-") && base.ends_with(".tmp"))
        || (path.contains(".hubstow/") && (path.ends_with(".tmp") || path.ends_with(".map")))
        || (path.contains("/blobs/") && path.ends_with(".incomplete"));
    let name =
        path.trim_end_matches(".tmp").trim_end_matches(".map").trim_end_matches(".incomplete");
    let nonce = name.get(name.len().saturating_sub(32)..).unwrap_or_default();
    ours && nonce.len() == 32 && nonce.bytes().all(|byte| byte.is_ascii_hexdigit())
}
