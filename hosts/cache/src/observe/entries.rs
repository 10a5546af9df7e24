//! What a pointer and a blob are, as facts.

use std::io;

use hubstow_core::{
    facts::{Blob, Pointer},
    layout::{CachePath, RepoLayout},
    name::{Commit, ContentHash, FileName},
};

use crate::{
    cache::{proofs::Verdict, target::Target},
    disk::{Entry, Kind, failure::FsError},
    observe::view::View,
};

impl View {
    pub(crate) fn observe_pointer(
        &self,
        target: &Target,
        blob: Option<&Entry>,
    ) -> Result<Pointer, FsError> {
        let at = target.pointer();
        // Most pointers are links, and then one look tells it.
        let (text, entry) = match self.cache.disk.link_text(&at) {
            Ok(text) => (Some(text), None),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, None),
            Err(_) => (None, self.look(&at)?),
        };
        if text.is_none() && entry.is_none() {
            let taken = self.is_below_alias(&target.layout, &target.commit, &target.file)?;
            return Ok(if taken { Pointer::Alias } else { Pointer::Absent });
        }
        if self.is_alias(&target.layout, &target.commit, &target.file)? {
            return Ok(Pointer::Alias);
        }
        match entry {
            Some(Entry { kind: Kind::Directory, .. }) => Ok(Pointer::Directory),
            Some(Entry { kind: Kind::Other, .. }) => Ok(Pointer::Stray),
            Some(entry) if entry.kind == Kind::File => self.regular_pointer(target, &at, &entry),
            // It may have become a link since its text was asked for.
            Some(_) | None => {
                let text = text.or_else(|| self.cache.disk.link_text(&at).ok()).unwrap_or_default();
                Ok(self.link_pointer(target, &at, &text, blob.map(|entry| entry.kind)).0)
            }
        }
    }

    /// Looks at a pointer that is a symlink with this text, and through it.
    pub(crate) fn link_pointer(
        &self,
        target: &Target,
        at: &CachePath,
        text: &str,
        blob: Option<Kind>,
    ) -> (Pointer, Option<Entry>) {
        if RepoLayout::etag_of_link(&target.file, text).as_ref() != Some(&target.etag) {
            return self.foreign_link(target, at, text);
        }
        if blob.is_none() {
            return (Pointer::Linked, None);
        }
        let entry = self.cache.disk.through(at).ok().flatten();
        let readable =
            entry.as_ref().is_some_and(|entry| entry.kind == Kind::File && entry.readable_by_all);
        if readable || self.opens(at) { (Pointer::Linked, entry) } else { (Pointer::Stray, None) }
    }

    /// Looks through a link that is none of ours: an old client has made it, or the owner of the cache on purpose. It
    /// serves where what it leads to is proved to be the content, whatever its text is (row A44 of the attack table). What
    /// no hash proves it must at least name, and be of the right size.
    pub(crate) fn foreign_link(
        &self,
        target: &Target,
        at: &CachePath,
        text: &str,
    ) -> (Pointer, Option<Entry>) {
        let Target { layout, etag, size, .. } = target;
        let is_provable = etag.content_hash() != ContentHash::Opaque;
        let names_it = || size.is_some() && text.rsplit('/').next() == Some(etag.as_str());
        let entry = if is_provable || names_it() { self.cache.disk.through(at) } else { Ok(None) };
        match entry {
            Ok(Some(entry))
                if self.opens(at)
                    && matches!(
                        self.proves_entry(layout, at, etag, *size, &entry),
                        Ok(Verdict::Holds)
                    ) =>
            {
                (Pointer::Holds, Some(entry))
            }
            Ok(_) | Err(_) => (Pointer::Stray, None),
        }
    }

    /// Looks at what a pointer that is a regular file holds.
    pub(crate) fn regular_pointer(
        &self,
        target: &Target,
        at: &CachePath,
        entry: &Entry,
    ) -> Result<Pointer, FsError> {
        Ok(match self.verdict(target, at, Some(entry))? {
            // The files of a local folder are the same for every commit, and nothing in this one tells which it is.
            Verdict::Holds if target.layout.is_local() && !self.is_recorded(target) => {
                Pointer::Torn
            }
            // No hash speaks for what stands where a link was.
            Verdict::Holds
                if target.etag.content_hash() == ContentHash::Opaque
                    && self.flattened(at, &target.file, entry).is_some() =>
            {
                Pointer::Torn
            }
            Verdict::Holds => Pointer::Holds,
            Verdict::Torn => Pointer::Torn,
        })
    }

    /// Tells whether a file's content speaks for itself, or its record says that it is the target's.
    fn is_recorded(&self, target: &Target) -> bool {
        target.etag.content_hash() != ContentHash::Opaque
            || self.local_record(&target.file).is_some_and(|record| record.etag == target.etag)
    }

    /// Looks at a blob of which only the kind is known, and maybe what it is, or what a link to it leads to.
    pub(crate) fn blob_of_kind(
        &self,
        target: &Target,
        kind: Kind,
        through: Option<&Entry>,
    ) -> Result<Blob, FsError> {
        let at = target.blob();
        let held = match kind {
            Kind::Directory => return Ok(Blob::Directory),
            Kind::Other => return Ok(Blob::Torn),
            Kind::File => Blob::Existing,
            Kind::Symlink => {
                // A link that its owner has put there is as good as what it leads to. Of what no hash proves, nothing but
                // a link of the Python client's says that it is more than a name.
                let is_told = target.etag.content_hash() != ContentHash::Opaque
                    || target.size.is_some()
                    || self.cache.disk.link_text(&at).is_ok_and(|text| is_shared_store_link(&text));
                if !is_told {
                    return Ok(Blob::Torn);
                }
                Blob::Borrowed
            }
        };
        Ok(match self.verdict(target, &at, through)? {
            Verdict::Holds => held,
            Verdict::Torn => Blob::Torn,
        })
    }

    /// A file that can't be read can't serve; what stands in its place is replaced, as if it were torn.
    fn verdict(
        &self,
        target: &Target,
        at: &CachePath,
        content: Option<&Entry>,
    ) -> Result<Verdict, FsError> {
        let Target { layout, etag, size, .. } = target;
        let proved = match content {
            Some(entry) => self.proves_entry(layout, at, etag, *size, entry),
            None => self.proves(layout, at, etag, *size),
        };
        match proved {
            Ok(verdict) => Ok(verdict),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Verdict::Torn),
            Err(error) => Err(self.cache.unseen("read", at, error)),
        }
    }

    pub(crate) fn opens(&self, at: &CachePath) -> bool {
        self.cache.disk.open(at).is_ok()
    }

    /// Tells whether another name answers to this one, which something answers to: a filesystem that folds case or
    /// normalises Unicode would serve another file's bytes (invariant I16). Where it tells names apart, that costs one look.
    ///
    /// # Errors
    /// A folder that can't be listed: then nobody knows.
    pub(crate) fn is_alias(
        &self,
        layout: &RepoLayout,
        commit: &Commit,
        file: &FileName,
    ) -> Result<bool, FsError> {
        if !self.may_have_aliases(layout, file) {
            return Ok(false);
        }
        for (folder, part) in layout.pointer_steps(commit, file) {
            if !self.is_spelled(layout, &folder, part)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells whether a folder on the way to a name that nothing answers to is there under another name: what is written
    /// would be in that one.
    fn is_below_alias(
        &self,
        layout: &RepoLayout,
        commit: &Commit,
        file: &FileName,
    ) -> Result<bool, FsError> {
        if file.depth() == 0 || !self.may_have_aliases(layout, file) {
            return Ok(false);
        }
        let steps: Vec<_> = layout.pointer_steps(commit, file).collect();
        let folders = steps.iter().zip(steps.iter().skip(1));
        for ((above, part), (folder, _)) in folders {
            if !matches!(self.cache.disk.entry(folder), Ok(Some(_))) {
                return Ok(false);
            }
            if !self.is_spelled(layout, above, part)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tells whether a disk could take this name for another. That one folds no case says nothing of composed letters.
    fn may_have_aliases(&self, layout: &RepoLayout, file: &FileName) -> bool {
        !file.as_str().is_ascii() || self.folds_case(layout)
    }

    /// Tells whether what answers to a name in a folder has that very name.
    fn is_spelled(
        &self,
        layout: &RepoLayout,
        folder: &CachePath,
        part: &str,
    ) -> Result<bool, FsError> {
        let listed = || {
            let names = self.cache.disk.names(folder);
            names.map_err(|error| FsError::io("list", folder, error))
        };
        match self.memo_of(layout) {
            Some(memo) => memo.is_spelled(folder, part, listed),
            None => Ok(listed()?.iter().any(|name| name == part)),
        }
    }
}

/// The text of a link into the Python client's shared store: `../../blobs/<2 hex>/<64 hex>`.
fn is_shared_store_link(text: &str) -> bool {
    let hex = |part: &str, len: usize| {
        part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    text.strip_prefix("../../blobs/")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(shard, hash)| hex(shard, 2) && hex(hash, 64) && hash.starts_with(shard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shared_store_is_borrowed_from() {
        let (hash, other) = ("ab".repeat(32), "cd".repeat(32));
        for (text, is_store) in [
            (format!("../../blobs/ab/{hash}"), true),
            (format!("../../blobs/cd/{hash}"), false),
            (format!("../../blobs/ab/{other}"), false),
            (format!("../../blobs/{hash}"), false),
            (format!("../../../blobs/ab/{hash}"), false),
            (format!("../../blobs/ab/../{hash}"), false),
            (format!("../../blobs/AB/{}", hash.to_uppercase()), false),
            (format!("/blobs/ab/{hash}"), false),
            ("/etc/passwd".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(is_shared_store_link(&text), is_store, "{text}");
        }
    }
}
