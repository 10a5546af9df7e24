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
    /// Who may read the files of which repo.
    contents: Bounded<(CallerKey, Repo), ()>,
    /// Who may read what is told of which repo, which may be more: whoever is not let in to a gated repo sees what it has.
    descriptions: Bounded<(CallerKey, Repo), ()>,
    commits: Bounded<(CallerKey, Repo, Revision), Commit>,
    found: Bounded<(CallerKey, Repo, Commit, FileName), FoundFile>,
    /// Files that a commit has not, which never changes.
    missing: Bounded<(CallerKey, Repo, Commit, FileName), ()>,
    everybody: CallerKey,
}

/// Of a repo, what may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Contents,
    Description,
}

impl Memory {
    /// Begins with nothing; `everybody` is the key of whoever asks without a token.
    pub(crate) fn new(everybody: CallerKey) -> Self {
        Self {
            contents: Bounded::new(REMEMBERED, STALE_FOR),
            descriptions: Bounded::new(REMEMBERED, STALE_FOR),
            commits: Bounded::new(REMEMBERED, STALE_FOR),
            found: Bounded::new(REMEMBERED, FOUND_FOR),
            missing: Bounded::new(REMEMBERED, STALE_FOR),
            everybody,
        }
    }

    /// Upstream has let somebody read.
    pub(crate) fn allowed(&self, key: CallerKey, repo: &Repo, part: Part) {
        self.of(part).learn((key, repo.clone()), ());
    }

    /// Upstream has refused somebody, whatever it said before.
    pub(crate) fn refused(&self, key: CallerKey, repo: &Repo, part: Part) {
        self.of(part).forget(&(key, repo.clone()));
        if part == Part::Description {
            self.contents.forget(&(key, repo.clone()));
        }
    }

    /// Tells whether somebody was let read no longer ago than this.
    pub(crate) fn may_read(
        &self,
        key: CallerKey,
        repo: &Repo,
        part: Part,
        within: Duration,
    ) -> bool {
        [key, self.everybody].into_iter().any(|key| {
            let at = (key, repo.clone());
            let told = part == Part::Description && self.descriptions.recall(&at, within).is_some();
            told || self.contents.recall(&at, within).is_some()
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
        self.allowed(key, repo, Part::Contents);
        let commit = found.commit().clone();
        if revision.as_commit().is_none() {
            self.commits.learn((key, repo.clone(), revision.clone()), commit.clone());
        }
        self.found.learn((key, repo.clone(), commit, file.clone()), found.clone());
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
        self.found.recall(&(key, repo.clone(), commit.clone(), file.clone()), FOUND_FOR)
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

    fn of(&self, part: Part) -> &Bounded<(CallerKey, Repo), ()> {
        match part {
            Part::Contents => &self.contents,
            Part::Description => &self.descriptions,
        }
    }
}
