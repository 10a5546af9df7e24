//! Whole snapshots: one question for the commit, the pages of its listing, and then each file on its own way.
//!
//! INVARIANT (I4): the ref moves only when everything that was asked for is in its place.

use futures_util::{StreamExt as _, stream};
use hubstow_core::{
    facts::{Cached, Force, Reach, Stale},
    hub::{Backoff, Metadata},
    layout::RepoLayout,
    name::{Commit, FileName, Revision},
    why::{Reason, Refusal},
};
use hubstow_fs::{Cache, Target};

use crate::{
    error::{Error, ErrorKind},
    event::Event,
    hub::Hub,
    listing::{Listed, Listing, Unlisted},
    place::Placed,
    refusal::About,
    report::{Done, FileReport, SnapshotReport, Warning},
    request::SnapshotRequest,
    resolve::Content,
    task::blocking,
};

/// What is known of a snapshot before its files are looked at.
struct Known {
    /// The cache; for looking only where nothing may be written.
    cache: Cache,
    layout: RepoLayout,
    commit: Commit,
    /// `None` where no listing can be had: then what the folder holds is all there is.
    listing: Option<Listing>,
    /// Whether the hub may be asked for files.
    reach: Reach,
}

impl Hub {
    /// Downloads the files of a snapshot that are missing, and returns what was done for each.
    ///
    /// # Errors
    /// See [`ErrorKind`]. A file that fails does not stop the others; all failures are told together, and the next run
    /// goes on from there.
    pub async fn snapshot(&self, request: &SnapshotRequest) -> Result<SnapshotReport, Error> {
        let known = self.known(request, self.inner.cache.clone()).await?;
        let Some(listing) = &known.listing else {
            return self.as_it_is(request, &known);
        };
        let contents = self.wanted(request, &known, listing)?;
        self.tell(Event::Listed {
            files: contents.len(),
            bytes: contents
                .iter()
                .try_fold(0_u64, |sum, content| Some(sum.saturating_add(content.target.size?))),
        });
        let force = request.force;
        let workers = self.inner.config.max_workers.max(1);
        let placing = contents.iter().enumerate().map(|(at, content)| {
            let one = self.one(content, known.reach, force);
            async move { (at, one.await) }
        });
        let mut results: Vec<_> = stream::iter(placing).buffer_unordered(workers).collect().await;
        results.sort_by_key(|(at, _)| *at);
        let mut files = Vec::with_capacity(results.len());
        let mut failures = Vec::new();
        for (content, (_, result)) in contents.iter().zip(results) {
            match result {
                Ok(report) => files.push(report),
                Err(error) => failures.push((content.target.file.clone(), error)),
            }
        }
        if !failures.is_empty() {
            return Err(together(&failures, contents.len()));
        }
        self.point(request, &known).await;
        let path = self.inner.cache.disk().native(&known.layout.snapshot(&known.commit));
        Ok(SnapshotReport { path, commit: known.commit, files })
    }

    /// Says what [`snapshot`](Self::snapshot) would do, without writing anything.
    ///
    /// # Errors
    /// See [`ErrorKind`].
    pub async fn forecast(&self, request: &SnapshotRequest) -> Result<SnapshotReport, Error> {
        let known = self.known(request, self.inner.cache.looking_only()).await?;
        let Some(listing) = &known.listing else {
            return self.as_it_is(request, &known);
        };
        let contents = self.wanted(request, &known, listing)?;
        let files = contents
            .iter()
            .map(|content| self.foretell(content, request.force))
            .collect::<Result<_, _>>()?;
        let path = self.inner.cache.disk().native(&known.layout.snapshot(&known.commit));
        Ok(SnapshotReport { path, commit: known.commit, files })
    }

    /// Finds out the commit and its listing, from the hub or from what is kept.
    async fn known(&self, request: &SnapshotRequest, cache: Cache) -> Result<Known, Error> {
        let config = &self.inner.config;
        let layout = self.inner.layout(&request.repo);
        if config.reach == Reach::Offline {
            if request.force == Force::On {
                return Err(self.refused(request, Refusal::ForceOffline, None));
            }
            return self.known_here(request, &cache, layout);
        }
        // With something to fall back on, nobody has to wait long for the hub (row D28).
        let here = match (request.force, config.stale) {
            (Force::On, _) | (_, Stale::Never) => None,
            (Force::Off, Stale::Unreachable | Stale::Always) => {
                self.known_here(request, &cache, layout.clone()).ok()
            }
        };
        let retries = if here.is_some() { 1 } else { 3 };
        let patience = Backoff { retries, ..Backoff::DEFAULT };
        let tell = |event| self.tell(event);
        let asked = async {
            let commit = match request.revision.as_commit() {
                Some(commit) => commit,
                None => {
                    self.inner
                        .http
                        .commit_of(&request.repo, &request.revision, patience, &tell)
                        .await?
                }
            };
            let listing = match Listing::of_cache(&cache, &layout, &commit) {
                Some(listing) => listing,
                None => {
                    let listing =
                        self.inner.http.tree(&request.repo, &commit, patience, &tell).await?;
                    if !cache.is_looking_only() {
                        listing.keep(&cache, &layout, &commit);
                    }
                    listing
                }
            };
            Ok((commit, listing))
        };
        match asked.await {
            Ok((commit, listing)) => {
                Ok(Known { cache, layout, commit, listing: Some(listing), reach: Reach::Online })
            }
            Err(Unlisted::Error(error)) => Err(error),
            Err(Unlisted::Refused(refusal, cause)) => {
                let error = self.refused(request, refusal, Some(&cause));
                let Some(known) = here.filter(|_| self.allows_stale(refusal)) else {
                    return Err(error);
                };
                let warning = Warning::StaleSnapshot { repo: request.repo.clone(), refusal, cause };
                self.tell(Event::Warned { warning });
                Ok(known)
            }
        }
    }

    fn allows_stale(&self, refusal: Refusal) -> bool {
        let unreachable = matches!(
            refusal,
            Refusal::HubFailing
                | Refusal::HubUnreachable
                | Refusal::AnswerUnexpected
                | Refusal::AnswerIncomplete
        );
        match self.inner.config.stale {
            Stale::Never => false,
            Stale::Unreachable => unreachable,
            Stale::Always => refusal != Refusal::RevisionNotFound,
        }
    }

    fn known_here(
        &self,
        request: &SnapshotRequest,
        cache: &Cache,
        layout: RepoLayout,
    ) -> Result<Known, Error> {
        let missing = || self.refused(request, Refusal::NotCached, None);
        let commit = cache.commit_of(&layout, &request.revision).ok_or_else(missing)?;
        if !cache.disk().native(&layout.snapshot(&commit)).is_dir() {
            return Err(missing());
        }
        let listing = Listing::of_cache(cache, &layout, &commit);
        Ok(Known { cache: cache.clone(), layout, commit, listing, reach: Reach::Offline })
    }

    /// Without a listing nobody can tell what is missing: the folder is served as it is, as every peer does, but for what
    /// is proved to be damaged.
    fn as_it_is(&self, request: &SnapshotRequest, known: &Known) -> Result<SnapshotReport, Error> {
        let (cache, layout, commit) = (&known.cache, &known.layout, &known.commit);
        let path = cache.disk().native(&layout.snapshot(commit));
        let (mut files, mut failures) = (Vec::new(), Vec::new());
        let names = cache.snapshot_files(layout, commit);
        for name in names.into_iter().filter(|name| request.patterns.wants(name)) {
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

    fn refused(&self, request: &SnapshotRequest, refusal: Refusal, cause: Option<&str>) -> Error {
        let about = About {
            endpoint: &self.inner.config.endpoint,
            repo: &request.repo,
            revision: &request.revision,
            file: None,
            path: String::new(),
            policy: self.inner.config.policy,
            cached: false,
            cause,
        };
        about.error(refusal)
    }

    fn nothing_wanted(&self, request: &SnapshotRequest, unmatched: &[&str]) -> Error {
        let patterns: Vec<_> = unmatched.iter().map(|pattern| format!("`{pattern}`")).collect();
        self.refused(request, Refusal::EntryNotFound, Some(&patterns.join(" or ")))
    }

    fn wanted(
        &self,
        request: &SnapshotRequest,
        known: &Known,
        listing: &Listing,
    ) -> Result<Vec<Content>, Error> {
        let wanted = listing.files.iter().filter(|listed| request.patterns.wants(&listed.file));
        let contents: Vec<_> =
            wanted.map(|listed| self.content(request, known, listed)).collect::<Result<_, _>>()?;
        let unmatched = request.patterns.unmatched(listing.files.iter().map(|listed| &listed.file));
        if !unmatched.is_empty() || (contents.is_empty() && !listing.files.is_empty()) {
            return Err(self.nothing_wanted(request, &unmatched));
        }
        Ok(contents)
    }

    fn content(
        &self,
        request: &SnapshotRequest,
        known: &Known,
        listed: &Listed,
    ) -> Result<Content, Error> {
        let target = Target {
            layout: known.layout.clone(),
            // The ref is written once, when everything is in its place.
            revision: Revision::from(&known.commit),
            commit: known.commit.clone(),
            file: listed.file.clone(),
            etag: listed.etag.clone(),
            size: Some(listed.size),
        };
        let pinned = self.inner.pinned(&request.repo, &target)?;
        let metadata = Metadata {
            commit: known.commit.clone(),
            etag: listed.etag.clone(),
            size: Some(listed.size),
            xet_hash: listed.xet_hash.clone(),
        };
        let (repo, revision) = (request.repo.clone(), request.revision.clone());
        Ok(Content { repo, revision, target, metadata, at: pinned.clone(), pinned })
    }

    async fn one(
        &self,
        content: &Content,
        reach: Reach,
        force: Force,
    ) -> Result<FileReport, Error> {
        let tell = |event| self.tell(event);
        if reach == Reach::Offline {
            return self.one_offline(content).await;
        }
        match self.inner.place(&self.inner.cache, content, force, &tell).await? {
            Placed::Done(report) => Ok(report),
            // The listing is of a commit, which never moves.
            Placed::Moved(error) => Err(error),
        }
    }

    /// Offline a file is taken as it is, if it is what the listing says.
    async fn one_offline(&self, content: &Content) -> Result<FileReport, Error> {
        let (hub, wanted) = (self.clone(), content.clone());
        let report = blocking(move || hub.foretell(&wanted, Force::Off)).await?;
        if report.action == Done::Reused {
            self.tell(Event::Finished { report: report.clone() });
            return Ok(report);
        }
        let what = format!("`{}` is not in the cache", content.target.file);
        Err(Error::new(ErrorKind::NotCached, what))
    }

    async fn point(&self, request: &SnapshotRequest, known: &Known) {
        if request.revision.as_commit().is_some() || known.reach == Reach::Offline {
            return;
        }
        let (cache, layout) = (self.inner.cache.clone(), known.layout.clone());
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
    error.hint(hint.unwrap_or("the other files are in place; the same command goes on from there"))
}
