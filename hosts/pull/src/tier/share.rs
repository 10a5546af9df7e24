//! One fill as far as the tier has to do with it: where it comes from, and what the tier gets when it has come.

use std::{
    ops::Range,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hubstow_client::{Arrivals, FoundFile, Intervals, StagedReader};
use hubstow_tier::ObjectId;

use super::{Member, reading::Lent};
use crate::feed::Feed;

/// A fill as far as the tier has to do with it.
pub(crate) struct Share {
    pub(super) found: FoundFile,
    pub(super) part: Option<Part>,
}

pub(super) struct Part {
    member: Arc<Member>,
    id: ObjectId,
    role: Role,
    /// Whether what had come was dropped.
    is_dropped: Arc<AtomicBool>,
}

pub(super) enum Role {
    /// The tier has it.
    Reading(Lent),
    /// The node brings it, and the others wait for that.
    Bringing(Held),
    /// The node brings it for itself.
    Alone,
}

/// A claim, which is given back when the value goes.
pub(super) struct Held {
    pub(super) member: Arc<Member>,
    pub(super) number: u64,
}

impl Held {
    /// Gives the claim back, and waits until that is done.
    pub(super) async fn release(self) {
        let claim = self.member.claims().remove(&self.number);
        if let Some(claim) = claim {
            claim.release().await;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let claim = self.member.claims().remove(&self.number);
        // Without a runtime the process ends, and the claim lapses.
        if let (Some(claim), Ok(runtime)) = (claim, tokio::runtime::Handle::try_current()) {
            runtime.spawn(claim.release());
        }
    }
}

impl Part {
    pub(super) fn new(member: &Arc<Member>, id: ObjectId, role: Role) -> Self {
        Self { member: Arc::clone(member), id, role, is_dropped: Arc::default() }
    }
}

impl Share {
    /// Returns what is to be fetched, and from where.
    pub(crate) fn found(&self) -> &FoundFile {
        &self.found
    }

    /// Returns whom the engine tells of what arrives.
    pub(crate) fn watched(&self, feed: &Arc<Feed>) -> Arc<dyn Arrivals> {
        match &self.part {
            Some(Part { role: Role::Reading(_), is_dropped, .. }) => {
                let (feed, is_dropped) = (Arc::clone(feed), Arc::clone(is_dropped));
                Arc::new(Watched { feed, is_dropped })
            }
            Some(Part { role: Role::Bringing(_) | Role::Alone, .. }) | None => {
                Arc::clone(feed) as Arc<_>
            }
        }
    }

    /// The content is in its place, proved. What the tier has not is put there in the background.
    pub(crate) fn came(self, path: PathBuf) {
        let Some(Part { member, id, role, is_dropped }) = self.part else { return };
        match role {
            Role::Reading(lent) => {
                let was_wrong = is_dropped.load(Ordering::Acquire);
                if was_wrong || lent.reading().has_failed() {
                    member.keep(id, path, None, was_wrong);
                }
            }
            Role::Bringing(held) => member.keep(id, path, Some(held), false),
            Role::Alone => member.keep(id, path, None, false),
        }
    }

    /// The content did not come.
    pub(crate) fn failed(self) {
        let Some(Part { member, id, role, is_dropped }) = self.part else { return };
        if let Role::Reading(_) = role
            && is_dropped.load(Ordering::Acquire)
        {
            member.doubt(id);
        }
    }
}

/// Notices that what has come from the tier was dropped, which is what happens to the wrong bytes.
struct Watched {
    feed: Arc<Feed>,
    is_dropped: Arc<AtomicBool>,
}

impl Arrivals for Watched {
    fn begun(&self, reader: StagedReader, held: &Intervals) {
        self.feed.begun(reader, held);
    }

    fn arrived(&self, bytes: Range<u64>) {
        self.feed.arrived(bytes);
    }

    fn dropped(&self) {
        self.is_dropped.store(true, Ordering::Release);
        self.feed.dropped();
    }

    fn proved(&self) {
        self.feed.proved();
    }
}
