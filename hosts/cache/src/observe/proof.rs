//! Which files are proved to hold the content of their etag.
//!
//! What we did not write ourselves is hashed on first use and never trusted by name or size (invariant I8). A proof is
//! remembered in the process, and on disk where reading the file again would cost more than remembering: a few lines
//! below the repo folder, bound to the identity of the file. A record that can't be written or read, or is of another
//! format, costs one more reading, nothing else.
//!
//! What was read of a file that had just been changed is not written down, and counts in this process for a moment only,
//! see `settled`. What this process has published itself is written down at once: its bytes passed the
//! hasher on their way to a private file that was locked, and whoever has the public name only since then changes it in a
//! later tick. Only where times are whole seconds, as on FAT, that is no promise: there the next run reads it once.

use std::{io, time::Instant};

use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::{ContentHash, Etag},
};

use crate::{
    cache::{
        Cache,
        clock::TICK,
        proofs::{Since, Verdict},
    },
    disk::{
        Entry, Identity, Kind,
        content::{Hasher, pass_through},
        failure::{ErrorGroup, group, with_causes},
    },
    observe::{settled::has_short_ticks, view::View},
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
        if let Some(verdict) = self.knows(layout, etag, size, entry) {
            if verdict == Verdict::Holds {
                self.check_readable(at, entry)?;
            }
            return Ok(verdict);
        }
        tracing::debug!(path = %at, bytes = entry.len_bytes, "hashing a file that nothing has proved yet");
        let since = self.since(layout, entry);
        let mut file = self.cache.disk.open(at)?;
        let mut hasher = Hasher::new(etag, Some(entry.len_bytes));
        pass_through(&mut *file, &mut hasher, &self.cancel, |_| Ok(()))?;
        if let Err(found) = hasher.finish() {
            tracing::debug!(path = %at, %etag, %found, "a file does not hold the content");
            self.proofs.torn(etag, &entry.identity);
            return Ok(Verdict::Torn);
        }
        // A file that changed meanwhile proves nothing.
        match self.cache.disk.through(at) {
            Ok(Some(now)) if now.identity == entry.identity => {
                self.remember(layout, etag, entry, since);
            }
            Ok(_) | Err(_) => {}
        }
        Ok(Verdict::Holds)
    }

    /// Makes sure that this user may read a file of which nothing is read now: somebody else has proved it, or nothing can.
    ///
    /// # Errors
    /// It is closed to this user.
    pub(crate) fn check_readable(&self, at: &CachePath, entry: &Entry) -> io::Result<()> {
        if entry.readable_by_all {
            return Ok(());
        }
        match self.cache.disk.open(at) {
            Err(error) if group(&error) == ErrorGroup::Denied => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Takes over that a file was read whole and holds the content, unless it has changed meanwhile: `entry` and `since` are
    /// of before.
    #[cfg(feature = "care")]
    pub(crate) fn proved_anew(
        &self,
        layout: &RepoLayout,
        at: &CachePath,
        etag: &Etag,
        entry: &Entry,
        since: Since,
    ) {
        match self.cache.disk.through(at) {
            Ok(Some(now)) if now.identity == entry.identity => {
                self.remember(layout, etag, entry, since);
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// Takes over that a file was read whole and does not hold the content, whatever was known of it: what has been written
    /// down of it goes.
    #[cfg(feature = "care")]
    pub(crate) fn disproved(&self, layout: &RepoLayout, etag: &Etag, identity: &Identity) {
        self.proofs.refuted(etag, identity);
        if self.is_looking_only() {
            return;
        }
        for place in self.record_places() {
            let wrong = identity.to_line(place.disk_of_records(layout));
            let mut lines = record_lines(place, layout, etag);
            let before = lines.len();
            lines.retain(|line| *line != wrong);
            if lines.len() < before {
                let content = lines.iter().fold(String::new(), |text, line| text + line + "\n");
                let written = place.write_record(layout, &layout.proof(etag), content.as_bytes());
                if let Err(error) = written {
                    tracing::debug!(%etag, error = %with_causes(&error), "a wrong proof stays");
                }
            }
        }
        self.strike_from_snapshots(layout, etag, identity);
    }

    /// Says whether a file holds the content of `etag`, where that is known without reading it.
    pub(crate) fn knows(
        &self,
        layout: &RepoLayout,
        etag: &Etag,
        size: Option<u64>,
        entry: &Entry,
    ) -> Option<Verdict> {
        if entry.kind != Kind::File || size.is_some_and(|size| size != entry.len_bytes) {
            return Some(Verdict::Torn);
        }
        if etag.content_hash() == ContentHash::Opaque {
            return Some(Verdict::Holds);
        }
        if let Some(verdict) = self.proofs.verdict(etag, &entry.identity, TICK) {
            return Some(verdict);
        }
        if entry.len_bytes >= RECORD_FROM_BYTES && self.recorded(layout, etag, &entry.identity) {
            self.proofs.holds(etag, &entry.identity, Since::Long);
            return Some(Verdict::Holds);
        }
        None
    }

    /// Says since when a file that is about to be read has been what it is. It is not found out for what no record will
    /// speak of.
    pub(crate) fn since(&self, layout: &RepoLayout, entry: &Entry) -> Since {
        let now = Since::Moment(Instant::now());
        let recorded = self.memo_of(layout).is_some() || entry.len_bytes >= RECORD_FROM_BYTES;
        let settled = self.proofs.is_known_for(&entry.identity, TICK)
            || recorded && self.is_settled(layout, &entry.identity);
        if settled { Since::Long } else { now }
    }

    fn remember(&self, layout: &RepoLayout, etag: &Etag, entry: &Entry, since: Since) {
        self.proofs.holds(etag, &entry.identity, since);
        if since != Since::Long {
            return;
        }
        if let Some(memo) = self.memo_of(layout) {
            memo.proved_anew();
        }
        if !self.is_looking_only() && entry.len_bytes >= RECORD_FROM_BYTES {
            self.record(layout, etag, &entry.identity);
        }
    }

    /// Remembers that this process has just published verified content at `at`, unless somebody has put something else
    /// there since: `made` is what it was under its private name.
    pub(crate) fn published(&self, layout: &RepoLayout, at: &CachePath, etag: &Etag, made: &Entry) {
        match self.cache.disk.through(at) {
            Ok(Some(entry)) if entry.identity.same_content(&made.identity) => {
                let short = has_short_ticks(&entry.identity);
                let since = if short { Since::Long } else { Since::Moment(Instant::now()) };
                self.remember(layout, etag, &entry, since);
            }
            Ok(_) | Err(_) => {}
        }
    }

    fn recorded(&self, layout: &RepoLayout, etag: &Etag, identity: &Identity) -> bool {
        self.record_places().any(|place| {
            let lines = record_lines(place, layout, etag);
            !lines.is_empty() && lines.contains(&identity.to_line(place.disk_of_records(layout)))
        })
    }

    fn record(&self, layout: &RepoLayout, etag: &Etag, identity: &Identity) {
        let Some(place) = self.place_for_records(layout) else { return };
        let mut lines = record_lines(place, layout, etag);
        let ours = identity.to_line(place.disk_of_records(layout));
        if lines.contains(&ours) {
            return;
        }
        lines.insert(0, ours);
        lines.truncate(RECORD_LINES);
        let content = lines.join("\n") + "\n";
        if let Err(error) = place.write_record(layout, &layout.proof(etag), content.as_bytes()) {
            tracing::debug!(%etag, error = %with_causes(&error), "a proof could not be written down");
        }
    }
}

/// Returns the lines of the record of an etag.
fn record_lines(place: &Cache, layout: &RepoLayout, etag: &Etag) -> Vec<String> {
    let content = place.read_record(layout, &layout.proof(etag), RECORD_LIMIT_BYTES);
    str::from_utf8(&content)
        .map_or_else(|_| Vec::new(), |text| text.lines().map(str::to_owned).collect())
}
