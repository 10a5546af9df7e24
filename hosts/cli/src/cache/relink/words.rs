//! Conversions as people and scripts read them.

use std::{collections::BTreeMap, fmt::Write as _};

use hubstow_client::care::{
    Id, Inventory, Skip,
    relink::{Act, Because, Plan, RelinkRequest, Relinked, Relinking, Step},
};
use hubstow_core::policy::{Method, Methods};
use serde::Serialize;

use super::{
    super::{
        plan::{KeptJson, SkippedJson},
        target,
    },
    NAMED,
};
use crate::output::{self, FAINT, GOOD, NAME, TITLE, styled};

/// How many entries become what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    /// Pointers that become symlinks, and so on.
    symlinks: usize,
    hardlinks: usize,
    reflinks: usize,
    copies: usize,
    blobs_made: usize,
    blobs_shared: usize,
    blobs_dropped: usize,
    leftovers_cleared: usize,
}

pub(super) fn count<'a>(steps: impl Iterator<Item = &'a Step>) -> Counts {
    let mut counts = Counts::default();
    for step in steps {
        let place = match (step.act, step.by) {
            (Act::Clear, _) => &mut counts.leftovers_cleared,
            (Act::Make, _) => &mut counts.blobs_made,
            (Act::Share, _) => &mut counts.blobs_shared,
            (Act::Drop, _) | (Act::Place, None) => &mut counts.blobs_dropped,
            (Act::Place, Some(Method::Symlink)) => &mut counts.symlinks,
            (Act::Place, Some(Method::Hardlink)) => &mut counts.hardlinks,
            (Act::Place, Some(Method::Reflink)) => &mut counts.reflinks,
            (Act::Place, Some(Method::Copy | Method::Move)) => &mut counts.copies,
        };
        *place += 1;
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

/// Whether it is still to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tense {
    Will,
    Was,
}

pub(super) fn in_words(counts: &Counts, tense: Tense) -> String {
    let verb = |number: usize, one: &'static str, many: &'static str| {
        if number == 1 { one } else { many }
    };
    let becomes = |number: usize| match tense {
        Tense::Will => verb(number, "becomes", "become"),
        Tense::Was => "became",
    };
    let is = |number: usize| match tense {
        Tense::Will => verb(number, "is", "are"),
        Tense::Was => verb(number, "was", "were"),
    };
    let files = [
        (counts.symlinks, "a symlink", "symlinks"),
        (counts.hardlinks, "a hard link", "hard links"),
        (counts.reflinks, "a reflink", "reflinks"),
        (counts.copies, "a file of its own", "files of their own"),
    ];
    let files = files.into_iter().filter_map(|(number, one, many)| {
        let what = verb(number, one, many);
        Some(format!("{} {} {what}", counted(number, "file", "files")?, becomes(number)))
    });
    let blobs = [
        (counts.blobs_made, "made"),
        (counts.blobs_shared, "shared between repos"),
        (counts.blobs_dropped, "removed"),
    ];
    let blobs = blobs.into_iter().filter_map(|(number, what)| {
        Some(format!("{} {} {what}", counted(number, "blob", "blobs")?, is(number)))
    });
    let left = counts.leftovers_cleared;
    let left = counted(left, "leftover", "leftovers")
        .map(|number| format!("{number} of a broken-off run {} removed", is(left)));
    let parts: Vec<String> = files.chain(blobs).chain(left).collect();
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

/// Says how many bytes become free, or are taken.
pub(super) fn freed(bytes: i64, tense: Tense) -> String {
    let size = output::size(bytes.unsigned_abs());
    match (bytes, tense) {
        (0, Tense::Will) => "this frees nothing".to_owned(),
        (0, Tense::Was) => "nothing freed".to_owned(),
        (1.., Tense::Will) => format!("this frees {size}"),
        (1.., Tense::Was) => format!("{size} freed"),
        (_, Tense::Will) => format!("this takes {size} more"),
        (_, Tense::Was) => format!("{size} more taken"),
    }
}

/// Tells a plan: what becomes what in each repo, and what that frees.
pub(super) fn for_people(inventory: &Inventory, plan: &Plan) -> String {
    let counts = count(plan.steps.iter());
    let mut text = format!(
        "{} {}; {}",
        styled(TITLE, "About to convert:"),
        in_words(&counts, Tense::Will),
        styled(GOOD, freed(plan.freed_bytes, Tense::Will))
    );
    let mut repos: BTreeMap<Id, Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        repos.entry(inventory.outermost(step.id)).or_default().push(step);
    }
    for (repo, steps) in repos.iter().take(NAMED) {
        let what = styled(NAME, output::plain(&target::words(inventory, *repo)));
        let counts = styled(FAINT, in_words(&count(steps.iter().copied()), Tense::Will));
        let _ = write!(text, "\n  {what}  {counts}");
    }
    if let Some(more) = repos.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let _ = write!(text, "\n  … and {more} more repos");
    }
    text
}

pub(super) fn skip_words(skip: &Skip) -> String {
    match skip {
        Skip::Gone => "it is gone".to_owned(),
        Skip::Changed => "it has changed meanwhile".to_owned(),
        Skip::InUse => "another process works with it".to_owned(),
        Skip::Needed => "something still leads to it".to_owned(),
        Skip::Holds => "something in it stays".to_owned(),
        Skip::Refused(said) => said.clone(),
    }
}

pub(super) fn left_words(because: Because) -> &'static str {
    match because {
        Because::InUse => "another process works with it",
        Because::Unsure => "not all of it can be read",
        Because::Damaged => {
            "its content is not what its name says; `hubstow cache verify --repair` heals it"
        }
        Because::Unproved => "its content can't be told",
        Because::NoMethod => "every method is refused here",
    }
}

/// A conversion in JSON.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    dry_run: bool,
    placement: &'static str,
    across: bool,
    methods: Methods,
    #[serde(flatten)]
    counts: Counts,
    /// The change in bytes of regular files, each counted once; negative where copies are made.
    freed: i64,
    /// The same as `du -sb` tells it, which also counts the texts of links and new folders.
    du: i64,
    /// How many bytes were read because nothing had proved them.
    hashed: u64,
    /// How many links become files of which no listing says what they should hold.
    unlisted: usize,
    kept: Vec<KeptJson>,
    skipped: Vec<SkippedJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<StepJson<'a>>>,
}

#[derive(Serialize)]
struct StepJson<'a> {
    path: &'a str,
    act: &'static str,
    by: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    why: &'static str,
}

impl<'a> Report<'a> {
    pub(super) fn of(inventory: &Inventory, request: &RelinkRequest, planned: &Relinking) -> Self {
        let left = planned.plan.left.iter();
        let kept = left.map(|left| KeptJson {
            what: target::words(inventory, left.id),
            by: left.because.code(),
        });
        Self {
            dry_run: request.dry_run,
            placement: request.policy.code(),
            across: request.across,
            methods: planned.methods,
            counts: Counts::default(),
            freed: 0,
            du: 0,
            hashed: planned.hashed_bytes,
            unlisted: planned.unlisted,
            kept: kept.collect(),
            skipped: Vec::new(),
            steps: None,
        }
    }

    /// The plan as the result.
    pub(super) fn planned(self, inventory: &'a Inventory, planned: &Relinking) -> Self {
        let plan = &planned.plan;
        let path = |id: Id| inventory.get(id).map(|item| item.at.as_str());
        let steps = plan.steps.iter().filter_map(|step| {
            let from = step.from.and_then(|from| path(from.id()));
            let (act, why) = (step.act.code(), step.why.code());
            Some(StepJson { path: path(step.id)?, act, by: step.by.map(Method::code), from, why })
        });
        let steps = self.dry_run.then(|| steps.collect());
        let (freed, du) = (plan.freed_bytes, planned.apparent_bytes(inventory));
        Self { counts: count(plan.steps.iter()), freed, du, steps, ..self }
    }

    /// What was done.
    pub(super) fn done(self, inventory: &Inventory, planned: &Relinking, done: &Relinked) -> Self {
        let steps = done.steps.iter();
        let skipped = steps.clone().filter_map(|step| {
            let why = skip_words(step.skipped.as_ref()?);
            Some(SkippedJson { what: target::words(inventory, step.step.id), why })
        });
        let counts = count(steps.filter(|it| it.skipped.is_none()).map(|done| &done.step));
        let (freed, du) = (done.freed_bytes, planned.apparent_bytes_of(inventory, done));
        Self { counts, freed, du, skipped: skipped.collect(), ..self }
    }
}
