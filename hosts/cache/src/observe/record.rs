//! The record of a snapshot: which files were proved to hold their content when it was last completed.
//!
//! It is read once at the start of an operation on many files, so that nothing that is still the same file is hashed again, and
//! written once at its end where something new was proved. One line for each file: etag and identity. A line that makes no
//! sense, or no longer fits, costs one reading of that file and nothing else; a record never speaks against a file.

use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
};

use hubstow_core::{
    layout::RepoLayout,
    name::{Commit, ContentHash, Etag},
};

use crate::{
    cache::target::Target,
    disk::{Identity, failure::with_causes},
    observe::{memo::Memo, view::View},
};

/// The most files that a record speaks of.
const LINE_LIMIT: usize = 100_000;
/// The most bytes of a record that are read: five times what 20,000 files take.
const LIMIT_BYTES: u64 = 16 << 20;
/// How many other snapshots' records are read where a snapshot has none: its files may be theirs.
const OTHERS_LIMIT: usize = 4;

impl View {
    /// Reads what earlier runs have proved of a snapshot, or, where they have not had it, of others of its repo.
    pub fn recall_proofs(&self, layout: &RepoLayout, commit: &Commit) {
        if self.recall(layout, commit) {
            return;
        }
        let names = self.cache.disk.names(&layout.proofs()).unwrap_or_default();
        let others = names.iter().filter_map(|name| RepoLayout::parse_snapshot_proofs(name));
        for other in others.take(OTHERS_LIMIT).take_while(|_| !self.cancel.is_cancelled()) {
            self.recall(layout, &other);
        }
    }

    /// Returns which content the files of a snapshot were proved to hold, by what each was then: where nothing else names what a
    /// regular file holds. It is no proof by itself.
    #[must_use]
    pub fn proved_etags(&self, layout: &RepoLayout, commit: &Commit) -> HashMap<Identity, Etag> {
        let mut found = HashMap::new();
        for place in self.record_places() {
            let content = place.read_record(layout, &layout.snapshot_proofs(commit), LIMIT_BYTES);
            found.extend(proofs_in(&content, place.disk_of_records(layout)));
        }
        found
    }

    fn recall(&self, layout: &RepoLayout, commit: &Commit) -> bool {
        let mut found = false;
        for place in self.record_places() {
            let content = place.read_record(layout, &layout.snapshot_proofs(commit), LIMIT_BYTES);
            found |= !content.is_empty();
            self.proofs.recall(proofs_in(&content, place.disk_of_records(layout)));
        }
        found
    }

    /// Takes what is not so out of the records of all snapshots.
    #[cfg(feature = "care")]
    pub(crate) fn strike_from_snapshots(
        &self,
        layout: &RepoLayout,
        etag: &Etag,
        identity: &Identity,
    ) {
        for place in self.record_places() {
            let wrong = format!("{etag} {}", identity.to_line(place.disk_of_records(layout)));
            let names = place.disk.names(&layout.proofs()).unwrap_or_default();
            for commit in names.iter().filter_map(|name| RepoLayout::parse_snapshot_proofs(name)) {
                let at = layout.snapshot_proofs(&commit);
                let old = place.read_record(layout, &at, LIMIT_BYTES);
                let lines = old.split_inclusive(|byte| *byte == b'\n');
                let right = lines.filter(|line| line.strip_suffix(b"\n") != Some(wrong.as_bytes()));
                let right: Vec<u8> = right.flatten().copied().collect();
                if right.len() < old.len()
                    && let Err(error) = place.write_record(layout, &at, &right)
                {
                    tracing::debug!(%commit, error = %with_causes(&error), "a wrong proof stays");
                }
            }
        }
    }

    /// Writes down what is proved of a snapshot's files, for the next run. Nothing is written where this operation has
    /// proved nothing new, nor where only looking is allowed; that it can't be written costs time then and nothing
    /// else.
    pub fn record_proofs<T: AsRef<Target>>(
        &self,
        layout: &RepoLayout,
        commit: &Commit,
        targets: &[T],
    ) {
        let news = self.memo_of(layout).is_none_or(Memo::has_news);
        let wanted = !self.is_looking_only() && !self.cancel.is_cancelled();
        if !wanted || !news {
            return;
        }
        let Some(place) = self.place_for_records(layout) else { return };
        let here = place.disk_of_records(layout);
        let (mut content, mut lines, mut etags) = (String::new(), 0, HashSet::new());
        let mut add = |etag: &Etag, identity: &Identity| {
            if lines < LINE_LIMIT {
                lines += 1;
                let _ = writeln!(content, "{etag} {}", identity.to_line(here));
            }
        };
        for target in targets.iter().map(T::as_ref) {
            if self.cancel.is_cancelled() {
                return;
            }
            if let Ok(Some(entry)) = self.cache.disk.through(&target.pointer())
                && self.proofs.vouch(&target.etag, &entry.identity)
            {
                add(&target.etag, &entry.identity);
                etags.insert(&target.etag);
            }
        }
        // Another run may have been asked for other files of the same snapshot.
        let at = layout.snapshot_proofs(commit);
        let old = place.read_record(layout, &at, LIMIT_BYTES);
        for (identity, etag) in proofs_in(&old, here).filter(|(_, etag)| !etags.contains(etag)) {
            add(&etag, &identity);
        }
        if content.as_bytes() == old {
            return;
        }
        if let Err(error) = place.write_record(layout, &at, content.as_bytes()) {
            tracing::debug!(%commit, error = %with_causes(&error), "what is proved could not be written down");
        }
    }
}

fn proofs_in(content: &[u8], here: u64) -> impl Iterator<Item = (Identity, Etag)> {
    content.split(|byte| *byte == b'\n').take(LINE_LIMIT).filter_map(move |line| {
        let (etag, identity) = str::from_utf8(line).ok()?.split_once(' ')?;
        let etag = Etag::parse(etag).ok()?;
        let provable = etag.content_hash() != ContentHash::Opaque;
        Some((Identity::of_line(identity, here)?, etag)).filter(|_| provable)
    })
}
