//! What upstream has said a short while ago: who may read what, and what revisions and files are.
//!
//! What was allowed to whoever asks without a token is allowed to everybody.

use std::time::Duration;

use hubstow_client::FoundFile;
use hubstow_core::name::{Commit, FileName, Repo, Revision};

use crate::{
    bounded::Bounded,
    callers::CallerKey,
    limits::{FOUND_FOR, REMEMBERED, REVISION_FOR, STALE_FOR},
};

/// What upstream has said.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Who was given which file.
    contents: Bounded<(CallerKey, Repo, Commit, FileName), ()>,
    /// Who may read what is told of which repo, which may be more: whoever is not let in to a gated repo sees what it has.
    descriptions: Bounded<(CallerKey, Repo), ()>,
    commits: Bounded<(CallerKey, Repo, Revision), Commit>,
    found: Bounded<(CallerKey, Repo, Commit, FileName), FoundFile>,
    /// Files that a commit has not, which never changes.
    missing: Bounded<(CallerKey, Repo, Commit, FileName), ()>,
    /// Files that somebody has asked for.
    wanted: Bounded<(Repo, FileName), ()>,
    everybody: CallerKey,
}

impl Memory {
    /// Begins with nothing; `everybody` is the key of whoever asks without a token.
    pub(crate) fn new(everybody: CallerKey) -> Self {
        Self {
            contents: Bounded::new(REMEMBERED, STALE_FOR),
            descriptions: Bounded::new(REMEMBERED, STALE_FOR),
            commits: Bounded::new(REMEMBERED, STALE_FOR),
            found: Bounded::new(REMEMBERED, STALE_FOR),
            missing: Bounded::new(REMEMBERED, STALE_FOR),
            wanted: Bounded::new(REMEMBERED, STALE_FOR),
            everybody,
        }
    }

    /// Upstream has told somebody of a repo.
    pub(crate) fn told(&self, key: CallerKey, repo: &Repo) {
        self.descriptions.learn((key, repo.clone()), ());
    }

    /// Upstream has refused somebody, whatever it said before.
    pub(crate) fn refused(&self, key: CallerKey, repo: &Repo) {
        self.descriptions.forget(&(key, repo.clone()));
        self.contents.forget_all(|(of, at, ..)| *of == key && at == repo);
    }

    /// Tells whether somebody was told of a repo no longer ago than this.
    pub(crate) fn may_know(&self, key: CallerKey, repo: &Repo, within: Duration) -> bool {
        let told = |key| self.descriptions.recall(&(key, repo.clone()), within).is_some();
        told(key) || told(self.everybody)
    }

    /// Tells whether somebody was given a file of a commit no longer ago than this. One file says nothing of another: whoever is not
    /// let in to a gated repo may read some of it.
    pub(crate) fn may_have(
        &self,
        key: CallerKey,
        (repo, commit, file): (&Repo, &Commit, &FileName),
        within: Duration,
    ) -> bool {
        [key, self.everybody].into_iter().any(|key| {
            let at = (key, repo.clone(), commit.clone(), file.clone());
            self.contents.recall(&at, within).is_some()
        })
    }

    /// Returns the commit of a revision, as it was no longer ago than this.
    pub(crate) fn commit(
        &self,
        key: CallerKey,
        repo: &Repo,
        revision: &Revision,
        within: Duration,
    ) -> Option<Commit> {
        let recall = |key| self.commits.recall(&(key, repo.clone(), revision.clone()), within);
        revision.as_commit().or_else(|| recall(key)).or_else(|| recall(self.everybody))
    }

    /// Returns what a revision is, as it was a moment ago.
    pub(crate) fn recent_commit(
        &self,
        key: CallerKey,
        repo: &Repo,
        revision: &Revision,
    ) -> Option<Commit> {
        self.commit(key, repo, revision, REVISION_FOR)
    }

    /// Upstream has said what a file is, and given it to somebody.
    pub(crate) fn found(
        &self,
        key: CallerKey,
        (repo, revision, file): (&Repo, &Revision, &FileName),
        found: &FoundFile,
    ) {
        let commit = found.commit().clone();
        self.contents.learn((key, repo.clone(), commit.clone(), file.clone()), ());
        if revision.as_commit().is_none() {
            self.commits.learn((key, repo.clone(), revision.clone()), commit.clone());
        }
        self.found.learn((key, repo.clone(), commit, file.clone()), found.clone());
    }

    /// Somebody asks for a file; returns whether nobody did before.
    pub(crate) fn is_first_to_want(&self, repo: &Repo, file: &FileName) -> bool {
        self.wanted.learn((repo.clone(), file.clone()), ())
    }

    /// Upstream has told somebody that a commit has no such file.
    pub(crate) fn missed(&self, key: CallerKey, repo: &Repo, commit: &Commit, file: &FileName) {
        self.missing.learn((key, repo.clone(), commit.clone(), file.clone()), ());
    }

    /// Tells whether upstream has told somebody, no longer ago than this, that a commit has no such file.
    pub(crate) fn is_missing(
        &self,
        key: CallerKey,
        (repo, commit, file): (&Repo, &Commit, &FileName),
        within: Duration,
    ) -> bool {
        let at = (key, repo.clone(), commit.clone(), file.clone());
        self.missing.recall(&at, within).is_some()
    }

    /// Returns what a file of a commit is.
    pub(crate) fn file(
        &self,
        key: CallerKey,
        repo: &Repo,
        commit: &Commit,
        file: &FileName,
    ) -> Option<FoundFile> {
        self.file_within(key, (repo, commit, file), FOUND_FOR)
    }

    /// Returns what a file of a commit was said to be no longer ago than this: to somebody, or to everybody.
    pub(crate) fn file_within(
        &self,
        key: CallerKey,
        (repo, commit, file): (&Repo, &Commit, &FileName),
        within: Duration,
    ) -> Option<FoundFile> {
        let recall =
            |key| self.found.recall(&(key, repo.clone(), commit.clone(), file.clone()), within);
        recall(key).or_else(|| recall(self.everybody))
    }

    /// What was said of a file turned out to be of no use.
    pub(crate) fn forget_file(
        &self,
        key: CallerKey,
        repo: &Repo,
        commit: &Commit,
        file: &FileName,
    ) {
        self.found.forget(&(key, repo.clone(), commit.clone(), file.clone()));
    }
}
