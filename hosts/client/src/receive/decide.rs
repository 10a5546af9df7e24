//! What follows when a try has ended: try again, start over, ask elsewhere, or give up.
//!
//! It sends nothing, waits for nothing and tells nobody; only how long a wait is holds some chance.

#[cfg(test)]
mod tests;

use std::time::Duration;

use hubstow_core::hub::{Backoff, Retry};

use super::verdict::{Cause, Verdict};
use crate::http::{gate::is_waited_for, retry::Retries, xet::StoreFailure};

/// Whether the hub has another endpoint that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Others {
    Left,
    None,
}

/// How often content that does not match is fetched: once more, since an earlier part may have been continued.
const MISMATCH_LIMIT: u32 = 2;
/// How often the store is asked again when it brought nothing new before it failed.
const STORE_RETRY_LIMIT: u32 = 1;

/// Where content is received from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentSource {
    /// The Xet store.
    XetStore,
    /// The hub, and where it redirects to.
    Hub,
}

/// Which address the hub is asked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// Where it said that the content is.
    Named,
    /// Its own address of the content, by commit.
    Pinned,
}

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing: the content is here and right.
    Done,
    /// What has come is verified.
    Verify,
    /// It is tried again from what is here, after a wait.
    Again { after: Duration },
    /// What is here is dropped, and it is tried again.
    StartOver { after: Duration },
    /// What is here is wrong; all of it is fetched from the pinned address.
    Anew,
    /// The pinned address is asked.
    FromPinned,
    /// The hub is asked instead of the Xet store.
    FromHub,
    /// The next endpoint of the hub is asked, from what is here.
    Elsewhere,
    /// What is meant is asked again.
    AskAgain,
    /// Nothing more can be done.
    GiveUp,
}

/// How the fetching of one file stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) source: ContentSource,
    pub(crate) at: At,
    /// On how many connections it may be received at most.
    pub(crate) connections: usize,
    backoff: Backoff,
    retries: Retries,
    mismatches: u32,
}

impl Standing {
    pub(crate) fn new(source: ContentSource, at: At, connections: usize, backoff: Backoff) -> Self {
        let retries = Retries::new(backoff);
        Self { source, at, connections, backoff, retries, mismatches: 0 }
    }

    /// Returns how many retries have been counted since something came.
    pub(crate) fn retries(&self) -> u32 {
        self.retries.count()
    }

    /// Says what follows when a try has ended so, with so many bytes here.
    pub(crate) fn next(&mut self, ended: &Verdict, received_bytes: u64, others: Others) -> Next {
        if let Some(outage) = ended.outage().filter(|_| others == Others::Left) {
            self.retries.progressed(received_bytes);
            let is_waited_for = matches!(ended, Verdict::Failing { cause: Cause::Status(status), wait }
                if is_waited_for(*status, *wait));
            if is_waited_for || outage.is_enough(self.retries.count()) {
                return self.elsewhere(received_bytes);
            }
        }
        let again = |after| Next::Again { after };
        match ended {
            Verdict::Verified => Next::Done,
            Verdict::Received => Next::Verify,
            Verdict::Broke(_) => self.retry(received_bytes, None, again),
            Verdict::Failing { cause: Cause::Status(status), wait }
                if is_waited_for(*status, *wait) =>
            {
                Next::GiveUp
            }
            Verdict::Failing { wait, .. } => self.retry(received_bytes, *wait, again),
            Verdict::NotSplit(_) => {
                self.connections = 1;
                self.retry(received_bytes, Some(Duration::ZERO), again)
            }
            Verdict::Crowded { wait, .. } => {
                self.connections = (self.connections / 2).max(1);
                self.retry(received_bytes, *wait, again)
            }
            Verdict::NoRange(_) => {
                self.retry(0, Some(Duration::ZERO), |after| Next::StartOver { after })
            }
            Verdict::Wrong(_) => self.mismatch(),
            Verdict::Expired(_) | Verdict::Gone(_) if self.at == At::Named => {
                self.at = At::Pinned;
                Next::FromPinned
            }
            Verdict::Gone(_) | Verdict::OtherContent => Next::AskAgain,
            Verdict::Expired(_)
            | Verdict::Unreachable(_)
            | Verdict::Unusable(_)
            | Verdict::Disk(_)
            | Verdict::Undecided(_) => Next::GiveUp,
            Verdict::Store(failure) => self.store_failed(failure, received_bytes),
        }
    }

    /// The next endpoint counts its retries from the beginning. Where the first said that the content is, is no address of it.
    fn elsewhere(&mut self, received_bytes: u64) -> Next {
        self.at = At::Pinned;
        self.retries = Retries::new(self.backoff);
        self.retries.progressed(received_bytes);
        Next::Elsewhere
    }

    /// Counts a retry, if there is one left. Starting over is no progress, and neither is what was here before.
    fn retry(
        &mut self,
        received_bytes: u64,
        asked: Option<Duration>,
        next: impl FnOnce(Duration) -> Next,
    ) -> Next {
        self.retries.progressed(received_bytes);
        match self.retries.next_wait() {
            Some(wait) => next(asked.unwrap_or(wait)),
            None => Next::GiveUp,
        }
    }

    /// Wrong content may have come from a store or through ranges; the second time neither is used. Then what was promised may
    /// be wrong.
    fn mismatch(&mut self) -> Next {
        self.mismatches += 1;
        if self.mismatches >= MISMATCH_LIMIT {
            return Next::AskAgain;
        }
        (self.source, self.at, self.connections) = (ContentSource::Hub, At::Pinned, 1);
        Next::Anew
    }

    /// The hub counts its retries from the beginning.
    fn store_failed(&mut self, failure: &StoreFailure, received_bytes: u64) -> Next {
        self.retries.progressed(received_bytes);
        if failure.retry() == Retry::Yes
            && self.retries.count() < STORE_RETRY_LIMIT
            && let Some(after) = self.retries.next_wait()
        {
            return Next::Again { after };
        }
        self.source = ContentSource::Hub;
        self.retries = Retries::new(self.backoff);
        self.retries.progressed(received_bytes);
        Next::FromHub
    }
}
