//! A snapshot from what is here, without the hub. All of it blocks.

use std::iter;

use hubstow_cache::{FsError, Target, observe::many::Observation};
use hubstow_core::{
    facts::{Cached, Reach},
    layout::RepoLayout,
    name::{Commit, FileName},
    why::{Reason, Refusal},
};

use super::{
    batch::Batch,
    bring::ToPlace,
    collect::{Asked, collect},
    known::Known,
    observe::Observed,
};
use crate::{
    api::{
        error::{Error, ErrorKind, FailedFile},
        report::{Done, FileReport, SnapshotReport},
        request::SnapshotRequest,
    },
    file::{
        here::{Here, Mended},
        place::{Origin, report},
    },
    handle::CacheHandle,
    lookup::listing::ToKeep,
};

impl Here<'_> {
    /// Finds out what is kept of a snapshot.
    pub(crate) fn find(
        &self,
        request: &SnapshotRequest,
        cache: CacheHandle,
    ) -> Result<Known, Error> {
        let commit = self.commit(request)?;
        let layout = self.engine.layout(&request.repo);
        let listing = self.listing(&request.repo, &commit);
        let (to_keep, reach) = (ToKeep::default(), Reach::Offline);
        Ok(Known { cache, layout, commit, listing, to_keep, reach })
    }

    /// Finds the commit of a revision of which something is kept: its folder, or its listing.
    pub(crate) fn commit(&self, request: &SnapshotRequest) -> Result<Commit, Error> {
        let missing = || match self.check_open(&request.repo, &request.revision) {
            Ok(()) => self.engine.refused(request, Refusal::NotCached, None),
            Err(closed) => closed,
        };
        let commit = self.commit_of(&request.repo, &request.revision).ok_or_else(missing)?;
        let (layout, elsewhere) =
            (self.engine.layout(&request.repo), RepoLayout::new(&request.repo));
        let is_kept = self.cache.disk().native(&layout.snapshot(&commit)).is_dir()
            || self.shared.disk().native(&elsewhere.snapshot(&commit)).is_dir()
            || self.listing(&request.repo, &commit).is_some();
        if is_kept { Ok(commit) } else { Err(missing()) }
    }

    /// Without a listing nobody can tell what is missing: the folder is served as it is, as every peer does, but for what
    /// is proved to be damaged and can't be mended from what else is here.
    pub(crate) fn as_it_is(
        &self,
        request: &SnapshotRequest,
        known: &Known,
    ) -> Result<SnapshotReport, Error> {
        let (layout, commit) = (&known.layout, &known.commit);
        let path = self.cache.disk().native(&layout.snapshot(commit));
        let (mut files, mut failures) = (Vec::new(), Vec::new());
        let mut names = self.cache.snapshot_files(layout, commit)?;
        if layout.is_local() {
            // Nothing of the shared cache is needed where the local folder has it.
            let shared = self.shared.snapshot_files(&RepoLayout::new(&request.repo), commit);
            names.extend(shared.unwrap_or_default());
            names.sort();
            names.dedup();
        }
        let (patterns, is_empty) = (request.patterns.among(&names), names.is_empty());
        let wanted = |name: &FileName| patterns.wants(name) && !layout.is_reserved(name);
        for file in names.into_iter().filter(wanted) {
            match self.file_as_it_is(request, known, &file) {
                Ok(report) => files.extend(report),
                Err(error) => failures.push(FailedFile::new(file.as_str(), error)),
            }
        }
        if !failures.is_empty() {
            let wanted = files.len() + failures.len();
            return Err(Error::of_files(failures, wanted, files));
        }
        if files.is_empty() {
            // A snapshot that failed at once leaves its folder behind.
            return Err(if is_empty {
                self.check_open(&request.repo, &request.revision)?;
                self.engine.refused(request, Refusal::NotCached, None)
            } else {
                self.engine.nothing_wanted(request, &[])
            });
        }
        Ok(SnapshotReport { path, commit: commit.clone(), files })
    }

    /// Serves a file of the folder; `None` where it is none of the repo's.
    fn file_as_it_is(
        &self,
        request: &SnapshotRequest,
        known: &Known,
        file: &FileName,
    ) -> Result<Option<FileReport>, Error> {
        let (layout, commit) = (&known.layout, &known.commit);
        let path = self.cache.disk().native(&layout.pointer(commit, file));
        let cached = self.cache.observe_cached(layout, commit, file, || None)?;
        if matches!(cached.cached, Cached::Absent | Cached::Damaged)
            && let Some(Mended { target, outcome }) =
                self.mend(&request.repo, commit, file, &cached)?
        {
            return Ok(Some(report(self.cache, &target, &outcome, Origin::Here)));
        }
        match cached.cached {
            Cached::Linked | Cached::Holds => Ok(Some(FileReport {
                path,
                file: file.clone(),
                commit: commit.clone(),
                size: cached.size,
                etag: cached.etag,
                action: Done::Reused,
                by: None,
                reason: Reason::Offline,
            })),
            // A user's own file in a local folder, which has no record, is none of the repo's.
            Cached::Absent => Ok(None),
            Cached::Damaged | Cached::Directory | Cached::Alias => {
                let what = format!("`{}` is damaged", path.display());
                Err(Error::new(ErrorKind::ContentMismatch, what))
            }
        }
    }

    /// Takes every file of a batch that is what the listing says, and makes those whose content is here.
    pub(crate) fn only(
        &self,
        known: &Known,
        batch: &Batch,
        unknown: Vec<FileName>,
    ) -> Result<SnapshotReport, Error> {
        let observed = batch.observe(self.cache, self.cancel);
        batch.tell(&observed);
        let Observed { mut results, place, fetch } = observed;
        let unseen = fetch.into_iter().zip(iter::repeat_with(|| None));
        let seen = place.into_iter().map(|ToPlace { at, seen }| (at, seen));
        for (at, seen) in seen.chain(unseen).take_while(|_| !self.cancel.is_cancelled()) {
            let placed = batch.target(at).and_then(|target| self.make(batch, target, seen));
            results.set(at, placed);
        }
        let missing = |file: FileName| {
            let what = format!("`{file}` is not in the cache");
            Asked { file, result: Err(Error::new(ErrorKind::NotCached, what)) }
        };
        let unknown = unknown.into_iter().map(missing).collect();
        let report = collect(known, batch, results, unknown)?;
        batch.record(self.cache);
        Ok(report)
    }

    /// Makes a file from what is here.
    fn make(
        &self,
        batch: &Batch,
        target: &Target,
        seen: Option<Observation>,
    ) -> Result<FileReport, Error> {
        let outcome = match seen {
            Some(seen) => self.place_seen(&batch.repo, target, seen)?,
            None => self.place(&batch.repo, target)?,
        };
        if let Some(outcome) = outcome {
            let report = report(self.cache, target, &outcome, Origin::Here);
            batch.finished(&report);
            return Ok(report);
        }
        // A file of a local folder may be a user's own, or another commit's.
        let is_damaged = !target.layout.is_local()
            && matches!(self.cache.disk().entry(&target.pointer()), Ok(Some(_)));
        let refusal = if is_damaged { Refusal::CacheDamaged } else { Refusal::NotCached };
        Err(batch.place_error(target, FsError::Refused { refusal }))
    }
}
