//! The files below a folder, found without ever leaving the folder that is served.
//!
//! Links are followed to their end and count only if that end is inside. Entries called `.git` or `.cache` are passed
//! over, also behind a link; so is everything that is neither file nor folder. Names that no repo can hold are returned apart.
//!
//! INVARIANT (confined): every path returned is canonical and below the root, as of the moment it was looked at.

use std::{
    ffi::OsStr,
    fs::{self, Metadata},
    io,
    path::{Component, Path, PathBuf},
};

use hubstow_core::name::FileName;

use crate::left_out::LeftOut;

/// The folder that is served, as a canonical path.
#[derive(Debug)]
pub(crate) struct Confines {
    root: PathBuf,
}

/// A file that was found: its name below the folder that was walked, and the canonical path of its content.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: FileName,
    pub(crate) path: PathBuf,
    pub(crate) stat: Metadata,
}

/// What is below a folder.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// The files, in no particular order.
    pub(crate) files: Vec<Found>,
    /// What has a name that no repo can hold.
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
        Ok(Self { root })
    }

    /// Returns the root.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Follows a path to its end; `None` where that is missing, outside or private.
    pub(crate) fn enter(&self, path: &Path) -> Option<PathBuf> {
        let end = path.canonicalize().ok()?;
        let inner = end.strip_prefix(&self.root).ok()?;
        let private = |part: Component<'_>| part.as_os_str().to_str().is_some_and(is_private);
        (!inner.components().any(private)).then_some(end)
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
            let end = if kind.is_symlink() { self.enter(&path) } else { Some(path) };
            let Some(end) = end else {
                tracing::debug!(file = %name, "passed over: the link leads nowhere or outside");
                continue;
            };
            let Some(stat) = vanishing(fs::metadata(&end))? else {
                continue;
            };
            if stat.is_file() {
                found.files.push(Found { name, path: end, stat });
            } else if stat.is_dir() && !trail.contains(&end) {
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
