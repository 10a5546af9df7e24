//! Plans as people and scripts read them, and carrying them out.

use std::{collections::HashSet, fmt::Write as _};

use hubstow_client::{
    Error, ErrorKind,
    care::{
        CacheDir, Damage, Executed, Flaw, Hold, Id, Inventory, KeptOut, Plan, Role, Skip, Step,
        StepDone, Why,
    },
};
use serde::Serialize;

use super::{ask::Consent, target::words};
use crate::{
    global::Format,
    output::{self, FAINT, GOOD, NAME, TITLE, styled},
};

/// How many entries of a kind are named.
const NAMED: usize = 20;

/// How many entries of each kind go, and what that frees. The names are those of `hf cache`.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Counts {
    repos_deleted: usize,
    revisions_deleted: usize,
    files_deleted: usize,
    blobs_deleted: usize,
    incomplete_deleted: usize,
    shared_blobs_deleted: usize,
    refs_deleted: usize,
}

#[derive(Serialize)]
struct PlanJson<'a> {
    dry_run: bool,
    #[serde(flatten)]
    counts: Counts,
    /// In bytes.
    freed: u64,
    kept: Vec<KeptJson>,
    skipped: Vec<SkippedJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<StepJson<'a>>>,
}

/// What stays although a plan was about it.
#[derive(Serialize)]
pub(super) struct KeptJson {
    pub(super) what: String,
    pub(super) by: &'static str,
}

/// What was not done, because it was not so any more.
#[derive(Serialize)]
pub(super) struct SkippedJson {
    pub(super) what: String,
    pub(super) why: String,
}

#[derive(Serialize)]
struct StepJson<'a> {
    path: &'a str,
    role: &'static str,
    why: &'static str,
}

/// Shows a plan, asks, carries it out, and says what came of it.
///
/// # Errors
/// Nobody to be asked; somebody who does not want it.
pub(super) fn settle(
    cache: &CacheDir,
    inventory: &Inventory,
    plan: &Plan,
    consent: &Consent,
    format: Format,
) -> Result<(), Error> {
    let is_empty = plan.steps.is_empty();
    if format != Format::Json {
        tell_kept(inventory, plan, format);
    }
    if is_empty || consent.dry_run {
        return show(inventory, plan, consent.dry_run, format);
    }
    if !consent.given(&for_people(inventory, plan), format)? {
        return Err(Error::new(ErrorKind::Other, "nothing was removed"));
    }
    let done = cache.execute(inventory, plan, |_| {});
    report(inventory, plan, &done, format)
}

/// Shows a plan as the result.
fn show(inventory: &Inventory, plan: &Plan, dry_run: bool, format: Format) -> Result<(), Error> {
    match format {
        Format::Json => {
            let steps = plan.steps.iter().filter_map(|step| {
                let path = inventory.get(step.id)?.at.as_str();
                Some(StepJson { path, role: step.role.code(), why: step.why.code() })
            });
            let counts = count(plan.steps.iter());
            output::json(&PlanJson {
                dry_run,
                counts,
                freed: plan.freed_bytes,
                kept: kept(inventory, plan),
                skipped: Vec::new(),
                steps: dry_run.then(|| steps.collect()),
            })
        }
        Format::Quiet => output::line(plan.freed_bytes),
        Format::Human if plan.steps.is_empty() => output::line("Nothing to delete."),
        Format::Human => output::line(for_people(inventory, plan)),
    }
}

/// Says what was done.
fn report(
    inventory: &Inventory,
    plan: &Plan,
    done: &Executed,
    format: Format,
) -> Result<(), Error> {
    // What is gone already is as it was to be.
    let stays = |step: &&StepDone| step.skipped.as_ref().is_some_and(|skip| *skip != Skip::Gone);
    let skipped: Vec<SkippedJson> = done
        .steps
        .iter()
        .filter(stays)
        .map(|step| SkippedJson {
            what: words(inventory, step.id),
            why: step.skipped.as_ref().map_or_else(String::new, skip_words),
        })
        .collect();
    if format != Format::Json {
        for left in skipped.iter().take(NAMED) {
            output::say(output::warning(
                format,
                &format!("`{}` stays: {}", output::name(&left.what), left.why),
            ));
        }
        if let Some(more) = skipped.len().checked_sub(NAMED).filter(|more| *more > 0) {
            output::say(output::warning(format, &format!("… and {more} more stay")));
        }
    }
    if done.others == KeptOut::Nobody {
        let what = "locks are not to be had here, so nobody could be kept out meanwhile";
        output::say(output::warning(format, what));
    }
    let gone = done.steps.iter().filter(|step| step.skipped.is_none());
    let gone: HashSet<Id> = gone.map(|step| step.id).collect();
    let counts = count(plan.steps.iter().filter(|step| gone.contains(&step.id)));
    match format {
        Format::Json => output::json(&PlanJson {
            dry_run: false,
            counts,
            freed: done.freed_bytes,
            kept: kept(inventory, plan),
            skipped,
            steps: None,
        })?,
        Format::Quiet => output::line(done.freed_bytes)?,
        Format::Human if gone.is_empty() => {}
        Format::Human => {
            let freed = styled(GOOD, output::size(done.freed_bytes));
            output::line(format_args!("Deleted {}; {freed} freed.", in_words(&counts)))?;
        }
    }
    let is_refused = |step: &StepDone| matches!(&step.skipped, Some(Skip::Refused(_)));
    if gone.is_empty() && done.steps.iter().any(is_refused) {
        let what = "nothing could be removed: the system refuses";
        return Err(Error::new(ErrorKind::NotPermitted, what)
            .hint("remove it as the user whom the cache belongs to"));
    }
    Ok(())
}

fn count<'a>(steps: impl Iterator<Item = &'a Step>) -> Counts {
    let mut counts = Counts::default();
    for step in steps {
        match step.role {
            Role::Repo => counts.repos_deleted += 1,
            Role::Revision => counts.revisions_deleted += 1,
            Role::Pointer if step.why == Why::Asked => counts.files_deleted += 1,
            Role::Blob => counts.blobs_deleted += 1,
            Role::Staged => counts.incomplete_deleted += 1,
            Role::Payload => counts.shared_blobs_deleted += 1,
            Role::Ref => counts.refs_deleted += 1,
            Role::Pointer | Role::Frame | Role::Folder | Role::Companion | Role::Stranger => {}
        }
    }
    counts
}

fn counted(number: usize, one: &str, many: &str) -> Option<String> {
    match number {
        0 => None,
        1 => Some(format!("1 {one}")),
        number => Some(format!("{number} {many}")),
    }
}

fn in_words(counts: &Counts) -> String {
    let parts: Vec<String> = [
        counted(counts.repos_deleted, "repo", "repos"),
        counted(counts.revisions_deleted, "revision", "revisions"),
        counted(counts.files_deleted, "file", "files"),
        counted(counts.blobs_deleted, "blob", "blobs"),
        counted(counts.incomplete_deleted, "unfinished download", "unfinished downloads"),
        counted(counts.shared_blobs_deleted, "shared blob", "shared blobs"),
    ]
    .into_iter()
    .flatten()
    .collect();
    match parts.as_slice() {
        [] => "what was left over".to_owned(),
        [only] => only.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

/// Tells a plan: what goes and why, and what that frees.
fn for_people(inventory: &Inventory, plan: &Plan) -> String {
    let counts = count(plan.steps.iter());
    let mut text = format!(
        "{} {}: {}",
        styled(TITLE, "About to delete"),
        in_words(&counts),
        styled(GOOD, output::size(plan.freed_bytes))
    );
    let all: HashSet<Id> = plan.steps.iter().map(|step| step.id).collect();
    let goes = |id: Id| all.contains(&id);
    let is_told = |step: &&Step| match step.role {
        Role::Repo => true,
        Role::Revision => !goes(inventory.outermost(step.id)),
        Role::Pointer => step.why == Why::Asked,
        Role::Staged | Role::Payload => !goes(inventory.outermost(step.id)),
        Role::Stranger => true,
        Role::Blob | Role::Ref | Role::Frame | Role::Folder | Role::Companion => false,
    };
    let told: Vec<&Step> = plan.steps.iter().filter(is_told).collect();
    for step in told.iter().take(NAMED) {
        let what = output::name(&words(inventory, step.id));
        let why = styled(FAINT, why_words(step));
        let _ = write!(text, "\n  {}  {why}", styled(NAME, what));
    }
    if let Some(more) = told.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _ = write!(text, "\n  … and {more} more");
    }
    let orphans = plan.steps.iter().filter(|step| step.role == Role::Blob);
    let orphans = orphans.filter(|step| !goes(inventory.outermost(step.id))).count();
    if let Some(orphans) = counted(orphans, "blob", "blobs") {
        let _ = write!(text, "\n  {orphans} that no snapshot leads to then");
    }
    text
}

fn why_words(step: &Step) -> &'static str {
    match step.why {
        Why::Asked => "as asked",
        Why::Follows => "goes with it",
        Why::Detached => "no branch or tag leads to it",
        Why::Unused => "not used for as long as you said",
        Why::Surplus => "older than those to be kept",
        Why::Oversize => "used least recently",
        Why::Orphan => "nothing leads to it",
        Why::Dead => "nobody goes on with this download",
        Why::Empty => "nothing is left in it",
    }
}

pub(super) fn skip_words(skip: &Skip) -> String {
    match skip {
        Skip::Gone => "it was gone already".to_owned(),
        Skip::Changed => "it has changed meanwhile".to_owned(),
        Skip::InUse => "another process works with it".to_owned(),
        Skip::Needed => "something leads to it by now".to_owned(),
        Skip::Holds => "something in it stays".to_owned(),
        Skip::Refused(said) => said.clone(),
    }
}

fn hold_words(hold: Hold) -> &'static str {
    match hold {
        Hold::Free => "it is needed",
        Hold::Pinned => "it is pinned",
        Hold::InUse => "another process works with it",
        Hold::Unsure => "not all of it can be read, so nobody knows what is needed",
    }
}

/// Says what keeps it from being known what is needed, and the way out of that.
fn in_doubt(doubt: &Damage) -> String {
    let way_out = if doubt.flaw == Flaw::RefDamaged {
        "download that revision again, which writes the ref, or remove the ref"
    } else if doubt.flaw == Flaw::RefIsFolder {
        "remove that folder, and download the revision again"
    } else if doubt.flaw == Flaw::PinsDamaged {
        "mend that list, or remove it and pin again"
    } else {
        "run it as the user whom that belongs to"
    };
    format!("`{}`: {}, so nobody knows what is needed; {way_out}", doubt.at, doubt.flaw)
}

fn kept(inventory: &Inventory, plan: &Plan) -> Vec<KeptJson> {
    let kept = plan.kept.iter();
    kept.map(|kept| KeptJson { what: words(inventory, kept.id), by: kept.by.code() }).collect()
}

fn tell_kept(inventory: &Inventory, plan: &Plan, format: Format) {
    for kept in plan.kept.iter().take(NAMED) {
        let why = match (kept.by, inventory.doubts(kept.id).first()) {
            (Hold::Unsure, Some(doubt)) => in_doubt(doubt),
            (by, _) => hold_words(by).to_owned(),
        };
        let what = format!("`{}` stays: {why}", output::name(&words(inventory, kept.id)));
        output::say(output::warning(format, &what));
    }
}
