//! What is there of many files at once, with few looks: folders are listed instead of asking for each name.
//!
//! The facts are the same that looking at each file gives. They may be staler when they are used, for they were all
//! gathered first; an action that finds something else in its way fails as raced and looks again, as ever.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use hubstow_core::{
    facts::{Blob, PlaceFacts, Pointer, RefFile},
    layout::{CachePath, RepoLayout},
    name::{Commit, Revision},
};

use crate::{
    cache::target::Target,
    disk::{FolderName, Kind, failure::FsError},
    observe::{Observed, OwnFacts, view::View},
};

/// From how many targets on folders are listed: listing a folder of any size for a few names takes longer than looking.
const LIST_FROM_TARGETS: usize = 64;

/// What was observed of one of many targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The facts, as [`View::observe`] gives them.
    pub facts: PlaceFacts,
    /// Another file of the repo that holds the content, where that matters.
    pub twin: Option<CachePath>,
    /// The length in bytes of what the pointer leads to, where it leads to this content.
    pub size: Option<u64>,
}

impl View {
    /// Observes many targets of one repo, in order. Of a file that is in its place, and proved, the text of its link is
    /// read and what it leads to is looked at once; names that are not there cost nothing each.
    ///
    /// # Errors
    /// Each item is what [`View::observe`] says of that target.
    pub fn observe_many<'a, T: AsRef<Target>>(
        &self,
        targets: &'a [T],
        own: OwnFacts,
    ) -> impl Iterator<Item = Result<Observation, FsError>> + use<'a, T> {
        let many = self.many(targets, own);
        targets.iter().map(move |target| many.observe(target.as_ref()))
    }

    /// Starts to observe many targets of one repo, each from any thread; the folders are listed once for all.
    #[must_use]
    pub fn many<T: AsRef<Target>>(&self, targets: &[T], own: OwnFacts) -> Many {
        let view = match targets.first().map(T::as_ref) {
            Some(target) if self.memo().is_none() => self.remembering(&target.layout),
            Some(_) | None => self.clone(),
        };
        let lists = targets.len() >= LIST_FROM_TARGETS;
        let (folders, folds, ref_file) = (Mutex::default(), OnceLock::new(), Mutex::default());
        Many { view, own, lists, folders, folds, ref_file }
    }
}

/// What the names in a folder say of one name.
enum Known {
    Absent,
    Is(Kind),
    /// Nothing: the disk itself must be asked.
    Unknown,
}

/// The names in a folder; `None` where they are not to be had.
type FolderNames = Option<HashMap<String, Kind>>;

/// Many targets of one repo that are observed.
pub struct Many {
    view: View,
    own: OwnFacts,
    /// Whether there are enough of them to list folders.
    lists: bool,
    folders: Mutex<HashMap<CachePath, Arc<FolderNames>>>,
    folds: OnceLock<bool>,
    ref_file: Mutex<Option<(RepoLayout, Revision, Commit, RefFile)>>,
}

impl Many {
    /// Observes one of the targets.
    ///
    /// # Errors
    /// As [`View::observe`].
    pub fn observe(&self, target: &Target) -> Result<Observation, FsError> {
        target.layout.admit(&target.file)?;
        let known = if self.lists { self.listed(target)? } else { None };
        match known {
            Some(observation) => Ok(observation),
            None => self.plain(target),
        }
    }

    fn plain(&self, target: &Target) -> Result<Observation, FsError> {
        let Observed { facts, twin } = self.view.observe(target, self.own)?;
        let size = match facts.pointer {
            Pointer::Linked | Pointer::Holds => {
                let entry = self.view.cache.disk.through(&target.pointer());
                entry.ok().flatten().map(|entry| entry.len_bytes)
            }
            Pointer::Absent
            | Pointer::Stray
            | Pointer::Torn
            | Pointer::Directory
            | Pointer::Alias => None,
        };
        Ok(Observation { facts, twin, size })
    }

    /// Observes a target by the names in its folders, as far as they tell.
    fn listed(&self, target: &Target) -> Result<Option<Observation>, FsError> {
        self.view.check_wanted(target)?;
        let (at, blobs) = (target.pointer(), target.layout.blobs());
        let folder = at.parent();
        self.view.check_folders(&folder)?;
        if self.view.check_folders(&blobs).is_err() {
            return Ok(None);
        }
        let view = &self.view;
        let folds = *self.folds.get_or_init(|| view.folds_case(&target.layout));
        let blob_kind = match self.known(&blobs, target.etag.as_str(), folds) {
            Known::Is(kind) => Some(kind),
            Known::Absent => None,
            Known::Unknown => return Ok(None),
        };
        let pointer_known = self.known(&folder, at.base(), folds);
        let told_apart = !folds && target.file.as_str().is_ascii();
        let exact = told_apart || self.is_exact(target);
        let (pointer, entry) = match pointer_known {
            // A folder on the way may be there under another name.
            Known::Is(_) | Known::Absent if !exact => return Ok(None),
            Known::Unknown => return Ok(None),
            Known::Absent => (Pointer::Absent, None),
            Known::Is(Kind::Directory) => (Pointer::Directory, None),
            Known::Is(Kind::Other) => (Pointer::Stray, None),
            Known::Is(Kind::File) => match self.view.cache.disk.entry(&at) {
                Ok(Some(entry)) if entry.kind == Kind::File => {
                    (self.view.regular_pointer(target, &at, &entry)?, Some(entry))
                }
                // It has changed since it was listed, or can't be looked at.
                Ok(_) | Err(_) => return Ok(None),
            },
            Known::Is(Kind::Symlink) => {
                let text = self.view.cache.disk.link_text(&at).unwrap_or_default();
                self.view.link_pointer(target, &at, &text, blob_kind)
            }
        };
        let blob = match blob_kind {
            None => Blob::Absent,
            Some(kind) => {
                // Our link leads to the blob, so what was seen through it is the blob.
                let through = entry.as_ref().filter(|_| pointer == Pointer::Linked);
                self.view.blob_of_kind(target, kind, through)?
            }
        };
        let ref_file = self.ref_file(target)?;
        let facts = PlaceFacts { ref_file, ..self.view.plain_facts(self.own, pointer, blob) };
        let Observed { facts, twin } = self.view.with_twin(target, self.own, facts)?;
        let serves = matches!(pointer, Pointer::Linked | Pointer::Holds);
        let size = entry.filter(|_| serves).map(|entry| entry.len_bytes);
        Ok(Some(Observation { facts, twin, size }))
    }

    fn known(&self, folder: &CachePath, name: &str, folds: bool) -> Known {
        match (*self.names(folder)).as_ref().map(|names| names.get(name)) {
            Some(Some(kind)) => Known::Is(*kind),
            // Another spelling of it may be there.
            Some(None) if folds || !name.is_ascii() => Known::Unknown,
            Some(None) => Known::Absent,
            None => Known::Unknown,
        }
    }

    /// Tells whether every part of the way to a pointer is spelled on the disk as it is asked for.
    fn is_exact(&self, target: &Target) -> bool {
        let mut steps = target.layout.pointer_steps(&target.commit, &target.file);
        steps.all(|(folder, part)| {
            (*self.names(&folder)).as_ref().is_some_and(|names| names.contains_key(part))
        })
    }

    fn names(&self, folder: &CachePath) -> Arc<FolderNames> {
        let mut folders = self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = folders.get(folder) {
            return Arc::clone(known);
        }
        let listed = match self.view.cache.disk.kinds(folder) {
            Ok(names) => {
                Some(names.into_iter().map(|FolderName { name, kind }| (name, kind)).collect())
            }
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
                ) =>
            {
                Some(HashMap::new())
            }
            Err(_) => None,
        };
        let listed = Arc::new(listed);
        folders.insert(folder.clone(), Arc::clone(&listed));
        listed
    }

    /// The ref file is the same for all files of a revision.
    fn ref_file(&self, target: &Target) -> Result<RefFile, FsError> {
        let Target { layout, revision, commit, .. } = target;
        let mut known = self.ref_file.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((of, named, meant, ref_file))
                if (of, named, meant) == (layout, revision, commit) =>
            {
                Ok(*ref_file)
            }
            Some(_) | None => {
                let ref_file = self.view.observe_ref(target, self.own.ref_unwritable)?;
                *known = Some((layout.clone(), revision.clone(), commit.clone(), ref_file));
                Ok(ref_file)
            }
        }
    }
}
