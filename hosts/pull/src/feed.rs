//! Content that is arriving: what of it may be sent, and to whom.
//!
//! The engine tells what has been written to its staged file, and readers read it back from there. When the file is in its place
//! they read that.
//!
//! Where anything was sent that turns out not to be the content, or of which that is not known, it is remembered ([`Sent`]), and
//! nobody is given the rest of it.
//!
//! INVARIANT (withheld): bytes of the last [`WITHHELD_BYTES`] are sent only after the engine has proved the whole, whichever part
//! of the file a reader asks for.

#[cfg(test)]
mod tests;

use std::{
    fmt,
    fs::File,
    io,
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use hubstow_client::{Arrivals, Intervals, StagedReader};
use hubstow_serve::{Arriving, BoxFuture, Refusal};
use tokio::{sync::watch, task::spawn_blocking};

use crate::{
    limits::WITHHELD_BYTES,
    sent::{Key, Sent, note},
};

/// What is arriving of one content.
pub(crate) struct Feed {
    key: Key,
    sent: Arc<Sent>,
    /// The size, where upstream has said it.
    size: Option<u64>,
    state: Mutex<State>,
    changed: watch::Sender<()>,
    readers: AtomicUsize,
}

#[derive(Default)]
struct State {
    reader: Option<Source>,
    held: Intervals,
    /// How often everything has started over. What was read before that fits to nothing that comes after it.
    generation: u64,
    /// What has been sent of it, until it is proved.
    sent: Intervals,
    standing: Standing,
}

/// How far it is.
#[derive(Default)]
enum Standing {
    #[default]
    Arriving,
    /// All of it is here, and it is right.
    Proved,
    /// It is in its place.
    Placed(Arc<File>),
    /// It will not come.
    Failed(Refusal),
}

/// Where bytes are read from.
#[derive(Clone)]
pub(crate) enum Source {
    Staged(Arc<Mutex<StagedReader>>),
    Placed(Arc<File>),
}

/// How waiting for content has ended.
pub(crate) enum Begun {
    /// Some of it can be read.
    Some,
    /// It is in its place.
    Placed(Arc<File>),
}

/// What can be read now.
enum Look {
    Read { from: Source, len: u64 },
    Wait,
    Failed(io::Error),
}

impl Feed {
    pub(crate) fn new(key: Key, size: Option<u64>, sent: &Arc<Sent>) -> Arc<Self> {
        let (changed, _) = watch::channel(());
        let state = Mutex::new(State { sent: sent.unproved(&key), ..State::default() });
        let readers = AtomicUsize::new(0);
        Arc::new(Self { key, sent: Arc::clone(sent), size, state, changed, readers })
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// The content is in its place.
    pub(crate) fn placed(&self, file: File) {
        self.change(|state| {
            if let Standing::Arriving = state.standing {
                // It came in another way, so nothing is known of what was sent.
                self.spoil(state);
            }
            state.standing = Standing::Placed(Arc::new(file));
            state.reader = None;
        });
    }

    /// What has come is not the content, or will not be continued.
    pub(crate) fn is_wrong(&self) {
        self.change(|state| self.spoil(state));
    }

    /// Begins with another content, before anything of it can be had, and notes that what was sent is of no use where it was not
    /// proved. Nobody can send any meanwhile.
    fn spoil(&self, state: &mut State) {
        match state.standing {
            Standing::Arriving | Standing::Proved => state.standing = Standing::Arriving,
            Standing::Placed(_) | Standing::Failed(_) => return,
        }
        if !std::mem::take(&mut state.sent).is_empty() {
            self.sent.spoil(&self.key);
        }
        state.generation += 1;
    }

    /// Tells whether somebody has something of it that nobody has proved.
    pub(crate) fn is_unproved(&self) -> bool {
        !self.state().sent.is_empty()
    }

    /// The content will not come; nothing changes where it has.
    pub(crate) fn failed(&self, refusal: Refusal) {
        self.change(|state| match state.standing {
            Standing::Arriving | Standing::Proved => {
                self.sent.leave(&self.key, &state.sent);
                state.standing = Standing::Failed(refusal);
                state.reader = None;
            }
            Standing::Placed(_) | Standing::Failed(_) => {}
        });
    }

    /// Waits until some of the content is here.
    ///
    /// # Errors
    /// Why none will be.
    pub(crate) async fn first(&self) -> Result<Begun, Refusal> {
        self.wait(|state| !state.held.is_empty() && state.reader.is_some()).await
    }

    /// Waits until the content is in its place.
    ///
    /// # Errors
    /// Why it will not be.
    pub(crate) async fn whole(&self) -> Result<Begun, Refusal> {
        self.wait(|_| false).await
    }

    async fn wait(&self, is_enough: impl Fn(&State) -> bool) -> Result<Begun, Refusal> {
        let mut changed = self.changed.subscribe();
        loop {
            {
                let state = self.state();
                match &state.standing {
                    Standing::Placed(file) => return Ok(Begun::Placed(Arc::clone(file))),
                    Standing::Failed(refusal) => return Err(refusal.clone()),
                    Standing::Arriving | Standing::Proved if is_enough(&state) => {
                        return Ok(Begun::Some);
                    }
                    Standing::Arriving | Standing::Proved => {}
                }
            }
            if changed.changed().await.is_err() {
                return Err(Refusal::new(503, "The server stops"));
            }
        }
    }

    /// Waits until nobody has read for so long.
    pub(crate) async fn deserted(&self, span: Duration) {
        loop {
            if self.readers.load(Ordering::Acquire) == 0 {
                let mut changed = self.changed.subscribe();
                let somebody_comes = async {
                    while self.readers.load(Ordering::Acquire) == 0 {
                        if changed.changed().await.is_err() {
                            return;
                        }
                    }
                };
                if tokio::time::timeout(span, somebody_comes).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(span).await;
        }
    }

    /// Counts somebody as waiting for the content, as long as the value lives.
    pub(crate) fn attend(self: &Arc<Self>) -> Attendance {
        self.readers.fetch_add(1, Ordering::AcqRel);
        let _ = self.changed.send(());
        Attendance(Arc::clone(self))
    }

    fn look(&self, at: u64, most: u64, generation: u64) -> Look {
        let state = self.state();
        if generation != state.generation {
            let what = "what had arrived was wrong, and is fetched anew";
            return Look::Failed(io::Error::other(what));
        }
        let size = self.size.unwrap_or(u64::MAX);
        let (from, sendable) = match (&state.standing, &state.reader) {
            (Standing::Failed(refusal), _) => {
                return Look::Failed(io::Error::other(refusal.message.clone()));
            }
            (Standing::Placed(file), _) => (Source::Placed(Arc::clone(file)), size),
            (Standing::Proved, Some(reader)) => (reader.clone(), size),
            (Standing::Arriving, Some(reader)) => {
                let before_last = size.saturating_sub(WITHHELD_BYTES);
                (reader.clone(), state.held.end_from(at).min(before_last))
            }
            (Standing::Arriving | Standing::Proved, None) => return Look::Wait,
        };
        match sendable.saturating_sub(at).min(most) {
            0 => Look::Wait,
            len => Look::Read { from, len },
        }
    }

    /// Notes that something is sent; `false` where it must not be, because everything has started over or ended since it was read.
    fn sends(&self, bytes: Range<u64>, generation: u64) -> bool {
        let mut state = self.state();
        match state.standing {
            _ if state.generation != generation => return false,
            Standing::Failed(_) => return false,
            Standing::Arriving => note(&mut state.sent, bytes),
            Standing::Proved | Standing::Placed(_) => {}
        }
        true
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        // That nobody waits is no matter.
        let _ = self.changed.send(());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arrivals for Feed {
    fn begun(&self, reader: StagedReader, held: &Intervals) {
        self.change(|state| {
            // What was sent before may only be gone on with.
            let goes_on = state.sent.iter().all(|range| held.contains(&range));
            if !state.held.is_empty() || !goes_on {
                self.spoil(state);
            }
            state.reader = Some(Source::Staged(Arc::new(Mutex::new(reader))));
            state.held = held.clone();
            // An earlier run may have sent it.
            held.iter().for_each(|range| note(&mut state.sent, range));
        });
    }

    fn arrived(&self, bytes: Range<u64>) {
        self.change(|state| state.held.insert(bytes));
    }

    fn dropped(&self) {
        self.change(|state| {
            self.spoil(state);
            state.held = Intervals::default();
        });
    }

    fn proved(&self) {
        self.change(|state| {
            if let Standing::Arriving = state.standing {
                state.standing = Standing::Proved;
                state.sent = Intervals::default();
                self.sent.proved(&self.key);
            }
        });
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Somebody who waits for content.
#[derive(Debug)]
pub(crate) struct Attendance(Arc<Feed>);

impl Attendance {
    pub(crate) fn feed(&self) -> &Feed {
        &self.0
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, Ordering::AcqRel);
    }
}

/// One reader of arriving content. All that it reads is of what was arriving when it began.
#[derive(Debug)]
pub(crate) struct Reading {
    attendance: Attendance,
    generation: u64,
}

impl Reading {
    pub(crate) fn of(attendance: Attendance) -> Arc<Self> {
        let generation = attendance.0.state().generation;
        Arc::new(Self { attendance, generation })
    }
}

impl Arriving for Reading {
    fn read(self: Arc<Self>, at: u64, most_bytes: u64) -> BoxFuture<'static, io::Result<Bytes>> {
        Box::pin(async move {
            let feed = &self.attendance.0;
            let mut changed = feed.changed.subscribe();
            loop {
                match feed.look(at, most_bytes, self.generation) {
                    Look::Failed(error) => return Err(error),
                    Look::Wait => {
                        let stopped = |_| io::Error::other("the server stops");
                        changed.changed().await.map_err(stopped)?;
                    }
                    Look::Read { from, len } => {
                        let read = spawn_blocking(move || read(&from, at, len)).await;
                        let piece = read.map_err(io::Error::other)?;
                        // Meanwhile everything may have started over, and the bytes be anything.
                        if feed.sends(at..at + len, self.generation) {
                            return piece;
                        }
                    }
                }
            }
        })
    }
}

/// Reads exactly so many bytes. It blocks.
///
/// # Errors
/// The disk's error, or that there are fewer.
pub(crate) fn read(from: &Source, at: u64, len: u64) -> io::Result<Bytes> {
    let mut piece = vec![0; usize::try_from(len).map_err(io::Error::other)?];
    let mut filled = 0;
    while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let offset = at + filled as u64;
        let count = match from {
            Source::Staged(reader) => {
                let mut reader = reader.lock().unwrap_or_else(PoisonError::into_inner);
                reader.read_at(offset, rest)
            }
            Source::Placed(file) => read_at(file, offset, rest),
        };
        match count {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter")),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(piece.into())
}

#[cfg(unix)]
fn read_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, offset)
}

/// Each of several readers of one handle says where it reads, so the position that they share is of no matter.
#[cfg(windows)]
fn read_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, offset)
}
