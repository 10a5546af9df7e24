//! How the command ends: exit codes and error messages.
//!
//! [`exit_code`] is the only place that turns a kind of error into a number.

use std::{ffi::OsString, process::ExitCode};

use clap::{ValueEnum as _, error::ErrorKind as ClapKind};
use hubstow_client::{Detail, Error, ErrorKind, FailedFiles, with_causes};
use serde::Serialize;

use crate::{
    failures::by_cause,
    global::{Color, Format},
    hints,
    output::{self, BAD, CAUTION, plain, styled},
};

const USAGE: u8 = 2;

/// Returns the exit code for a kind of error.
pub(crate) fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Usage => USAGE,
        ErrorKind::RepoNotFound | ErrorKind::RevisionNotFound | ErrorKind::EntryNotFound => 3,
        ErrorKind::NotCached => 4,
        ErrorKind::AccessRefused
        | ErrorKind::Unauthorized
        | ErrorKind::Gated
        | ErrorKind::Disabled => 5,
        ErrorKind::ContentMismatch => 6,
        ErrorKind::NoSpace | ErrorKind::NotPermitted | ErrorKind::ReadOnly => 7,
        ErrorKind::HubUnreachable | ErrorKind::HubFailing | ErrorKind::Throttled { .. } => 8,
        // The kinds may grow; a lint finds the ones that are not named here.
        ErrorKind::CacheObstructed
        | ErrorKind::NoMethodLeft
        | ErrorKind::Undecided
        | ErrorKind::Other
        | _ => 1,
    }
}

/// Shows an error and returns its exit code.
pub(crate) fn report(error: &Error, format: Format) -> ExitCode {
    match format {
        Format::Human | Format::Quiet => output::say(for_people(error)),
        Format::Json => output::say(for_programs(error)),
    }
    ExitCode::from(exit_code(error.kind()))
}

/// Returns the error as people read it: what and why, and the way out.
pub(crate) fn for_people(error: &Error) -> String {
    let mut text = format!("{}: {}", styled(BAD, "error"), plain(&in_full(error)));
    if let Some(hint) = hints::way_out(error) {
        text.push_str(&format!("\n{}: {}", styled(CAUTION, "hint"), plain(hint)));
    }
    text
}

/// Returns what has failed and why, on one line; of many files, each cause that is shown has a line.
fn in_full(error: &Error) -> String {
    let Detail::Files(FailedFiles { failures, .. }) = error.detail() else {
        return with_causes(error);
    };
    if failures.len() < 2 {
        return with_causes(error);
    }
    format!("{error}{}", by_cause(failures))
}

/// The object of the contract.
#[derive(Serialize)]
struct ErrorJson<'a> {
    error: ErrorFields<'a>,
}

#[derive(Serialize)]
struct ErrorFields<'a> {
    /// The exit code.
    code: u8,
    kind: &'static str,
    message: &'a str,
    hint: Option<&'a str>,
}

fn for_programs(error: &Error) -> String {
    error_json(error.kind(), &in_full(error), hints::way_out(error))
}

fn error_json(kind: ErrorKind, message: &str, hint: Option<&str>) -> String {
    let error = ErrorFields { code: exit_code(kind), kind: kind.code(), message, hint };
    // Numbers and text always have a form in JSON.
    serde_json::to_string(&ErrorJson { error }).unwrap_or_default()
}

/// What must be known before the command line is understood, so that even its errors look as they should.
pub(crate) struct Early {
    /// The format of a usage error.
    pub(crate) format: Format,
    /// The colors of help and errors.
    pub(crate) color: Color,
}

impl Early {
    /// Looks for the flags that matter; whatever is wrong with them is said by the parser.
    pub(crate) fn from_args(args: impl IntoIterator<Item = OsString>) -> Self {
        let mut early = Self { format: Format::default(), color: Color::default() };
        let mut args = args.into_iter().map(|arg| arg.to_string_lossy().into_owned());
        while let Some(arg) = args.next() {
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (arg.as_str(), None),
            };
            match name {
                "--" => break,
                "--json" => early.format = Format::Json,
                "--format" => {
                    let value = value.or_else(|| args.next()).unwrap_or_default();
                    early.format = Format::from_str(&value, false).unwrap_or_default();
                }
                "--color" => {
                    let value = value.or_else(|| args.next()).unwrap_or_default();
                    early.color = Color::from_str(&value, false).unwrap_or_default();
                }
                _ => {}
            }
        }
        early
    }
}

/// Shows a usage error, or the help or version that was asked for.
pub(crate) fn usage(error: &clap::Error, format: Format) -> ExitCode {
    let asked_for = matches!(error.kind(), ClapKind::DisplayHelp | ClapKind::DisplayVersion);
    if format == Format::Json && !asked_for {
        let text = error.render().to_string();
        let message = text.split("\n\n").next().unwrap_or(&text);
        let message = message.trim_start_matches("error: ");
        let hint = "`hubstow --help` and `hubstow COMMAND --help` show what can be said";
        output::say(error_json(ErrorKind::Usage, message, Some(hint)));
    } else {
        // The reader may have gone away.
        let _ = error.print();
    }
    ExitCode::from(if asked_for { 0 } else { USAGE })
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod failing_disk;

#[cfg(test)]
mod tests {
    use hubstow_client::FailedFile;
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_has_the_exit_code_of_the_contract() {
        let table = [
            (ErrorKind::Usage, 2),
            (ErrorKind::RepoNotFound, 3),
            (ErrorKind::RevisionNotFound, 3),
            (ErrorKind::EntryNotFound, 3),
            (ErrorKind::NotCached, 4),
            (ErrorKind::AccessRefused, 5),
            (ErrorKind::Gated, 5),
            (ErrorKind::Throttled { retry_after: None }, 8),
            (ErrorKind::ContentMismatch, 6),
            (ErrorKind::NoSpace, 7),
            (ErrorKind::NotPermitted, 7),
            (ErrorKind::ReadOnly, 7),
            (ErrorKind::HubUnreachable, 8),
            (ErrorKind::HubFailing, 8),
            (ErrorKind::CacheObstructed, 1),
            (ErrorKind::NoMethodLeft, 1),
            (ErrorKind::Undecided, 1),
            (ErrorKind::Other, 1),
        ];
        for (kind, code) in table {
            assert_eq!(exit_code(kind), code, "{kind:?}");
        }
    }

    fn not_found() -> Error {
        Error::new(ErrorKind::EntryNotFound, "there is no `x`")
            .hint("look again")
            .caused_by(std::io::Error::other("404"))
    }

    #[test]
    fn an_error_for_programs_has_four_fields() {
        let error: serde_json::Value = serde_json::from_str(&for_programs(&not_found())).unwrap();
        assert_eq!(
            error,
            json!({"error": {
                "code": 3,
                "kind": "entry-not-found",
                "message": "there is no `x`: 404",
                "hint": "look again",
            }})
        );
    }

    #[test]
    fn an_error_for_people_says_what_why_and_the_way_out() {
        let text = anstream::adapter::strip_str(&for_people(&not_found())).to_string();
        assert_eq!(text, "error: there is no `x`: 404\nhint: look again");
    }

    #[test]
    fn of_many_failures_each_cause_is_told_once() {
        let failure = |number: usize| {
            let error = Error::new(ErrorKind::NoSpace, "it can't be written");
            let error = error.caused_by(std::io::Error::other("full"));
            FailedFile::new(format!("{number}.txt"), error)
        };
        let of = |failed: usize| {
            let files = FailedFiles::new((0..failed).map(failure).collect(), 30);
            let error = Error::new(ErrorKind::NoSpace, format!("{failed} of 30 files failed"));
            in_full(&error.with_detail(Detail::Files(files)))
        };
        let two = "2 of 30 files failed\n  0.txt and 1.txt: it can't be written: full";
        assert_eq!(of(2), two);
        let many =
            "25 of 30 files failed\n  0.txt, 1.txt, 2.txt and 22 more: it can't be written: full";
        assert_eq!(of(25), many);
    }

    #[test]
    fn what_a_hub_says_can_not_steer_the_terminal() {
        let error = Error::new(ErrorKind::HubFailing, "\x1b[2J gone");
        assert!(!anstream::adapter::strip_str(&for_people(&error)).to_string().contains('\x1b'));
        assert!(for_people(&error).contains("\u{fffd}[2J gone"));
    }

    #[test]
    fn the_format_of_a_usage_error_is_known_before_parsing() {
        let format = |args: &[&str]| Early::from_args(args.iter().map(OsString::from)).format;
        assert_eq!(format(&["hubstow", "x", "--json"]), Format::Json);
        assert_eq!(format(&["hubstow", "--format", "json"]), Format::Json);
        assert_eq!(format(&["hubstow", "--format=quiet"]), Format::Quiet);
        assert_eq!(format(&["hubstow", "--", "--json"]), Format::Human);
    }
}
