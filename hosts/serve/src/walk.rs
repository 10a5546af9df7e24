//! The files below a folder, found without ever leaving the folder that is served.
//!
//! Links are followed to their end and count only if that end is inside. Entries called `.git` or `.cache` are passed
//! over, also behind a link. What else is not served is returned apart: names that no repo can hold, links that lead nowhere
//! or outside, and what is neither file nor folder.
//!
//! INVARIANT (confined): every path returned is canonical and below the root, as of the moment it was looked at.

use std::{
    ffi::OsStr,
    fs::{self, Metadata},
    io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use hubstow_core::name::FileName;

use crate::left_out::LeftOut;

/// The folder that is served, as a canonical path.
#[derive(Debug)]
pub(crate) struct Confines {
    root: Arc<Path>,
    folder_links: FolderLinks,
}

/// What is done with links to folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FolderLinks {
    /// They are followed.
    Followed,
    /// They are left out: in a cache, no tool makes any.
    LeftOut,
}

/// A file that was found: its name below the folder that was walked, and the canonical path of its content.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: FileName,
    pub(crate) path: PathBuf,
    /// What it must not leave.
    pub(crate) root: Arc<Path>,
    pub(crate) stat: Metadata,
    /// What the link says, where it is one.
    pub(crate) link: Option<PathBuf>,
}

/// What is below a folder.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// The files, in no particular order.
    pub(crate) files: Vec<Found>,
    /// What is not served, with the reason.
    pub(crate) left_out: Vec<LeftOut>,
}

impl Confines {
    /// Makes the confines of a root.
    ///
    /// # Errors
    /// The root is no folder that can be read.
    pub(crate) fn of(root: &Path) -> io::Result<Self> {
        let root = root.canonicalize()?;
        fs::read_dir(&root)?;
        Ok(Self { root: root.into(), folder_links: FolderLinks::Followed })
    }

    /// Sets what is done with links to folders.
    pub(crate) fn with_folder_links(self, folder_links: FolderLinks) -> Self {
        Self { folder_links, ..self }
    }

    /// Returns the root.
    pub(crate) fn root(&self) -> &Arc<Path> {
        &self.root
    }

    /// Tells whether a canonical path still leads to itself.
    pub(crate) fn hold(&self, path: &Path) -> bool {
        self.enter(path).as_deref() == Some(path)
    }

    /// Follows a path to its end; `None` where that is missing, outside or private.
    pub(crate) fn enter(&self, path: &Path) -> Option<PathBuf> {
        let end = path.canonicalize().ok()?;
        let inner = end.strip_prefix(&self.root).ok()?;
        let private = |part: Component<'_>| part.as_os_str().to_str().is_some_and(is_private);
        (!inner.components().any(private)).then_some(end)
    }

    /// Says why a link is not followed; `None` where it leads to what is private, which goes without saying.
    fn why_not_entered(&self, link: &Path) -> Option<&'static str> {
        match link.canonicalize() {
            Ok(end) if end.starts_with(&self.root) => None,
            Ok(_) => Some("is a link to outside of what is served"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Some("is a link that leads nowhere")
            }
            Err(_) => Some("is a link that can't be followed"),
        }
    }

    /// Finds every file below a canonical folder.
    ///
    /// # Errors
    /// A folder can't be read. What vanishes meanwhile is no error.
    pub(crate) fn files_below(&self, folder: &Path) -> io::Result<Walked> {
        let mut found = Walked::default();
        self.walk(folder, "", &mut Vec::new(), &mut found)?;
        Ok(found)
    }

    /// `trail` holds the canonical folders from the top down to here: a link back into it would never end.
    fn walk(
        &self,
        folder: &Path,
        prefix: &str,
        trail: &mut Vec<PathBuf>,
        found: &mut Walked,
    ) -> io::Result<()> {
        trail.push(folder.to_owned());
        for entry in vanishing(fs::read_dir(folder))?.into_iter().flatten() {
            let Some(entry) = vanishing(entry)? else {
                continue;
            };
            let (name, path) = (entry.file_name(), entry.path());
            if name.to_str().is_some_and(is_private) {
                continue;
            }
            let name = match file_name(prefix, &name) {
                Ok(name) => name,
                Err(why) => {
                    found.left_out.push(LeftOut { path, why });
                    continue;
                }
            };
            let Some(kind) = vanishing(entry.file_type())? else {
                continue;
            };
            let link = if kind.is_symlink() { fs::read_link(&path).ok() } else { None };
            let end = if kind.is_symlink() { self.enter(&path) } else { Some(path.clone()) };
            let Some(end) = end else {
                let why = self.why_not_entered(&path);
                found
                    .left_out
                    .extend(why.map(|why| LeftOut { path, why: format!("`{name}` {why}") }));
                continue;
            };
            let Some(stat) = vanishing(fs::metadata(&end))? else {
                continue;
            };
            if stat.is_file() {
                let root = Arc::clone(&self.root);
                found.files.push(Found { name, path: end, root, stat, link });
            } else if !stat.is_dir() {
                let why = format!("`{name}` is neither a file nor a folder");
                found.left_out.push(LeftOut { path, why });
            } else if kind.is_symlink() && self.folder_links == FolderLinks::LeftOut {
                let why = format!("`{name}` is a link to a folder");
                found.left_out.push(LeftOut { path, why });
            } else if !trail.contains(&end) {
                self.walk(&end, &format!("{name}/"), trail, found)?;
            }
        }
        trail.pop();
        Ok(())
    }
}

/// Names what is in a folder as its repo does; `Err` says in words why no repo can.
fn file_name(prefix: &str, name: &OsStr) -> Result<FileName, String> {
    let Some(text) = name.to_str() else {
        let shown = name.to_string_lossy();
        return Err(format!("`{}` is not a file name: it is not Unicode", shown.escape_debug()));
    };
    FileName::parse(&format!("{prefix}{text}")).map_err(|error| error.to_string())
}

fn is_private(name: &str) -> bool {
    [".git", ".cache"].iter().any(|private| name.eq_ignore_ascii_case(private))
}

fn vanishing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
