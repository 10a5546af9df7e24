//! What was found, for people and for programs.

use std::fmt::Write as _;

use hubstow_client::{
    Error, ErrorKind,
    care::{Fault, Id, Weight},
};
use serde::Serialize;

use super::{Found, VerifyArgs};
use crate::{
    cache::target::words,
    global::Format,
    output::{self, BAD, CAUTION, FAINT, GOOD, NAME, TITLE, plain, styled},
};

/// How many things of a kind are named for people.
pub(super) const NAMED: usize = 50;

/// What was found, as programs read it.
#[derive(Serialize)]
pub(super) struct VerifyJson<'a> {
    /// How many files were read, and their bytes.
    checked: usize,
    bytes: u64,
    proved: usize,
    /// How many files nothing tells of what they should hold.
    untold: usize,
    ok: bool,
    damage: Vec<DamageJson<'a>>,
    missing: Vec<String>,
    extra: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) repair: Option<super::heal::RepairJson<'a>>,
}

#[derive(Serialize)]
struct DamageJson<'a> {
    /// Below the cache directory.
    path: &'a str,
    kind: &'static str,
    /// `harm`, or `litter` where nobody reads what is wrong.
    weight: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<&'a str>,
    expected: Option<&'a str>,
    expected_size: Option<u64>,
    found: Option<&'a str>,
    /// The files that are read through it.
    files: Vec<String>,
}

/// Says what was found.
///
/// # Errors
/// That something is wrong, after it was told.
pub(super) fn report(found: &Found, args: &VerifyArgs, format: Format) -> Result<(), Error> {
    let verdict = verdict(found, args);
    match format {
        Format::Json => output::json(&json(found, verdict.is_ok()))?,
        Format::Quiet => paths(found)?,
        Format::Human => {
            tell_faults(found);
            tell_listed(found, args);
            output::line(summary(found))?;
        }
    }
    verdict
}

/// Says whether all is well.
pub(super) fn verdict(found: &Found, args: &VerifyArgs) -> Result<(), Error> {
    let harm = found.verified.faults.iter().filter(|fault| fault.weight == Weight::Harm).count();
    if harm > 0 {
        let what = match harm {
            1 => "1 thing is wrong in the cache".to_owned(),
            harm => format!("{harm} things are wrong in the cache"),
        };
        return Err(Error::new(ErrorKind::ContentMismatch, what)
            .hint("`hubstow cache verify --repair` heals what can be healed, after asking"));
    }
    listed(found, args)
}

/// Says whether all is here that the listings have, and no more, where that was asked for.
pub(super) fn listed(found: &Found, args: &VerifyArgs) -> Result<(), Error> {
    let wrong = |count: usize, what: &str| {
        let files = if count == 1 { "1 file".to_owned() } else { format!("{count} files") };
        Error::new(ErrorKind::ContentMismatch, format!("{files} {what}"))
    };
    let (missing, extra) = (found.verified.missing.len(), found.verified.extra.len());
    if args.fail_on_missing_files && missing > 0 {
        return Err(wrong(missing, "of the listing are not in the cache")
            .hint("`hubstow download REPO` brings what is missing"));
    }
    if args.fail_on_extra_files && extra > 0 {
        return Err(wrong(extra, "in the cache are not in the listing"));
    }
    Ok(())
}

pub(super) fn json(found: &Found, ok: bool) -> VerifyJson<'_> {
    let Found { inventory, verified } = found;
    let named = |ids: &[Id]| ids.iter().map(|id| words(inventory, *id)).collect();
    VerifyJson {
        checked: verified.files,
        bytes: verified.bytes,
        proved: verified.proved,
        untold: verified.untold.len(),
        ok,
        damage: verified.faults.iter().map(|fault| damage_json(found, fault)).collect(),
        missing: verified.missing.iter().map(|(id, file)| file_of(found, *id, file)).collect(),
        extra: named(&verified.extra),
        repair: None,
    }
}

fn damage_json<'a>(found: &'a Found, fault: &'a Fault) -> DamageJson<'a> {
    let expected = fault.expected.as_ref();
    DamageJson {
        path: fault.damage.at.as_str(),
        kind: fault.damage.flaw.code(),
        weight: match fault.weight {
            Weight::Harm => "harm",
            Weight::Litter => "litter",
        },
        message: fault.damage.flaw.to_string(),
        said: fault.damage.said.as_deref(),
        expected: expected.map(|expected| expected.etag.as_str()),
        expected_size: expected.and_then(|expected| expected.size),
        found: fault.found.as_deref(),
        files: fault.readers.iter().map(|id| words(&found.inventory, *id)).collect(),
    }
}

fn file_of(found: &Found, revision: Id, file: &str) -> String {
    match words(&found.inventory, revision).as_str() {
        // A local folder has no name of its own.
        "" => file.to_owned(),
        revision => format!("{revision}/{file}"),
    }
}

/// Returns the name of what is wrong: that of the file which is read through it, as a user would say it, or else its path in
/// the cache.
pub(super) fn name(found: &Found, fault: &Fault) -> String {
    let of_reader = fault.readers.first().copied().or(fault.id);
    let name = of_reader.map(|id| words(&found.inventory, id));
    output::name(&name.unwrap_or_else(|| fault.damage.at.as_str().to_owned()))
}

/// Says more of what is wrong: how much of it there is, which hash it has, where it lies, and who else reads it.
fn details(found: &Found, fault: &Fault) -> Vec<String> {
    let mut details = Vec::new();
    let len = fault.id.and_then(|id| found.inventory.content_of(id)?.entry.as_ref());
    let len = len.map(|entry| entry.len_bytes);
    let size = fault.expected.as_ref().and_then(|expected| expected.size);
    match (len, size) {
        (Some(len), Some(size)) if len != size => {
            details.push(format!("{} of {}", output::size(len), output::size(size)));
        }
        (Some(_) | None, _) => {
            if let (Some(expected), Some(hash)) = (&fault.expected, &fault.found) {
                details.push(format!("expected {}, found {hash}", expected.etag));
            }
        }
    }
    if let Some(more) = fault.readers.len().checked_sub(1) {
        let also = match more {
            0 => String::new(),
            1 => ", and read as 1 other file".to_owned(),
            more => format!(", and read as {more} other files"),
        };
        details.push(format!("in {}{also}", output::name(fault.damage.at.as_str())));
    }
    details
}

/// Prints the paths of what is wrong.
fn paths(found: &Found) -> Result<(), Error> {
    let mut harm = found.verified.faults.iter().filter(|fault| fault.weight == Weight::Harm);
    harm.try_for_each(|fault| output::line(&fault.damage.at))
}

/// Tells what is wrong, the worst first.
pub(super) fn tell_faults(found: &Found) {
    let mut faults: Vec<&Fault> = found.verified.faults.iter().collect();
    faults.sort_by_key(|fault| std::cmp::Reverse(fault.weight));
    for fault in faults.iter().take(NAMED) {
        let mark = match fault.weight {
            Weight::Harm => styled(BAD, "✗"),
            Weight::Litter => styled(CAUTION, "!"),
        };
        let said = fault.damage.said.as_ref().map_or_else(String::new, |said| format!(": {said}"));
        let mut text = format!(
            "{mark} {}: {}{}",
            styled(NAME, name(found, fault)),
            fault.damage.flaw,
            plain(&said)
        );
        for detail in details(found, fault) {
            let _ = write!(text, "\n    {}", styled(FAINT, detail));
        }
        output::say(text);
    }
    if let Some(more) = faults.len().checked_sub(NAMED).filter(|more| *more > 0) {
        output::say(format!("… and {more} more; --json tells all"));
    }
}

/// Tells what is not here, and what is here without being listed. Where it was not asked for, it is told by number.
pub(super) fn tell_listed(found: &Found, args: &VerifyArgs) {
    let Found { inventory, verified } = found;
    let missing = verified.missing.iter().map(|(id, file)| file_of(found, *id, file)).collect();
    let extra = verified.extra.iter().map(|id| words(inventory, *id)).collect();
    let lists: [(Vec<String>, &str, bool); 2] = [
        (missing, "of the listing, not in the cache", args.fail_on_missing_files),
        (extra, "in the cache, not in the listing", args.fail_on_extra_files),
    ];
    for (files, what, is_wrong) in lists {
        if files.is_empty() {
            continue;
        }
        let mark = if is_wrong { styled(BAD, "✗") } else { styled(CAUTION, "!") };
        let count = files.len();
        let mut text =
            format!("{mark} {count} {} {what}", if count == 1 { "file" } else { "files" });
        for file in files.iter().take(if is_wrong { NAMED } else { 3 }) {
            let _ = write!(text, "\n    {}", styled(FAINT, output::name(file)));
        }
        output::say(text);
    }
}

/// Sums up what was read.
pub(super) fn summary(found: &Found) -> String {
    let verified = &found.verified;
    let harm = verified.faults.iter().filter(|fault| fault.weight == Weight::Harm).count();
    let read = format!("{} files, {}", verified.files, output::size(verified.bytes));
    let mut text = format!("{} {read}: ", styled(TITLE, "Checked"));
    let _ = write!(text, "{}", styled(GOOD, format!("{} right", verified.proved)));
    let wrong = format!("{harm} wrong");
    let _ = write!(text, ", {}", if harm > 0 { styled(BAD, wrong) } else { wrong });
    if !verified.untold.is_empty() {
        let _ = write!(text, ", {} of which nothing here tells", verified.untold.len());
    }
    text
}
