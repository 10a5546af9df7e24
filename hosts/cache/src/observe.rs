//! What is there, as facts. Observing changes nothing on the disk but may write a proof down.

pub mod cached;
mod entries;
pub mod local;
pub mod many;
mod memo;
pub mod proof;
mod record;
pub mod records;
pub(crate) mod settled;
mod twin;
mod twin_index;
pub mod view;

use std::io;

use hubstow_core::{
    facts::{Blob, Demand, PlaceFacts, Pointer, RefFile, Staged, Twin},
    layout::{CachePath, RepoLayout},
    name::{Commit, FileName, Revision},
};

use crate::{
    cache::target::Target,
    disk::{
        Entry, Kind,
        failure::{ErrorGroup, FsError, group},
    },
    observe::view::View,
};

/// The longest ref file that is read; a commit and some white space.
pub(crate) const REF_LIMIT_BYTES: u64 = 256;

/// What a host itself knows of its way to a target, besides what is on the disk.
#[derive(Clone, Copy, Debug)]
pub struct OwnFacts {
    /// What may serve.
    pub demand: Demand,
    /// The staged file that it has.
    pub staged: Staged,
    /// Whether the ref could not be written.
    pub ref_unwritable: bool,
    /// Whether a twin was tried and did not hold the content after all.
    pub twin_failed: bool,
}

impl OwnFacts {
    /// What a host knows that has tried nothing yet.
    #[must_use]
    pub fn at_first(demand: Demand, staged: Staged) -> Self {
        Self { demand, staged, ref_unwritable: false, twin_failed: false }
    }
}

/// What was observed of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The facts.
    pub facts: PlaceFacts,
    /// Another file of the repo that holds the content, where that matters.
    pub twin: Option<CachePath>,
}

impl View {
    /// Looks at all that matters for placing a target. The twin is looked for only where it could matter.
    ///
    /// # Errors
    /// A name that the layout does not admit; something that can't be looked at; a link where a folder should be.
    pub fn observe(&self, target: &Target, own: OwnFacts) -> Result<Observed, FsError> {
        self.check_wanted(target)?;
        // Nothing is done that was not looked at first, so this is the one place that has to ask.
        target.layout.admit(&target.file)?;
        self.check_folders(&target.pointer().parent())?;
        if let Err(refused) = self.check_folders(&target.layout.blobs()) {
            return self.observe_behind(target, own, refused);
        }
        let blob_entry = self.look(&target.blob())?;
        let pointer = self.observe_pointer(target, blob_entry.as_ref())?;
        let blob = match &blob_entry {
            Some(entry) => {
                let content = Some(entry).filter(|entry| entry.kind == Kind::File);
                self.blob_of_kind(target, entry.kind, content)?
            }
            None => Blob::Absent,
        };
        let ref_file = self.observe_ref(target, own.ref_unwritable)?;
        self.with_twin(target, own, PlaceFacts { ref_file, ..self.plain_facts(own, pointer, blob) })
    }

    /// Looks at a pointer of a repo whose folder of blobs is `refused`, a link to elsewhere. Nothing is written through
    /// that (row A43 of the attack table), but what is proved to be the content serves.
    fn observe_behind(
        &self,
        target: &Target,
        own: OwnFacts,
        refused: FsError,
    ) -> Result<Observed, FsError> {
        let at = target.pointer();
        let pointer = match self.look(&at)? {
            Some(_) if !matches!(refused, FsError::FolderIsLink { .. }) => return Err(refused),
            Some(_) if self.is_alias(&target.layout, &target.commit, &target.file)? => {
                Pointer::Alias
            }
            Some(entry) if entry.kind == Kind::File => self.regular_pointer(target, &at, &entry)?,
            Some(entry) if entry.kind == Kind::Symlink => {
                let text = self.cache.disk.link_text(&at).unwrap_or_default();
                self.foreign_link(target, &at, &text).0
            }
            Some(_) | None => Pointer::Stray,
        };
        if pointer != Pointer::Holds || own.demand != Demand::Any {
            return Err(refused);
        }
        let ref_file = self.observe_ref(target, own.ref_unwritable)?;
        let facts = PlaceFacts { ref_file, ..self.plain_facts(own, pointer, Blob::Absent) };
        Ok(Observed { facts, twin: None })
    }

    /// Puts together what was observed of a pointer and a blob.
    pub(crate) fn plain_facts(&self, own: OwnFacts, pointer: Pointer, blob: Blob) -> PlaceFacts {
        PlaceFacts {
            policy: self.cache.policy,
            demand: own.demand,
            pointer,
            blob,
            staged: own.staged,
            twin: Twin::Absent,
            methods: self.methods(),
            ref_file: RefFile::Unwanted,
        }
    }

    /// Looks for the twin where it could matter.
    pub(crate) fn with_twin(
        &self,
        target: &Target,
        own: OwnFacts,
        mut facts: PlaceFacts,
    ) -> Result<Observed, FsError> {
        let wanted = facts.demand == Demand::Any
            && !facts.staged.is_complete()
            && !own.twin_failed
            && !matches!(facts.pointer, Pointer::Holds | Pointer::Directory | Pointer::Alias)
            && !matches!(facts.blob, Blob::Existing | Blob::Borrowed);
        let twin = if wanted { self.find_twin(target) } else { None };
        // A search that was cut short says nothing.
        self.check_wanted(target)?;
        if twin.is_some() {
            facts.twin = Twin::Present;
        }
        Ok(Observed { facts, twin })
    }

    pub(crate) fn look(&self, at: &CachePath) -> Result<Option<Entry>, FsError> {
        self.cache.disk.entry(at).map_err(|error| self.cache.unseen("look at", at, error))
    }

    pub(crate) fn observe_ref(
        &self,
        target: &Target,
        unwritable: bool,
    ) -> Result<RefFile, FsError> {
        if target.revision.as_commit().is_some() {
            return Ok(RefFile::Unwanted);
        }
        if unwritable {
            return Ok(RefFile::Unwritable);
        }
        let at = target.layout.ref_file(&target.revision);
        Ok(match self.look(&at)?.map(|entry| entry.kind) {
            Some(Kind::Directory) => RefFile::Unwritable,
            Some(Kind::File)
                if self.read_ref(&at).as_deref() == Some(target.commit.as_str().as_bytes()) =>
            {
                RefFile::Current
            }
            None | Some(Kind::File | Kind::Symlink | Kind::Other) => RefFile::Behind,
        })
    }

    /// Tells whether a ref file names this commit, byte for byte.
    #[must_use]
    pub fn ref_is_current(
        &self,
        layout: &RepoLayout,
        revision: &Revision,
        commit: &Commit,
    ) -> bool {
        let at = layout.ref_file(revision);
        let regular =
            matches!(self.cache.disk.entry(&at), Ok(Some(entry)) if entry.kind == Kind::File);
        regular && self.read_ref(&at).as_deref() == Some(commit.as_str().as_bytes())
    }

    /// Lists the pointers of a snapshot by name, whatever kind of entry each is; in order.
    ///
    /// # Errors
    /// A folder of it that this user may not read: what is in there belongs to it all the same.
    pub fn snapshot_files(
        &self,
        layout: &RepoLayout,
        commit: &Commit,
    ) -> Result<Vec<FileName>, FsError> {
        let mut found = Vec::new();
        let mut folders = vec![String::new()];
        while let Some(folder) = folders.pop() {
            let at = match FileName::parse(&folder) {
                Ok(name) => layout.pointer(commit, &name),
                Err(_) => layout.snapshot(commit),
            };
            let names = match self.cache.disk.names(&at) {
                Ok(names) => names,
                Err(error) if group(&error) == ErrorGroup::Denied => {
                    return Err(self.cache.unseen("list", &at, error));
                }
                Err(_) => Vec::new(),
            };
            let is_private = |name: &String| RepoLayout::parse_scratch_in(&at, name).is_some();
            for name in names.into_iter().filter(|name| !is_private(name)) {
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                let Ok(file) = FileName::parse(&path) else {
                    continue;
                };
                match self.cache.disk.entry(&layout.pointer(commit, &file)) {
                    Ok(Some(entry)) if entry.kind == Kind::Directory => folders.push(path),
                    Ok(Some(_)) => found.push(file),
                    Ok(None) | Err(_) => {}
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// Finds what this user may not read of all that leads to a cached file: what looks as if nothing were cached.
    #[must_use]
    pub fn closed(&self, layout: &RepoLayout, revision: &Revision) -> Option<FsError> {
        let disk = &self.cache.disk;
        let is_denied = |error: &io::Error| group(error) == ErrorGroup::Denied;
        let folder =
            |at: CachePath| disk.names(&at).err().filter(is_denied).map(|error| (at, error));
        let file = |at: CachePath| disk.open(&at).err().filter(is_denied).map(|error| (at, error));
        let of_ref = || match revision.as_commit() {
            Some(_) => None,
            None => file(layout.ref_file(revision)),
        };
        let of_snapshot = || {
            let commit = self.commit_of(layout, revision)?;
            folder(layout.snapshot(&commit)).or_else(|| file(layout.tree(&commit)))
        };
        let found = folder(CachePath::root())
            .or_else(|| folder(layout.repo()))
            .or_else(of_ref)
            .or_else(|| folder(layout.snapshots()))
            .or_else(of_snapshot);
        found.map(|(at, source)| self.cache.unseen("read", &at, source))
    }

    fn read_ref(&self, at: &CachePath) -> Option<Vec<u8>> {
        self.read(at, REF_LIMIT_BYTES)
    }

    /// Reads the commit that a revision meant when the hub was last asked; the revision may itself be one.
    #[must_use]
    pub fn commit_of(&self, layout: &RepoLayout, revision: &Revision) -> Option<Commit> {
        revision.as_commit().or_else(|| {
            let content = self.read_ref(&layout.ref_file(revision))?;
            Commit::from_ref_file(&content)
        })
    }
}
