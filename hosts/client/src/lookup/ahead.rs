//! An answer that has come ahead of the fetch that it is the first of.
//!
//! Whoever is certain to fetch a file can ask what it is by the request that fetches it, which costs one delay less. Until the body is
//! received, the hub waits to send on and the answer has its place in the gate, for which somebody else may wait who has what
//! the fetch waits for. So it is kept for a moment only, however long the fetch takes to begin.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::http::{address::Address, endpoints::SiteId, transport::Response};

/// How long an answer is kept for the fetch.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// An answer that brings a whole file, of which nothing has been received.
pub(crate) struct AnswerAhead {
    /// Where it came from in the end.
    pub(crate) from: Address,
    pub(crate) answer: Response,
    /// How long it took.
    pub(crate) delay: Duration,
    /// The endpoint that was asked.
    pub(crate) site: SiteId,
}

/// Such an answer, if there is one and it has not been kept for too long. A copy has none.
#[derive(Default)]
pub(crate) struct Ahead(Arc<Mutex<Option<AnswerAhead>>>);

impl Ahead {
    /// Keeps an answer for a moment.
    pub(crate) fn keep(answer: AnswerAhead) -> Self {
        let kept = Arc::new(Mutex::new(Some(answer)));
        let whatever_happens = Arc::downgrade(&kept);
        tokio::spawn(async move {
            tokio::time::sleep(KEPT_FOR).await;
            if let Some(kept) = whatever_happens.upgrade() {
                drop(Self(kept).take());
            }
        });
        Self(kept)
    }

    /// Leaves the answer to somebody else as well; the first who takes it has it.
    pub(crate) fn share(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    pub(crate) fn take(&self) -> Option<AnswerAhead> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Clone for Ahead {
    fn clone(&self) -> Self {
        Self::default()
    }
}
