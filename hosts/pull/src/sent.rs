//! What clients may hold of a content that nobody has proved.
//!
//! Some clients go on by themselves after a failure, with what they have, and others put a file together from ranges. What was sent
//! before its proof is right only if what is proved then goes on with just that; else whoever has it must begin again.

use hubstow_client::Intervals;
use hubstow_core::name::{Etag, Repo};

use crate::{
    bounded::Bounded,
    limits::{REMEMBERED, SENT_RANGES, SPOILT_FOR},
};

/// A content: what it is, in which repo.
pub(crate) type Key = (Repo, Etag);

/// What was sent of which contents.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Of these, something else.
    spoilt: Bounded<Key, ()>,
    /// Of these, something that nobody has proved, and that nobody fetches on now.
    unproved: Bounded<Key, Intervals>,
}

impl Default for Sent {
    fn default() -> Self {
        let spoilt = Bounded::new(REMEMBERED, SPOILT_FOR);
        Self { spoilt, unproved: Bounded::new(REMEMBERED, SPOILT_FOR) }
    }
}

impl Sent {
    /// Something else was sent.
    pub(crate) fn spoil(&self, key: &Key) {
        let (repo, etag) = key;
        tracing::warn!(%repo, %etag, "what was sent of it is not what comes now");
        self.spoilt.learn(key.clone(), ());
        self.unproved.forget(key);
    }

    pub(crate) fn is_spoilt(&self, key: &Key) -> bool {
        self.spoilt.recall(key, SPOILT_FOR).is_some()
    }

    /// These were sent, and whoever fetches has ended before the proof.
    pub(crate) fn leave(&self, key: &Key, sent: &Intervals) {
        if !sent.is_empty() {
            self.unproved.learn(key.clone(), sent.clone());
        }
    }

    /// Returns what was sent of a content that was not proved.
    pub(crate) fn unproved(&self, key: &Key) -> Intervals {
        self.unproved.recall(key, SPOILT_FOR).unwrap_or_default()
    }

    /// All that was sent is right.
    pub(crate) fn proved(&self, key: &Key) {
        self.unproved.forget(key);
    }
}

/// Adds a range to what was sent; where it would be too much to remember, all before the last byte counts as sent.
pub(crate) fn note(sent: &mut Intervals, range: std::ops::Range<u64>) {
    sent.insert(range);
    if sent.iter().nth(SENT_RANGES).is_some() {
        *sent = Intervals::prefix(sent.end());
    }
}
