//! Whole snapshots: one question for the commit, the pages of its listing, and then all files at once.
//!
//! INVARIANT (I4): the ref moves only when everything that was asked for is in its place.

mod bulk;
mod known;
mod look;
mod small;

use std::sync::Arc;

use futures_util::{StreamExt as _, future::join, stream};
use hubstow_cache::{Cache, Target};
use hubstow_core::{
    facts::{Cached, Force, Reach},
    name::{FileName, Revision},
    why::{Reason, Refusal},
};

use self::{
    bulk::{Bulk, Ends},
    known::Known,
};
use crate::{
    api::{
        error::{Error, ErrorKind},
        event::Event,
        report::{Done, FileReport, SnapshotReport, Warning},
        request::{FileRequest, SnapshotRequest},
    },
    file::content::Resolved,
    hub::Hub,
    lookup::listing::Listed,
    task::blocking,
};

/// What is wanted of a snapshot.
struct Wanted {
    targets: Vec<Target>,
    /// What the Xet store knows the content of each target by.
    xet_hashes: Vec<Option<String>>,
    /// Files of which the listing says too little: each takes a HEAD.
    unknown: Vec<FileName>,
}

impl Hub {
    /// Downloads the files of a snapshot that are missing, and returns what was done for each.
    ///
    /// # Errors
    /// See [`ErrorKind`]. A file that fails does not stop the others; all failures are told together, and the next run
    /// goes on from there.
    pub async fn snapshot(&self, request: &SnapshotRequest) -> Result<SnapshotReport, Error> {
        let mut known = self.known(request, self.engine.cache.clone()).await?;
        let Some(listing) = known.listing.take() else {
            return self.as_it_is(request, &known);
        };
        let wanted = self.wanted(request, &known, listing.files)?;
        if known.reach == Reach::Offline {
            let (hub, request) = (self.clone(), request.clone());
            return blocking(move || hub.only_what_is_here(&request, &known, wanted)).await;
        }
        self.tell(wanted.listed());
        let (bulk, unknown) = self.bulk(request, &known.cache, &known, wanted);
        let bulk = Arc::new(bulk);
        let to_keep = std::mem::take(&mut known.to_keep);
        let keep = blocking({
            let (cache, layout, commit) =
                (known.cache.clone(), known.layout.clone(), known.commit.clone());
            move || to_keep.keep(&cache, &layout, &commit)
        });
        let files = join(bulk.run(), self.ask_for(request, &known, unknown));
        let ((ends, asked), ()) = join(files, keep).await;
        let report = collect(&known, &bulk.targets, ends?, asked)?;
        join(blocking(move || bulk.record()), self.point(request, &known)).await;
        Ok(report)
    }

    /// Answers a request from the cache alone where that is enough (a pinned commit that is cached whole, offline mode),
    /// without any async runtime. `None` means that the hub must be asked.
    ///
    /// # Errors
    /// As [`Hub::snapshot`].
    pub fn snapshot_cached(
        &self,
        request: &SnapshotRequest,
    ) -> Result<Option<SnapshotReport>, Error> {
        let reach = self.engine.config.reach;
        let pinned = request.revision.as_commit().is_some();
        if request.force == Force::On || (reach == Reach::Online && !pinned) {
            return Ok(None);
        }
        let layout = self.engine.layout(&request.repo);
        let mut known = match (self.known_here(request, &self.engine.cache, layout), reach) {
            (Ok(known), _) => known,
            (Err(error), Reach::Offline) => return Err(error),
            (Err(_), Reach::Online) => return Ok(None),
        };
        let Some(listing) = known.listing.take() else {
            return match reach {
                Reach::Offline => self.as_it_is(request, &known).map(Some),
                Reach::Online => Ok(None),
            };
        };
        let wanted = self.wanted(request, &known, listing.files)?;
        if reach == Reach::Offline {
            return self.only_what_is_here(request, &known, wanted).map(Some);
        }
        // A kept listing says all.
        let (bulk, _) = self.bulk(request, &known.cache, &known, wanted);
        let looked = bulk.look();
        if !looked.all_serve() {
            return Ok(None);
        }
        bulk.tell(&looked);
        let report = collect(&known, &bulk.targets, looked.ends, Vec::new())?;
        bulk.record();
        Ok(Some(report))
    }

    /// Says what [`snapshot`](Self::snapshot) would do, without writing anything.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn forecast(&self, request: &SnapshotRequest) -> Result<SnapshotReport, Error> {
        let cache = self.engine.cache.looking_only();
        let mut known = self.known(request, cache.clone()).await?;
        let Some(listing) = known.listing.take() else {
            return self.as_it_is(request, &known);
        };
        let wanted = self.wanted(request, &known, listing.files)?;
        let (bulk, unknown) = self.bulk(request, &cache, &known, wanted);
        let bulk = Arc::new(bulk);
        let foretold = blocking({
            let bulk = Arc::clone(&bulk);
            move || bulk.foretell()
        });
        let ends = foretold.await;
        let mut asked = Vec::new();
        for file in unknown {
            let one = known.request(request, &file);
            let tell = |event| self.tell(event);
            let resolved = self.engine.resolve(&cache, &one, false, &tell, &mut Vec::new()).await?;
            let foretold = match resolved {
                Resolved::Cached(served, hit) => Ok(self.hit(&one, served, hit)),
                Resolved::Found(content) => self.foretell(&bulk.cache, &content, request.force),
            };
            asked.push((file, foretold));
        }
        collect(&known, &bulk.targets, ends, asked)
    }

    /// Without a listing nobody can tell what is missing: the folder is served as it is, as every peer does, but for what
    /// is proved to be damaged.
    fn as_it_is(&self, request: &SnapshotRequest, known: &Known) -> Result<SnapshotReport, Error> {
        let (cache, layout, commit) = (&known.cache, &known.layout, &known.commit);
        let path = cache.disk().native(&layout.snapshot(commit));
        let (mut files, mut failures) = (Vec::new(), Vec::new());
        let names = cache.snapshot_files(layout, commit);
        let patterns = request.patterns.among(&names);
        for name in names.into_iter().filter(|name| patterns.wants(name)) {
            let path = cache.disk().native(&layout.pointer(commit, &name));
            let cached = cache.observe_cached(layout, commit, &name)?;
            match cached.cached {
                Cached::Linked | Cached::Holds => files.push(FileReport {
                    path,
                    file: name,
                    commit: commit.clone(),
                    size: cached.size,
                    etag: cached.etag,
                    action: Done::Reused,
                    by: None,
                    reason: Reason::Offline,
                }),
                // A user's own file in a local folder, which has no record, is none of the repo's.
                Cached::Absent => {}
                Cached::Damaged | Cached::Directory | Cached::Alias => {
                    let what = format!("`{}` is damaged", path.display());
                    failures.push((name, Error::new(ErrorKind::ContentMismatch, what)));
                }
            }
        }
        if !failures.is_empty() {
            return Err(together(&failures, files.len() + failures.len()));
        }
        if files.is_empty() {
            return Err(self.nothing_wanted(request, &[]));
        }
        Ok(SnapshotReport { path, commit: commit.clone(), files })
    }

    fn nothing_wanted(&self, request: &SnapshotRequest, unmatched: &[&str]) -> Error {
        let patterns: Vec<_> = unmatched.iter().map(|pattern| format!("`{pattern}`")).collect();
        self.refused(request, Refusal::EntryNotFound, Some(&patterns.join(" or ")))
    }

    fn wanted(
        &self,
        request: &SnapshotRequest,
        known: &Known,
        files: Vec<Listed>,
    ) -> Result<Wanted, Error> {
        let patterns = request.patterns.among(files.iter().map(|listed| &listed.file));
        let unmatched = patterns.unmatched(files.iter().map(|listed| &listed.file));
        let is_empty = files.is_empty();
        let mut wanted =
            Wanted { targets: Vec::new(), xet_hashes: Vec::new(), unknown: Vec::new() };
        for Listed { file, content, xet_hash } in files {
            match content {
                _ if !patterns.wants(&file) => {}
                Some((etag, size)) => {
                    wanted.xet_hashes.push(xet_hash);
                    wanted.targets.push(Target {
                        layout: known.layout.clone(),
                        // The ref is written once, when everything is in its place.
                        revision: Revision::from(&known.commit),
                        commit: known.commit.clone(),
                        file,
                        etag,
                        size: Some(size),
                    });
                }
                None => wanted.unknown.push(file),
            }
        }
        let nothing = wanted.targets.is_empty() && wanted.unknown.is_empty();
        if !unmatched.is_empty() || (nothing && !is_empty) {
            return Err(self.nothing_wanted(request, &unmatched));
        }
        Ok(wanted)
    }

    /// Returns the files of which the listing says all, and those of which it does not.
    fn bulk(
        &self,
        request: &SnapshotRequest,
        cache: &Cache,
        known: &Known,
        wanted: Wanted,
    ) -> (Bulk, Vec<FileName>) {
        let bulk = Bulk {
            hub: self.clone(),
            cache: cache.for_bulk(&known.layout),
            repo: request.repo.clone(),
            revision: request.revision.clone(),
            targets: wanted.targets,
            xet_hashes: wanted.xet_hashes,
            force: request.force,
        };
        (bulk, wanted.unknown)
    }

    /// Downloads the files of which the listing says too little.
    async fn ask_for(
        &self,
        request: &SnapshotRequest,
        known: &Known,
        files: Vec<FileName>,
    ) -> Vec<(FileName, Result<FileReport, Error>)> {
        let cache = known.cache.for_bulk(&known.layout);
        let ways = files.into_iter().map(|file| {
            let (cache, one) = (&cache, known.request(request, &file));
            async move { (file, self.download_into(cache, &one).await) }
        });
        let workers = self.engine.config.max_workers.max(1);
        stream::iter(ways).buffer_unordered(workers).collect().await
    }

    /// Offline a file is taken as it is, if it is what the listing says. It blocks.
    fn only_what_is_here(
        &self,
        request: &SnapshotRequest,
        known: &Known,
        wanted: Wanted,
    ) -> Result<SnapshotReport, Error> {
        self.tell(wanted.listed());
        let (bulk, unknown) = self.bulk(request, &known.cache, known, wanted);
        let looked = bulk.look();
        bulk.tell(&looked);
        let missing = |file: FileName| {
            let what = format!("`{file}` is not in the cache");
            (file, Err(Error::new(ErrorKind::NotCached, what)))
        };
        let unknown = unknown.into_iter().map(missing).collect();
        let report = collect(known, &bulk.targets, looked.ends, unknown)?;
        bulk.record();
        Ok(report)
    }

    async fn point(&self, request: &SnapshotRequest, known: &Known) {
        if request.revision.as_commit().is_some() || known.reach == Reach::Offline {
            return;
        }
        let (cache, layout) = (self.engine.cache.clone(), known.layout.clone());
        let (revision, commit) = (request.revision.clone(), known.commit.clone());
        let pointed = blocking(move || {
            if cache.ref_is_current(&layout, &revision, &commit) {
                return Ok(());
            }
            cache.point(&layout, &revision, &commit)
        });
        if let Err(error) = pointed.await {
            let (revision, cause) = (request.revision.clone(), error.to_string());
            self.tell(Event::Warned { warning: Warning::RefNotWritten { revision, cause } });
        }
    }
}

impl Wanted {
    fn listed(&self) -> Event {
        let mut targets = self.targets.iter();
        let bytes = targets.try_fold(0_u64, |sum, target| Some(sum.saturating_add(target.size?)));
        Event::Listed {
            files: self.targets.len() + self.unknown.len(),
            bytes: bytes.filter(|_| self.unknown.is_empty()),
        }
    }
}

impl Known {
    /// Returns the request for one file of the snapshot.
    fn request(&self, request: &SnapshotRequest, file: &FileName) -> FileRequest {
        FileRequest {
            repo: request.repo.clone(),
            revision: Revision::from(&self.commit),
            file: file.clone(),
            force: request.force,
        }
    }
}

/// Puts together what became of all files. One of which nothing is known is not in the cache.
fn collect(
    known: &Known,
    targets: &[Target],
    ends: Ends,
    asked: Vec<(FileName, Result<FileReport, Error>)>,
) -> Result<SnapshotReport, Error> {
    let wanted = targets.len() + asked.len();
    let (mut files, mut failures) = (Vec::with_capacity(wanted), Vec::new());
    for (target, end) in targets.iter().zip(ends) {
        match end {
            Some(Ok(report)) => files.push(report),
            Some(Err(error)) => failures.push((target.file.clone(), error)),
            None => {
                let what = format!("`{}` is not in the cache", target.file);
                failures.push((target.file.clone(), Error::new(ErrorKind::NotCached, what)));
            }
        }
    }
    let in_order = asked.is_empty();
    for (file, end) in asked {
        match end {
            Ok(report) => files.push(report),
            Err(error) => failures.push((file, error)),
        }
    }
    if !failures.is_empty() {
        return Err(together(&failures, wanted));
    }
    if !in_order {
        files.sort_by(|one, other| one.file.cmp(&other.file));
    }
    let path = known.cache.disk().native(&known.layout.snapshot(&known.commit));
    Ok(SnapshotReport { path, commit: known.commit.clone(), files })
}

/// Tells all failures at once; the kind is the first one's.
fn together(failures: &[(FileName, Error)], wanted: usize) -> Error {
    const SHOWN: usize = 20;
    let first = failures.first().map_or(ErrorKind::Other, |(_, error)| error.kind());
    let mut message = match failures {
        [(_, only)] => only.to_string(),
        _ => format!("{} of {wanted} files failed", failures.len()),
    };
    if failures.len() > 1 {
        for (file, error) in failures.iter().take(SHOWN) {
            message.push_str(&format!("\n  {file}: {error}"));
        }
        if failures.len() > SHOWN {
            message.push_str(&format!("\n  … and {} more", failures.len() - SHOWN));
        }
    }
    let error = Error::new(first, message);
    let hint = failures.first().and_then(|(_, error)| error.way_out());
    match hint {
        Some(hint) => error.hint(hint),
        None if failures.len() < wanted => {
            error.hint("the other files are in place; the same command goes on from there")
        }
        None => error,
    }
}
