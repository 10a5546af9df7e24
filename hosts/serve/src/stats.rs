//! What is counted since the start: requests, bytes, open files, and who fetched what.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::http::{Method, StatusCode};
use hubstow_core::name::Repo;

use crate::upstream::Via;

/// The most rows of who fetched what; the one unseen for longest goes.
const ROW_LIMIT: usize = 1000;
/// The methods that are counted apart; all others together.
pub(crate) const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "other"];
/// The classes of status.
pub(crate) const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// How answers may have been had.
const VIAS: [Via; 4] = [Via::Hit, Via::Miss, Via::Filling, Via::Passed];

/// The counts of one server.
#[derive(Debug)]
pub(crate) struct Stats {
    started: Instant,
    /// By method and class of status.
    requests: [[AtomicU64; CLASSES.len()]; METHODS.len()],
    sent_bytes: AtomicU64,
    open_files: Arc<AtomicU64>,
    /// By how answers were had.
    via: [AtomicU64; VIAS.len()],
    rows: Mutex<HashMap<(Option<IpAddr>, Repo), Row>>,
}

#[derive(Debug)]
struct Row {
    requests: u64,
    sent_bytes: u64,
    seen: Instant,
}

/// What one client fetched of one repo.
#[derive(Clone, Debug)]
pub(crate) struct Fetched {
    pub(crate) client: Option<IpAddr>,
    pub(crate) repo: Repo,
    pub(crate) requests: u64,
    pub(crate) sent_bytes: u64,
    /// When it last asked.
    pub(crate) seen: Instant,
}

/// Counts a file as open until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenFile(Arc<AtomicU64>);

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            requests: Default::default(),
            sent_bytes: AtomicU64::default(),
            open_files: Arc::default(),
            via: Default::default(),
            rows: Mutex::default(),
        }
    }
}

impl Stats {
    /// Counts an answer that has been sent, whole or not.
    pub(crate) fn answered(&self, method: &Method, status: StatusCode, sent_bytes: u64) {
        let at = METHODS.iter().position(|name| *name == method.as_str());
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        let row = self.requests.get(at.unwrap_or(METHODS.len() - 1));
        if let Some(count) = row.and_then(|row| row.get(class)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sent_bytes.fetch_add(sent_bytes, Ordering::Relaxed);
    }

    /// Remembers who was answered about which repo; only where there is such a repo, since names can be made up.
    pub(crate) fn fetched(&self, client: Option<IpAddr>, repo: &Repo, sent_bytes: u64) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (client, repo.clone());
        if rows.len() >= ROW_LIMIT && !rows.contains_key(&key) {
            let oldest = rows.iter().min_by_key(|(_, row)| row.seen).map(|(key, _)| key.clone());
            oldest.map(|key| rows.remove(&key));
        }
        let row = rows.entry(key).or_insert(Row { requests: 0, sent_bytes: 0, seen: self.started });
        row.requests += 1;
        row.sent_bytes += sent_bytes;
        row.seen = Instant::now();
    }

    /// Counts how an answer was had.
    pub(crate) fn had(&self, via: Via) {
        let counts = VIAS.iter().zip(&self.via);
        for (_, count) in counts.filter(|(at, _)| **at == via) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns how many answers were had in which way.
    pub(crate) fn vias(&self) -> impl Iterator<Item = (Via, u64)> {
        VIAS.iter().zip(&self.via).map(|(via, count)| (*via, count.load(Ordering::Relaxed)))
    }

    /// Counts a file as open.
    pub(crate) fn open_file(&self) -> OpenFile {
        self.open_files.fetch_add(1, Ordering::Relaxed);
        OpenFile(Arc::clone(&self.open_files))
    }

    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    pub(crate) fn open_files(&self) -> u64 {
        self.open_files.load(Ordering::Relaxed)
    }

    pub(crate) fn sent_bytes(&self) -> u64 {
        self.sent_bytes.load(Ordering::Relaxed)
    }

    /// Returns the counts by method and class of status.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        METHODS.iter().zip(&self.requests).flat_map(|(method, row)| {
            let counts = CLASSES.iter().zip(row);
            counts.map(|(class, count)| (*method, *class, count.load(Ordering::Relaxed)))
        })
    }

    /// Returns who fetched what, the latest first.
    pub(crate) fn rows(&self) -> Vec<Fetched> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rows: Vec<Fetched> = rows
            .iter()
            .map(|((client, repo), row)| Fetched {
                client: *client,
                repo: repo.clone(),
                requests: row.requests,
                sent_bytes: row.sent_bytes,
                seen: row.seen,
            })
            .collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.seen));
        rows
    }
}

#[cfg(test)]
mod tests {
    use hubstow_core::name::{RepoId, RepoKind};

    use super::*;

    #[test]
    fn the_table_of_who_fetched_what_is_bounded_and_keeps_the_latest() {
        let stats = Stats::default();
        let repo = |number: usize| {
            Repo::new(RepoKind::Model, RepoId::parse(&format!("org/m{number}")).unwrap())
        };
        for number in 0..=ROW_LIMIT {
            stats.fetched(None, &repo(number), 1);
        }
        stats.fetched(None, &repo(ROW_LIMIT), 2);
        let rows = stats.rows();
        assert_eq!(rows.len(), ROW_LIMIT);
        let latest = rows.first().unwrap();
        assert_eq!((&latest.repo, latest.requests, latest.sent_bytes), (&repo(ROW_LIMIT), 2, 3));
        assert!(!rows.iter().any(|row| row.repo == repo(0)));
    }
}
