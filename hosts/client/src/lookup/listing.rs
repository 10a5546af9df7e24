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
    api::{
        error::{Detail, Error, ErrorKind, FailedFile},
        event::Event,
    },
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

/// An entry of a listing that no file can be made of. It costs itself and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unusable {
    /// Its name, as the hub wrote it.
    pub(crate) name: String,
    flaw: Flaw,
}

/// What is wrong with an entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Flaw {
    Name(NameError),
    Etag(FileName, NameError),
}

impl Unusable {
    /// Returns the failure of an entry that is wanted.
    pub(crate) fn failure(&self) -> FailedFile {
        let (file, what, cause) = match &self.flaw {
            Flaw::Name(error) => {
                (error.shown().to_owned(), "the hub lists what can't be a file".to_owned(), error)
            }
            Flaw::Etag(file, error) => (
                file.to_string(),
                format!("the hub lists `{file}` with an etag that can't be used"),
                error,
            ),
        };
        let error = Error::new(ErrorKind::HubFailing, what)
            .with_detail(Detail::UnusableEntry)
            .caused_by(cause.clone());
        FailedFile { file, error }
    }
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

    /// Asks for the whole listing of a commit. All its pages are of one endpoint: where that goes away, it begins anew at the next.
    pub(crate) async fn tree(
        &self,
        repo: &Repo,
        commit: &Commit,
        patience: Patience,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<(Listing, ToKeep), Unlisted> {
        loop {
            // No question comes back to an endpoint that it has left, so this ends.
            if let Some(pages) = self.pages(repo, commit, patience, tell).await? {
                return Ok(pages.listing());
            }
        }
    }

    /// Asks for it page by page; `None` where another endpoint has answered in between.
    async fn pages(
        &self,
        repo: &Repo,
        commit: &Commit,
        patience: Patience,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Option<Pages>, Unlisted> {
        let (subject, mut pages) = (repo.to_string(), Pages::default());
        let mut at = self.at_endpoint(&self.endpoint().tree(repo, &Revision::from(commit)))?;
        let first = Question::get(at.clone());
        let (site, mut page) = self.json_of(&first, &subject, patience, tell).await?;
        for _ in 0..PAGE_LIMIT {
            let (next, body) = page;
            let Some(next) = next else {
                pages.take(&body)?;
                return Ok(Some(pages));
            };
            at = self.next_page(&at, &next)?;
            // This page is read while the next one is on its way.
            let question = Question::get(at.clone());
            let following = self.json_of(&question, &subject, patience, tell);
            let (following, taken) = join(following, async { pages.take(&body) }).await;
            taken?;
            let (from, following) = following?;
            if from != site {
                return Ok(None);
            }
            page = following;
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

    fn listing(self) -> (Listing, ToKeep) {
        let listing = Listing::new(&self.files);
        let to_keep = ToKeep::new(&listing, self.files);
        (listing, to_keep)
    }
}

/// Makes a listing of entries that came at once.
pub(super) fn listing_of(entries: impl IntoIterator<Item = TreeEntry>) -> (Listing, ToKeep) {
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

/// Finds the paths that are listed below a listed file, as if that were a folder.
fn below_files<'a>(paths: impl Iterator<Item = &'a str> + Clone) -> HashSet<&'a str> {
    let known: HashSet<_> = paths.clone().collect();
    let is_in_file = |folder: &str| {
        let ends = folder.match_indices('/').map(|(end, _)| end).chain([folder.len()]);
        ends.filter_map(|end| folder.get(..end)).any(|folder| known.contains(folder))
    };
    // In order, the files of a folder mostly follow each other.
    let mut last = ("", false);
    let mut below = |path: &'a str| {
        let Some((folder, _)) = path.rsplit_once('/') else { return false };
        if last.0 != folder {
            last = (folder, is_in_file(folder));
        }
        last.1
    };
    paths.filter(|path| below(path)).collect()
}

/// What a hub lists of a commit.
pub(crate) struct Listing {
    /// The files, in order.
    pub(crate) files: Vec<Listed>,
    /// The entries that no file can be made of.
    pub(crate) unusable: Vec<Unusable>,
}

fn listed(path: &str, kept: &KeptFile) -> Result<Listed, Flaw> {
    let file = FileName::parse(path).map_err(Flaw::Name)?;
    match kept.content() {
        Ok(content) => Ok(Listed { file, content, xet_hash: kept.xet_hash.clone() }),
        Err(error) => Err(Flaw::Etag(file, error)),
    }
}

/// A listing as it is kept beside the snapshots; empty where there is nothing to keep.
#[derive(Default)]
pub(crate) struct ToKeep(Option<Kept>);

impl Listing {
    /// Parses every entry. One that is no file, or contradicts another, is kept apart (rows A14–A24 of the attack table).
    fn new(files: &BTreeMap<String, KeptFile>) -> Self {
        let mut listing = Self { files: Vec::with_capacity(files.len()), unusable: Vec::new() };
        let below_files = below_files(files.keys().map(String::as_str));
        for (path, kept) in files {
            match listed(path, kept) {
                Ok(listed) if below_files.contains(path.as_str()) => {
                    listing.unusable(path, Flaw::Name(listed.file.below_a_file()));
                }
                Ok(listed) => listing.files.push(listed),
                Err(flaw) => listing.unusable(path, flaw),
            }
        }
        listing
    }

    fn unusable(&mut self, path: &str, flaw: Flaw) {
        self.unusable.push(Unusable { name: path.to_owned(), flaw });
    }

    /// Reads a kept listing; one that can't be read or understood, or lacks anything, is none.
    pub(crate) fn of_cache(cache: &Cache, layout: &RepoLayout, commit: &Commit) -> Option<Self> {
        Self::of_kept(&cache.read(&layout.tree(commit), KEPT_LIMIT_BYTES)?)
    }

    /// Reads what is kept of a listing, in the same way.
    pub(crate) fn of_kept(content: &[u8]) -> Option<Self> {
        let kept: Kept = serde_json::from_slice(content).ok()?;
        if kept.format_version != 1 || !kept.files.values().all(KeptFile::is_whole) {
            return None;
        }
        Some(Self::new(&kept.files)).filter(|listing| listing.unusable.is_empty())
    }
}

impl ToKeep {
    /// What is kept is read by peers too, so none with a name that is none is.
    fn new(listing: &Listing, files: BTreeMap<String, KeptFile>) -> Self {
        let whole = listing.unusable.is_empty() && files.values().all(KeptFile::is_whole);
        Self(whole.then_some(Kept { format_version: 1, files }))
    }

    /// Returns what is kept; `None` where there is nothing to keep.
    pub(crate) fn into_json(self) -> Option<Vec<u8>> {
        let written = serde_json::to_vec(&self.0?);
        written.inspect_err(|error| tracing::debug!(%error, "a listing is no JSON")).ok()
    }

    /// Keeps the listing. That it can't be kept costs a request next time.
    pub(crate) fn keep(self, cache: &Cache, layout: &RepoLayout, commit: &Commit) {
        let Some(content) = self.into_json() else { return };
        let written = cache.write_whole(layout, &layout.tree(commit), &content);
        if let Err(error) = written {
            tracing::debug!(%commit, error = %with_causes(&error), "the listing could not be kept");
        }
    }
}
