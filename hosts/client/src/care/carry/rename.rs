//! Moving by one rename, and the link that is left in the old place.

use std::{
    io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use hubstow_cache::{Disk, care::inventory::Inventory, disk::Kind};
use hubstow_core::{care::Hold, layout::CachePath};

use crate::{
    api::error::{Error, ErrorKind, from_io},
    engine::Engine,
};

/// What an old place may hold besides what was moved, and is of no use without it.
const OF_NO_USE: [&str; 3] = [".locks", "CACHEDIR.TAG", ".hubstow"];

/// A move that is one rename.
pub(super) struct Rename {
    disk: Arc<dyn Disk>,
    from: CachePath,
    to: CachePath,
    /// Whether an empty folder is at the new place.
    is_there: bool,
}

/// Makes sure that a cache can be moved from one place to another; returns the other as it is.
///
/// # Errors
/// One in the other; something that is no folder.
pub(super) fn check_places(from: &Path, to: &Path) -> Result<PathBuf, Error> {
    let wrong = |why: &str| {
        Error::new(
            ErrorKind::Usage,
            format!("the cache can't be moved to `{}`: {why}", to.display()),
        )
        .hint("name another folder, which need not exist yet")
    };
    let to = std::path::absolute(to).map_err(|error| wrong("it is no path").caused_by(error))?;
    if std::fs::symlink_metadata(&to).is_ok() && !to.is_dir() {
        return Err(wrong("it is no folder"));
    }
    let (real_from, real_to) = (super::real(from), super::real(&to));
    if real_from == real_to {
        return Err(wrong("it is there already"));
    }
    if real_to.starts_with(&real_from) {
        return Err(wrong("that is in the cache itself"));
    }
    Ok(to)
}

impl Rename {
    /// Finds out whether one rename moves a cache: on the same disk, to where nothing is, with nobody at work and no link by an absolute
    /// name.
    ///
    /// # Errors
    /// A host that can't reach the folders.
    pub(super) fn of(
        engine: &Engine,
        from: &Path,
        to: &Path,
        inventory: &Inventory,
    ) -> Result<Option<Self>, Error> {
        let Ok(from) = from.canonicalize() else { return Ok(None) };
        let Some((above, from_parts, to_parts)) = common(&from, to) else { return Ok(None) };
        let Ok(disk) = engine.disk_of(&above) else { return Ok(None) };
        let (Some(from), Some(to)) = (below(&from_parts), below(&to_parts)) else {
            return Ok(None);
        };
        let is_absolute = |link: &String| link.starts_with('/') || link.contains(':');
        let by_name = inventory.iter().any(|(_, item)| item.link.as_ref().is_some_and(is_absolute));
        let is_busy = inventory.iter().any(|(_, item)| item.hold == Hold::InUse);
        let entry = |at: &CachePath| disk.entry(at).ok().flatten();
        let is_there = match entry(&to) {
            None => false,
            Some(entry) if entry.kind == Kind::Directory => {
                if disk.names(&to).map_or(true, |names| !names.is_empty()) {
                    return Ok(None);
                }
                true
            }
            Some(_) => return Ok(None),
        };
        let mut nearest = if is_there { to.clone() } else { to.parent() };
        while entry(&nearest).is_none() && !nearest.as_str().is_empty() {
            nearest = nearest.parent();
        }
        let device = |at: &CachePath| disk.entry(at).ok().flatten().map(|it| it.identity.device);
        let same_disk = device(&from).filter(|device| *device != 0) == device(&nearest);
        if by_name || is_busy || !same_disk {
            return Ok(None);
        }
        Ok(Some(Self { disk, from, to, is_there }))
    }

    /// Renames the cache.
    ///
    /// # Errors
    /// Whatever the system says; all is as it was then.
    pub(super) fn run(&self) -> Result<(), Error> {
        let mut missing = Vec::new();
        let mut above = self.to.parent();
        while matches!(self.disk.entry(&above), Ok(None)) && !above.as_str().is_empty() {
            missing.push(above.clone());
            above = above.parent();
        }
        let rename = || -> io::Result<()> {
            missing.iter().rev().try_for_each(|folder| self.disk.make_folder(folder))?;
            if self.is_there {
                self.disk.remove_folder(&self.to)?;
            }
            self.disk.rename(&self.from, &self.to)
        };
        let unmade = |_: &io::Error| {
            // What holds something by now is somebody's.
            for folder in &missing {
                let _ = self.disk.remove_folder(folder);
            }
            if self.is_there {
                let _ = self.disk.make_folder(&self.to);
            }
        };
        rename().inspect_err(unmade).map_err(|error| {
            let (from, to) = (self.disk.native(&self.from), self.disk.native(&self.to));
            from_io(&format!("`{}` can't be renamed to `{}`", from.display(), to.display()), error)
                .hint("copy it with --keep, and remove the old one then")
        })
    }
}

/// Splits two absolute paths into what they have in common and the rest of each.
fn common(one: &Path, other: &Path) -> Option<(PathBuf, Vec<String>, Vec<String>)> {
    let mut above = PathBuf::new();
    let (mut ones, mut others) = (one.components().peekable(), other.components().peekable());
    while let (Some(one), Some(other)) = (ones.peek(), others.peek())
        && one == other
    {
        above.push(one);
        ones.next();
        others.next();
    }
    let rest = |parts: &mut dyn Iterator<Item = Component<'_>>| {
        let text = parts.map(|part| part.as_os_str().to_str().map(str::to_owned));
        text.collect::<Option<Vec<String>>>()
    };
    let (one, other) = (rest(&mut ones)?, rest(&mut others)?);
    (above.has_root() && !one.is_empty() && !other.is_empty()).then_some((above, one, other))
}

fn below(parts: &[String]) -> Option<CachePath> {
    parts.iter().try_fold(CachePath::root(), |at, part| at.listed(part))
}

/// Makes the old place a link to the new one, where nothing of worth is left in it.
///
/// # Errors
/// What is in the way; links that are not to be had. The old place is as it was then.
pub(super) fn link_old(engine: &Engine, from: &Path, to: &Path) -> Result<(), Error> {
    let unlinked = |why: &str| {
        Error::new(
            ErrorKind::CacheObstructed,
            format!("`{}` is no link now: {why}", from.display()),
        )
        .hint(format!("set HF_HUB_CACHE={} instead", to.display()))
    };
    if cfg!(windows) {
        return Err(unlinked("links to folders are not made on this system"));
    }
    let (parent, name) = (from.parent(), from.file_name().and_then(|name| name.to_str()));
    let (Some(parent), Some(name)) = (parent, name) else {
        return Err(unlinked("it has no name"));
    };
    if engine.disk_of(to)?.names(&CachePath::root()).is_err() {
        return Err(unlinked("there is no cache in the new place"));
    }
    let disk = engine.disk_of(parent)?;
    let Some(at) = CachePath::root().listed(name) else { return Err(unlinked("it has no name")) };
    let text = to.to_str().ok_or_else(|| unlinked("the new place's name is not Unicode"))?;
    let entry = disk.entry(&at).map_err(|error| from_io("the old place can't be seen", error))?;
    match entry.map(|entry| entry.kind) {
        Some(Kind::Directory) => {
            let names = disk.names(&at).unwrap_or_default();
            let mut others = names.iter().filter(|name| !OF_NO_USE.contains(&name.as_str()));
            if let Some(other) = others.next() {
                return Err(unlinked(&format!("`{other}` is still in it")));
            }
            swap(&*disk, &at, text).map_err(|error| unlinked(&error.to_string()))
        }
        Some(Kind::Symlink) if disk.link_text(&at).is_ok_and(|said| said == text) => Ok(()),
        // It has led to where the cache was.
        Some(Kind::Symlink) if matches!(disk.through(&at), Ok(None)) => {
            relink(&*disk, &at, text).map_err(|error| unlinked(&error.to_string()))
        }
        Some(_) => Err(unlinked("something else is there")),
        None => disk.symlink(text, &at).map_err(|error| unlinked(&error.to_string())),
    }
}

/// Puts another link in the place of one.
fn relink(disk: &dyn Disk, at: &CachePath, text: &str) -> io::Result<()> {
    let nonce = hubstow_cache::fresh_nonce().map_err(io::Error::other)?;
    let private = CachePath::root().listed(&format!(".{}.{nonce}.link", at.base()));
    let private = private.ok_or(io::ErrorKind::InvalidFilename)?;
    disk.symlink(text, &private)?;
    disk.rename(&private, at).inspect_err(|_| {
        let _ = disk.remove(&private);
    })
}

/// Puts a link in the place of a folder that holds nothing of worth: the folder is renamed away, and looked at once more.
fn swap(disk: &dyn Disk, at: &CachePath, text: &str) -> io::Result<()> {
    let nonce = hubstow_cache::fresh_nonce().map_err(io::Error::other)?;
    let aside = format!(".{}.{nonce}.moved", at.base());
    let aside = CachePath::root().listed(&aside).ok_or(io::ErrorKind::InvalidFilename)?;
    disk.rename(at, &aside)?;
    let names = disk.names(&aside)?;
    let is_empty = names.iter().all(|name| OF_NO_USE.contains(&name.as_str()));
    let linked = if is_empty {
        disk.symlink(text, at)
    } else {
        Err(io::Error::other("something has come meanwhile"))
    };
    match linked {
        Ok(()) => {
            // That it can't be removed loses nothing.
            let _ = remove_all(disk, &aside);
            Ok(())
        }
        Err(error) => {
            disk.rename(&aside, at)?;
            Err(error)
        }
    }
}

fn remove_all(disk: &dyn Disk, folder: &CachePath) -> io::Result<()> {
    for name in disk.kinds(folder)? {
        let Some(at) = folder.listed(&name.name) else { continue };
        match name.kind {
            Kind::Directory => remove_all(disk, &at)?,
            Kind::File | Kind::Symlink | Kind::Other => disk.remove(&at)?,
        }
    }
    disk.remove_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_each_other_and_no_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("cache")).unwrap();
        std::fs::write(at("file"), "").unwrap();
        for (to, word) in [("cache", "already"), ("cache/in/it", "itself"), ("file", "no folder")] {
            let error = check_places(&at("cache"), &at(to)).unwrap_err();
            assert!(error.to_string().contains(word), "{to}: {error}");
        }
        assert_eq!(check_places(&at("cache"), &at("other/deep")).unwrap(), at("other/deep"));
    }

    #[test]
    fn two_paths_have_a_beginning_in_common() {
        let parts = |text: &[&str]| text.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let found = common(Path::new("/a/b/c"), Path::new("/a/d")).unwrap();
        assert_eq!(found, (PathBuf::from("/a"), parts(&["b", "c"]), parts(&["d"])));
        assert_eq!(common(Path::new("/a/b"), Path::new("/a")), None);
        assert_eq!(common(Path::new("a"), Path::new("b")), None);
    }
}
