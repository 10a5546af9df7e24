//! What a download says about itself when it is done: text for people, one object for programs.

use std::{fmt::Write as _, path::Path, time::Duration};

use hubstow_client::{Done, FileReport};
use hubstow_core::{name::Commit, policy::Method, why::Reason};
use serde::Serialize;

use crate::output::{self, FAINT, GOOD, TITLE, styled};

/// Whether something was done, or only foretold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    Real,
    Dry,
}

/// The result of a download.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Summary<'a> {
    pub(crate) run: Run,
    pub(crate) path: &'a Path,
    pub(crate) commit: &'a Commit,
    pub(crate) files: &'a [FileReport],
    pub(crate) bytes_downloaded: u64,
    pub(crate) requests: u64,
}

/// The object of the contract.
#[derive(Serialize)]
struct SummaryJson<'a> {
    path: &'a Path,
    commit: &'a Commit,
    files: &'a [FileReport],
    bytes_downloaded: u64,
    requests: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dry_run: Option<bool>,
}

impl Serialize for Summary<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        SummaryJson {
            path: self.path,
            commit: self.commit,
            files: self.files,
            bytes_downloaded: self.bytes_downloaded,
            requests: self.requests,
            dry_run: (self.run == Run::Dry).then_some(true),
        }
        .serialize(to)
    }
}

impl Summary<'_> {
    /// Returns the text for people, without the path that follows it.
    pub(crate) fn for_people(&self, elapsed: Duration) -> String {
        match (self.run, self.files) {
            (Run::Dry, _) => self.forecast(),
            (Run::Real, []) => styled(FAINT, "the repo has no files"),
            (Run::Real, [file]) => one(file),
            (Run::Real, _) => self.several(elapsed),
        }
    }

    fn several(&self, elapsed: Duration) -> String {
        let groups = Group::of(self.files);
        let mut text = String::new();
        for group in &groups {
            let _ = write!(
                text,
                "{} {}, {}",
                styled(GOOD, format_args!("{:>8}", done(group.action))),
                files(group.files),
                output::size(group.bytes)
            );
            if let Some(by) = group.by {
                let _ = write!(text, ", by {by}");
            }
            if let Some(reason) = group.reason {
                text.push_str(&because(reason));
            }
            text.push('\n');
        }
        let _ = write!(
            text,
            "{}",
            styled(
                FAINT,
                format_args!(
                    "{:>8} {} received in {:.1} s, {}",
                    "",
                    output::size(self.bytes_downloaded),
                    elapsed.as_secs_f64(),
                    requests(self.requests)
                )
            )
        );
        text
    }

    fn forecast(&self) -> String {
        let names = self.files.iter().map(|file| file.file.as_str().chars().count());
        let width = names.max().unwrap_or(0).max(4);
        let mut text = styled(TITLE, format_args!("{:<width$}  {:>10}  WOULD BE", "FILE", "SIZE"));
        for file in self.files {
            let _ = write!(
                text,
                "\n{:<width$}  {:>10}  {}",
                file.file.as_str(),
                size(file.size),
                done(file.action)
            );
            if let Some(by) = file.by {
                let _ = write!(text, ", by {by}");
            }
        }
        let wanted: Vec<_> = self.files.iter().filter(|f| f.action == Done::Fetched).collect();
        let bytes = wanted.iter().filter_map(|file| file.size).sum();
        let _ = write!(
            text,
            "\n{}",
            styled(
                FAINT,
                format_args!(
                    "{} of {} would be fetched, {}; nothing was written",
                    wanted.len(),
                    files(self.files.len()),
                    output::size(bytes)
                )
            )
        );
        text
    }
}

/// Files that were treated alike.
struct Group {
    action: Done,
    by: Option<Method>,
    files: usize,
    bytes: u64,
    /// The reason, if all have the same.
    reason: Option<Reason>,
}

impl Group {
    fn of(files: &[FileReport]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for file in files {
            let alike = |group: &&mut Self| group.action == file.action && group.by == file.by;
            match groups.iter_mut().find(alike) {
                Some(group) => {
                    group.files += 1;
                    group.bytes += file.size.unwrap_or(0);
                    group.reason = group.reason.filter(|reason| *reason == file.reason);
                }
                None => groups.push(Self {
                    action: file.action,
                    by: file.by,
                    files: 1,
                    bytes: file.size.unwrap_or(0),
                    reason: Some(file.reason),
                }),
            }
        }
        groups
    }
}

fn one(file: &FileReport) -> String {
    let mut text = styled(GOOD, format_args!("{:>8}", done(file.action)));
    let _ = write!(text, " {}, {}", file.file, size(file.size));
    if let Some(by) = file.by {
        let _ = write!(text, ", by {by}");
    }
    text.push_str(&because(file.reason));
    text
}

fn because(reason: Reason) -> String {
    let sentence = reason.sentence();
    format!("\n{:>8} {}", "", styled(FAINT, format_args!("because {sentence}")))
}

/// Returns the word for what was done.
pub(crate) fn done(action: Done) -> &'static str {
    match action {
        Done::Reused => "reused",
        Done::Placed => "placed",
        Done::Fetched => "fetched",
    }
}

/// Returns a size for people; `-` where it is not known.
pub(crate) fn size(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), output::size)
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

fn requests(count: u64) -> String {
    if count == 1 { "1 request".to_owned() } else { format!("{count} requests") }
}

#[cfg(test)]
mod tests {
    use hubstow_core::name::{Etag, FileName};
    use serde_json::json;

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn report(action: Done, by: Option<Method>, reason: Reason) -> FileReport {
        let file = FileName::parse("data/x.json").unwrap();
        let commit = Commit::parse(COMMIT).unwrap();
        let mut report = FileReport::new(file, "/cache/x.json", commit, action, reason);
        (report.size, report.etag) = (Some(1500), Some(Etag::parse("e").unwrap()));
        report.by = by;
        report
    }

    fn summary<'a>(run: Run, commit: &'a Commit, files: &'a [FileReport]) -> Summary<'a> {
        Summary {
            run,
            path: Path::new("/cache"),
            commit,
            files,
            bytes_downloaded: 1500,
            requests: 2,
        }
    }

    #[test]
    fn the_object_for_programs_is_the_one_of_the_contract() {
        let mut unknown = report(Done::Reused, None, Reason::Pinned);
        (unknown.size, unknown.etag) = (None, None);
        let files = [report(Done::Fetched, Some(Method::Symlink), Reason::MethodWorks), unknown];
        let commit = Commit::parse(COMMIT).unwrap();
        assert_eq!(
            serde_json::to_value(summary(Run::Real, &commit, &files)).unwrap(),
            json!({
                "path": "/cache",
                "commit": COMMIT,
                "files": [
                    {"file": "data/x.json", "path": "/cache/x.json", "size": 1500, "etag": "e",
                     "action": "fetched", "by": "symlink", "reason": "method-works"},
                    {"file": "data/x.json", "path": "/cache/x.json", "size": null, "etag": null,
                     "action": "reused", "by": null, "reason": "pinned"},
                ],
                "bytes_downloaded": 1500,
                "requests": 2,
            })
        );
    }

    #[test]
    fn a_dry_run_says_so() {
        let commit = Commit::parse(COMMIT).unwrap();
        let summary = summary(Run::Dry, &commit, &[]);
        assert_eq!(serde_json::to_value(summary).unwrap()["dry_run"], json!(true));
    }

    #[test]
    fn files_that_were_treated_alike_are_one_line() {
        let fetched = report(Done::Fetched, Some(Method::Symlink), Reason::MethodWorks);
        let files = [fetched.clone(), fetched, report(Done::Reused, None, Reason::Pinned)];
        let commit = Commit::parse(COMMIT).unwrap();
        let text = summary(Run::Real, &commit, &files).for_people(Duration::from_millis(1500));
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            " fetched 2 files, 3.00 kB, by symlink\n\
             \x20        because it is the first method of the policy, and it works here\n\
             \x20 reused 1 file, 1.50 kB\n\
             \x20        because the commit is cached, and a commit never changes\n\
             \x20        1.50 kB received in 1.5 s, 2 requests"
        );
    }
}
