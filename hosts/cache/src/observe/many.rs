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
    cache::{Cache, target::Target},
    disk::{Kind, failure::FsError},
    observe::Attempt,
};

/// From how many targets on folders are listed: listing a folder of any size for a few names takes longer than looking.
const LIST_FROM_TARGETS: usize = 64;

/// What was seen of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The facts, as [`Cache::observe`] gives them.
    pub facts: PlaceFacts,
    /// Another file of the repo that holds the content, where that matters.
    pub twin: Option<CachePath>,
    /// The length in bytes of what the pointer leads to, where it leads to this content.
    pub size: Option<u64>,
}

impl Cache {
    /// Observes many targets of one repo, in order. Of a file that is in its place, and proved, the text of its link is
    /// read and what it leads to is looked at once; names that are not there cost nothing each.
    ///
    /// # Errors
    /// Each item is what [`Cache::observe`] says of that target.
    pub fn observe_many<'a>(
        &self,
        targets: &'a [Target],
        attempt: Attempt,
    ) -> impl Iterator<Item = Result<Seen, FsError>> + use<'a> {
        let look = self.look_at_many(targets, attempt);
        targets.iter().map(move |target| look.at(target))
    }

    /// Starts to look at many targets of one repo, each from any thread; the folders are listed once for all.
    #[must_use]
    pub fn look_at_many(&self, targets: &[Target], attempt: Attempt) -> Look {
        let cache = match (targets.first(), &self.bulk) {
            (Some(target), None) => self.for_bulk(&target.layout),
            (Some(_) | None, _) => self.clone(),
        };
        let lists = targets.len() >= LIST_FROM_TARGETS;
        let (listings, folds, ref_file) = (Mutex::default(), OnceLock::new(), Mutex::default());
        Look { cache, attempt, lists, listings, folds, ref_file }
    }
}

/// What a listing says of a name.
enum Known {
    Absent,
    Is(Kind),
    /// Nothing: the disk itself must be asked.
    Unknown,
}

/// The names in a folder; `None` where it can't be listed.
type Listing = Option<HashMap<String, Kind>>;

/// A look at many targets.
pub struct Look {
    cache: Cache,
    attempt: Attempt,
    /// Whether there are enough of them to list folders.
    lists: bool,
    listings: Mutex<HashMap<CachePath, Arc<Listing>>>,
    folds: OnceLock<bool>,
    ref_file: Mutex<Option<(RepoLayout, Revision, Commit, RefFile)>>,
}

impl Look {
    /// Observes one of the targets.
    ///
    /// # Errors
    /// As [`Cache::observe`].
    pub fn at(&self, target: &Target) -> Result<Seen, FsError> {
        let known = if self.lists { self.listed(target)? } else { None };
        match known {
            Some(seen) => Ok(seen),
            None => self.plain(target),
        }
    }

    fn plain(&self, target: &Target) -> Result<Seen, FsError> {
        let (facts, twin) = self.cache.observe(target, self.attempt)?;
        let size = match facts.pointer {
            Pointer::Linked | Pointer::Holds => {
                let entry = self.cache.disk.through(&target.pointer());
                entry.ok().flatten().map(|entry| entry.len_bytes)
            }
            Pointer::Absent
            | Pointer::Stray
            | Pointer::Torn
            | Pointer::Directory
            | Pointer::Alias => None,
        };
        Ok(Seen { facts, twin, size })
    }

    /// Observes a target by listings, as far as they tell.
    fn listed(&self, target: &Target) -> Result<Option<Seen>, FsError> {
        self.cache.check_wanted(target)?;
        let (at, blobs) = (target.pointer(), target.layout.blobs());
        let folder = at.parent();
        self.cache.check_folders(&folder)?;
        self.cache.check_folders(&blobs)?;
        let cache = &self.cache;
        let folds = *self.folds.get_or_init(|| cache.folds_case(&target.layout));
        let blob_kind = match self.known(&blobs, target.etag.as_str(), folds) {
            Known::Is(kind) => Some(kind),
            Known::Absent => None,
            Known::Unknown => return Ok(None),
        };
        let pointer_known = self.known(&folder, at.base(), folds);
        let exact = !folds || matches!(pointer_known, Known::Absent) || self.is_exact(target);
        let (pointer, entry) = match pointer_known {
            Known::Is(_) if !exact => return Ok(None),
            Known::Unknown => return Ok(None),
            Known::Absent => (Pointer::Absent, None),
            Known::Is(Kind::Directory) => (Pointer::Directory, None),
            Known::Is(Kind::Other) => (Pointer::Stray, None),
            Known::Is(Kind::File) => match self.cache.disk.entry(&at) {
                Ok(Some(entry)) if entry.kind == Kind::File => {
                    (self.cache.regular_pointer(target, &at, &entry)?, Some(entry))
                }
                // It has changed since it was listed, or can't be looked at.
                Ok(_) | Err(_) => return Ok(None),
            },
            Known::Is(Kind::Symlink) => {
                let text = self.cache.disk.link_text(&at).unwrap_or_default();
                self.cache.link_pointer(target, &at, &text, blob_kind)
            }
        };
        let blob = match blob_kind {
            None => Blob::Absent,
            Some(kind) => {
                // Our link leads to the blob, so what was seen through it is the blob.
                let through = entry.as_ref().filter(|_| pointer == Pointer::Linked);
                self.cache.blob_of_kind(target, kind, through)?
            }
        };
        let ref_file = self.ref_file(target)?;
        let (facts, twin) = self.cache.facts(target, self.attempt, pointer, blob, ref_file)?;
        let serves = matches!(pointer, Pointer::Linked | Pointer::Holds);
        let size = entry.filter(|_| serves).map(|entry| entry.len_bytes);
        Ok(Some(Seen { facts, twin, size }))
    }

    fn known(&self, folder: &CachePath, name: &str, folds: bool) -> Known {
        match (*self.listing(folder)).as_ref().map(|names| names.get(name)) {
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
            (*self.listing(&folder)).as_ref().is_some_and(|names| names.contains_key(part))
        })
    }

    fn listing(&self, folder: &CachePath) -> Arc<Listing> {
        let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = listings.get(folder) {
            return Arc::clone(known);
        }
        let listed = match self.cache.disk.kinds(folder) {
            Ok(kinds) => Some(kinds.into_iter().collect()),
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
        listings.insert(folder.clone(), Arc::clone(&listed));
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
                let ref_file = self.cache.observe_ref(target, self.attempt.ref_unwritable)?;
                *known = Some((layout.clone(), revision.clone(), commit.clone(), ref_file));
                Ok(ref_file)
            }
        }
    }
}
