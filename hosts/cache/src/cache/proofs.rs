//! What is known of the content of files, by which file it is and which bytes it held.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
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
    Is(Etag),
    /// A record says that its hash is this etag. A record may be damaged, so it never speaks against a file.
    Recorded(Etag),
    /// Its hash is none of these etags.
    IsNone(Vec<Etag>),
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
    /// Says what is known without reading the file again.
    pub(crate) fn verdict(&self, etag: &Etag, identity: &Identity) -> Option<Verdict> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found.get(identity)? {
            Finding::Is(known) if known == etag => Some(Verdict::Holds),
            Finding::Is(known) if known.content_hash() == etag.content_hash() => {
                Some(Verdict::Torn)
            }
            Finding::Recorded(known) if known == etag => Some(Verdict::Holds),
            Finding::IsNone(others) if others.contains(etag) => Some(Verdict::Torn),
            Finding::Is(_) | Finding::Recorded(_) | Finding::IsNone(_) => None,
        }
    }

    /// Takes over what a record says, where nothing better is known.
    pub(crate) fn recall(&self, recorded: impl IntoIterator<Item = (Identity, Etag)>) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        for (identity, etag) in recorded {
            found.entry(identity).or_insert(Finding::Recorded(etag));
        }
    }

    /// Tells whether this file is proved to hold this content.
    pub(crate) fn vouch(&self, etag: &Etag, identity: &Identity) -> bool {
        self.verdict(etag, identity) == Some(Verdict::Holds)
    }

    pub(crate) fn holds(&self, etag: &Etag, identity: &Identity) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.insert(*identity, Finding::Is(etag.clone()));
    }

    pub(crate) fn torn(&self, etag: &Etag, identity: &Identity) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found.get_mut(identity) {
            Some(Finding::IsNone(others)) => others.push(etag.clone()),
            Some(Finding::Is(_)) => {}
            Some(Finding::Recorded(_)) | None => {
                found.insert(*identity, Finding::IsNone(vec![etag.clone()]));
            }
        }
    }
}
