//! Local folders: the record that the Python client keeps of each file, so that both know what is there.
//!
//! The record is three lines: commit, etag, and the time at which both were true of the file. A file that was changed
//! after that time is no longer what the record says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hubstow_core::{
    layout::RepoLayout,
    name::{Commit, Etag, FileName},
};

use crate::{cache::target::Target, disk::failure::FsError, observe::view::View};

/// The longest record that is read.
const RECORD_LIMIT_BYTES: u64 = 4 << 10;
/// How much younger than its record a file may be; filesystems keep times as coarsely as two seconds.
const TOLERANCE: Duration = Duration::from_secs(1);

/// What a record says of a file in a local folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalRecord {
    /// The commit it belongs to.
    pub commit: Commit,
    /// Its content's identity.
    pub etag: Etag,
}

impl View {
    /// Reads the record of a file; one that can't be understood, or is older than the file, is none.
    #[must_use]
    pub fn local_record(&self, file: &FileName) -> Option<LocalRecord> {
        let (record, written) = self.read_local_record(file)?;
        let changed =
            self.cache.disk.modified(&RepoLayout::local().pointer(&record.commit, file)).ok()?;
        let changed = changed.duration_since(UNIX_EPOCH).ok()?;
        (changed.saturating_sub(TOLERANCE) <= written).then_some(record)
    }

    /// Reads what was last recorded of a file, whatever has become of the file since.
    #[must_use]
    pub fn last_local_record(&self, file: &FileName) -> Option<LocalRecord> {
        self.read_local_record(file).map(|(record, _)| record)
    }

    /// Reads a record, and when it was written.
    fn read_local_record(&self, file: &FileName) -> Option<(LocalRecord, Duration)> {
        let content = self.read(&RepoLayout::local_metadata(file), RECORD_LIMIT_BYTES)?;
        let text = String::from_utf8(content).ok()?;
        let mut lines = text.lines().map(str::trim);
        let record = LocalRecord {
            commit: Commit::parse(lines.next()?).ok()?,
            etag: Etag::parse(lines.next()?).ok()?,
        };
        let written = Duration::try_from_secs_f64(lines.next()?.parse().ok()?).ok()?;
        Some((record, written))
    }

    /// Writes the record of a file that has just been placed or proved.
    ///
    /// # Errors
    /// Whatever the system says; the file itself is in its place.
    pub fn record_local(&self, target: &Target) -> Result<(), FsError> {
        let record = LocalRecord { commit: target.commit.clone(), etag: target.etag.clone() };
        if self.local_record(&target.file).as_ref() == Some(&record) {
            return Ok(());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let content = format!("{}\n{}\n{}\n", target.commit, target.etag, now.as_secs_f64());
        let at = RepoLayout::local_metadata(&target.file);
        self.write_whole(&target.layout, &at, content.as_bytes())?;
        for (mark, content) in RepoLayout::local_marks() {
            self.cache.write_mark(&mark, content);
        }
        Ok(())
    }
}
