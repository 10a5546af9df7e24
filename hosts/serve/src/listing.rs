//! What a revision holds: its files in order, the commit that follows from them, and the folders they imply.
//!
//! Pure: it reads no file. A folder has no commit of its own, so one is computed, in two ways. The commit by content is the
//! sha1 of the sorted lines `name, etag, size`: the same content has the same commit in every folder and after every restart.
//! While much of a folder is not hashed yet, that is not known, and the commit by stamps stands in for it: the same with what
//! `stat` says in place of etags, so it changes whenever the content may have changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use hubstow_core::name::{Commit, Etag, FileName, NameError};
use serde_json::{Value, json};

use crate::hash::{Stamp, Storage, git_blob_sha1_of, sha1_of};

/// One file of a revision.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: FileName,
    /// Where its content is, as a canonical path.
    pub(crate) path: PathBuf,
    /// The folder, canonical too, that it must not leave.
    pub(crate) root: Arc<Path>,
    pub(crate) storage: Storage,
    pub(crate) len_bytes: u64,
    /// What `stat` said of it.
    pub(crate) stamp: Stamp,
    /// `None` while it is not hashed.
    pub(crate) etag: Option<Etag>,
}

/// Returns the text that git holds in place of an LFS file.
pub(crate) fn pointer_to(sha256: &Etag, len_bytes: u64) -> String {
    format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len_bytes}\n")
}

impl Entry {
    /// Returns the oid and the size of the pointer that git holds in place of an LFS file.
    fn pointer(&self, sha256: &Etag) -> (String, usize) {
        let text = pointer_to(sha256, self.len_bytes);
        (git_blob_sha1_of(&text), text.len())
    }

    /// Returns the file as listings show it.
    pub(crate) fn to_tree_json(&self) -> Value {
        let mut shown = json!({
            "type": "file",
            "path": self.name.as_str(),
            "size": self.len_bytes,
        });
        self.identify(&mut shown, "oid", "oid");
        shown
    }

    /// Returns the file as the description of a repo shows it, with sizes and hashes where they are asked for.
    pub(crate) fn to_sibling_json(&self, blobs: bool) -> Value {
        let mut shown = json!({ "rfilename": self.name.as_str() });
        if blobs && let Some(members) = shown.as_object_mut() {
            members.insert("size".to_owned(), json!(self.len_bytes));
            self.identify(&mut shown, "blobId", "sha256");
        }
        shown
    }

    /// Adds what git and LFS call the content.
    fn identify(&self, shown: &mut Value, git_name: &str, lfs_name: &str) {
        let (Some(members), Some(etag)) = (shown.as_object_mut(), &self.etag) else { return };
        let oid = match self.storage {
            Storage::Git => etag.to_string(),
            Storage::Lfs => {
                let (oid, pointer_size) = self.pointer(etag);
                let lfs = json!({
                    lfs_name: etag.as_str(),
                    "size": self.len_bytes,
                    "pointerSize": pointer_size,
                });
                members.insert("lfs".to_owned(), lfs);
                oid
            }
        };
        members.insert(git_name.to_owned(), json!(oid));
    }
}

/// The content of one revision.
#[derive(Debug)]
pub(crate) struct Listing {
    commit: Commit,
    /// Sorted by name.
    entries: Vec<Entry>,
    /// Names that the commit has and that are not here.
    absent: BTreeSet<String>,
}

/// A file or a folder of a listing.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node<'a> {
    File(&'a Entry),
    Folder(&'a str),
}

impl Listing {
    /// Makes the listing of what a folder holds, with its commit by content; `Err` gives the entries back where a hash is
    /// missing for that.
    pub(crate) fn by_content(mut entries: Vec<Entry>) -> Result<Self, Vec<Entry>> {
        sort(&mut entries);
        if entries.iter().any(|entry| entry.etag.is_none()) {
            return Err(entries);
        }
        match Commit::parse(&digest(&entries)) {
            Ok(commit) => Ok(Self::at(commit, entries)),
            Err(_) => Err(entries),
        }
    }

    /// Returns the commit by stamps of what a folder holds.
    ///
    /// # Errors
    /// None in practice: a sha1 in hex digits is a commit.
    pub(crate) fn commit_by_stamps(entries: &mut [Entry]) -> Result<Commit, NameError> {
        sort(entries);
        let lines = entries.iter().map(|entry| format!("{}\0 {}\n", entry.name, entry.stamp));
        Commit::parse(&sha1_of(&lines.collect::<String>()))
    }

    /// Makes the listing of a commit.
    pub(crate) fn at(commit: Commit, mut entries: Vec<Entry>) -> Self {
        sort(&mut entries);
        Self { commit, entries, absent: BTreeSet::new() }
    }

    /// Adds the names that the commit has and that are not here.
    pub(crate) fn without(mut self, absent: BTreeSet<String>) -> Self {
        self.absent = absent;
        self
    }

    /// Tells whether the commit has a file of this name that is not here.
    pub(crate) fn lacks(&self, name: &FileName) -> bool {
        self.absent.contains(name.as_str())
    }

    /// Returns the same with other entries of the same names.
    pub(crate) fn with_entries(&self, entries: Vec<Entry>) -> Self {
        Self::at(self.commit.clone(), entries).without(self.absent.clone())
    }

    pub(crate) fn commit(&self) -> &Commit {
        &self.commit
    }

    /// Returns when a file of it was last modified.
    pub(crate) fn modified(&self) -> Option<SystemTime> {
        self.entries.iter().filter_map(|entry| entry.stamp.modified()).max()
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Finds a file.
    pub(crate) fn file(&self, name: &FileName) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.name.cmp(name)).ok()?;
        self.entries.get(at)
    }

    /// Finds a file or a folder.
    pub(crate) fn node<'a>(&'a self, name: &'a FileName) -> Option<Node<'a>> {
        let folder = || (!self.below(name.as_str()).is_empty()).then_some(name.as_str());
        self.file(name).map(Node::File).or_else(|| folder().map(Node::Folder))
    }

    /// Returns what a folder holds, by path; everything below it where `recursive`. `None` where there is no such
    /// folder; the top folder (`None`) always exists.
    pub(crate) fn nodes(
        &self,
        folder: Option<&FileName>,
        recursive: bool,
    ) -> Option<BTreeMap<&str, Node<'_>>> {
        let (inside, skipped) = match folder {
            None => (self.entries.as_slice(), 0),
            Some(folder) => (self.below(folder.as_str()), folder.as_str().len() + 1),
        };
        if inside.is_empty() && folder.is_some() {
            return None;
        }
        let mut nodes = BTreeMap::new();
        for entry in inside {
            let name = entry.name.as_str();
            let slashes = name.match_indices('/').map(|(at, _)| at).filter(|at| *at >= skipped);
            let folders = slashes.filter_map(|at| name.get(..at));
            let shown = if recursive { usize::MAX } else { 1 };
            nodes.extend(folders.clone().take(shown).map(|path| (path, Node::Folder(path))));
            if recursive || folders.count() == 0 {
                nodes.insert(name, Node::File(entry));
            }
        }
        Some(nodes)
    }

    /// Returns a file or folder as listings show it. The oid of a folder identifies its content; it is no git tree.
    pub(crate) fn to_tree_json(&self, node: Node<'_>) -> Value {
        match node {
            Node::File(entry) => entry.to_tree_json(),
            Node::Folder(path) => {
                let oid = digest(self.below(path));
                json!({ "type": "directory", "path": path, "size": 0, "oid": oid })
            }
        }
    }

    /// Names that start with `folder/` stand together, because the order is by bytes.
    fn below(&self, folder: &str) -> &[Entry] {
        let prefix = format!("{folder}/");
        let start = self.entries.partition_point(|entry| entry.name.as_str() < prefix.as_str());
        let rest = self.entries.get(start..).unwrap_or_default();
        let len = rest.partition_point(|entry| entry.name.as_str().starts_with(&prefix));
        rest.get(..len).unwrap_or_default()
    }
}

fn sort(entries: &mut [Entry]) {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
}

/// No name holds a control character, so the lines can't be read in two ways. What is not hashed counts by its stamp.
fn digest(entries: &[Entry]) -> String {
    let line = |entry: &Entry| {
        let etag = entry.etag.as_ref().map_or_else(|| entry.stamp.to_string(), Etag::to_string);
        format!("{}\0{etag}\0{}\n", entry.name, entry.len_bytes)
    };
    sha1_of(&entries.iter().map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(names: &[&str]) -> Listing {
        let entry = |name: &&str| Entry {
            name: FileName::parse(name).unwrap(),
            path: PathBuf::new(),
            root: PathBuf::new().into(),
            storage: Storage::Git,
            len_bytes: 1,
            stamp: Stamp::default(),
            etag: Etag::parse("0123456789012345678901234567890123456789").ok(),
        };
        Listing::by_content(names.iter().map(entry).collect()).unwrap()
    }

    #[track_caller]
    fn check(folder: &str, recursive: bool, expected: Option<&str>) {
        let listing = listing(&["a/x", "a-b", "a/b/c/d", "a0", "a/b/e", "z"]);
        let folder = FileName::parse(folder).ok();
        let nodes = listing.nodes(folder.as_ref(), recursive);
        let shown = nodes.map(|nodes| {
            let shown = nodes.iter().map(|(path, node)| match node {
                Node::File(_) => (*path).to_owned(),
                Node::Folder(_) => format!("{path}/"),
            });
            shown.collect::<Vec<_>>().join(" ")
        });
        assert_eq!(shown.as_deref(), expected, "{folder:?}");
    }

    #[test]
    fn folders_follow_from_the_names_of_files() {
        check("", false, Some("a/ a-b a0 z"));
        check("", true, Some("a/ a-b a/b/ a/b/c/ a/b/c/d a/b/e a/x a0 z"));
        check("a", false, Some("a/b/ a/x"));
        check("a/b", true, Some("a/b/c/ a/b/c/d a/b/e"));
        check("a/x", false, None);
        check("b", true, None);
    }

    #[test]
    fn the_commit_depends_on_content_and_not_on_order() {
        assert_eq!(listing(&["a", "b"]).commit(), listing(&["b", "a"]).commit());
        assert_ne!(listing(&["a", "b"]).commit(), listing(&["a"]).commit());
        assert_eq!(listing(&[]).commit().as_str(), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    }
}
