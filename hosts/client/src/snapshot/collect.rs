//! What became of a whole snapshot.

use hubstow_core::name::FileName;

use super::{
    batch::{Batch, Results},
    known::Known,
    wanted::WantedFile,
};
use crate::{
    api::{
        error::{Error, ErrorKind, FailedFile},
        event::Event,
        report::{FileReport, SnapshotReport, Warning},
    },
    lookup::listing::Unusable,
};

/// What became of a file that the hub had to be asked about.
pub(crate) struct Asked {
    pub(crate) file: FileName,
    pub(crate) result: Result<FileReport, Error>,
}

/// Puts together what became of all files, and tells which were left out. One of which nothing is known is not in the
/// cache.
pub(crate) fn collect(
    known: &Known,
    batch: &Batch,
    results: Results,
    asked: Vec<Asked>,
) -> Result<SnapshotReport, Error> {
    if !batch.left_out.is_empty() {
        let warning = Warning::LeftOut { files: batch.left_out.clone() };
        batch.engine.tell(Event::Warned { warning });
    }
    let wanted = batch.files.len() + asked.len() + batch.unusable.len();
    let (mut files, mut failures) = (Vec::with_capacity(wanted), Vec::new());
    for (WantedFile { target, .. }, result) in batch.files.iter().zip(results) {
        match result {
            Some(Ok(report)) => files.push(report),
            Some(Err(error)) => failures.push(FailedFile::new(target.file.as_str(), error)),
            None => {
                let what = format!("`{}` is not in the cache", target.file);
                let error = Error::new(ErrorKind::NotCached, what);
                failures.push(FailedFile::new(target.file.as_str(), error));
            }
        }
    }
    let in_order = asked.is_empty();
    for Asked { file, result } in asked {
        match result {
            Ok(report) => files.push(report),
            Err(error) => failures.push(FailedFile::new(file.as_str(), error)),
        }
    }
    failures.extend(batch.unusable.iter().map(Unusable::failure));
    if !failures.is_empty() {
        return Err(Error::of_files(failures, wanted, files));
    }
    if !in_order {
        files.sort_unstable_by(|one, other| one.file.cmp(&other.file));
    }
    let path = known.cache.native(&known.layout.snapshot(&known.commit));
    Ok(SnapshotReport { path, commit: known.commit.clone(), files })
}
