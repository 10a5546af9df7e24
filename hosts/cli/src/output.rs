//! What is printed, and where: results to stdout, words to stderr.
//!
//! A reader that has gone away (`hubstow … | head -1`) is no error and no panic: what it does not want is dropped.

use std::{
    fmt::Display,
    io::{self, Write as _},
    path::Path,
};

use anstyle::{AnsiColor, Style};
use hubstow_client::{Error, ErrorKind};
use serde::Serialize;
use unit_prefix::NumberPrefix;

use crate::global::Format;

/// What is done, or works.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What to look at, though nothing failed.
pub(crate) const CAUTION: Style = AnsiColor::Yellow.on_default().bold();
/// What failed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// What is named.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
/// What matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// What heads a part.
pub(crate) const TITLE: Style = Style::new().bold();

/// Puts text in a style; the streams drop it again where colors are not wanted.
pub(crate) fn styled(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Takes out what a terminal would act on: names and messages of a hub are text, and nothing else.
pub(crate) fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(shown).collect()
}

/// Returns a name as it can stand in a line: whatever ends one or does something to a terminal is written out.
pub(crate) fn name(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Writes a size for people, in powers of ten.
pub(crate) fn size(bytes: u64) -> String {
    match NumberPrefix::decimal(bytes as f64) {
        NumberPrefix::Standalone(bytes) => format!("{bytes:.0} B"),
        NumberPrefix::Prefixed(prefix, number) => format!("{number:.2} {prefix}B"),
    }
}

/// Counts things: `1 file`, `2 files`.
pub(crate) fn counted(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// Prints a line of the result.
///
/// # Errors
/// A stdout that takes nothing, such as a full disk.
pub(crate) fn line(text: impl Display) -> Result<(), Error> {
    delivered(writeln!(anstream::stdout().lock(), "{text}"))
}

/// Prints a path alone on its line, byte for byte.
///
/// # Errors
/// As [`line`].
pub(crate) fn path(path: &Path) -> Result<(), Error> {
    let mut bytes = path.as_os_str().as_encoded_bytes().to_vec();
    bytes.push(b'\n');
    write(&bytes)
}

/// Prints bytes as they are.
///
/// # Errors
/// As [`line`].
pub(crate) fn write(bytes: &[u8]) -> Result<(), Error> {
    let mut stdout = io::stdout().lock();
    delivered(stdout.write_all(bytes).and_then(|()| stdout.flush()))
}

/// Prints one JSON value on a line.
///
/// # Errors
/// As [`line`]; a path that is not Unicode has no form in JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_string(value).map_err(|error| {
        Error::new(ErrorKind::Other, "the result can't be written as JSON")
            .hint("--format quiet prints a path byte for byte")
            .caused_by(error)
    })?;
    write(format!("{text}\n").as_bytes())
}

fn delivered(result: io::Result<()>) -> Result<(), Error> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            let kind = if error.kind() == io::ErrorKind::StorageFull {
                ErrorKind::NoSpace
            } else {
                ErrorKind::Other
            };
            Err(Error::new(kind, "the result can't be written to stdout").caused_by(error))
        }
    }
}

/// Returns a warning as the format shows it on stderr.
pub(crate) fn warning(format: Format, message: &str) -> String {
    match format {
        Format::Human | Format::Quiet => {
            format!("{}: {}", styled(CAUTION, "warning"), plain(message))
        }
        Format::Json => serde_json::json!({ "warning": { "message": message } }).to_string(),
    }
}

/// Prints words to stderr; if nobody hears them, nothing is lost.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}
