//! What is known of the content of files, by which file it is and which bytes it held.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use hubstow_core::name::Etag;

use crate::disk::Identity;

/// What this process knows of files without reading them again.
#[derive(Default)]
pub(crate) struct Proofs {
    found: Mutex<HashMap<Identity, Finding>>,
}

/// What was found when a file was read.
enum Finding {
    /// Its hash is this etag, so it is no other of the same kind.
    Is(Etag, Since),
    /// A record says that its hash is this etag. A record may be damaged, so it never speaks against a file.
    Recorded(Etag),
    /// Its hash is none of these etags.
    IsNone(Vec<Etag>),
}

/// Since when a file has been what it was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Since {
    /// For long enough: any change would show in its times.
    Long,
    /// It may have been changed since this moment without showing it.
    Moment(Instant),
}

/// Whether a file holds the content of an etag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does: size and, where the etag is a hash, hash match.
    Holds,
    /// It does not.
    Torn,
}

impl Proofs {
    /// Says what is known without reading the file again. What was found of a file that had just been changed counts for
    /// one tick of its disk's clock; after that a change would show, so it is read once more.
    pub(crate) fn verdict(
        &self,
        etag: &Etag,
        identity: &Identity,
        tick: Duration,
    ) -> Option<Verdict> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found.get(identity)? {
            Finding::Is(_, Since::Moment(moment)) if moment.elapsed() >= tick => None,
            Finding::Is(known, _) if known == etag => Some(Verdict::Holds),
            Finding::Is(known, _) if known.content_hash() == etag.content_hash() => {
                Some(Verdict::Torn)
            }
            Finding::Recorded(known) if known == etag => Some(Verdict::Holds),
            Finding::IsNone(others) if others.contains(etag) => Some(Verdict::Torn),
            Finding::Is(..) | Finding::Recorded(_) | Finding::IsNone(_) => None,
        }
    }

    /// Takes over what a record says, where nothing better is known.
    pub(crate) fn recall(&self, recorded: impl IntoIterator<Item = (Identity, Etag)>) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        for (identity, etag) in recorded {
            found.entry(identity).or_insert(Finding::Recorded(etag));
        }
    }

    /// Tells whether this file is proved to hold this content for as long as its times stay.
    pub(crate) fn vouch(&self, etag: &Etag, identity: &Identity) -> bool {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found.get(identity) {
            Some(Finding::Is(known, Since::Long) | Finding::Recorded(known)) => known == etag,
            Some(Finding::Is(_, Since::Moment(_)) | Finding::IsNone(_)) | None => false,
        }
    }

    /// Tells whether a file was found as it is at least so long ago.
    pub(crate) fn is_known_for(&self, identity: &Identity, time: Duration) -> bool {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found.get(identity) {
            Some(Finding::Is(_, Since::Moment(moment))) => moment.elapsed() >= time,
            Some(Finding::Is(_, Since::Long)) => true,
            Some(Finding::Recorded(_) | Finding::IsNone(_)) | None => false,
        }
    }

    /// Returns the etag whose content a file is proved to hold.
    #[cfg(feature = "care")]
    pub(crate) fn etag_of(&self, identity: &Identity, tick: Duration) -> Option<Etag> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found.get(identity)? {
            Finding::Is(_, Since::Moment(moment)) if moment.elapsed() >= tick => None,
            Finding::Is(known, _) | Finding::Recorded(known) => Some(known.clone()),
            Finding::IsNone(_) => None,
        }
    }

    /// A file has got or lost a name, and is what it was.
    #[cfg(feature = "care")]
    pub(crate) fn carry_over(&self, before: &Identity, now: &Identity) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let finding = match found.get(before) {
            Some(Finding::Is(etag, since)) => Finding::Is(etag.clone(), *since),
            Some(Finding::Recorded(etag)) => Finding::Recorded(etag.clone()),
            Some(Finding::IsNone(_)) | None => return,
        };
        found.insert(*now, finding);
    }

    pub(crate) fn holds(&self, etag: &Etag, identity: &Identity, since: Since) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(*identity, Finding::Is(etag.clone(), since));
    }

    /// A file was read and is not what was known of it: its times do not tell all of its changes.
    pub(crate) fn refuted(&self, etag: &Etag, identity: &Identity) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(*identity, Finding::IsNone(vec![etag.clone()]));
    }

    pub(crate) fn torn(&self, etag: &Etag, identity: &Identity) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found.get_mut(identity) {
            Some(Finding::IsNone(others)) => others.push(etag.clone()),
            Some(Finding::Is(_, Since::Long)) => {}
            Some(Finding::Is(_, Since::Moment(_)) | Finding::Recorded(_)) | None => {
                found.insert(*identity, Finding::IsNone(vec![etag.clone()]));
            }
        }
    }
}
