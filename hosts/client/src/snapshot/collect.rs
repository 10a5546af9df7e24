//! What became of a whole snapshot.

use hubstow_core::name::FileName;

use super::{
    batch::{Batch, Results},
    known::Known,
    wanted::WantedFile,
};
use crate::api::{
    error::{Error, ErrorKind},
    report::{FileReport, SnapshotReport},
};

/// How many failures are told one by one.
const SHOWN: usize = 20;

/// What became of a file that the hub had to be asked about.
pub(crate) struct Asked {
    pub(crate) file: FileName,
    pub(crate) result: Result<FileReport, Error>,
}

/// Puts together what became of all files. One of which nothing is known is not in the cache.
pub(crate) fn collect(
    known: &Known,
    batch: &Batch,
    results: Results,
    asked: Vec<Asked>,
) -> Result<SnapshotReport, Error> {
    let wanted = batch.files.len() + asked.len();
    let (mut files, mut failures) = (Vec::with_capacity(wanted), Vec::new());
    for (WantedFile { target, .. }, result) in batch.files.iter().zip(results) {
        match result {
            Some(Ok(report)) => files.push(report),
            Some(Err(error)) => failures.push((target.file.clone(), error)),
            None => {
                let what = format!("`{}` is not in the cache", target.file);
                failures.push((target.file.clone(), Error::new(ErrorKind::NotCached, what)));
            }
        }
    }
    let in_order = asked.is_empty();
    for Asked { file, result } in asked {
        match result {
            Ok(report) => files.push(report),
            Err(error) => failures.push((file, error)),
        }
    }
    if !failures.is_empty() {
        return Err(together(&failures, wanted));
    }
    if !in_order {
        files.sort_by(|one, other| one.file.cmp(&other.file));
    }
    let path = known.cache.native(&known.layout.snapshot(&known.commit));
    Ok(SnapshotReport { path, commit: known.commit.clone(), files })
}

/// Tells all failures at once; the kind is the first one's.
pub(crate) fn together(failures: &[(FileName, Error)], wanted: usize) -> Error {
    let first = failures.first().map_or(ErrorKind::Other, |(_, error)| error.kind());
    let mut message = match failures {
        [(_, only)] => only.to_string(),
        _ => format!("{} of {wanted} files failed", failures.len()),
    };
    if failures.len() > 1 {
        for (file, error) in failures.iter().take(SHOWN) {
            message.push_str(&format!("\n  {file}: {error}"));
        }
        if failures.len() > SHOWN {
            message.push_str(&format!("\n  … and {} more", failures.len() - SHOWN));
        }
    }
    let error = Error::new(first, message);
    let hint = failures.first().and_then(|(_, error)| error.way_out());
    match hint {
        Some(hint) => error.hint(hint),
        None if failures.len() < wanted => {
            error.hint("the other files are in place; the same command goes on from there")
        }
        None => error,
    }
}
