//! One cache directory, as all files of a process share it.

pub(crate) mod leftovers;
pub mod lock;
pub mod target;

use std::{
    io::{self, Read as _},
    sync::{Arc, Mutex, PoisonError},
};

use hubstow_core::{
    layout::{CACHE_TAG, CachePath, RepoLayout},
    policy::{Methods, Policy},
};

use crate::{
    cache::leftovers::Swept,
    disk::{
        Disk, DiskFile, Kind,
        cancel::Cancel,
        failure::{ErrorGroup, FsError, group},
    },
    fresh_nonce,
    observe::{memo::Bulk, proof::Proofs},
};

/// Whether content must reach the disk before its name is published.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// It must (invariant I11).
    #[default]
    Safe,
    /// The system decides when.
    Fast,
}

/// A cache directory: its disk, and what has been learned about it. Many files share one.
#[derive(Clone)]
pub struct Cache {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) policy: Policy,
    pub(crate) durability: Durability,
    pub(crate) proofs: Arc<Proofs>,
    pub(crate) records: bool,
    /// Whether this is a shared cache, and not a local folder.
    shared: bool,
    pub(crate) swept: Arc<Swept>,
    /// What the bulk operation that this is used for remembers.
    pub(crate) bulk: Option<Arc<Bulk>>,
    methods: Arc<Mutex<Methods>>,
    pub(crate) cancel: Cancel,
}

impl Cache {
    /// Makes the shared state of a cache directory. Nothing is looked at yet.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, policy: Policy, durability: Durability) -> Self {
        Self {
            disk,
            policy,
            durability,
            proofs: Arc::default(),
            records: true,
            shared: true,
            swept: Arc::default(),
            bulk: None,
            methods: Arc::new(Mutex::new(Methods::UNTRIED)),
            cancel: Cancel::default(),
        }
    }

    /// Makes the shared state of a local folder: regular files only, whatever the disk could do.
    #[must_use]
    pub fn local(disk: Arc<dyn Disk>, durability: Durability) -> Self {
        Self { shared: false, ..Self::new(disk, Policy::Portable, durability) }
    }

    /// Returns the same cache for looking only: not even a proof is written down.
    #[must_use]
    pub fn looking_only(&self) -> Self {
        Self { records: false, ..self.clone() }
    }

    /// Returns the same cache whose copying, hashing and looking at many files ends soon after this is cancelled, with an
    /// error that holds [`Cancelled`](crate::disk::cancel::Cancelled).
    #[must_use]
    pub fn stopped_by(&self, cancel: Cancel) -> Self {
        Self { cancel, ..self.clone() }
    }

    /// Tells whether nothing may be written.
    #[must_use]
    pub fn is_looking_only(&self) -> bool {
        !self.records
    }

    /// Returns the disk.
    #[must_use]
    pub fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    /// Returns the ladder in force.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// Returns what is known of the methods here.
    #[must_use]
    pub fn methods(&self) -> Methods {
        *self.methods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes what has become known of the methods here, on top of what others have learned meanwhile.
    pub fn learned(&self, learn: impl FnOnce(Methods) -> Methods) {
        let mut methods = self.methods.lock().unwrap_or_else(PoisonError::into_inner);
        *methods = learn(*methods);
    }

    /// Makes a folder and those above it. The repo folder itself may be a link to another disk; nothing below it may be
    /// one (row A43 of the attack table).
    ///
    /// # Errors
    /// Whatever the system says, or a link where a folder should be.
    pub fn make_folders(&self, folder: &CachePath) -> Result<(), FsError> {
        let Some(bulk) = &self.bulk else { return self.make_folders_now(folder) };
        if !bulk.is_made(folder) {
            self.make_folders_now(folder)?;
            bulk.made(folder);
        }
        Ok(())
    }

    fn make_folders_now(&self, folder: &CachePath) -> Result<(), FsError> {
        if folder.as_str().is_empty() {
            return self.make_root();
        }
        let entry = self.disk.entry(folder).map_err(|e| FsError::io("look at", folder, e))?;
        match entry.map(|entry| entry.kind) {
            Some(Kind::Directory) => return self.check_folders(&folder.parent()),
            Some(Kind::Symlink) if self.is_repo_folder(folder) => return Ok(()),
            Some(Kind::Symlink) => {
                return Err(FsError::FolderIsLink { path: folder.as_str().to_owned() });
            }
            None | Some(Kind::File | Kind::Other) => {}
        }
        self.make_folders(&folder.parent())?;
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
            Ok(()) if self.is_repo_folder(folder) => {
                self.write_cache_tag();
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Makes the cache root. What is missing or in the way above it is no race within the cache: it will not pass.
    fn make_root(&self) -> Result<(), FsError> {
        self.disk.make_root().map_err(|error| {
            let path = self.disk.native(&CachePath::root()).display().to_string();
            let missing = group(&error) == ErrorGroup::Raced;
            let source = if missing { io::Error::other(error) } else { error };
            FsError::Io { what: "make the folder", path, source }
        })
    }

    /// Checks that nothing between the repo folder and this one is a link.
    pub(crate) fn check_folders(&self, folder: &CachePath) -> Result<(), FsError> {
        let mut folder = folder.clone();
        let mut checked = Vec::new();
        let known = |folder: &_| self.bulk.as_ref().is_some_and(|bulk| bulk.is_checked(folder));
        while !folder.as_str().is_empty() && !self.is_repo_folder(&folder) && !known(&folder) {
            let entry = self.disk.entry(&folder).map_err(|e| FsError::io("look at", &folder, e))?;
            if entry.is_some_and(|entry| entry.kind == Kind::Symlink) {
                return Err(FsError::FolderIsLink { path: folder.as_str().to_owned() });
            }
            let above = folder.parent();
            checked.push(std::mem::replace(&mut folder, above));
        }
        if let Some(bulk) = &self.bulk {
            bulk.checked(checked);
        }
        Ok(())
    }

    fn is_repo_folder(&self, path: &CachePath) -> bool {
        self.shared && !path.as_str().contains('/') && path.as_str() != ".locks"
    }

    /// Writes the tag that backup programs look for; that it can't be written matters to nobody.
    fn write_cache_tag(&self) {
        if let Ok(mut file) = self.disk.create(&CachePath::cache_tag()) {
            let _ = file.write_all(CACHE_TAG.as_bytes());
        }
    }

    /// Reads a small file of the cache, through links; `None` where it can't be read or is longer than the limit.
    #[must_use]
    pub fn read(&self, at: &CachePath, limit_bytes: u64) -> Option<Vec<u8>> {
        let file = self.disk.open(at).ok()?;
        let mut content = Vec::new();
        file.take(limit_bytes.saturating_add(1)).read_to_end(&mut content).ok()?;
        (content.len() as u64 <= limit_bytes).then_some(content)
    }

    /// Writes a small file whole: beside, synced, renamed over.
    ///
    /// # Errors
    /// Whatever the system says; what was there before is still there then.
    pub fn write_whole(
        &self,
        layout: &RepoLayout,
        at: &CachePath,
        content: &[u8],
    ) -> Result<(), FsError> {
        self.in_folder(&layout.private(), || {
            self.make_folders(&at.parent())?;
            let scratch = layout.scratch(&fresh_nonce()?);
            let written = self.create_private(&scratch).and_then(|mut file| {
                file.write_all(content)?;
                self.sync(&mut *file)?;
                drop(file);
                self.disk.rename(&scratch, at)
            });
            written.map_err(|error| {
                self.discard(&scratch);
                FsError::io("write", at, error)
            })
        })
    }

    /// Makes a private file and locks it, so that nobody takes it for dead. Where locks are not to be had, only its age
    /// tells.
    pub(crate) fn create_private(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        let mut file = self.disk.create(at)?;
        let _ = file.try_lock();
        Ok(file)
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
