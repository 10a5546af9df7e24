//! Everything below a folder, as a value that can be compared.

use std::{
    collections::BTreeMap,
    fs,
    hash::{DefaultHasher, Hasher},
    path::Path,
};

use crate::{
    sample::{SNAPSHOTS, Sample},
    system::look,
};

/// What the bytes of a file are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Bytes {
    /// The right content.
    Right,
    /// The beginning of the right content.
    Part(usize),
    /// Few, and worth showing.
    Text(String),
    /// Anything else, by length and hash.
    Wrong(usize, u64),
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Folder,
    Link(String),
    /// A regular file, and how many names it has.
    File(Bytes, u64),
    Other,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) what: What,
    /// What a reader gets who opens it.
    pub(crate) opens: Option<Bytes>,
    /// Number and time of the last change: an entry that was made again differs in them.
    identity: (u64, i128),
}

/// All entries, by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<String, Item>);

impl Tree {
    /// Looks at all that is below a folder.
    pub(crate) fn of(root: &Path, sample: &Sample) -> Self {
        let mut items = BTreeMap::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(root.join(&folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                let item = item(&root.join(&path), sample);
                if item.what == What::Folder {
                    folders.push(path.clone());
                }
                items.insert(path, item);
            }
        }
        Self(items)
    }

    /// One entry.
    pub(crate) fn get(&self, path: &str) -> Option<&Item> {
        self.0.get(path)
    }

    /// What one entry is.
    pub(crate) fn what(&self, path: &str) -> Option<&What> {
        self.get(path).map(|item| &item.what)
    }

    /// Whether whoever opens a path gets the right content.
    pub(crate) fn serves(&self, path: &str) -> bool {
        self.get(path).is_some_and(|item| item.opens == Some(Bytes::Right))
    }

    /// Whether a path is still the very entry that it was.
    pub(crate) fn kept(&self, before: &Self, path: &str) -> bool {
        let identity = |tree: &Self| tree.get(path).map(|item| item.identity);
        identity(self) == identity(before)
    }

    /// All entries that are no folders, below a folder.
    pub(crate) fn below(&self, folder: &'static str) -> impl Iterator<Item = (&str, &Item)> {
        let inside =
            move |path: &str| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        let entries = self.0.iter().map(|(path, item)| (path.as_str(), item));
        entries.filter(move |(path, item)| inside(path) && item.what != What::Folder)
    }

    /// The pointers of all snapshots.
    pub(crate) fn pointers(&self) -> impl Iterator<Item = (&str, &Item)> {
        self.below(SNAPSHOTS)
    }

    /// Private files: what only an attempt that is under way may have.
    pub(crate) fn leftovers(&self) -> Vec<&str> {
        let endings = [".incomplete", ".tmp", ".map"];
        let private = |path: &&str| endings.iter().any(|ending| path.ends_with(ending));
        self.0.keys().map(String::as_str).filter(private).collect()
    }

    /// The length of the longest part of the content that is left, all of it included.
    pub(crate) fn longest_part(&self, sample: &Sample) -> usize {
        let len = |(path, item): (&String, &Item)| match &item.what {
            What::File(Bytes::Part(len), _) if path.ends_with(".incomplete") => Some(*len),
            What::File(Bytes::Right, _) if path.ends_with(".incomplete") => {
                Some(sample.content.len())
            }
            What::Folder | What::Link(_) | What::File(..) | What::Other => None,
        };
        self.0.iter().filter_map(len).max().unwrap_or(0)
    }

    /// What everything is, whenever it was made. The cache directory tag is left out, for it is written only once, with
    /// the first repo folder, and so are the folders that private files were in: nothing depends on either.
    pub(crate) fn shape(&self) -> BTreeMap<&str, &What> {
        let entries = self.0.iter().map(|(path, item)| (path.as_str(), &item.what));
        entries
            .filter(|(path, _)| *path != "CACHEDIR.TAG")
            .filter(|(path, what)| !(path.contains("/.hubstow") && **what == What::Folder))
            .collect()
    }

    /// The differences to another tree, as lines for people.
    pub(crate) fn differences(&self, other: &Self) -> String {
        let paths: std::collections::BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        let differ = |path: &&String| self.what(path) != other.what(path);
        let lines = paths
            .into_iter()
            .filter(differ)
            .map(|path| format!("  {path}: {:?} and {:?}", self.what(path), other.what(path)));
        lines.collect::<Vec<_>>().join("\n")
    }
}

impl Bytes {
    fn of(content: &[u8], sample: &Sample) -> Self {
        if content == sample.content {
            return Self::Right;
        }
        if !content.is_empty() && sample.content.starts_with(content) {
            return Self::Part(content.len());
        }
        match str::from_utf8(content) {
            Ok(text) if text.len() < 200 => Self::Text(text.to_owned()),
            Ok(_) | Err(_) => {
                let mut hasher = DefaultHasher::new();
                hasher.write(content);
                Self::Wrong(content.len(), hasher.finish())
            }
        }
    }
}

fn item(path: &Path, sample: &Sample) -> Item {
    let kind = fs::symlink_metadata(path).unwrap().file_type();
    let look = look(path).unwrap();
    let opens = (kind.is_file() || kind.is_symlink())
        .then(|| fs::read(path).ok())
        .flatten()
        .map(|content| Bytes::of(&content, sample));
    let what = if kind.is_dir() {
        What::Folder
    } else if kind.is_symlink() {
        What::Link(fs::read_link(path).unwrap().into_os_string().into_string().unwrap())
    } else if kind.is_file() {
        What::File(opens.clone().unwrap(), look.names)
    } else {
        What::Other
    };
    Item { what, opens, identity: (look.number, look.modified_ns) }
}
