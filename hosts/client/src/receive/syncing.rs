//! Bringing what is written to the disk now and then, on a thread of its own, so that little is left for the end.

use std::{
    io,
    thread::{self, JoinHandle},
};

use hubstow_cache::staged::{StagedFile, StagedSyncer};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many bytes are written before they are brought to the disk: little enough that the sync at the end has little to wait
/// for, and enough that syncing on the way costs nothing that would be noticed.
const SYNC_BYTES: u64 = 32 << 20;

/// What brings the bytes of one staged file to the disk.
pub(crate) struct Syncing {
    unsynced_bytes: u64,
    state: State,
}

enum State {
    /// Nothing is due yet.
    Ready(StagedSyncer),
    Begun(Begun),
    /// Nothing is to be synced, or it can't be done beside writing.
    Off,
}

struct Begun {
    due: Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Syncing {
    /// Gets ready; the thread begins when something is due.
    pub(crate) fn of(staged: &StagedFile) -> Self {
        let state = staged.syncer().map_or(State::Off, State::Ready);
        Self { unsynced_bytes: 0, state }
    }

    /// Notes that so many more bytes were written.
    pub(crate) fn written(&mut self, bytes: u64) {
        self.unsynced_bytes += bytes;
        if self.unsynced_bytes < SYNC_BYTES {
            return;
        }
        self.unsynced_bytes = 0;
        self.state = match std::mem::replace(&mut self.state, State::Off) {
            State::Ready(syncer) => Self::begin(syncer),
            other @ (State::Begun(_) | State::Off) => other,
        };
        if let State::Begun(Begun { due, .. }) = &self.state {
            // Where one is due already, it takes these bytes as well.
            let _ = due.try_send(());
        }
    }

    fn begin(syncer: StagedSyncer) -> State {
        let (due, when_due) = channel(1);
        match thread::Builder::new().spawn(move || sync_when_due(syncer, when_due)) {
            Ok(thread) => State::Begun(Begun { due, thread }),
            Err(error) => {
                tracing::debug!(%error, "no thread is left; what is written is synced at the end");
                State::Off
            }
        }
    }

    /// Waits for the sync that is under way.
    ///
    /// # Errors
    /// What a sync has told, which no later one tells.
    pub(crate) fn end(self) -> io::Result<()> {
        let State::Begun(Begun { due, thread }) = self.state else { return Ok(()) };
        drop(due);
        let panicked = |_| Err(io::Error::other("bringing a file to the disk has panicked"));
        thread.join().unwrap_or_else(panicked)
    }
}

fn sync_when_due(mut syncer: StagedSyncer, mut when_due: Receiver<()>) -> io::Result<()> {
    while when_due.blocking_recv().is_some() {
        syncer.sync()?;
    }
    Ok(())
}
