//! The files of a commit: the hub's listing, or the one that is kept beside the snapshots in the Python client's format.

use std::collections::{BTreeMap, HashSet};

use futures_util::future::join;
use hubstow_cache::{Cache, disk::failure::with_causes};
use hubstow_core::{
    layout::RepoLayout,
    name::{Commit, Etag, FileName, NameError, Repo, Revision},
};
use serde::{Deserialize, Serialize};

use crate::{
    api::{error::Error, event::Event},
    http::{address::Address, session::Http},
    lookup::{
        json::{Question, Unlisted, malformed, parse},
        patience::Patience,
    },
};

/// The most pages of one listing; at 1,000 files a page that is ten million files.
const PAGE_LIMIT: usize = 10_000;
/// The most files that are taken of one listing.
const FILE_LIMIT: usize = 2_000_000;
/// How many pages in a row may bring nothing new: pages of folders do, and so does a link that leads back.
const EMPTY_PAGE_LIMIT: usize = 100;
/// The most bytes of a kept listing that are read.
const KEPT_LIMIT_BYTES: u64 = 1 << 30;

/// One file of a commit. Where the listing lacks its size or its hash, only a HEAD tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) file: FileName,
    pub(crate) content: Option<(Etag, u64)>,
    /// The content's identity in the Xet store.
    pub(crate) xet_hash: Option<String>,
}

#[derive(Deserialize)]
struct RevisionInfo {
    sha: String,
}

#[derive(Deserialize)]
pub(super) struct TreeEntry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    size: Option<u64>,
    oid: Option<String>,
    lfs: Option<LfsEntry>,
    #[serde(rename = "xetHash")]
    xet_hash: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct LfsEntry {
    pub(super) oid: Option<String>,
    pub(super) size: Option<u64>,
}

impl TreeEntry {
    /// Makes the entry of a file.
    pub(super) fn file(
        path: String,
        size: Option<u64>,
        oid: Option<String>,
        lfs: Option<LfsEntry>,
    ) -> Self {
        Self { kind: "file".to_owned(), path, size, oid, lfs, xet_hash: None }
    }
}

/// The Python client's `trees/<commit>.json`.
#[derive(Deserialize, Serialize)]
struct Kept {
    format_version: u32,
    files: BTreeMap<String, KeptFile>,
}

#[derive(Deserialize, Serialize)]
struct KeptFile {
    size: Option<u64>,
    blob_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lfs_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lfs_size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    xet_hash: Option<String>,
}

impl Http {
    /// Asks which commit a revision means.
    pub(crate) async fn commit_of(
        &self,
        repo: &Repo,
        revision: &Revision,
        patience: Patience,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Commit, Unlisted> {
        let at = self.at_endpoint(&self.endpoint().revision(repo, revision))?;
        let (_, body) = self.json(&Question::get(at), &repo.to_string(), patience, tell).await?;
        let info: RevisionInfo = parse(&body)?;
        Commit::parse(&info.sha).map_err(|error| malformed(error).into())
    }

    /// Asks for the whole listing of a commit, page by page.
    pub(crate) async fn tree(
        &self,
        repo: &Repo,
        commit: &Commit,
        patience: Patience,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<(Listing, ToKeep), Unlisted> {
        let (subject, mut pages) = (repo.to_string(), Pages::default());
        let mut at = self.at_endpoint(&self.endpoint().tree(repo, &Revision::from(commit)))?;
        let mut page = self.json(&Question::get(at.clone()), &subject, patience, tell).await?;
        for _ in 0..PAGE_LIMIT {
            let (next, body) = page;
            let Some(next) = next else {
                pages.take(&body)?;
                return Ok(pages.listing()?);
            };
            at = self.next_page(&at, &next)?;
            // This page is read while the next one is on its way.
            let question = Question::get(at.clone());
            let following = self.json(&question, &subject, patience, tell);
            let (following, taken) = join(following, async { pages.take(&body) }).await;
            taken?;
            page = following?;
        }
        Err(malformed("the listing has no end").into())
    }

    /// A further page is asked for at the hub itself, whatever host its link names: the token goes along (row A56 of the
    /// attack table).
    fn next_page(&self, at: &Address, next: &str) -> Result<Address, Error> {
        let link = at.url.join(next).ok();
        let page = link.and_then(|link| self.endpoint().next_page(link.as_str()));
        self.at_endpoint(&page.ok_or_else(|| malformed("the link to the next page is no address"))?)
    }
}

/// The pages of a listing that have come.
#[derive(Default)]
struct Pages {
    files: BTreeMap<String, KeptFile>,
    /// How many in a row have brought nothing new.
    empty: usize,
}

impl Pages {
    fn take(&mut self, body: &[u8]) -> Result<(), Unlisted> {
        let entries: Vec<TreeEntry> = parse(body)?;
        let before = self.files.len();
        self.add(entries);
        if self.files.len() > FILE_LIMIT {
            return Err(malformed("it lists more files than any repo has").into());
        }
        self.empty = if self.files.len() == before { self.empty + 1 } else { 0 };
        if self.empty > EMPTY_PAGE_LIMIT {
            return Err(malformed("the listing has no end").into());
        }
        Ok(())
    }

    fn add(&mut self, entries: impl IntoIterator<Item = TreeEntry>) {
        self.files.extend(entries.into_iter().filter(|entry| entry.kind == "file").map(kept));
    }

    fn listing(self) -> Result<(Listing, ToKeep), Error> {
        Ok((Listing::new(&self.files)?, ToKeep::new(self.files)))
    }
}

/// Makes a listing of entries that came at once.
pub(super) fn listing_of(
    entries: impl IntoIterator<Item = TreeEntry>,
) -> Result<(Listing, ToKeep), Error> {
    let mut pages = Pages::default();
    pages.add(entries);
    pages.listing()
}

fn kept(entry: TreeEntry) -> (String, KeptFile) {
    let oid = entry.oid.filter(|oid| !oid.is_empty());
    let mut file = KeptFile {
        size: entry.size,
        blob_id: oid,
        lfs_sha256: None,
        lfs_size: None,
        xet_hash: entry.xet_hash,
    };
    match entry.lfs {
        None => {}
        Some(LfsEntry { oid: Some(sha256), size }) if !sha256.is_empty() => {
            file.lfs_size = size.or(entry.size);
            file.lfs_sha256 = Some(sha256);
        }
        // What else there is speaks of the pointer in git, not of the content.
        Some(_) => file.blob_id = None,
    }
    (entry.path, file)
}

impl KeptFile {
    fn is_whole(&self) -> bool {
        self.size.is_some() && self.blob_id.is_some()
    }

    fn content(&self) -> Result<Option<(Etag, u64)>, NameError> {
        let etag = self.lfs_sha256.as_ref().or(self.blob_id.as_ref());
        let etag = etag.map(|etag| Etag::parse(etag)).transpose()?;
        Ok(etag.zip(self.lfs_size.or(self.size)))
    }
}

/// Finds a file below which something else is listed.
fn file_and_folder<'a>(files: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    let known: HashSet<_> = files.clone().collect();
    let mut last = "";
    for path in files {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        if std::mem::replace(&mut last, folder) == folder {
            continue;
        }
        let ends = folder.match_indices('/').map(|(end, _)| end).chain([folder.len()]);
        let folders = ends.filter_map(|end| folder.get(..end));
        if let Some(both) = folders.into_iter().find(|folder| known.contains(folder)) {
            return Some(both);
        }
    }
    None
}

/// The files of a commit, in order.
pub(crate) struct Listing {
    pub(crate) files: Vec<Listed>,
}

/// A listing as it is kept beside the snapshots; empty where there is nothing to keep.
#[derive(Default)]
pub(crate) struct ToKeep(Option<Kept>);

impl Listing {
    /// Parses every name; one that is none refuses the whole listing (rows A14–A24 of the attack table).
    fn new(files: &BTreeMap<String, KeptFile>) -> Result<Self, Error> {
        let mut listed = Vec::with_capacity(files.len());
        for (path, kept) in files {
            let name = |error: NameError| malformed(error);
            let file = FileName::parse(path).map_err(name)?;
            let (content, xet_hash) = (kept.content().map_err(name)?, kept.xet_hash.clone());
            listed.push(Listed { file, content, xet_hash });
        }
        if let Some(file) = file_and_folder(files.keys().map(String::as_str)) {
            return Err(malformed(format!("`{file}` is listed as a file and as a folder")));
        }
        Ok(Self { files: listed })
    }

    /// Reads a kept listing; one that can't be read or understood, or lacks anything, is none.
    pub(crate) fn of_cache(cache: &Cache, layout: &RepoLayout, commit: &Commit) -> Option<Self> {
        let content = cache.read(&layout.tree(commit), KEPT_LIMIT_BYTES)?;
        let kept: Kept = serde_json::from_slice(&content).ok()?;
        if kept.format_version != 1 || !kept.files.values().all(KeptFile::is_whole) {
            return None;
        }
        Self::new(&kept.files).ok()
    }
}

impl ToKeep {
    fn new(files: BTreeMap<String, KeptFile>) -> Self {
        let whole = files.values().all(KeptFile::is_whole);
        Self(whole.then_some(Kept { format_version: 1, files }))
    }

    /// Keeps the listing. That it can't be kept costs a request next time.
    pub(crate) fn keep(self, cache: &Cache, layout: &RepoLayout, commit: &Commit) {
        let Some(kept) = self.0 else { return };
        let content = match serde_json::to_vec(&kept) {
            Ok(content) => content,
            Err(error) => {
                tracing::debug!(%commit, %error, "the listing could not be written as JSON");
                return;
            }
        };
        let written = cache.write_whole(layout, &layout.tree(commit), &content);
        if let Err(error) = written {
            tracing::debug!(%commit, error = %with_causes(&error), "the listing could not be kept");
        }
    }
}
