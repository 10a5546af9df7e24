//! Where everything is, asked by name.

use hubstow_core::layout::{CachePath, RepoLayout};

use crate::{names, wit};

pub(crate) fn of(tree: &wit::Tree) -> Result<RepoLayout, wit::NameError> {
    Ok(match tree {
        wit::Tree::Shared(repo) => RepoLayout::new(&names::repo(repo)?),
        wit::Tree::Local => RepoLayout::local(),
    })
}

pub(crate) fn path(tree: &wit::Tree, item: &wit::Item) -> Result<String, wit::NameError> {
    let layout = of(tree)?;
    let path = match item {
        wit::Item::Root => CachePath::root(),
        wit::Item::CacheTag => CachePath::cache_tag(),
        wit::Item::Repo => layout.repo(),
        wit::Item::Blobs => layout.blobs(),
        wit::Item::Blob(etag) => layout.blob(&names::etag(etag)?),
        wit::Item::Staged(name) => {
            layout.staged(&names::etag(&name.etag)?, &names::nonce(&name.nonce)?)
        }
        wit::Item::Snapshots => layout.snapshots(),
        wit::Item::FoldedSnapshots => layout.folded_snapshots(),
        wit::Item::Snapshot(commit) => layout.snapshot(&names::commit(commit)?),
        wit::Item::Pointer(at) => {
            layout.pointer(&names::commit(&at.commit)?, &names::file(&at.file)?)
        }
        wit::Item::RefFile(revision) => layout.ref_file(&names::revision(revision)?),
        wit::Item::NoExist(at) => {
            layout.no_exist(&names::commit(&at.commit)?, &names::file(&at.file)?)
        }
        wit::Item::Listing(commit) => layout.tree(&names::commit(commit)?),
        wit::Item::Lock(etag) => layout.lock(&names::etag(etag)?),
        wit::Item::Private => layout.private(),
        wit::Item::Scratch(nonce) => layout.scratch(&names::nonce(nonce)?),
        wit::Item::LinkScratch(trial) => {
            layout.link_scratch(&names::file(&trial.file)?, &names::nonce(&trial.nonce)?)
        }
        wit::Item::NameTrial(trial) => {
            let (file, nonce) = (names::file(&trial.file)?, names::nonce(&trial.nonce)?);
            // A file name has at least one part.
            layout.name_trial(&file, &nonce).next().map_or_else(CachePath::root, |(at, _)| at)
        }
        wit::Item::Proof(etag) => layout.proof(&names::etag(etag)?),
        wit::Item::ProbeFolder => RepoLayout::probe_folder(),
        wit::Item::ProbeFile(nonce) => RepoLayout::probe_file(&names::nonce(nonce)?),
        wit::Item::LocalMetadata(file) => RepoLayout::local_metadata(&names::file(file)?),
    };
    Ok(path.as_str().to_owned())
}

pub(crate) fn pointer_steps(
    tree: &wit::Tree,
    at: &wit::FileAt,
) -> Result<Vec<wit::Step>, wit::NameError> {
    let (layout, commit, file) = (of(tree)?, names::commit(&at.commit)?, names::file(&at.file)?);
    let step = |(folder, name): (CachePath, &str)| wit::Step {
        folder: folder.as_str().to_owned(),
        name: name.to_owned(),
    };
    Ok(layout.pointer_steps(&commit, &file).map(step).collect())
}

pub(crate) fn link_text(file: &str, etag: &str) -> Result<String, wit::NameError> {
    Ok(RepoLayout::link_text(&names::file(file)?, &names::etag(etag)?))
}

pub(crate) fn etag_of_link(file: &str, text: &str) -> Result<Option<String>, wit::NameError> {
    Ok(RepoLayout::etag_of_link(&names::file(file)?, text).map(|etag| etag.to_string()))
}

pub(crate) fn staged_of_base(base: &str) -> Option<wit::StagedName> {
    let (etag, nonce) = RepoLayout::parse_staged(base)?;
    Some(wit::StagedName { etag: etag.to_string(), nonce: nonce.to_string() })
}
