//! Reading files whole, several at once, and hashing them as they come.

use std::{
    cmp::Reverse,
    collections::HashMap,
    io::{self, Read as _},
};

use hubstow_core::{
    care::Id,
    layout::{CachePath, RepoLayout},
    name::{ContentHash, Etag},
};

use super::claims::{Claims, Job};
use crate::{
    care::{
        beside::{each_with, processors},
        inventory::Inventory,
    },
    disk::{content::Hasher, failure::FsError},
    observe::view::View,
};

/// What is read at once: as much as stays in a processor's own cache until it is hashed.
const PIECE_BYTES: usize = 256 << 10;
/// How often progress is told.
const TELL_BYTES: u64 = 4 << 20;
/// How many threads read: more than have a processor each, so that some hash while others wait for the disk.
const THREADS_A_PROCESSOR: usize = 2;
const THREAD_LIMIT: usize = 32;
/// Files up to this length are kept whole, to be looked at for what stands in a file's place.
const TEXT_LIMIT_BYTES: u64 = 4 << 10;
/// How what stands in a file's place begins: the text of a link, by either separator, and what git keeps of a large file.
const INSTEAD: [&[u8]; 3] = [b"../", b"..\\", b"version https://git-lfs"];

/// How far reading has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// What there is to read: so many files, so many bytes.
    Begins {
        /// How many files.
        files: usize,
        /// Their bytes together.
        bytes: u64,
    },
    /// So many bytes more were read.
    Read {
        /// How many.
        bytes: u64,
    },
}

/// What reading files has shown, by one of the names of each.
pub(super) type Readings = HashMap<Id, Shown>;

/// What reading a file has shown.
#[derive(Clone, Debug, Default)]
pub(super) struct Shown {
    /// Its hashes, as far as anything was said of them.
    pub(super) sha256: Option<String>,
    pub(super) git: Option<String>,
    pub(super) is_zero: bool,
    pub(super) text: Option<Vec<u8>>,
    pub(super) end: End,
}

/// How reading a file has ended.
#[derive(Clone, Debug, Default)]
pub(super) enum End {
    /// It was not begun.
    #[default]
    Unread,
    /// All of it was read.
    Whole,
    /// It is another one now.
    Changed,
    /// The system refuses.
    Refused(String),
}

impl Shown {
    /// Tells whether all was read that is asked of a file.
    fn tells(&self, job: &Job) -> bool {
        let mut etags = job.claims.iter().map(|claim| &claim.promised.etag);
        matches!(self.end, End::Whole)
            && etags
                .all(|etag| etag.content_hash() == ContentHash::Opaque || self.hash(etag).is_some())
    }

    /// Returns the hash of the kind of an etag.
    pub(super) fn hash(&self, etag: &Etag) -> Option<&str> {
        match etag.content_hash() {
            ContentHash::Sha256 => self.sha256.as_deref(),
            ContentHash::GitBlobSha1 => self.git.as_deref(),
            ContentHash::Opaque => None,
        }
    }
}

/// Reads all files that something is said of, but for those of which all is known that is asked; what comes back is in their
/// order.
pub(super) fn read_all(
    view: &View,
    inventory: &Inventory,
    claims: &Claims,
    known: &Readings,
    tell: &(dyn Fn(Reading) + Sync),
) -> Result<Vec<Shown>, FsError> {
    let jobs = &claims.jobs;
    let told = |job: &Job| known.get(&job.id).filter(|shown| shown.tells(job)).cloned();
    let mut shown: Vec<Shown> = jobs.iter().map(|job| told(job).unwrap_or_default()).collect();
    let is_unread = |at: &usize| shown.get(*at).is_some_and(|it| matches!(it.end, End::Unread));
    // The largest go first, so that no thread is left with one at the end.
    let mut order: Vec<usize> = (0..jobs.len()).filter(is_unread).collect();
    let to_read = || order.iter().filter_map(|at| jobs.get(*at));
    tell(Reading::Begins {
        files: to_read().count(),
        bytes: to_read().map(|job| job.len_bytes).sum(),
    });
    order.sort_by_key(|at| jobs.get(*at).map(|job| (Reverse(job.len_bytes), job.id)));
    let threads = (processors() * THREADS_A_PROCESSOR).min(THREAD_LIMIT);
    let buffer = || vec![0; PIECE_BYTES];
    let found = each_with(&order, threads, buffer, |buffer, at| {
        let job = jobs.get(*at).filter(|_| !view.cancel.is_cancelled())?;
        Some(read(view, inventory, job, buffer, tell))
    });
    view.cancel.check().map_err(|error| FsError::io("read", &CachePath::root(), error))?;
    for (at, found) in order.iter().zip(found) {
        if let (Some(place), Some(found)) = (shown.get_mut(*at), found) {
            *place = found;
        }
    }
    Ok(shown)
}

/// Reads a file, once more where it has changed meanwhile, and takes over what is proved.
fn read(
    view: &View,
    inventory: &Inventory,
    job: &Job,
    buffer: &mut [u8],
    tell: &(dyn Fn(Reading) + Sync),
) -> Shown {
    let first = read_once(view, inventory, job, buffer, tell);
    match first.end {
        End::Changed => read_once(view, inventory, job, buffer, &|_| {}),
        End::Unread | End::Whole | End::Refused(_) => first,
    }
}

fn read_once(
    view: &View,
    inventory: &Inventory,
    job: &Job,
    buffer: &mut [u8],
    tell: &(dyn Fn(Reading) + Sync),
) -> Shown {
    let ended = |end| Shown { end, ..Shown::default() };
    let Some(item) = inventory.get(job.id) else { return ended(End::Changed) };
    let at = &item.at;
    let disk = view.disk();
    let entry = match disk.entry(at) {
        Ok(Some(entry)) if item.entry.as_ref().is_some_and(|was| was.kind == entry.kind) => entry,
        Ok(_) => return ended(End::Changed),
        Err(error) => return ended(End::Refused(error.to_string())),
    };
    // What repos share is judged for those who use it.
    let mut layouts = job.claims.iter().filter_map(|claim| layout_of(inventory, claim.by));
    let since = layouts.next().map(|layout| view.since(&layout, &entry));
    let hashed = hash(view, job, at, entry.len_bytes, buffer, tell);
    // What is taken away while it is read can't be read either.
    match disk.entry(at) {
        Ok(Some(now)) if now.identity == entry.identity => {}
        Ok(_) | Err(_) => return ended(End::Changed),
    }
    let shown = match hashed {
        Ok(shown) => shown,
        Err(error) => return ended(End::Refused(error.to_string())),
    };
    for claim in &job.claims {
        let (etag, layout) = (&claim.promised.etag, layout_of(inventory, claim.by));
        match (shown.hash(etag), layout, since) {
            (Some(hash), Some(layout), Some(since)) if hash == etag.as_str() => {
                view.proved_anew(&layout, at, etag, &entry, since);
            }
            (Some(_), Some(layout), _) => view.disproved(&layout, etag, &entry.identity),
            (Some(_) | None, _, _) => {}
        }
    }
    shown
}

fn layout_of(inventory: &Inventory, id: Id) -> Option<RepoLayout> {
    Some(RepoLayout::new(&inventory.repo_of(id)?.repo()?))
}

fn hash(
    view: &View,
    job: &Job,
    at: &CachePath,
    len_bytes: u64,
    buffer: &mut [u8],
    tell: &(dyn Fn(Reading) + Sync),
) -> io::Result<Shown> {
    let mut hashers: Vec<Hasher> = Vec::new();
    for kind in [ContentHash::Sha256, ContentHash::GitBlobSha1] {
        let mut etags = job.claims.iter().map(|claim| &claim.promised.etag);
        let etag = etags.find(|etag| etag.content_hash() == kind);
        hashers.extend(etag.map(|etag| Hasher::new(etag, Some(len_bytes))));
    }
    let mut shown = Shown { is_zero: len_bytes > 0, end: End::Whole, ..Shown::default() };
    let mut text = Vec::new();
    let (mut file, mut untold) = (view.disk().open(at)?, 0);
    loop {
        view.cancel.check()?;
        let count = match file.read(buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let piece = buffer.get(..count).unwrap_or_default();
        hashers.iter_mut().for_each(|hasher| hasher.update(piece));
        shown.is_zero = shown.is_zero && piece.iter().all(|byte| *byte == 0);
        if len_bytes <= TEXT_LIMIT_BYTES {
            text.extend_from_slice(piece);
        }
        untold += count as u64;
        if untold >= TELL_BYTES {
            tell(Reading::Read { bytes: std::mem::take(&mut untold) });
        }
    }
    tell(Reading::Read { bytes: untold });
    // Most small files are nothing of that kind, and there may be many.
    let is_odd = INSTEAD.iter().any(|begins| text.starts_with(begins));
    shown.text = is_odd.then_some(text);
    for hasher in hashers {
        let (kind, hash) = hasher.into_hash();
        match kind {
            ContentHash::Sha256 => shown.sha256 = Some(hash),
            ContentHash::GitBlobSha1 => shown.git = Some(hash),
            ContentHash::Opaque => {}
        }
    }
    Ok(shown)
}
