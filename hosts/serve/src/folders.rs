//! Plain folders as a source: which folder a revision is, what it holds, and the commit that follows from that.
//!
//! Folders are looked at anew for every request, unless they are frozen; what is remembered are digests and the listings of
//! recent commits, and both are checked against the disk before they are used.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use hubstow_core::name::{Commit, Repo, Revision};

use crate::{
    fault::Fault,
    hash::SETTLED_AFTER,
    listing::{Entry, Listing},
    places::{self, Place},
    reader::Reader,
    repos::{self, Held},
    source::Source,
    walk::{Confines, Walked},
};

/// How much is hashed before an answer that names a commit: a second or two. Where more is not hashed yet, the commit by stamps
/// stands in.
const HASHED_AT_ONCE_BYTES: u64 = 256 << 20;
/// How often a folder that changes while it is looked at is looked at again.
const TRIES: usize = 3;

/// Whether the folders that are served may change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Changing {
    /// They may, so each request looks at them anew.
    #[default]
    Living,
    /// They don't: each is looked at once.
    Frozen,
}

/// A folder that can't be read, as the error that the system's is told with.
#[derive(Debug, thiserror::Error)]
#[error("`{}` can't be read", folder.display())]
struct Unreadable {
    folder: PathBuf,
    source: io::Error,
}

/// A folder that holds folders of repos.
#[derive(Debug)]
pub(crate) struct Folders {
    root: PathBuf,
    changing: Changing,
    reader: Arc<Reader>,
}

/// Which of its commits a folder is asked for.
#[derive(Clone, Copy, Debug)]
enum Wanted<'a> {
    /// The best that is known.
    Any,
    /// This one.
    Commit(&'a Commit),
}

impl Folders {
    pub(crate) fn new(root: PathBuf, changing: Changing, reader: Arc<Reader>) -> Self {
        Self { root, changing, reader }
    }

    /// Reads a place. Without an answer, the commit is not the one that is wanted.
    ///
    /// # Errors
    /// It can't be read, or whether it is the commit only hashing all of it would tell.
    fn read(
        &self,
        confines: &Confines,
        (repo, place): (&Repo, &Place),
        wanted: Wanted<'_>,
    ) -> Result<Option<Arc<Listing>>, Fault> {
        let is_wanted = |listing: &Listing| match wanted {
            Wanted::Any => true,
            Wanted::Commit(commit) => listing.commit() == commit,
        };
        if self.changing == Changing::Frozen
            && let Some(listing) = self.reader.of_folder(place.path())
        {
            return Ok(Some(listing).filter(|listing| is_wanted(listing)));
        }
        let found = self.look(confines, place, wanted).map_err(|source| {
            let folder = place.path().to_owned();
            Fault::from(io::Error::new(source.kind(), Unreadable { folder, source }))
        })?;
        let listing = Arc::new(found.ok_or(Fault::Hashing)?);
        self.reader.remember(repo, place.path(), &listing);
        Ok(Some(listing).filter(|listing| is_wanted(listing)))
    }

    /// Lists a place; `None` where too much is not hashed to tell its commit by content, which is wanted.
    fn look(
        &self,
        confines: &Confines,
        place: &Place,
        wanted: Wanted<'_>,
    ) -> io::Result<Option<Listing>> {
        let folder = match place {
            Place::Folder(folder) => folder,
            Place::Snapshot(snapshot) => return snapshot.read(&self.reader).map(Some),
        };
        for attempt in 1.. {
            let mut entries = self.entries(confines, folder)?;
            let unhashed = entries.iter().filter(|entry| entry.etag.is_none());
            let is_much = unhashed.map(|entry| entry.len_bytes).sum::<u64>() > HASHED_AT_ONCE_BYTES;
            let by_stamps = match wanted {
                Wanted::Any if is_much => {
                    // A change in the same tick of the clock would not show in the commit.
                    if attempt < TRIES && !entries.iter().all(|entry| entry.stamp.is_settled()) {
                        thread::sleep(SETTLED_AFTER);
                        continue;
                    }
                    true
                }
                Wanted::Any => false,
                Wanted::Commit(commit) => *commit == commit_by_stamps(&mut entries)?,
            };
            if by_stamps {
                return Ok(Some(Listing::at(commit_by_stamps(&mut entries)?, entries)));
            }
            if is_much {
                return Ok(None);
            }
            let hashed = entries.into_iter().map(|entry| self.reader.hashed(entry));
            let entries: io::Result<Vec<Entry>> = hashed.filter_map(Result::transpose).collect();
            return Ok(Listing::by_content(entries?).ok());
        }
        Ok(None)
    }

    fn entries(&self, confines: &Confines, folder: &Path) -> io::Result<Vec<Entry>> {
        let Walked { files, left_out } = confines.files_below(folder)?;
        self.reader.leave_out(&left_out);
        Ok(files.into_iter().map(|found| self.reader.entry(found)).collect())
    }

    /// Returns what a place holds, without any commit.
    fn held_at(&self, confines: &Confines, place: &Place) -> io::Result<Vec<Entry>> {
        match place {
            Place::Folder(folder) => self.entries(confines, folder),
            Place::Snapshot(snapshot) => Ok(snapshot.read(&self.reader)?.entries().to_vec()),
        }
    }
}

fn commit_by_stamps(entries: &mut [Entry]) -> io::Result<Commit> {
    Listing::commit_by_stamps(entries).map_err(io::Error::other)
}

impl Source for Folders {
    fn root(&self) -> &Path {
        &self.root
    }

    fn check(&self) -> io::Result<()> {
        Confines::of(&self.root).map(drop)
    }

    fn contains(&self, repo: &Repo) -> Result<(), Fault> {
        places::of_repo(&Confines::of(&self.root)?, repo).map(drop)
    }

    fn commit(&self, _repo: &Repo, revision: &Revision) -> Result<Option<Commit>, Fault> {
        Ok(revision.as_commit())
    }

    fn listing(&self, repo: &Repo, revision: &Revision) -> Result<Arc<Listing>, Fault> {
        let confines = Confines::of(&self.root)?;
        let places = places::of_repo(&confines, repo)?;
        let Some(commit) = revision.as_commit() else {
            let place = places.iter().find(|(at, _)| at == revision);
            let (_, place) = place.ok_or(Fault::RevisionMissing)?;
            let found = self.read(&confines, (repo, place), Wanted::Any)?;
            return found.ok_or(Fault::RevisionMissing);
        };
        let mut missing = Fault::RevisionMissing;
        for (_, place) in &places {
            match self.read(&confines, (repo, place), Wanted::Commit(&commit)) {
                Ok(Some(listing)) => return Ok(listing),
                Ok(None) => {}
                // It may be this one, unless another place is.
                Err(Fault::Hashing) => missing = Fault::Hashing,
                Err(fault) => return Err(fault),
            }
        }
        Err(missing)
    }

    fn revisions(&self, repo: &Repo) -> Result<Vec<(Revision, Commit)>, Fault> {
        let confines = Confines::of(&self.root)?;
        let mut revisions = Vec::new();
        for (revision, place) in places::of_repo(&confines, repo)? {
            if let Some(listing) = self.read(&confines, (repo, &place), Wanted::Any)? {
                revisions.push((revision, listing.commit().clone()));
            }
        }
        Ok(revisions)
    }

    fn repos(&self) -> io::Result<Vec<Held>> {
        let confines = Confines::of(&self.root)?;
        let mut repos = Vec::new();
        for (repo, places) in repos::below(&confines, &self.reader)? {
            let mut revisions = Vec::new();
            for (revision, place) in places {
                let held = self.held_at(&confines, &place);
                if let Some(entries) = self.reader.readable(place.path(), held) {
                    revisions.push((Some(revision), entries));
                }
            }
            let revisions =
                revisions.iter().map(|(revision, entries)| (revision.clone(), entries.as_slice()));
            repos.push(Held::of(repo, revisions));
        }
        Ok(repos)
    }

    fn unhashed(&self) -> io::Result<Vec<Entry>> {
        let confines = Confines::of(&self.root)?;
        let mut unhashed = Vec::new();
        for (_, places) in repos::below(&confines, &self.reader)? {
            for (_, place) in places {
                let held = self.held_at(&confines, &place);
                let entries = self.reader.readable(place.path(), held).unwrap_or_default();
                unhashed.extend(entries.into_iter().filter(|entry| entry.etag.is_none()));
            }
        }
        Ok(unhashed)
    }
}
