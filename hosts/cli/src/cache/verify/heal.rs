//! Healing what was found: the plan, the question, and what came of it.

use std::{collections::HashSet, fmt::Write as _, sync::Arc};

use hubstow_client::{
    Error, ErrorKind,
    care::{CacheDir, Cure, Fault, Heal, Id, Need, Repair, Unhealed, Weight, repair::Healed},
    with_causes,
};
use serde::Serialize;

use super::{
    Found, VerifyArgs,
    told::{self, NAMED, json, name, summary, tell_faults, tell_listed},
};
use crate::{
    cache::{
        ask::{Question, wanted},
        plan::skip_words,
        target::words,
    },
    exit::exit_code,
    global::Format,
    output::{self, CAUTION, FAINT, GOOD, NAME, TITLE, styled},
    progress::Progress,
    runtime,
};

/// What is done, as programs read it.
#[derive(Serialize)]
pub(super) struct RepairJson<'a> {
    dry_run: bool,
    steps: Vec<StepJson<'a>>,
    unhealed: Vec<UnhealedJson<'a>>,
    repaired: usize,
    bytes_downloaded: u64,
}

#[derive(Serialize)]
struct StepJson<'a> {
    path: &'a str,
    cure: &'static str,
    from: Option<&'a str>,
    /// `done`, `skipped`, `failed`, or nothing where nothing was done.
    end: Option<&'static str>,
    why: Option<String>,
}

#[derive(Serialize)]
struct UnhealedJson<'a> {
    path: &'a str,
    needs: &'static str,
}

/// Shows how what was found can be healed, asks, does it, and says what came of it.
///
/// # Errors
/// Nobody to be asked, somebody who does not want it, and what is still wrong.
pub(super) fn settle(
    cache: &CacheDir,
    found: &Found,
    args: &VerifyArgs,
    format: Format,
    progress: &Arc<Progress>,
) -> Result<(), Error> {
    let plan = cache.plan_repair(&found.inventory, &found.verified);
    if format == Format::Human {
        tell_faults(found);
        tell_listed(found, args);
        output::say(summary(found));
    }
    if plan.steps.is_empty() || args.dry_run {
        return show(found, &plan, args, format);
    }
    let question = Question {
        plan: &for_people(found, &plan),
        asked: "Repair this?",
        undone: "nothing was repaired",
        hint: "--yes repairs without asking, --dry-run shows what would be done",
    };
    if !wanted(args.yes, format, &question)? {
        return Err(Error::new(ErrorKind::Other, "nothing was repaired"));
    }
    let healed = runtime::block_on(cache.repair(&found.inventory, &found.verified, &plan, |_| {}));
    progress.stop();
    tell(found, &plan, &healed?, args, format)
}

/// Shows a plan as the result.
fn show(found: &Found, plan: &Repair, args: &VerifyArgs, format: Format) -> Result<(), Error> {
    let verdict = told::verdict(found, args);
    match format {
        Format::Json => {
            let mut shown = json(found, verdict.is_ok());
            shown.repair = Some(repair_json(found, plan, &[], args.dry_run));
            output::json(&shown)?;
        }
        Format::Quiet => {
            for step in &plan.steps {
                output::line(path(found, step.id))?;
            }
        }
        Format::Human => output::line(for_people(found, plan))?,
    }
    verdict.map_err(|error| {
        let is_planned = !plan.steps.is_empty();
        error.hint(if is_planned {
            "without --dry-run it is repaired, after asking"
        } else {
            way_out(&plan.unhealed)
        })
    })
}

/// Returns what a user can do about what stays.
fn way_out(unhealed: &[Unhealed]) -> &'static str {
    let needs: HashSet<Need> = unhealed.iter().map(|stays| stays.need).collect();
    if needs.contains(&Need::Hub) {
        "the content is not here: repair it again without --offline, to download it"
    } else if needs.contains(&Need::Right) {
        "repair it as the user whom the cache belongs to"
    } else {
        "what stands there has to be seen to by hand: nothing tells what it is for"
    }
}

/// Says what was done, and what is still wrong.
fn tell(
    found: &Found,
    plan: &Repair,
    healed: &[Healed],
    args: &VerifyArgs,
    format: Format,
) -> Result<(), Error> {
    let failed: Vec<&Healed> = healed.iter().filter(|healed| !healed.is_well()).collect();
    let verdict = still_wrong(found, plan, healed).and_then(|()| told::listed(found, args));
    if format != Format::Json {
        for healed in failed.iter().take(NAMED) {
            let why = why(healed).unwrap_or_default();
            let what = format!(
                "`{}` was not repaired: {why}",
                output::name(&words(&found.inventory, healed.id))
            );
            output::say(output::warning(format, &what));
        }
    }
    let well = healed.len() - failed.len();
    match format {
        Format::Json => {
            let mut shown = json(found, verdict.is_ok());
            shown.repair = Some(repair_json(found, plan, healed, false));
            output::json(&shown)?;
        }
        Format::Quiet => {
            for healed in healed.iter().filter(|healed| healed.is_well()) {
                output::line(path(found, healed.id))?;
            }
        }
        Format::Human => {
            let fetched = fetched_bytes(healed);
            let fetched = match fetched {
                0 => String::new(),
                bytes => format!(", {} downloaded", output::size(bytes)),
            };
            let count =
                format!("Repaired {well} of {}", healed.len() + unhealed(found, plan).count());
            output::line(format!("{}{fetched}.", styled(GOOD, count)))?;
        }
    }
    verdict
}

/// Says what is still wrong. Where nothing could be repaired, the first failure says why.
fn still_wrong(found: &Found, plan: &Repair, healed: &[Healed]) -> Result<(), Error> {
    let well: HashSet<Id> = healed.iter().filter(|it| it.is_well()).map(|it| it.id).collect();
    let harm = found.verified.faults.iter().filter(|fault| fault.weight == Weight::Harm);
    let left = harm.filter(|fault| !fault.id.is_some_and(|id| well.contains(&id))).count();
    if left == 0 {
        return Ok(());
    }
    let what = match left {
        1 => "1 thing is still wrong in the cache".to_owned(),
        left => format!("{left} things are still wrong in the cache"),
    };
    let errors = healed.iter().filter_map(Healed::error).map(Error::kind);
    let is_refusal = |kind: &ErrorKind| exit_code(*kind) == exit_code(ErrorKind::ReadOnly);
    let refused = errors.into_iter().find(is_refusal);
    let kind = refused.filter(|_| well.is_empty()).unwrap_or(ErrorKind::ContentMismatch);
    Err(Error::new(kind, what).hint(if plan.unhealed.is_empty() {
        "what could not be repaired is as it was; the warnings say why"
    } else {
        way_out(&plan.unhealed)
    }))
}

fn fetched_bytes(healed: &[Healed]) -> u64 {
    let reports = healed.iter().filter_map(Healed::report);
    let fetched = reports.filter(|report| report.action == hubstow_client::Done::Fetched);
    fetched.filter_map(|report| report.size).sum()
}

fn unhealed<'a>(found: &'a Found, plan: &'a Repair) -> impl Iterator<Item = &'a Unhealed> {
    let harm = |id: Id| {
        let mut faults = found.verified.faults.iter().filter(move |fault| fault.id == Some(id));
        faults.any(|fault| fault.weight == Weight::Harm)
    };
    plan.unhealed.iter().filter(move |stays| harm(stays.id))
}

fn repair_json<'a>(
    found: &'a Found,
    plan: &Repair,
    healed: &[Healed],
    dry_run: bool,
) -> RepairJson<'a> {
    let step = |step: &Heal| {
        let done = healed.iter().find(|healed| healed.id == step.id && healed.cure == step.cure);
        StepJson {
            path: path(found, step.id),
            cure: step.cure.code(),
            from: step.from.map(|id| path(found, id)),
            end: done.map(|healed| match (healed.is_well(), healed.skipped()) {
                (true, _) => "done",
                (false, Some(_)) => "skipped",
                (false, None) => "failed",
            }),
            why: done.and_then(why),
        }
    };
    let stays =
        |stays: &Unhealed| UnhealedJson { path: path(found, stays.id), needs: stays.need.code() };
    RepairJson {
        dry_run,
        steps: plan.steps.iter().map(step).collect(),
        unhealed: unhealed(found, plan).map(stays).collect(),
        repaired: healed.iter().filter(|healed| healed.is_well()).count(),
        bytes_downloaded: fetched_bytes(healed),
    }
}

fn path(found: &Found, id: Id) -> &str {
    found.inventory.get(id).map_or("", |item| item.at.as_str())
}

/// Says why a step has not healed anything.
fn why(healed: &Healed) -> Option<String> {
    if healed.is_well() {
        return None;
    }
    healed.skipped().map(skip_words).or_else(|| healed.error().map(|error| with_causes(error)))
}

/// Tells a plan: what is done for each entry, and what stays.
fn for_people(found: &Found, plan: &Repair) -> String {
    let fault = |id: Id| found.verified.faults.iter().find(|fault| fault.id == Some(id));
    let stays: Vec<&Unhealed> = unhealed(found, plan).collect();
    let mut text = styled(
        TITLE,
        match (plan.steps.is_empty(), stays.is_empty()) {
            (true, true) => "Nothing to repair.",
            (true, false) => "There is nothing that can be repaired.",
            (false, _) => "To be repaired:",
        },
    );
    for step in plan.steps.iter().take(NAMED) {
        let Some(fault) = fault(step.id) else { continue };
        let how = styled(FAINT, how(found, step, fault));
        let _ = write!(text, "\n  {}  {how}", styled(NAME, name(found, fault)));
    }
    if let Some(more) = plan.steps.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _ = write!(text, "\n  … and {more} more");
    }
    if !stays.is_empty() {
        let _ = write!(text, "\n{}", styled(CAUTION, "Stays as it is:"));
    }
    for stays in stays.iter().take(NAMED) {
        let Some(fault) = fault(stays.id) else { continue };
        let needs = styled(FAINT, need_words(stays.need));
        let _ = write!(text, "\n  {}  {needs}", styled(NAME, name(found, fault)));
    }
    text
}

fn how(found: &Found, step: &Heal, fault: &Fault) -> String {
    match step.cure {
        Cure::List => "the listing is asked of the hub again".to_owned(),
        Cure::Place => match step.from {
            Some(from) => format!("from {}", output::name(&words(&found.inventory, from))),
            None => "from what is downloaded for another".to_owned(),
        },
        Cure::Fetch => match fault.expected.as_ref().and_then(|expected| expected.size) {
            Some(bytes) => format!("downloaded, {}", output::size(bytes)),
            None => "downloaded".to_owned(),
        },
        Cure::Enlist => "the user is added to the list".to_owned(),
        Cure::Remove => "removed: nobody needs it".to_owned(),
        Cure::Point => "written anew".to_owned(),
    }
}

fn need_words(need: Need) -> &'static str {
    match need {
        Need::Hub => "its content is not here, and the hub may not be asked",
        Need::Right => "this user may not read it",
        Need::Hand => "nothing tells what it should be",
        Need::Cleaning => "`hubstow cache prune` takes it",
    }
}
