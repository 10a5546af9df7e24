//! What a hub has been asked.

use std::{collections::BTreeMap, sync::Mutex};

use super::{fault::Asked, lock};

/// Which of the origins a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The hub itself.
    Hub,
    /// Another endpoint of the hub, which has no faults.
    Second,
    /// A store on another port, where only redirects lead.
    Other,
}

/// One request, and the status of its answer.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) origin: Origin,
    pub(crate) asked: Option<Asked>,
    pub(crate) line: String,
    /// Whether it carried an access token.
    pub(crate) with_token: bool,
    /// The status of the answer; `None` while there is none.
    pub(crate) status: Option<u16>,
}

/// Every request so far, in the order they came.
#[derive(Default)]
pub(crate) struct Log {
    seen: Mutex<Vec<Seen>>,
}

impl Log {
    /// Adds a request and returns its number.
    pub(crate) fn add(&self, seen: Seen) -> usize {
        let mut all = lock(&self.seen);
        all.push(seen);
        all.len() - 1
    }

    /// Notes the status of an answer.
    pub(crate) fn answered(&self, number: usize, status: u16) {
        if let Some(seen) = lock(&self.seen).get_mut(number) {
            seen.status = Some(status);
        }
    }

    /// Returns how many requests there were.
    pub(crate) fn len(&self) -> usize {
        lock(&self.seen).len()
    }

    /// Returns the requests after the first `from`.
    pub(crate) fn since(&self, from: usize) -> Vec<Seen> {
        lock(&self.seen).iter().skip(from).cloned().collect()
    }
}

/// Counts requests by kind. A redirect only says where to ask: a GET counts where it ends, which may be the store at the
/// other origin, and a HEAD where it begins.
pub(crate) fn count(seen: &[Seen]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in seen {
        let redirected = matches!(request.status, Some(300..=303 | 307 | 308));
        let word = match (request.asked, request.origin) {
            (Some(Asked::Get), Origin::Other) => "STORE",
            (Some(Asked::Head), Origin::Hub) => "HEAD",
            (Some(Asked::Get), Origin::Hub) if !redirected => "GET",
            (Some(Asked::Head), Origin::Second) => "HEAD2",
            (Some(Asked::Get), Origin::Second) if !redirected => "GET2",
            (Some(Asked::Api), Origin::Second) => "API2",
            (Some(Asked::Api), _) => "API",
            (Some(Asked::Head | Asked::Get) | None, _) => continue,
        };
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts
}

/// Counts the parts of files that were sent.
pub(crate) fn parts(seen: &[Seen]) -> u64 {
    seen.iter().filter(|request| request.status == Some(206)).count() as u64
}
