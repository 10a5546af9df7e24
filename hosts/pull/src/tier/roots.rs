//! What a tier knows of repos beside their content: the listings of commits, and what revisions mean. Pins of the tier need both,
//! and a listing that it has is not asked for again.
//!
//! It is written in the background, with the access of whoever has asked for a file of it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hubstow_client::{Error, ErrorKind, Hub, with_causes};
use hubstow_core::name::{Commit, Repo, Revision};
use hubstow_serve::PassAsked;
use hubstow_tier::{Confirmed, Tree, decide::Word};
use tokio::time::timeout;

use super::{Member, Tiers, listing};
use crate::limits::{ANSWER_FOR, ROOTS_FOR};

impl Member {
    /// Upstream has said that a revision is at a commit. What the tier does not know of that, it is told.
    pub(crate) fn learned(
        self: &Arc<Self>,
        hub: &Hub,
        (repo, revision, commit): (&Repo, &Revision, &Commit),
    ) {
        let (listing, reference) =
            ((repo.clone(), commit.clone()), (repo.clone(), revision.clone()));
        let is_listed = self.roots.listings.recall(&listing, ROOTS_FOR).is_some();
        let is_said = revision.as_commit().is_some()
            || self.roots.revisions.recall(&reference, ROOTS_FOR).as_ref() == Some(commit);
        if !self.is_fit() || (is_listed && is_said) {
            return;
        }
        let Ok(permit) = Arc::clone(&self.roots.waiting).try_acquire_owned() else { return };
        self.roots.listings.learn(listing, ());
        if !is_said {
            self.roots.revisions.learn(reference, commit.clone());
        }
        let (member, hub) = (Arc::clone(self), hub.clone());
        let (repo, revision, commit) = (repo.clone(), revision.clone(), commit.clone());
        tokio::spawn(async move {
            let _waits = permit;
            let _one_of_few = member.roots.at_once.acquire().await;
            if !is_said && let Err(error) = member.confirm(&hub, &repo, &revision).await {
                tracing::debug!(%repo, %revision, error = %with_causes(&error), "the tier was not told of a revision");
            }
            if !is_listed && let Err(error) = member.keep_listing(&hub, &repo, &commit).await {
                tracing::debug!(%repo, %commit, error = %with_causes(&error), "the tier was not told of a listing");
            }
        });
    }

    /// Tells the tier what a revision means, unless it has known that a short while ago. It is read before upstream is asked, and
    /// written over what was read, so that no answer takes the place of a newer one.
    pub(super) async fn confirm(
        &self,
        hub: &Hub,
        repo: &Repo,
        revision: &Revision,
    ) -> Result<Commit, Error> {
        let seen = self.tier.read_ref(repo, revision).await.map_err(of_tier)?;
        let said = hub.repo(repo.clone()).revision(revision.as_str()).info().await?.commit;
        let is_recent =
            seen.age_ms().is_some_and(|age_ms| Duration::from_millis(age_ms) < ROOTS_FOR);
        let word = Word::At(said.clone());
        if !is_recent || seen.word().as_ref() != Some(&word) {
            match self.tier.confirm_ref(&seen, &word).await.map_err(of_tier)? {
                Confirmed::Recorded(_) => {}
                // What another node has confirmed meanwhile is as new.
                Confirmed::AskAgain(_) => {}
            }
        }
        Ok(said)
    }

    /// Keeps the listing of a commit in the tier, where it has none.
    pub(super) async fn keep_listing(
        &self,
        hub: &Hub,
        repo: &Repo,
        commit: &Commit,
    ) -> Result<(), Error> {
        if self.tier.has_tree(repo, commit).await.map_err(of_tier)? {
            return Ok(());
        }
        let Some(json) = hub.listing_to_keep(repo, commit).await? else { return Ok(()) };
        let listing = Tree::parse(Bytes::from(json)).map_err(of_tier)?;
        self.tier.put_tree(repo, commit, &listing).await.map_err(of_tier)
    }
}

impl Tiers {
    /// Answers a question for the whole listing of a commit with what the tier keeps of it; `None` of other questions.
    pub(crate) async fn listing(&self, asked: &PassAsked) -> Option<Bytes> {
        let (member, repo, commit) = self.listed(asked)?;
        let read = timeout(ANSWER_FOR, member.tier.tree(repo, &commit)).await;
        let kept = read.ok()?.inspect_err(|error| member.tell(&commit, error)).ok()??;
        member.roots.listings.learn((repo.clone(), commit), ());
        listing::answer(kept.as_bytes())
    }

    /// Upstream has answered a question with all that it says. A whole listing of a commit is kept in the background.
    pub(crate) fn answered(&self, asked: &PassAsked, body: &Bytes) {
        let Some((member, repo, commit)) = self.listed(asked) else { return };
        let at = (repo.clone(), commit);
        if member.roots.listings.recall(&at, ROOTS_FOR).is_some() {
            return;
        }
        let Some(kept) = listing::kept(body).and_then(|kept| Tree::parse(kept).ok()) else {
            return;
        };
        let Ok(permit) = Arc::clone(&member.roots.waiting).try_acquire_owned() else { return };
        member.roots.listings.learn(at.clone(), ());
        let member = Arc::clone(member);
        tokio::spawn(async move {
            let _waits = permit;
            let _one_of_few = member.roots.at_once.acquire().await;
            if let Err(error) = member.tier.put_tree(&at.0, &at.1, &kept).await {
                member.tell(&at.1, &error);
            }
        });
    }

    fn listed<'a>(&self, asked: &'a PassAsked) -> Option<(&Arc<Member>, &'a Repo, Commit)> {
        let member = self.member().filter(|member| member.is_fit())?;
        let (repo, commit) = (asked.repo.as_ref()?, asked.revision.as_ref()?.as_commit()?);
        let is_asked = asked.json.is_none() && listing::is_asked(&asked.path, repo, &commit);
        is_asked.then_some((member, repo, commit))
    }
}

pub(super) fn of_tier(error: hubstow_tier::Error) -> Error {
    Error::new(ErrorKind::Other, "the tier").caused_by(error)
}
