//! What a commit holds, of hubs that can say it in one way or the other: chosen paths, the listing, or the names that come
//! with the revision.

use std::sync::atomic::Ordering;

use hubstow_core::{
    name::{Commit, Etag, FileName, Repo, Revision},
    why::Refusal,
};
use serde::{Deserialize, Serialize};

use super::{
    json::{Question, Unlisted, parse},
    listing::{LfsEntry, Listed, Listing, ToKeep, TreeEntry, listing_of},
    patience::Patience,
};
use crate::{
    api::event::Event,
    http::{session::Http, transport::BoxFuture},
};

/// A commit, and the revision that it was found by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfCommit<'a> {
    pub(crate) repo: &'a Repo,
    pub(crate) revision: &'a Revision,
    pub(crate) commit: &'a Commit,
}

/// What is known of one file of a commit.
pub(super) enum Entry {
    Listed {
        etag: Etag,
        size: u64,
        xet_hash: Option<String>,
    },
    /// The commit has no such file.
    Missing,
    /// The hub does not say.
    Unknown,
}

#[derive(Serialize)]
struct ChosenPaths<'a> {
    paths: [&'a str; 1],
    expand: bool,
}

/// What a hub says of a revision when it is asked for its files.
#[derive(Deserialize)]
struct RevisionFiles {
    sha: String,
    siblings: Option<Vec<Sibling>>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    #[serde(rename = "blobId")]
    blob_id: Option<String>,
    lfs: Option<SiblingLfs>,
}

#[derive(Deserialize)]
struct SiblingLfs {
    sha256: Option<String>,
    size: Option<u64>,
}

impl Http {
    /// Asks for the files of a commit: for its listing, and of a hub that has none for what comes with the revision.
    pub(crate) fn files<'a>(
        &'a self,
        of: OfCommit<'a>,
        patience: Patience,
        tell: &'a (dyn Fn(Event) + Sync),
    ) -> BoxFuture<'a, Result<(Listing, ToKeep), Unlisted>> {
        Box::pin(self.tree_or_siblings(of, patience, tell))
    }

    async fn tree_or_siblings(
        &self,
        of: OfCommit<'_>,
        patience: Patience,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<(Listing, ToKeep), Unlisted> {
        match self.tree(of.repo, of.commit, patience, tell).await {
            Err(Unlisted::Refused(refusal, cause)) if is_no_listing(refusal) => {
                match self.siblings(of, patience, tell).await {
                    Ok(files) => Ok(files),
                    // Nobody knows anything of it.
                    Err(Unlisted::Refused(again, _)) if again == refusal => {
                        Err(Unlisted::Refused(refusal, cause))
                    }
                    Err(other) => Err(other),
                }
            }
            listed => listed,
        }
    }

    /// Asks for one file of a commit.
    pub(super) async fn entry(
        &self,
        of: OfCommit<'_>,
        file: &FileName,
        patience: Patience,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Entry, Unlisted> {
        let mut is_refused = false;
        if !self.route().lacks_paths().load(Ordering::Relaxed) {
            match self.chosen(of, file, patience, tell).await {
                Ok(chosen) => {
                    if let Some(entry) = entry_of(&chosen, file) {
                        return Ok(entry);
                    }
                }
                Err(Unlisted::Refused(refusal, _)) => is_refused = is_no_listing(refusal),
                Err(Unlisted::Error(_)) => {}
            }
        }
        let (files, _) = self.files(of, patience, tell).await?;
        // That it knows the commit shows that it is this question which it does not know.
        if is_refused {
            self.route().lacks_paths().store(true, Ordering::Relaxed);
        }
        Ok(entry_of(&files, file).unwrap_or(Entry::Missing))
    }

    /// Asks for one path of a commit; not every hub can be.
    async fn chosen(
        &self,
        of: OfCommit<'_>,
        file: &FileName,
        patience: Patience,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Listing, Unlisted> {
        let revision = Revision::from(of.commit);
        let at = self.at_endpoint(&self.endpoint().paths_info(of.repo, &revision))?;
        let asked = ChosenPaths { paths: [file.as_str()], expand: false };
        let body = serde_json::to_vec(&asked).map_err(Unlisted::malformed)?;
        let (_, body) = self.json(&Question::post(at, body), file.as_str(), patience, tell).await?;
        let entries: Vec<TreeEntry> = parse(&body)?;
        Ok(listing_of(entries).0)
    }

    /// Asks for the names that come with a revision.
    async fn siblings(
        &self,
        OfCommit { repo, revision, commit }: OfCommit<'_>,
        patience: Patience,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<(Listing, ToKeep), Unlisted> {
        let at = self.at_endpoint(&self.endpoint().revision_with_files(repo, revision))?;
        let (_, body) = self.json(&Question::get(at), &repo.to_string(), patience, tell).await?;
        let RevisionFiles { sha, siblings } = parse(&body)?;
        if sha != commit.as_str() {
            return Err(Unlisted::malformed("the revision has moved since it was asked for"));
        }
        let siblings = siblings.ok_or_else(|| {
            Unlisted::malformed("it has no listing, and names no files with the revision")
        })?;
        Ok(listing_of(siblings.into_iter().map(TreeEntry::from)))
    }
}

impl From<Sibling> for TreeEntry {
    fn from(Sibling { rfilename, size, blob_id, lfs }: Sibling) -> Self {
        let lfs = lfs.map(|SiblingLfs { sha256, size }| LfsEntry { oid: sha256, size });
        Self::file(rfilename, size, blob_id, lfs)
    }
}

/// Returns what is listed of a file; a listing that does not know its hash or its size does not know the file.
fn entry_of(listing: &Listing, file: &FileName) -> Option<Entry> {
    let listed = listing.files.iter().find(|listed| listed.file == *file)?;
    let Listed { content, xet_hash, .. } = listed.clone();
    Some(content.map_or(Entry::Unknown, |(etag, size)| Entry::Listed { etag, size, xet_hash }))
}

/// Tells whether a hub that refuses a listing so may have none at all.
fn is_no_listing(refusal: Refusal) -> bool {
    matches!(refusal, Refusal::RepoNotFound | Refusal::EntryNotFound | Refusal::AnswerUnexpected)
}
