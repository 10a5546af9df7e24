//! What a file should be, as a download would know it.

use hubstow_cache::{Target, care::verify::Fault};
use hubstow_core::{
    care::Role,
    hub::Metadata,
    layout::RepoLayout,
    name::{Commit, FileName, Repo, Revision},
};

use crate::{
    api::{error::Error, request::FileRequest},
    care::{Inventory, Kind},
    engine::Engine,
    file::content::Content,
    lookup::complete::Word,
};

/// What a file should be, as far as that is known.
#[derive(Clone)]
pub(super) struct Goal {
    pub(super) repo: Repo,
    pub(super) commit: Commit,
    pub(super) file: FileName,
    /// The file, where its content is known.
    pub(super) target: Option<Target>,
    /// Whether something is there that a question to the hub would take for good.
    looks_good: bool,
}

impl Goal {
    /// Finds out by which file of which snapshot a fault is healed.
    pub(super) fn of(inventory: &Inventory, fault: &Fault) -> Option<Self> {
        let through = fault.through.or(fault.id)?;
        let (repo, commit, file) = inventory.file_of(through)?;
        let target = fault.expected.as_ref().map(|expected| Target {
            layout: RepoLayout::new(&repo),
            // What a name means, nobody has asked.
            revision: Revision::from(&commit),
            commit: commit.clone(),
            file: file.clone(),
            etag: expected.etag.clone(),
            size: expected.size,
        });
        let own = inventory.get(through);
        let looks_good =
            own.is_some_and(|item| item.role == Role::Pointer && item.kind == Kind::File);
        Some(Self { repo, commit, file, target, looks_good })
    }

    /// Returns the content as it is fetched by its own address; `None` where the hub is better asked what it is.
    pub(super) fn content(&self, engine: &Engine) -> Result<Option<Content>, Error> {
        let known = |target: &&Target| target.size.is_some() || self.looks_good;
        let Some(target) = self.target.as_ref().filter(known).cloned() else { return Ok(None) };
        let pinned = engine.pinned(&self.repo, &target)?;
        let (commit, etag) = (target.commit.clone(), target.etag.clone());
        let metadata = Metadata { commit, etag, size: target.size, xet_hash: None };
        let (repo, revision) = (self.repo.clone(), target.revision.clone());
        let at = pinned.clone();
        Ok(Some(Content { repo, revision, target, metadata, word: Word::Final, at, pinned }))
    }

    /// Returns the question that asks the hub what the file is.
    pub(super) fn request(&self) -> Result<FileRequest, Error> {
        let request = FileRequest::new(self.repo.clone(), self.file.clone())?;
        Ok(request.at(Revision::from(&self.commit)))
    }
}
