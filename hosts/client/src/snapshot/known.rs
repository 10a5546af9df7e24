//! Finding out which commit a snapshot is of and what belongs to it, from the hub or from what is kept.

use hubstow_cache::disk::failure::with_causes;
use hubstow_core::{
    facts::{Force, Reach, Stale},
    layout::RepoLayout,
    name::{Commit, FileName, Revision},
    why::Refusal,
};

use crate::{
    api::{
        detail::CachedCopy,
        error::{AnyError, Error},
        event::Event,
        refusal::About,
        report::Warning,
        request::{FileRequest, SnapshotRequest},
    },
    engine::Engine,
    handle::CacheHandle,
    lookup::{
        entry::OfCommit,
        json::Unlisted,
        listing::{Listing, ToKeep},
        patience::Patience,
    },
};

/// What is known of a snapshot before its files are looked at.
pub(crate) struct Known {
    /// The cache; for looking only where nothing may be written.
    pub(crate) cache: CacheHandle,
    pub(crate) layout: RepoLayout,
    pub(crate) commit: Commit,
    /// `None` where no listing can be had: then what the folder holds is all there is.
    pub(crate) listing: Option<Listing>,
    /// The same, to be kept, where the hub was asked for it.
    pub(crate) to_keep: ToKeep,
    /// Whether the hub may be asked for files.
    pub(crate) reach: Reach,
}

impl Known {
    /// Returns the request for one file of the snapshot.
    pub(crate) fn request(&self, request: &SnapshotRequest, file: &FileName) -> FileRequest {
        FileRequest {
            repo: request.repo.clone(),
            revision: Revision::from(&self.commit),
            file: file.clone(),
            force: request.force,
        }
    }
}

impl Engine {
    /// Finds out the commit and its listing, from the hub or from what is kept.
    pub(crate) async fn known(
        &self,
        request: &SnapshotRequest,
        handle: &CacheHandle,
    ) -> Result<Known, Error> {
        let config = &self.config;
        let layout = self.layout(&request.repo);
        if config.reach == Reach::Offline {
            if request.force == Force::On {
                return Err(self.refused(request, Refusal::ForceOffline, None));
            }
            return self.known_here(request, handle).await;
        }
        // With something to fall back on, nobody has to wait long for the hub (row D28).
        let may_fall_back = match (request.force, config.stale) {
            (Force::On, _) | (_, Stale::Never) => false,
            (Force::Off, Stale::Unreachable | Stale::Always) => {
                let request = request.clone();
                self.run_here(handle, move |here| here.commit(&request)).await?.is_ok()
            }
        };
        let patience =
            if may_fall_back { Patience::brief(config) } else { Patience::lasting(config) };
        let tell = |event| self.tell(event);
        let asked = async {
            let commit = match request.revision.as_commit() {
                Some(commit) => commit,
                None => {
                    self.http.commit_of(&request.repo, &request.revision, patience, &tell).await?
                }
            };
            let (kept_in, kept_of) = (layout.clone(), commit.clone());
            let kept =
                handle.run(move |cache, _| Listing::of_cache(cache, &kept_in, &kept_of)).await?;
            let listed = match kept {
                Some(listing) => (listing, ToKeep::default()),
                None => {
                    let (repo, revision) = (&request.repo, &request.revision);
                    let of = OfCommit { repo, revision, commit: &commit };
                    self.http.files(of, patience, &tell).await?
                }
            };
            Ok((commit, listed))
        };
        match asked.await {
            Ok((commit, (listing, to_keep))) => {
                let (cache, listing) = (handle.clone(), Some(listing));
                Ok(Known { cache, layout, commit, listing, to_keep, reach: Reach::Online })
            }
            Err(Unlisted::Error(error)) => Err(error),
            Err(Unlisted::Refused(refusal, cause)) => {
                let told = with_causes(&*cause);
                let error = self.refused(request, refusal, Some(cause));
                if !may_fall_back || !self.allows_stale(refusal) {
                    return Err(error);
                }
                let known = self.known_here(request, handle).await?;
                let (repo, cause) = (request.repo.clone(), told);
                let warning = Warning::StaleSnapshot { repo, refusal, cause };
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
        match self.config.stale {
            Stale::Never => false,
            Stale::Unreachable => unreachable,
            Stale::Always => refusal != Refusal::RevisionNotFound,
        }
    }

    async fn known_here(
        &self,
        request: &SnapshotRequest,
        handle: &CacheHandle,
    ) -> Result<Known, Error> {
        let (request, cache) = (request.clone(), handle.clone());
        self.run_here(handle, move |here| here.find(&request, cache)).await?
    }

    pub(crate) fn refused(
        &self,
        request: &SnapshotRequest,
        refusal: Refusal,
        cause: Option<AnyError>,
    ) -> Error {
        self.about(request, &[]).error(refusal, cause)
    }

    /// Says that nothing is wanted, or which patterns match nothing.
    pub(crate) fn nothing_wanted(&self, request: &SnapshotRequest, unmatched: &[String]) -> Error {
        self.about(request, unmatched).error(Refusal::EntryNotFound, None)
    }

    fn about<'a>(&'a self, request: &'a SnapshotRequest, unmatched: &'a [String]) -> About<'a> {
        About {
            config: &self.config,
            asked: self.http.asked(),
            repo: &request.repo,
            revision: &request.revision,
            file: None,
            path: String::new(),
            copy: CachedCopy::Unknown,
            force: request.force,
            unmatched,
        }
    }
}
