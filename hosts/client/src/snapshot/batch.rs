//! Files of one commit that are wanted together, and what each comes to.

use std::iter;

use hubstow_cache::{
    Cache, FsError, Target,
    drive::{Next, Outcome, Placing},
};
use hubstow_core::{
    facts::Force,
    hub::Metadata,
    name::{FileName, Repo, Revision},
};

use super::wanted::WantedFile;
use crate::{
    api::{
        error::{Error, ErrorKind},
        event::Event,
        report::FileReport,
    },
    engine::Engine,
    file::{
        content::Content,
        place::{Origin, report},
    },
    handle::CacheHandle,
    lookup::{complete::Word, direct::Directory, listing::Unusable},
};

/// Files of one commit that are wanted together.
pub(crate) struct Batch {
    pub(crate) engine: Engine,
    /// A cache that remembers, for this operation.
    pub(crate) cache: CacheHandle,
    pub(crate) repo: Repo,
    /// The revision that was asked for.
    pub(crate) revision: Revision,
    pub(crate) files: Vec<WantedFile>,
    /// What is wanted as well, and has no place in a local folder.
    pub(crate) left_out: Vec<FileName>,
    /// What is wanted as well, and fails for what the hub lists of it.
    pub(crate) unusable: Vec<Unusable>,
    pub(crate) force: Force,
    /// Where the hub has been seen to keep small files.
    pub(crate) directory: Directory,
}

/// What became of one file, by its place in the batch.
pub(crate) struct FileResult {
    pub(crate) at: usize,
    pub(crate) result: Result<FileReport, Error>,
}

/// What became of the files, in their order; `None` of those about which nothing is known yet.
#[derive(Default)]
pub(crate) struct Results(Vec<Option<Result<FileReport, Error>>>);

impl Results {
    pub(crate) fn of(files: usize) -> Self {
        Self(iter::repeat_with(|| None).take(files).collect())
    }

    pub(crate) fn set(&mut self, at: usize, result: Result<FileReport, Error>) {
        if let Some(known) = self.0.get_mut(at) {
            *known = Some(result);
        }
    }

    pub(crate) fn extend(&mut self, results: impl IntoIterator<Item = FileResult>) {
        results.into_iter().for_each(|FileResult { at, result }| self.set(at, result));
    }

    /// Tells whether every file is in its place.
    pub(crate) fn all_serve(&self) -> bool {
        self.0.iter().all(|result| matches!(result, Some(Ok(_))))
    }

    /// Returns the reports of those that are in their places.
    pub(crate) fn reports(&self) -> impl Iterator<Item = &FileReport> {
        self.0.iter().flatten().flatten()
    }
}

impl IntoIterator for Results {
    type Item = Option<Result<FileReport, Error>>;
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// How far a file has come without the hub.
pub(crate) enum Step {
    Ended(Result<FileReport, Error>),
    Fetch(Box<Placing>),
}

impl Batch {
    pub(crate) fn workers(&self) -> usize {
        self.engine.config.max_workers.max(1)
    }

    pub(crate) fn file(&self, at: usize) -> Result<&WantedFile, Error> {
        let missing = || Error::new(ErrorKind::Other, "a file is not among those wanted");
        self.files.get(at).ok_or_else(missing)
    }

    pub(crate) fn target(&self, at: usize) -> Result<&Target, Error> {
        self.file(at).map(|wanted| &wanted.target)
    }

    pub(crate) fn content(&self, at: usize) -> Result<Content, Error> {
        let WantedFile { target, xet_hash } = self.file(at)?;
        let target = target.clone();
        let pinned = self.engine.pinned(&self.repo, &target)?;
        let (commit, etag) = (target.commit.clone(), target.etag.clone());
        let metadata = Metadata { commit, etag, size: target.size, xet_hash: xet_hash.clone() };
        let (repo, revision) = (self.repo.clone(), self.revision.clone());
        let at = pinned.clone();
        Ok(Content { repo, revision, target, metadata, word: Word::Final, at, pinned })
    }

    pub(crate) fn place_error(&self, target: &Target, error: FsError) -> Error {
        self.engine.place_error(&self.repo, &self.revision, target, error)
    }

    pub(crate) fn finished(&self, report: &FileReport) {
        self.engine.tell_lazily(|| Event::Finished { report: report.clone() });
    }

    /// Goes as far with a file as is possible without the hub; the content, where it has come already, is of this origin.
    /// It blocks.
    pub(crate) fn step(&self, cache: &Cache, mut placing: Placing, origin: Origin) -> Step {
        match placing.advance() {
            Ok(Next::Done(outcome)) => {
                Step::Ended(self.settled(cache, placing.target(), &outcome, origin))
            }
            Ok(Next::Fetch) => Step::Fetch(Box::new(placing)),
            Err(error) => Step::Ended(Err(self.place_error(placing.target(), error))),
        }
    }

    /// What follows when a pointer serves.
    fn settled(
        &self,
        cache: &Cache,
        target: &Target,
        outcome: &Outcome,
        origin: Origin,
    ) -> Result<FileReport, Error> {
        if target.layout.is_local() {
            cache.record_local(target)?;
        }
        let report = report(cache, target, outcome, origin);
        self.finished(&report);
        Ok(report)
    }

    /// Writes down what was proved, when all files are in their places. It blocks.
    pub(crate) fn record(&self, cache: &Cache) {
        if let Some(WantedFile { target: Target { layout, commit, .. }, .. }) = self.files.first() {
            cache.record_proofs(layout, commit, &self.files);
        }
    }
}
