//! Carrying content: out of a cache as a folder or a tar, into it from whatever proves what it is, and all of it to another
//! disk.

mod bring;
mod chosen;
pub mod export;
mod guard;
pub mod import;
mod manifest;
mod notes;
mod output;
mod pack;
mod recognize;
pub mod relocate;
mod rename;
mod source;
mod store;
mod tarball;
mod tarplace;

use std::path::{Path, PathBuf};

use hubstow_cache::cache::lease::Lease;
pub use hubstow_cache::disk::cancel::Cancel;
use hubstow_core::name::Repo;

use crate::{
    api::{
        error::{Error, ErrorKind},
        event::Event,
    },
    care::CacheDir,
};

/// Something that is left out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// What, by the name that its source has for it.
    pub what: String,
    /// Why, in words.
    pub why: String,
}

impl LeftOut {
    /// Says of something why it is left out.
    #[must_use]
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}

/// Whether what is there already may be replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and whatever would replace it is refused.
    #[default]
    Keep,
    /// The user has asked for it to be replaced.
    Replace,
}

/// Who is told of what happens, and what ends it.
#[derive(Clone)]
pub struct Watch<'a> {
    pub(crate) tell: &'a (dyn Fn(&Event) + Sync),
    pub(crate) cancel: Cancel,
}

impl<'a> Watch<'a> {
    /// Tells this function of every event, from several threads; whoever cancels ends the work soon, and what is whole stays.
    #[must_use]
    pub fn new(tell: &'a (dyn Fn(&Event) + Sync), cancel: Cancel) -> Self {
        Self { tell, cancel }
    }

    fn listed(&self, files: usize, bytes: u64) {
        (self.tell)(&Event::Listed { files, bytes: Some(bytes) });
    }
}

impl CacheDir {
    /// Keeps cleaning away from a repo of this cache.
    fn lease(&self, repo: &Repo) -> Result<Option<Lease>, Error> {
        guard::lease(self.cache(), repo)
    }
}

/// Returns where a path leads. Of one that does not exist, the nearest above it that does says where the rest will be.
fn real(path: &Path) -> PathBuf {
    let Ok(path) = std::path::absolute(path) else { return path.to_owned() };
    let known = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    known.map_or_else(
        || path.clone(),
        |(above, real)| real.join(path.strip_prefix(above).unwrap_or(Path::new(""))),
    )
}

/// Makes sure that a disk has room for so many bytes, where that is known.
fn check_room(folder: &Path, needed: u64, free: Option<u64>) -> Result<(), Error> {
    match free {
        Some(free) if free < needed => {
            let folder = folder.display();
            let what = format!("`{folder}` has room for {free} bytes, and {needed} are needed");
            Err(Error::new(ErrorKind::NoSpace, what))
        }
        Some(_) | None => Ok(()),
    }
}
