//! What is known of a file before the hub is asked.
//!
//! A pointer is judged by all that speaks of it: a link by the etag that it names, a regular file by the kept listing, and
//! one that holds nothing but a link's text by that text.

use hubstow_core::{
    facts::{Cached, Marker},
    layout::{CachePath, RepoLayout},
    name::{Commit, ContentHash, Etag, FileName},
};

use crate::{
    cache::proofs::Verdict,
    disk::{
        Entry, Kind,
        failure::{ErrorGroup, FsError, group},
    },
    observe::view::View,
};

/// The longest text of a link that is looked for in a regular file.
pub(crate) const FLATTENED_LIMIT_BYTES: u64 = 4 << 10;

/// What is kept of what the hub has said of a file's content.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Promised {
    /// The content's identity.
    pub etag: Etag,
    /// Its size in bytes, where known.
    pub size: Option<u64>,
}

/// Says what is promised, the first time that it is asked.
type AskPromised<'a> = &'a mut dyn FnMut() -> Option<Promised>;

/// What was found of a file before the hub is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedPointer {
    /// Its kind, as the resolve table takes it.
    pub cached: Cached,
    /// The etag of what it should hold, where the pointer or a listing names it.
    pub etag: Option<Etag>,
    /// The size in bytes of what it leads to.
    pub size: Option<u64>,
    /// The marker of that commit.
    pub marker: Marker,
}

impl Default for CachedPointer {
    /// No commit is known, so nothing is.
    fn default() -> Self {
        Self { cached: Cached::Absent, etag: None, size: None, marker: Marker::Absent }
    }
}

impl View {
    /// Looks at the pointer of a commit before the hub is asked. A link names its etag, so its content is proved; what a
    /// regular file should hold only a listing can say, and `promised` is asked where that matters.
    ///
    /// # Errors
    /// Something that can't be looked at.
    pub fn observe_cached(
        &self,
        layout: &RepoLayout,
        commit: &Commit,
        file: &FileName,
        promised: impl FnOnce() -> Option<Promised>,
    ) -> Result<CachedPointer, FsError> {
        let mut promised = Some(promised);
        let mut promised = || promised.take().and_then(|promised| promised());
        self.observe_promised(layout, commit, file, &mut promised)
    }

    fn observe_promised(
        &self,
        layout: &RepoLayout,
        commit: &Commit,
        file: &FileName,
        promised: AskPromised<'_>,
    ) -> Result<CachedPointer, FsError> {
        let at = layout.pointer(commit, file);
        self.check_folders(&at.parent())?;
        let marker = match self.look(&layout.no_exist(commit, file))? {
            Some(_) => Marker::Present,
            None => Marker::Absent,
        };
        let plain = |cached| CachedPointer { cached, etag: None, size: None, marker };
        let Some(entry) = self.look(&at)? else {
            return Ok(plain(Cached::Absent));
        };
        if self.is_alias(layout, commit, file)? {
            return Ok(plain(Cached::Alias));
        }
        let found = match entry.kind {
            Kind::Directory => plain(Cached::Directory),
            Kind::Other => plain(Cached::Damaged),
            Kind::File if layout.is_local() => {
                self.observe_local(commit, file, &entry, promised)?
            }
            Kind::File => self.observe_regular(layout, &at, &entry, file, promised)?,
            Kind::Symlink => self.observe_link(layout, &at, file, promised)?,
        };
        Ok(CachedPointer { marker, ..found })
    }

    fn observe_link(
        &self,
        layout: &RepoLayout,
        at: &CachePath,
        file: &FileName,
        promised: AskPromised<'_>,
    ) -> Result<CachedPointer, FsError> {
        let text = self.cache.disk.link_text(at).unwrap_or_default();
        let Some(etag) = RepoLayout::etag_of_link(file, &text) else {
            return Ok(self.observe_foreign_link(layout, at, &text, promised()));
        };
        let is_opaque = etag.content_hash() == ContentHash::Opaque;
        // Nothing proves an opaque one but a listing, and else the hub must say at least its size (row D12).
        let promised = if is_opaque { promised() } else { None };
        let proved = match &promised {
            Some(Promised { etag, size }) => self.proves(layout, at, etag, *size),
            None => self.proves(layout, at, &etag, None),
        };
        let cached = match proved {
            Ok(Verdict::Holds) if is_opaque => Cached::Holds,
            Ok(Verdict::Holds) => Cached::Linked,
            // What another user keeps to himself is not damaged.
            Err(error) if group(&error) == ErrorGroup::Denied => {
                return Err(self.cache.unseen("read", &layout.blob(&etag), error));
            }
            Ok(Verdict::Torn) | Err(_) => Cached::Damaged,
        };
        let size = self.cache.disk.through(at).ok().flatten().map(|entry| entry.len_bytes);
        Ok(CachedPointer { cached, etag: Some(etag), size, ..CachedPointer::default() })
    }

    /// A link that is none of ours serves where a hash proves what it leads to: that of a listing or, as of our own links,
    /// the one that it names.
    fn observe_foreign_link(
        &self,
        layout: &RepoLayout,
        at: &CachePath,
        text: &str,
        promised: Option<Promised>,
    ) -> CachedPointer {
        let named = || {
            let etag = text.rsplit_once("blobs/").and_then(|(_, base)| Etag::parse(base).ok())?;
            Some(Promised { etag, size: None })
        };
        let told =
            promised.or_else(named).filter(|told| told.etag.content_hash() != ContentHash::Opaque);
        let Some(Promised { etag, size }) = told else {
            return CachedPointer { cached: Cached::Damaged, ..CachedPointer::default() };
        };
        let cached = match self.proves(layout, at, &etag, size) {
            Ok(Verdict::Holds) => Cached::Holds,
            Ok(Verdict::Torn) | Err(_) => Cached::Damaged,
        };
        let size = self.cache.disk.through(at).ok().flatten().map(|entry| entry.len_bytes);
        CachedPointer { cached, etag: Some(etag), size, ..CachedPointer::default() }
    }

    fn observe_regular(
        &self,
        layout: &RepoLayout,
        at: &CachePath,
        entry: &Entry,
        file: &FileName,
        promised: AskPromised<'_>,
    ) -> Result<CachedPointer, FsError> {
        let promised = promised();
        let is_proved = promised
            .as_ref()
            .is_some_and(|promised| promised.etag.content_hash() != ContentHash::Opaque);
        let kept = self.keeps(layout, at, entry, promised.as_ref())?;
        // Where a hash says that a link's text is the content, it is.
        let named = if is_proved { None } else { self.flattened(at, file, entry) };
        let cached = match (kept, &named) {
            (Verdict::Holds, None) => Cached::Holds,
            (Verdict::Holds, Some(_)) | (Verdict::Torn, _) => Cached::Damaged,
        };
        let etag = promised.map(|promised| promised.etag).or(named);
        let size = Some(entry.len_bytes);
        Ok(CachedPointer { cached, etag, size, ..CachedPointer::default() })
    }

    /// A file in a local folder may be of any commit: its record says of which.
    fn observe_local(
        &self,
        commit: &Commit,
        file: &FileName,
        entry: &Entry,
        promised: AskPromised<'_>,
    ) -> Result<CachedPointer, FsError> {
        let size = Some(entry.len_bytes);
        let Some(record) = self.local_record(file).filter(|record| record.commit == *commit) else {
            return Ok(CachedPointer { size, ..CachedPointer::default() });
        };
        let layout = RepoLayout::local();
        let at = layout.pointer(commit, file);
        let cached = match self.keeps(&layout, &at, entry, promised().as_ref())? {
            Verdict::Holds => Cached::Holds,
            Verdict::Torn => Cached::Damaged,
        };
        Ok(CachedPointer { cached, etag: Some(record.etag), size, ..CachedPointer::default() })
    }

    /// Tells whether a regular file keeps what was promised, if anything was.
    fn keeps(
        &self,
        layout: &RepoLayout,
        at: &CachePath,
        entry: &Entry,
        promised: Option<&Promised>,
    ) -> Result<Verdict, FsError> {
        let proved = match promised {
            Some(Promised { etag, size }) => self.proves_entry(layout, at, etag, *size, entry),
            None => self.check_readable(at, entry).map(|()| Verdict::Holds),
        };
        proved.map_err(|error| self.cache.unseen("read", at, error))
    }

    /// Reads the etag out of a regular file that holds nothing but the text of this file's link: what is left of a link
    /// that went through a zip archive, a service that syncs folders, or a checkout without symlinks.
    pub(crate) fn flattened(&self, at: &CachePath, file: &FileName, entry: &Entry) -> Option<Etag> {
        if entry.len_bytes > FLATTENED_LIMIT_BYTES {
            return None;
        }
        etag_left_in(&self.read(at, FLATTENED_LIMIT_BYTES)?, file)
    }
}

/// Reads the etag out of content that is nothing but the text of a file's link.
pub(crate) fn etag_left_in(content: &[u8], file: &FileName) -> Option<Etag> {
    let text = str::from_utf8(content).ok()?.trim_end_matches(['\r', '\n']);
    RepoLayout::etag_of_link(file, &text.replace('\\', "/"))
}
