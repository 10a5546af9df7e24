//! What the demo claims, checked. A claim that does not hold ends the demo with an error.

use std::{fs, path::Path};

use hubstow_client::{Done, Error, ErrorKind, FileReport, SnapshotReport};
use hubstow_core::policy::Method;
use hubstow_serve::RecordedRequest;

/// The claims about one download.
pub(super) struct Check<'a> {
    step: &'a str,
    report: &'a SnapshotReport,
}

impl<'a> Check<'a> {
    /// Starts to check a download.
    pub(super) fn of(step: &'a str, report: &'a SnapshotReport) -> Self {
        Self { step, report }
    }

    /// Every pointer was made by this method, and is what this method makes.
    pub(super) fn placed_by(&self, method: Method) -> Result<(), Error> {
        let is_link = |file: &FileReport| {
            fs::symlink_metadata(&file.path).is_ok_and(|metadata| metadata.is_symlink())
        };
        self.every(
            |file| file.by == Some(method) && is_link(file) == (method == Method::Symlink),
            &format!("by {method}"),
        )
    }

    /// Nothing was done.
    pub(super) fn all_reused(&self) -> Result<(), Error> {
        self.every(|file| file.action == Done::Reused, "reused")
    }

    /// A file was placed from what was here.
    pub(super) fn not_fetched(&self, name: &str) -> Result<(), Error> {
        let placed = |file: &FileReport| file.file.as_str() != name || file.action == Done::Placed;
        self.every(placed, "placed from what is here")
    }

    /// So much content was received: what was fetched, and nothing else.
    pub(super) fn received(&self, bytes: u64) -> Result<(), Error> {
        let fetched = self.report.files.iter().filter(|file| file.action == Done::Fetched);
        let wanted: u64 = fetched.filter_map(|file| file.size).sum();
        that(bytes == wanted, &format!("{}: {wanted} bytes are received", self.step))
    }

    fn every(&self, claim: impl Fn(&FileReport) -> bool, what: &str) -> Result<(), Error> {
        match self.report.files.iter().find(|file| !claim(file)) {
            None => Ok(()),
            Some(file) => Err(broken(&format!("{}: {} is {what}", self.step, file.file))),
        }
    }
}

/// No content of a file was asked for.
pub(super) fn no_get(requests: &[RecordedRequest], file: &str) -> Result<(), Error> {
    let got = requests.iter().any(|request| request.method == "GET" && request.path.contains(file));
    that(!got && !requests.is_empty(), &format!("there is no GET for {file}"))
}

/// The file at this path opens and holds these bytes.
pub(super) fn same_bytes(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let holds = fs::read(path).is_ok_and(|found| found == bytes);
    that(holds, &format!("{} holds the bytes of the hub", path.display()))
}

/// A claim holds.
pub(super) fn that(holds: bool, claim: &str) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(broken(claim)) }
}

/// Returns the error for a claim that does not hold.
pub(super) fn broken(claim: &str) -> Error {
    Error::new(ErrorKind::Other, format!("the demo is not as it says; this does not hold: {claim}"))
        .hint(
            "this is a defect of hubstow or of the disk; `hubstow env` says what the disk supports",
        )
}
