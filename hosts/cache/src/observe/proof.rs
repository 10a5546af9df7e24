//! Which files are proved to hold the content of their etag.
//!
//! What we did not write ourselves is hashed on first use and never trusted by name or size (invariant I8). A proof is
//! remembered in the process, and on disk where reading the file again would cost more than remembering: a few lines
//! below the repo folder, bound to the identity of the file. A record that can't be written or read costs one more
//! reading, nothing else.

use std::io::{self, Read};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::{ContentHash, Etag},
};

use crate::{
    cache::proofs::Verdict,
    disk::{
        Entry, Identity, Kind,
        content::{Hasher, pass_through},
    },
    observe::view::{Recording, View},
};

/// Files from this size on have their proofs written down; a smaller one is hashed in about two milliseconds.
pub const RECORD_FROM_BYTES: u64 = 4 << 20;
/// How many files one record speaks of: the blob and some regular pointers.
const RECORD_LINES: usize = 16;
/// The most bytes of a record that are read.
const RECORD_LIMIT_BYTES: u64 = 8 << 10;

impl View {
    /// Tells whether the file at `at` (or what it leads to) holds the content of `etag`.
    ///
    /// # Errors
    /// A file that can't be read.
    pub(crate) fn proves(
        &self,
        layout: &RepoLayout,
        at: &CachePath,
        etag: &Etag,
        size: Option<u64>,
    ) -> io::Result<Verdict> {
        match self.cache.disk.through(at)? {
            Some(entry) => self.proves_entry(layout, at, etag, size, &entry),
            None => Ok(Verdict::Torn),
        }
    }

    /// As [`proves`](Self::proves), of what was just seen at `at` or behind it.
    pub(crate) fn proves_entry(
        &self,
        layout: &RepoLayout,
        at: &CachePath,
        etag: &Etag,
        size: Option<u64>,
        entry: &Entry,
    ) -> io::Result<Verdict> {
        if entry.kind != Kind::File || size.is_some_and(|size| size != entry.len_bytes) {
            return Ok(Verdict::Torn);
        }
        if etag.content_hash() == ContentHash::Opaque {
            return Ok(Verdict::Holds);
        }
        if let Some(verdict) = self.proofs.verdict(etag, &entry.identity) {
            return Ok(verdict);
        }
        if entry.len_bytes >= RECORD_FROM_BYTES && self.recorded(layout, etag, &entry.identity) {
            self.proofs.holds(etag, &entry.identity);
            return Ok(Verdict::Holds);
        }
        tracing::debug!(path = %at, bytes = entry.len_bytes, "hashing a file that nothing has proved yet");
        let mut file = self.cache.disk.open(at)?;
        let mut hasher = Hasher::new(etag, Some(entry.len_bytes));
        pass_through(&mut *file, &mut hasher, &self.cancel, |_| Ok(()))?;
        if let Err(found) = hasher.finish() {
            tracing::debug!(path = %at, %etag, %found, "a file does not hold the content");
            self.proofs.torn(etag, &entry.identity);
            return Ok(Verdict::Torn);
        }
        self.proved(layout, at, etag, entry);
        Ok(Verdict::Holds)
    }

    /// Remembers that the file at `at` was proved while it was `entry`; a file that changed meanwhile proves nothing.
    fn proved(&self, layout: &RepoLayout, at: &CachePath, etag: &Etag, entry: &Entry) {
        let unchanged = matches!(self.cache.disk.through(at), Ok(Some(now)) if now == *entry);
        if unchanged {
            self.remember(layout, etag, entry);
        }
    }

    fn remember(&self, layout: &RepoLayout, etag: &Etag, entry: &Entry) {
        self.proofs.holds(etag, &entry.identity);
        if let Some(memo) = self.memo_of(layout) {
            memo.proved_anew();
        }
        if self.recording == Recording::Allowed && entry.len_bytes >= RECORD_FROM_BYTES {
            self.record(layout, etag, &entry.identity);
        }
    }

    /// Remembers that this process has just published verified content at `at`, unless somebody has put something else
    /// there since: `made` is what it was under its private name.
    pub(crate) fn published(&self, layout: &RepoLayout, at: &CachePath, etag: &Etag, made: &Entry) {
        match self.cache.disk.through(at) {
            Ok(Some(entry)) if entry.identity.same_content(&made.identity) => {
                self.remember(layout, etag, &entry);
            }
            Ok(_) | Err(_) => {}
        }
    }

    fn record_lines(&self, layout: &RepoLayout, etag: &Etag) -> Vec<String> {
        let read = || -> io::Result<String> {
            let mut text = String::new();
            let file = self.cache.disk.open(&layout.proof(etag))?;
            file.take(RECORD_LIMIT_BYTES).read_to_string(&mut text)?;
            Ok(text)
        };
        read().map_or_else(|_| Vec::new(), |text| text.lines().map(str::to_owned).collect())
    }

    fn recorded(&self, layout: &RepoLayout, etag: &Etag, identity: &Identity) -> bool {
        let ours = identity.to_string();
        self.record_lines(layout, etag).contains(&ours)
    }

    fn record(&self, layout: &RepoLayout, etag: &Etag, identity: &Identity) {
        let (mut lines, ours) = (self.record_lines(layout, etag), identity.to_string());
        if lines.contains(&ours) {
            return;
        }
        lines.insert(0, ours);
        lines.truncate(RECORD_LINES);
        let content = lines.join("\n") + "\n";
        if let Err(error) = self.write_whole(layout, &layout.proof(etag), content.as_bytes()) {
            tracing::debug!(%etag, %error, "a proof could not be written down");
        }
    }
}
