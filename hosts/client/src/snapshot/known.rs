//! Finding out which commit a snapshot is of and what belongs to it, from the hub or from what is kept.

use hubstow_cache::Cache;
use hubstow_core::{
    facts::{Force, Reach, Stale},
    layout::RepoLayout,
    name::Commit,
    why::Refusal,
};

use crate::{
    api::{error::Error, event::Event, refusal::About, report::Warning, request::SnapshotRequest},
    hub::Hub,
    lookup::{
        listing::{Listing, ToKeep, Unlisted},
        patience::Patience,
    },
};

/// What is known of a snapshot before its files are looked at.
pub(crate) struct Known {
    /// The cache; for looking only where nothing may be written.
    pub(crate) cache: Cache,
    pub(crate) layout: RepoLayout,
    pub(crate) commit: Commit,
    /// `None` where no listing can be had: then what the folder holds is all there is.
    pub(crate) listing: Option<Listing>,
    /// The same, to be kept, where the hub was asked for it.
    pub(crate) to_keep: ToKeep,
    /// Whether the hub may be asked for files.
    pub(crate) reach: Reach,
}

impl Hub {
    /// Finds out the commit and its listing, from the hub or from what is kept.
    pub(crate) async fn known(
        &self,
        request: &SnapshotRequest,
        cache: Cache,
    ) -> Result<Known, Error> {
        let config = &self.engine.config;
        let layout = self.engine.layout(&request.repo);
        if config.reach == Reach::Offline {
            if request.force == Force::On {
                return Err(self.refused(request, Refusal::ForceOffline, None));
            }
            return self.known_here(request, &cache, layout);
        }
        // With something to fall back on, nobody has to wait long for the hub (row D28).
        let may_fall_back = match (request.force, config.stale) {
            (Force::On, _) | (_, Stale::Never) => false,
            (Force::Off, Stale::Unreachable | Stale::Always) => {
                self.commit_here(request, &cache, &layout).is_ok()
            }
        };
        let patience =
            if may_fall_back { Patience::brief(config) } else { Patience::lasting(config) };
        let tell = |event| self.tell(event);
        let asked = async {
            let commit = match request.revision.as_commit() {
                Some(commit) => commit,
                None => {
                    self.engine
                        .http
                        .commit_of(&request.repo, &request.revision, patience, &tell)
                        .await?
                }
            };
            let listed = match Listing::of_cache(&cache, &layout, &commit) {
                Some(listing) => (listing, ToKeep::default()),
                None => self.engine.http.tree(&request.repo, &commit, patience, &tell).await?,
            };
            Ok((commit, listed))
        };
        match asked.await {
            Ok((commit, (listing, to_keep))) => {
                let listing = Some(listing);
                Ok(Known { cache, layout, commit, listing, to_keep, reach: Reach::Online })
            }
            Err(Unlisted::Error(error)) => Err(error),
            Err(Unlisted::Refused(refusal, cause)) => {
                let error = self.refused(request, refusal, Some(&cause));
                if !may_fall_back || !self.allows_stale(refusal) {
                    return Err(error);
                }
                let known = self.known_here(request, &cache, layout)?;
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
        match self.engine.config.stale {
            Stale::Never => false,
            Stale::Unreachable => unreachable,
            Stale::Always => refusal != Refusal::RevisionNotFound,
        }
    }

    pub(crate) fn known_here(
        &self,
        request: &SnapshotRequest,
        cache: &Cache,
        layout: RepoLayout,
    ) -> Result<Known, Error> {
        let commit = self.commit_here(request, cache, &layout)?;
        let listing = Listing::of_cache(cache, &layout, &commit);
        let (cache, to_keep) = (cache.clone(), ToKeep::default());
        Ok(Known { cache, layout, commit, listing, to_keep, reach: Reach::Offline })
    }

    /// Finds the commit that is cached of a revision.
    fn commit_here(
        &self,
        request: &SnapshotRequest,
        cache: &Cache,
        layout: &RepoLayout,
    ) -> Result<Commit, Error> {
        let missing = || self.refused(request, Refusal::NotCached, None);
        let commit = cache.commit_of(layout, &request.revision).ok_or_else(missing)?;
        if cache.disk().native(&layout.snapshot(&commit)).is_dir() {
            Ok(commit)
        } else {
            Err(missing())
        }
    }

    pub(crate) fn refused(
        &self,
        request: &SnapshotRequest,
        refusal: Refusal,
        cause: Option<&str>,
    ) -> Error {
        let about = About {
            endpoint: &self.engine.config.endpoint,
            repo: &request.repo,
            revision: &request.revision,
            file: None,
            path: String::new(),
            policy: self.engine.config.policy,
            cached: false,
            cause,
        };
        about.error(refusal)
    }
}
