//! One cache directory: its folders, private files and whole writes. What is known of its files is not kept here, see
//! [`View`](crate::observe::view::View).

pub(crate) mod clock;
mod closed;
pub(crate) mod folders;
pub mod lease;
pub(crate) mod leftovers;
pub mod lock;
pub(crate) mod private;
pub mod proofs;
pub mod target;

use std::{
    io::{self, Read as _},
    sync::{Arc, Mutex, PoisonError},
};

use hubstow_core::{
    layout::{Access, CACHE_TAG, CachePath, RepoLayout},
    policy::{Methods, Policy},
};

use crate::{
    cache::folders::KnownFolders,
    disk::{
        Disk, DiskFile, Kind,
        failure::{ErrorGroup, FsError, Reread, group},
    },
};

/// How often a folder is made that somebody takes away meanwhile, as a cache does that is moved.
const TRIES: usize = 3;

/// Whether content must reach the disk before its name is published.
///
/// ```
/// use hubstow_cache::Durability;
///
/// assert_eq!(Durability::default(), Durability::Safe);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It must.
    #[default]
    Safe,
    /// The system decides when.
    Fast,
}

/// A cache directory by itself: its disk and its rules, and which methods of placing work there. Clones share what has
/// been learned of the methods.
#[derive(Clone)]
pub struct Cache {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) policy: Policy,
    pub(crate) durability: Durability,
    pub(crate) shape: Shape,
    methods: Arc<Mutex<Methods>>,
}

/// What kind of directory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A shared cache with a folder for each repo.
    Shared,
    /// A local folder, which users work in.
    Local,
}

impl Cache {
    /// Makes the shared state of a cache directory. Nothing is looked at yet.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        policy: Policy,
        durability: Durability,
        shape: Shape,
    ) -> Self {
        let methods = Arc::new(Mutex::new(Methods::UNTRIED));
        Self { disk, policy, durability, shape, methods }
    }

    /// Returns what is known of the methods here.
    pub(crate) fn methods(&self) -> Methods {
        *self.methods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes what has become known of the methods here, on top of what others have learned meanwhile.
    pub(crate) fn learned(&self, learn: impl FnOnce(Methods) -> Methods) {
        let mut methods = self.methods.lock().unwrap_or_else(PoisonError::into_inner);
        *methods = learn(*methods);
    }

    /// Makes a folder and those above it. The repo folder itself may be a link to another disk; nothing below it may be
    /// one (row A43 of the attack table).
    ///
    /// # Errors
    /// Whatever the system says, or a link where a folder should be.
    pub(crate) fn make_folders(
        &self,
        folder: &CachePath,
        known: &KnownFolders,
    ) -> Result<(), FsError> {
        let mut made = self.make_folders_now(folder, known);
        for _ in 1..TRIES {
            if !made.as_ref().is_err_and(|error| error.group() == Some(ErrorGroup::Raced)) {
                break;
            }
            known.forget();
            made = self.make_folders_now(folder, &KnownFolders::default());
        }
        made
    }

    fn make_folders_now(&self, folder: &CachePath, known: &KnownFolders) -> Result<(), FsError> {
        if known.is_made(folder) {
            return Ok(());
        }
        self.make_unknown(folder, known)?;
        known.made(folder);
        Ok(())
    }

    fn make_unknown(&self, folder: &CachePath, known: &KnownFolders) -> Result<(), FsError> {
        if folder.as_str().is_empty() {
            return self.make_root();
        }
        let entry = self.disk.entry(folder).map_err(|e| FsError::io("look at", folder, e))?;
        match entry.map(|entry| entry.kind) {
            Some(Kind::Directory) => return self.check_folders(&folder.parent(), known),
            Some(Kind::Symlink) if self.is_repo_folder(folder) => return Ok(()),
            Some(Kind::Symlink) => {
                return Err(FsError::FolderIsLink { path: folder.as_str().to_owned() });
            }
            None | Some(Kind::File | Kind::Other) => {}
        }
        self.make_folders_now(&folder.parent(), known)?;
        if self.is_repo_folder(folder) {
            // Before the folder: where that is there, nobody looks for the tag again.
            self.write_mark(&CachePath::cache_tag(), CACHE_TAG);
        }
        match self.disk.make_folder(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(FsError::io("make the folder", folder, error))
            }
            // It was made by somebody else, or it is a file: looking again tells.
            Err(error) => {
                match self.disk.entry(folder).map(|entry| entry.map(|entry| entry.kind)) {
                    Ok(Some(Kind::Directory)) => Ok(()),
                    Ok(Some(Kind::File | Kind::Other)) => {
                        let error = io::Error::other("something that is no folder has its name");
                        Err(FsError::io("make the folder", folder, error))
                    }
                    Ok(Some(Kind::Symlink) | None) | Err(_) => {
                        Err(FsError::io("make the folder", folder, error))
                    }
                }
            }
            Ok(()) => {
                self.set_access(folder);
                Ok(())
            }
        }
    }

    /// Gives a folder that was just made the access that it needs. Where it can't be had, others of a group that shares
    /// the cache go without the folder.
    fn set_access(&self, folder: &CachePath) {
        match RepoLayout::access(folder) {
            Access::Umask => {}
            Access::Like(other) => self.share(folder, &other),
            Access::Owner => {
                if let Err(error) = self.disk.keep_to_owner(folder) {
                    tracing::debug!(path = %folder, %error, "others can write in a folder");
                }
            }
        }
    }

    /// Gives what was just made to those who share a folder.
    fn share(&self, made: &CachePath, like: &CachePath) {
        if let Err(error) = self.disk.share_like(made, like) {
            tracing::debug!(path = %made, %error, "it keeps the access that it was made with");
        }
    }

    /// Makes the cache root. What is missing or in the way above it is no race within the cache: it will not pass.
    fn make_root(&self) -> Result<(), FsError> {
        self.disk.make_root().map_err(|error| {
            let path = self.disk.native(&CachePath::root()).display().to_string();
            if error.kind() == io::ErrorKind::NotADirectory {
                return FsError::NoFolder { path, source: error };
            }
            let missing = group(&error) == ErrorGroup::Raced;
            let stays = |error| {
                Reread::new("what is above it is missing, or no folder", error)
                    .into_error(io::ErrorKind::Other)
            };
            let source = if missing { stays(error) } else { error };
            FsError::Io { what: "make the folder", path, source }
        })
    }

    /// Checks that nothing between the repo folder and this one is a link.
    pub(crate) fn check_folders(
        &self,
        folder: &CachePath,
        known: &KnownFolders,
    ) -> Result<(), FsError> {
        let mut folder = folder.clone();
        let mut checked = Vec::new();
        let ends = |at: &CachePath| at.as_str().is_empty() || self.is_repo_folder(at);
        while !ends(&folder) && !known.is_checked(&folder) {
            let entry = self.disk.entry(&folder).map_err(|e| self.unseen("look at", &folder, e))?;
            if entry.is_some_and(|entry| entry.kind == Kind::Symlink) {
                return Err(FsError::FolderIsLink { path: folder.as_str().to_owned() });
            }
            let above = folder.parent();
            checked.push(std::mem::replace(&mut folder, above));
        }
        known.checked(checked);
        Ok(())
    }

    /// Acts in a folder, which is made first; once more where it is gone although it was remembered.
    pub(crate) fn in_folder<T>(
        &self,
        folder: &CachePath,
        known: &KnownFolders,
        mut act: impl FnMut() -> Result<T, FsError>,
    ) -> Result<T, FsError> {
        self.make_folders(folder, known)?;
        match act() {
            Err(error) if error.group() == Some(ErrorGroup::Raced) && known.forget() => {
                // Others may remember meanwhile what they had made before it was gone.
                self.make_folders(folder, &KnownFolders::default())?;
                act()
            }
            result => result,
        }
    }

    fn is_repo_folder(&self, path: &CachePath) -> bool {
        self.shape == Shape::Shared && !path.as_str().contains('/') && path.as_str() != ".locks"
    }

    /// Tells whether names that differ in case are one name in a repo. Of a local folder in which nothing tells yet it is
    /// supposed: a user's own files may be there, and none of them may be lost.
    pub(crate) fn folds_case(&self, layout: &RepoLayout) -> bool {
        let is_there = |at| !matches!(self.disk.entry(&at), Ok(None));
        matches!(self.disk.entry(&layout.folded_snapshots()), Ok(Some(_)))
            || (layout.is_local() && !is_there(layout.unfolded_snapshots()))
    }

    /// Writes a small file that is the same everywhere and tells other programs to pass over a folder; that it can't be
    /// written matters to nobody. An empty one is what a run left that died before it had written it.
    pub(crate) fn write_mark(&self, at: &CachePath, content: &str) {
        let file = self.disk.create(at).or_else(|error| {
            let there = self.disk.entry(at)?;
            match there {
                Some(entry) if entry.kind == Kind::File && entry.len_bytes == 0 => {
                    self.disk.open_private(at)
                }
                _ => Err(error),
            }
        });
        if let Ok(mut file) = file {
            let _ = file.write_all(content.as_bytes());
        }
    }

    /// Reads a small file of the cache, through links; `None` where it can't be read or is longer than the limit.
    pub(crate) fn read(&self, at: &CachePath, limit_bytes: u64) -> Option<Vec<u8>> {
        self.try_read(at, limit_bytes).ok().flatten()
    }

    /// Reads a small file of the cache, through links; `None` where it is longer than the limit.
    pub(crate) fn try_read(&self, at: &CachePath, limit_bytes: u64) -> io::Result<Option<Vec<u8>>> {
        read_up_to(self.disk.open(at)?, limit_bytes)
    }

    /// Writes a small file whole: beside, synced, renamed over.
    ///
    /// # Errors
    /// Whatever the system says; what was there before is still there then.
    pub(crate) fn write_whole(
        &self,
        layout: &RepoLayout,
        at: &CachePath,
        content: &[u8],
        known: &KnownFolders,
    ) -> Result<(), FsError> {
        self.beside(at, &|nonce| layout.scratch(nonce), known, &mut |name| {
            self.make_folders(&at.parent(), known)?;
            let mut scratch = self.create_private(name)?;
            let mut write = || {
                match RepoLayout::access(&at.parent()) {
                    Access::Owner => self.disk.keep_to_owner(&scratch.at)?,
                    Access::Like(other) => self.share(&scratch.at, &other),
                    Access::Umask => {}
                }
                scratch.file.write_all(content)?;
                self.sync(&mut *scratch.file)?;
                self.disk.rename(&scratch.at, at)
            };
            write().map_err(|error| {
                self.discard(&scratch.at);
                FsError::io("write", at, error)
            })
        })
    }

    pub(crate) fn sync(&self, file: &mut dyn DiskFile) -> io::Result<()> {
        match self.durability {
            Durability::Safe => file.sync(),
            Durability::Fast => file.flush(),
        }
    }

    /// Removes a private file of this attempt. That it can't be removed loses nothing.
    pub(crate) fn discard(&self, private: &CachePath) {
        if let Err(error) = self.disk.remove(private)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!(path = %private, %error, "a private file could not be removed");
        }
    }
}

/// Reads a small file; `None` where it is longer than the limit.
pub(crate) fn read_up_to(file: Box<dyn DiskFile>, limit_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    file.take(limit_bytes.saturating_add(1)).read_to_end(&mut content)?;
    Ok((content.len() as u64 <= limit_bytes).then_some(content))
}
