//! Whole snapshots: one question for the commit, the pages of its listing, and then all files at once.
//!
//! The core decides about each file as ever; it is asked for many at a time. What serves is reported at once, what is here
//! is placed on a few threads, small files are fetched through memory, and every other file goes its way by itself. A file
//! that fails stops no other.
//!
//! INVARIANT (I4): the ref moves only when everything that was asked for is in its place.

mod batch;
mod bring;
mod clash;
mod collect;
mod known;
mod observe;
mod offline;
mod small;
mod wanted;

use std::sync::Arc;

use futures_util::{StreamExt as _, future::join, stream};
use hubstow_cache::disk::{cancel::Cancel, failure::with_causes};
use hubstow_core::{
    facts::{Force, Reach},
    name::FileName,
};
use tokio::sync::Semaphore;

use self::{
    batch::{Batch, Results},
    bring::{SingleFile, ToPlace},
    collect::{Asked, collect},
    known::Known,
    observe::Observed,
    wanted::Wanted,
};
use crate::{
    api::{
        error::Error,
        event::Event,
        report::{SnapshotReport, Warning},
        request::SnapshotRequest,
    },
    engine::Engine,
    file::{content::Resolved, here::Here},
    handle::CallerBlocks,
    lookup::{direct::Directory, listing::Listing},
};

impl Engine {
    /// Downloads the files of a snapshot that are missing, and returns what was done for each.
    pub(crate) async fn snapshot(
        &self,
        request: &SnapshotRequest,
    ) -> Result<SnapshotReport, Error> {
        let mut known = self.known(request, &self.cache).await?;
        let cache = known.cache.clone();
        let Some(listing) = known.listing.take() else {
            let request = request.clone();
            return self.run_here(&cache, move |here| here.as_it_is(&request, &known)).await?;
        };
        let wanted = self.wanted(request, &known, listing)?;
        self.tell(wanted.listed());
        let to_keep = std::mem::take(&mut known.to_keep);
        let (batch, unknown) = self.batch(request, &known, wanted);
        let batch = Arc::new(batch);
        if known.reach == Reach::Offline {
            return self.only_what_is_here(known, batch, unknown).await;
        }
        batch.check_names(&unknown).await?;
        let _lease = self.lease(&batch.cache, &known.layout).await?;
        let keep = cache.run({
            let (layout, commit) = (known.layout.clone(), known.commit.clone());
            move |cache, _| to_keep.keep(cache, &layout, &commit)
        });
        let files = join(bring_all(&batch), self.ask_for(request, &known, unknown));
        let ((results, asked), kept) = join(files, keep).await;
        kept?;
        let report = collect(&known, &batch, results?, asked)?;
        let record = batch.cache.run({
            let batch = Arc::clone(&batch);
            move |cache, _| batch.record(cache)
        });
        let (recorded, pointed) = join(record, self.point(request, &known)).await;
        recorded.and(pointed)?;
        Ok(report)
    }

    /// Answers from the cache alone where that is enough; `None` means that the hub must be asked.
    pub(crate) fn snapshot_cached(
        &self,
        request: &SnapshotRequest,
        caller: CallerBlocks,
    ) -> Result<Option<SnapshotReport>, Error> {
        let reach = self.config.reach;
        let pinned = request.revision.as_commit().is_some();
        if request.force == Force::On || (reach == Reach::Online && !pinned) {
            return Ok(None);
        }
        let handle = self.cache.remembering(&self.layout(&request.repo));
        let cache = handle.blocking(&caller);
        let (shared, never) = (self.shared.blocking(&caller), Cancel::default());
        let here = Here { engine: self, cache, shared, cancel: &never };
        let mut known = match (here.find(request, handle.clone()), reach) {
            (Ok(known), _) => known,
            (Err(error), Reach::Offline) => return Err(error),
            (Err(_), Reach::Online) => return Ok(None),
        };
        let Some(listing) = known.listing.take() else {
            return match reach {
                Reach::Offline => here.as_it_is(request, &known).map(Some),
                Reach::Online => Ok(None),
            };
        };
        let wanted = self.wanted(request, &known, listing)?;
        // A kept listing says all.
        if reach == Reach::Offline {
            self.tell(wanted.listed());
        }
        let (batch, unknown) = self.batch(request, &known, wanted);
        if reach == Reach::Offline {
            return here.only(&known, &batch, unknown).map(Some);
        }
        let observed = batch.observe(cache, &never);
        if !observed.all_serve() {
            return Ok(None);
        }
        batch.tell(&observed);
        let report = collect(&known, &batch, observed.results, Vec::new())?;
        batch.record(cache);
        Ok(Some(report))
    }

    /// Says what downloading a snapshot would do, without writing anything.
    pub(crate) async fn forecast(
        &self,
        request: &SnapshotRequest,
    ) -> Result<SnapshotReport, Error> {
        let mut known = self.known(request, &self.cache.looking_only()).await?;
        let cache = known.cache.clone();
        let Some(listing) = known.listing.take() else {
            let request = request.clone();
            return self.run_here(&cache, move |here| here.as_it_is(&request, &known)).await?;
        };
        let wanted = self.wanted(request, &known, listing)?;
        let (batch, unknown) = self.batch(request, &known, wanted);
        let batch = Arc::new(batch);
        if known.reach == Reach::Offline {
            return self.only_what_is_here(known, batch, unknown).await;
        }
        batch.check_names(&unknown).await?;
        let foretold = batch.cache.run({
            let batch = Arc::clone(&batch);
            move |cache, worker| batch.foretell(cache, worker.cancel())
        });
        let results = foretold.await?;
        let mut asked = Vec::new();
        for file in unknown {
            let one = known.request(request, &file);
            let result = match self.resolve(&cache, &one, None, &mut Vec::new()).await? {
                Resolved::Cached(cached) => Ok(self.serve(&cache, &one, *cached)),
                Resolved::Found(content) => {
                    let (engine, force) = (self.clone(), request.force);
                    let foretold =
                        batch.cache.run(move |cache, _| engine.foretell(cache, &content, force));
                    foretold.await?
                }
            };
            asked.push(Asked { file, result });
        }
        collect(&known, &batch, results, asked)
    }

    async fn only_what_is_here(
        &self,
        known: Known,
        batch: Arc<Batch>,
        unknown: Vec<FileName>,
    ) -> Result<SnapshotReport, Error> {
        let cache = batch.cache.clone();
        let only = move |here: Here<'_>| here.only(&known, &batch, unknown);
        self.run_here(&cache, only).await?
    }

    fn wanted(
        &self,
        request: &SnapshotRequest,
        known: &Known,
        listing: Listing,
    ) -> Result<Wanted, Error> {
        Wanted::of(listing, &request.patterns, &known.layout, &known.commit)
            .map_err(|unmatched| self.nothing_wanted(request, &unmatched))
    }

    /// Returns the files of which the listing says all, and those of which it does not.
    fn batch(
        &self,
        request: &SnapshotRequest,
        known: &Known,
        wanted: Wanted,
    ) -> (Batch, Vec<FileName>) {
        let batch = Batch {
            engine: self.clone(),
            cache: known.cache.remembering(&known.layout),
            repo: request.repo.clone(),
            revision: request.revision.clone(),
            files: wanted.files,
            left_out: wanted.left_out,
            unusable: wanted.unusable,
            force: request.force,
            directory: Directory::default(),
        };
        (batch, wanted.unknown)
    }

    /// Downloads the files of which the listing says too little.
    async fn ask_for(
        &self,
        request: &SnapshotRequest,
        known: &Known,
        files: Vec<FileName>,
    ) -> Vec<Asked> {
        let cache = known.cache.remembering(&known.layout);
        let files = files.into_iter().map(|file| {
            let (cache, one) = (&cache, known.request(request, &file));
            async move { Asked { file, result: self.download(cache, &one).await } }
        });
        let workers = self.config.max_workers.max(1);
        stream::iter(files).buffer_unordered(workers).collect().await
    }

    async fn point(&self, request: &SnapshotRequest, known: &Known) -> Result<(), Error> {
        if request.revision.as_commit().is_some() || known.reach == Reach::Offline {
            return Ok(());
        }
        let (layout, commit) = (known.layout.clone(), known.commit.clone());
        let revision = request.revision.clone();
        let pointed = self.cache.run(move |cache, _| {
            if cache.ref_is_current(&layout, &revision, &commit) {
                return Ok(());
            }
            cache.point(&layout, &revision, &commit)
        });
        if let Err(error) = pointed.await? {
            let (revision, cause) = (request.revision.clone(), with_causes(&error));
            self.tell(Event::Warned { warning: Warning::RefNotWritten { revision, cause } });
        }
        Ok(())
    }
}

/// Brings every file of a batch to its place.
///
/// # Errors
/// What is missing has no space on the disk: then nothing of it is fetched.
async fn bring_all(batch: &Arc<Batch>) -> Result<Results, Error> {
    let observed = batch.cache.run({
        let batch = Arc::clone(batch);
        move |cache, worker| {
            let observed = batch.observe(cache, worker.cancel());
            batch.tell(&observed);
            observed
        }
    });
    let Observed { mut results, place, fetch: mut to_fetch } = observed.await?;
    to_fetch.extend(batch.place_all(place, &mut results).await?);
    if to_fetch.is_empty() {
        return Ok(results);
    }
    to_fetch.sort_unstable();
    let checked = batch.cache.run({
        let batch = Arc::clone(batch);
        move |cache, _| batch.check_space(cache, &to_fetch).map(|()| to_fetch)
    });
    let (small, large): (Vec<_>, Vec<_>) =
        checked.await??.into_iter().partition(|at| batch.is_small(*at));
    let slots = Semaphore::new(batch.workers());
    let large = large.into_iter().map(SingleFile::fresh).collect();
    let (large, small) = join(batch.singly(large, &slots), batch.fetch_small(small, &slots)).await;
    let small = small?;
    results.extend(large);
    results.extend(small.ended);
    // Their content may have come with another file, or by another process.
    let later = small.later.into_iter().map(|at| ToPlace { at, seen: None }).collect();
    let later = batch.place_all(later, &mut results).await?;
    let later = later.into_iter().map(SingleFile::fresh).collect();
    results.extend(batch.singly(later, &slots).await);
    Ok(results)
}
