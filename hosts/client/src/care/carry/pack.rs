//! Writing a tar that any tool unpacks anywhere: regular files only, in order, with times and owners of nobody.

use std::io::{self, Read, Write};

use hubstow_cache::{Disk, disk::content::Hasher};
use hubstow_core::{
    layout::CachePath,
    name::{Commit, FileName, Repo},
    why::Reason,
};
use tar::{Builder, EntryType, Header};

use super::{Watch, chosen::ChosenFile, export::Exported};
use crate::api::{
    error::{Error, ErrorKind, from_io},
    event::Event,
    report::{Done, FileReport},
};

/// The time of every entry, 2000-01-01: the same input gives the same bytes, and FAT knows no earlier one than 1980.
const MODIFIED: u64 = 946_684_800;

/// A tar that is being written.
pub(super) struct Packer<'a, 'w> {
    builder: Builder<&'a mut dyn Write>,
    watch: &'a Watch<'w>,
    done: Exported,
}

impl<'a, 'w> Packer<'a, 'w> {
    pub(super) fn new(to: &'a mut dyn Write, watch: &'a Watch<'w>) -> Self {
        Self { builder: Builder::new(to), watch, done: Exported::default() }
    }

    /// Writes a small file.
    pub(super) fn note(&mut self, at: &CachePath, content: &[u8]) -> io::Result<()> {
        let mut header = header(content.len() as u64);
        self.builder.append_data(&mut header, at.as_str(), content)
    }

    /// Writes the content of a file, and proves it on the way.
    ///
    /// # Errors
    /// Content that is not what its hash says; whatever reading or writing says.
    pub(super) fn content(
        &mut self,
        disk: &dyn Disk,
        repo: &Repo,
        at: &CachePath,
        commit: &Commit,
        file: &ChosenFile,
    ) -> Result<(), Error> {
        let shown = FileName::parse(&format!("{}/{}", repo.id, file.name));
        let shown = shown.unwrap_or_else(|_| file.name.clone());
        let content = disk.open(&file.from);
        let content =
            content.map_err(|error| from_io(&format!("`{shown}` can't be read"), error))?;
        let (size, started) = (
            Some(file.size),
            Event::Started { file: shown.clone(), size: Some(file.size), already: 0 },
        );
        (self.watch.tell)(&started);
        let proof = file.sha256.as_ref().unwrap_or(&file.etag);
        let mut content = Proving {
            content: Box::new(content),
            hasher: Hasher::new(proof, size),
            left_bytes: file.size,
            watch: self.watch,
            shown: &shown,
        };
        let appended = self.builder.append_data(&mut header(file.size), at.as_str(), &mut content);
        let Proving { left_bytes, hasher, mut content, .. } = content;
        appended.map_err(|error| from_io(&format!("`{shown}` can't be written"), error))?;
        let has_more = matches!(content.read(&mut [0]), Ok(1));
        let wrong = match hasher.finish() {
            _ if left_bytes > 0 => Some("it is shorter than it was".to_owned()),
            _ if has_more => Some("it is longer than it was".to_owned()),
            Ok(()) => None,
            Err(found) => Some(format!("the content's hash is {found}, not {proof}")),
        };
        if let Some(wrong) = wrong {
            let what = format!("`{shown}` is damaged, so nothing was exported: {wrong}");
            return Err(Error::new(ErrorKind::ContentMismatch, what)
                .hint("`hubstow cache verify --repair` or `hubstow download` mends it"));
        }
        let mut report = FileReport::new(shown, "", commit.clone(), Done::Placed, Reason::Offline);
        report.size = size;
        (self.watch.tell)(&Event::Finished { report });
        self.done.written += 1;
        self.done.bytes += file.size;
        Ok(())
    }

    /// Ends the tar.
    pub(super) fn end(mut self) -> io::Result<Exported> {
        self.builder.finish()?;
        self.builder.get_mut().flush()?;
        Ok(self.done)
    }
}

fn header(size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(MODIFIED);
    header
}

/// Content that is hashed while it is read, and never longer than its entry.
struct Proving<'a> {
    content: Box<dyn Read>,
    hasher: Hasher,
    left_bytes: u64,
    watch: &'a Watch<'a>,
    shown: &'a FileName,
}

impl Read for Proving<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.watch.cancel.check()?;
        let most = usize::try_from(self.left_bytes).unwrap_or(usize::MAX).min(into.len());
        let into = into.get_mut(..most).unwrap_or_default();
        let count = self.content.read(into)?;
        let bytes = into.get(..count).unwrap_or_default();
        self.hasher.update(bytes);
        self.left_bytes -= bytes.len() as u64;
        (self.watch.tell)(&Event::Received { file: self.shown.clone(), bytes: bytes.len() as u64 });
        Ok(count)
    }
}
