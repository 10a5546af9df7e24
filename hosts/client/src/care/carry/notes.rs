//! What comes along with the files of a repo that is moved: blobs that nothing leads to, listings, markers, pins, and refs last.

use std::collections::HashSet;

use hubstow_cache::{
    Cache, Target,
    care::inventory::Inventory,
    disk::{Kind, cancel::Cancel},
    staged::Keep,
};
use hubstow_core::{
    care::{Id, Role},
    layout::{CachePath, RepoLayout},
    name::{Commit, Etag, FileName, Revision},
};

use super::{LeftOut, chosen::ChosenRepo, export::LISTING_LIMIT_BYTES, guard::is_hash};
use crate::api::error::{Error, ErrorKind, FailedFile, from_io};

/// The most bytes of a ref.
const REF_LIMIT_BYTES: u64 = 256;

/// What comes along with one repo.
pub(super) struct Notes<'a> {
    pub(super) from: &'a Cache,
    pub(super) to: &'a Cache,
    pub(super) inventory: &'a Inventory,
    pub(super) chosen: &'a ChosenRepo,
}

/// A blob that no pointer leads to.
pub(super) struct Orphan {
    layout: RepoLayout,
    etag: Etag,
    pub(super) size: u64,
    at: CachePath,
}

/// Returns the blobs of repos that no pointer leads to.
pub(super) fn orphans<'a>(
    inventory: &'a Inventory,
    chosen: &'a [ChosenRepo],
) -> impl Iterator<Item = Orphan> + 'a {
    chosen.iter().flat_map(|chosen| orphans_of(inventory, chosen))
}

fn orphans_of<'a>(
    inventory: &'a Inventory,
    chosen: &'a ChosenRepo,
) -> impl Iterator<Item = Orphan> + 'a {
    let layout = chosen.layout();
    let files = chosen.revisions.iter().flat_map(|revision| &revision.files);
    let led_to: HashSet<&Etag> = files.map(|file| &file.etag).collect();
    let folder = format!("{}/", layout.blobs());
    inventory.iter().filter_map(move |(_, item)| {
        let name = item.at.as_str().strip_prefix(&folder)?;
        let etag = Etag::parse(name).ok().filter(|etag| !led_to.contains(etag))?;
        let entry = item.entry.as_ref().filter(|entry| entry.kind == Kind::File)?;
        let is_blob = item.role == Role::Blob;
        let (layout, at, size) = (layout.clone(), item.at.clone(), entry.len_bytes);
        is_blob.then_some(Orphan { layout, etag, size, at })
    })
}

/// Returns the repos in which there is something that nobody knows.
pub(super) fn with_strangers(inventory: &Inventory) -> HashSet<Id> {
    let strangers = inventory.iter().filter(|(_, item)| item.role == Role::Stranger);
    strangers.map(|(id, _)| inventory.outermost(id)).collect()
}

impl Notes<'_> {
    /// Carries the blobs that nothing leads to; returns those that are damaged.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn orphan_blobs(&self, cancel: &Cancel) -> Result<Vec<FailedFile>, Error> {
        let mut failed = Vec::new();
        for orphan in orphans_of(self.inventory, self.chosen) {
            let Some(target) = orphan.target() else { continue };
            if matches!(self.to.disk().entry(&target.blob()), Ok(Some(_))) {
                continue;
            }
            let mut staged = self.to.stage(&target)?;
            staged.stopped_by(cancel.clone());
            let copied =
                staged.start_over().and_then(|()| self.from.fill_from(&orphan.at, &mut staged));
            let verified = copied.and_then(|()| staged.verify());
            match verified {
                Ok(Ok(())) => self.to.keep_blob(&target, staged)?,
                Ok(Err(wrong)) => {
                    self.to.abandon(staged, Keep::Nothing);
                    let what = format!("`{}` is damaged: {wrong}", orphan.at);
                    let error = Error::new(ErrorKind::ContentMismatch, what);
                    failed.push(FailedFile::new(orphan.at.as_str(), error));
                }
                Err(error) => {
                    self.to.abandon(staged, Keep::IfWorth);
                    return Err(from_io(&format!("`{}` can't be copied", orphan.at), error));
                }
            }
        }
        Ok(failed)
    }

    /// Carries listings, markers and pins, and then refs; returns what stays as it is there, and why.
    ///
    /// # Errors
    /// Whatever the system says.
    pub(super) fn carry(&self) -> Result<Vec<LeftOut>, Error> {
        let layout = self.chosen.layout();
        self.small_files(&layout)?;
        self.pins(&layout)?;
        self.refs(&layout)
    }

    /// Carries all kept listings, also those of commits without a snapshot, and markers of such commits.
    fn small_files(&self, layout: &RepoLayout) -> Result<(), Error> {
        let (trees, markers) =
            (format!("{}/trees/", layout.repo()), format!("{}/.no_exist/", layout.repo()));
        for (_, item) in self.inventory.iter().filter(|(_, item)| item.role == Role::Companion) {
            let path = item.at.as_str();
            let is_there = || matches!(self.to.disk().entry(&item.at), Ok(Some(_)));
            if path.starts_with(&trees) && !is_there() {
                if let Some(content) = self.from.read(&item.at, LISTING_LIMIT_BYTES) {
                    self.to.write_whole(layout, &item.at, &content)?;
                }
            } else if let Some(marker) = path.strip_prefix(&markers) {
                let parts = marker.split_once('/');
                let parsed = parts.and_then(|(commit, file)| {
                    Some((Commit::parse(commit).ok()?, FileName::parse(file).ok()?))
                });
                if let Some((commit, file)) = parsed {
                    self.to.mark(layout, &Revision::from(&commit), &commit, &file)?;
                }
            }
        }
        Ok(())
    }

    fn pins(&self, layout: &RepoLayout) -> Result<(), Error> {
        let (ours, mut theirs) = (self.from.pins(layout)?, self.to.pins(layout)?);
        let mut is_new = ours.whole && theirs.pin(None);
        for revision in &ours.revisions {
            is_new |= theirs.pin(Some(&Revision::parse(revision)?));
        }
        if is_new {
            self.to.set_pins(layout, &theirs)?;
        }
        Ok(())
    }

    /// Carries refs, also those that lead to no snapshot, as they are.
    fn refs(&self, layout: &RepoLayout) -> Result<Vec<LeftOut>, Error> {
        let folder = format!("{}/", layout.refs());
        let mut left = Vec::new();
        for (_, item) in self.inventory.iter() {
            let name = item.at.as_str().strip_prefix(&folder);
            let Some(name) = name.filter(|_| item.role == Role::Ref && item.kind == Kind::File)
            else {
                continue;
            };
            let content = self.from.read(&item.at, REF_LIMIT_BYTES);
            let Some((revision, content)) = Revision::parse(name).ok().zip(content) else {
                left.push(LeftOut::new(item.at.as_str(), "it is no ref that can be read"));
                continue;
            };
            let Some(commit) = Commit::from_ref_file(&content) else {
                // It keeps the revisions of its repo from being taken for unneeded, there as well.
                let at = layout.ref_file(&revision);
                if matches!(self.to.disk().entry(&at), Ok(None)) {
                    self.to.write_whole(layout, &at, &content)?;
                }
                continue;
            };
            match self.to.commit_of(layout, &revision) {
                None => {
                    let text = commit.as_str().as_bytes();
                    self.to.write_whole(layout, &layout.ref_file(&revision), text)?;
                }
                Some(there) if there != commit => tracing::warn!(
                    %revision, %there, "the ref is another one in the new place, and stays there"
                ),
                Some(_) => {}
            }
        }
        Ok(left)
    }
}

impl Orphan {
    /// Returns a target whose blob it is; no file of that name is ever placed.
    fn target(&self) -> Option<Target> {
        let commit = Commit::parse(&"0".repeat(40)).ok()?;
        let size = Some(self.size).filter(|_| is_hash(&self.etag));
        Some(Target {
            layout: self.layout.clone(),
            revision: Revision::from(&commit),
            commit,
            file: FileName::parse("blob").ok()?,
            etag: self.etag.clone(),
            size,
        })
    }
}
