//! `hubstow cache import`: into the cache, without any hub, whatever proves what it is.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use clap::Args;
use hubstow_client::{
    Error, ErrorKind,
    care::carry::{
        Cancel, Watch,
        import::{ImportFile, ImportPlan, Imported, Said},
    },
};
use hubstow_core::{
    layout::RepoLayout,
    name::{Repo, RepoId, RepoKind, Revision},
};
use serde::Serialize;

use super::{
    WhichCache,
    agree::{Agreement, ended, heed_interrupts},
};
use crate::{
    folder,
    global::{Format, Global},
    hub_args::{PartsOf, Placement},
    output::{self, FAINT, GOOD, NAME, TITLE, styled},
    progress::Progress,
};

/// How many of what is left out, and of refs, are named.
const NAMED: usize = 20;

/// Take files into the cache that came by other ways than a download
///
/// It takes what `hubstow cache export` has made, cache directories of any tool, with links or with what a copy has left of them,
/// folders of `--local-dir`, and plain folders and files; or a tar of any of these. A file is taken where its hash proves what it is: by
/// the manifest of an export, by a listing that comes along or that this cache keeps, or by the name of its blob. What nothing proves
/// is left out, and told by name.
///
/// No hub is asked. What is in the cache already stays: nothing is replaced by other content.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubstow cache import /media/usb/models
  hubstow cache import models.tar --dry-run
  hubstow cache import ~/old-machine/.cache/huggingface/hub
  hubstow cache import ./downloaded --repo org/model@main")]
pub(super) struct ImportArgs {
    /// A folder, a tar, or one file
    #[arg(value_name = "DIR|FILE")]
    from: PathBuf,
    /// Of which repo files are that do not say it themselves
    #[arg(long, value_name = "REPO[@REVISION]")]
    repo: Option<String>,
    /// How files are put in their places [default: compat; portable if HF_HUB_DISABLE_SYMLINKS=1]
    #[arg(long, value_enum, value_name = "POLICY")]
    placement: Option<Placement>,
    #[command(flatten)]
    agreement: Agreement,
    #[command(flatten)]
    which: WhichCache,
}

#[derive(Serialize)]
struct ImportJson {
    dry_run: bool,
    repos: Vec<RepoJson>,
    files: usize,
    files_here: usize,
    /// Of content that is not here yet, in bytes.
    bytes: u64,
    placed: usize,
    left_out: Vec<LeftJson>,
}

#[derive(Serialize)]
struct RepoJson {
    id: String,
    files: usize,
    files_here: usize,
    refs: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct LeftJson {
    what: String,
    why: String,
}

/// Plans, shows, asks and imports.
pub(super) fn run(args: &ImportArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let format = global.format();
    let from = folder::named("DIR|FILE", &args.from)?;
    let said = args.repo.as_deref().map(said).transpose()?;
    let cache = args.which.open_or_make(args.placement, parts)?;
    let (progress, cancel) = (Progress::start(format, global.verbose), Cancel::default());
    let show = |event: &_| progress.show(event);
    let watch = Watch::new(&show, cancel.clone());
    let kept = "what was placed is whole; the same command goes on from there";
    let plan = cache.plan_import(&from, said.as_ref(), &watch);
    let plan = plan.map_err(|error| ended(&cancel, error, kept))?;
    tell_left_out(&plan, format);
    if plan.files.is_empty() && !plan.left_out.is_empty() && plan.broken.is_none() {
        if format == Format::Json {
            tell(&plan, args.agreement.dry_run, None, format)?;
        }
        let what = format!("nothing of `{}` can be taken", from.display());
        return Err(Error::new(ErrorKind::Other, what).hint(
            "`hubstow cache export` on the machine that has it writes down what proves it; a kept listing here does as well",
        ));
    }
    if args.agreement.dry_run || (plan.is_done() && plan.broken.is_none()) {
        return tell(&plan, args.agreement.dry_run, None, format);
    }
    args.agreement.given("Import this?", &for_people(&plan), format)?;
    heed_interrupts(&cancel);
    let done = cache.import(&plan, &watch);
    progress.stop();
    let done = done.map_err(|error| ended(&cancel, error, kept))?;
    tell(&plan, false, Some(&done), format)?;
    if format == Format::Quiet {
        for (repo, files) in by_repo(&plan) {
            let commits: BTreeSet<_> = files.iter().map(|file| &file.commit).collect();
            for commit in commits {
                let at = RepoLayout::new(&repo).snapshot(commit);
                output::path(&cache.native(&at))?;
            }
        }
    }
    Ok(())
}

/// Understands what the user says of the files.
fn said(text: &str) -> Result<Said, Error> {
    let (name, revision) = match text.rsplit_once('@') {
        Some((name, revision)) => (name, Some(Revision::parse(revision)?)),
        None => (text, None),
    };
    let kind = name.split_once('/').and_then(|(word, rest)| Some((kind_of(word)?, rest)));
    let (kind, id) = kind.unwrap_or((RepoKind::Model, name));
    let id = RepoId::parse(id).map_err(|error| {
        Error::new(ErrorKind::Usage, error.to_string()).hint(
            "name a repo as `org/name` or `dataset/org/name`, with @REVISION for one revision",
        )
    })?;
    Ok(Said { repo: Repo::new(kind, id), revision })
}

fn kind_of(word: &str) -> Option<RepoKind> {
    let is_kind = |kind: &RepoKind| kind.singular() == word || kind.plural() == word;
    RepoKind::ALL.into_iter().find(is_kind)
}

fn by_repo(plan: &ImportPlan) -> BTreeMap<Repo, Vec<&ImportFile>> {
    let mut repos: BTreeMap<Repo, Vec<&ImportFile>> = BTreeMap::new();
    for file in &plan.files {
        repos.entry(file.repo.clone()).or_default().push(file);
    }
    repos
}

fn tell_left_out(plan: &ImportPlan, format: Format) {
    if let Some(broken) = &plan.broken {
        output::say(output::warning(format, &format!("the tar is damaged: {broken}")));
    }
    if format == Format::Json {
        return;
    }
    for left in plan.left_out.iter().take(NAMED) {
        let what = format!("`{}` is left out: {}", output::name(&left.what), left.why);
        output::say(output::warning(format, &what));
    }
    if let Some(more) = plan.left_out.len().checked_sub(NAMED).filter(|more| *more > 0) {
        output::say(output::warning(format, &format!("… and {more} more are left out")));
    }
}

fn tell(
    plan: &ImportPlan,
    dry_run: bool,
    done: Option<&Imported>,
    format: Format,
) -> Result<(), Error> {
    match (format, done) {
        (Format::Json, _) => output::json(&json(plan, dry_run, done)),
        (Format::Quiet, _) => Ok(()),
        (Format::Human, None) if plan.files.is_empty() => output::line("Nothing to import."),
        (Format::Human, None) if plan.is_done() => output::line("All of it is here already."),
        (Format::Human, None) => output::line(for_people(plan)),
        (Format::Human, Some(done)) => {
            let bytes = styled(GOOD, output::size(done.bytes));
            let here = match done.here {
                0 => String::new(),
                here => format!(", {} here already", output::counted(here, "file")),
            };
            let placed = output::counted(done.placed, "file");
            output::line(format_args!("Imported {bytes}: {placed} placed{here}."))
        }
    }
}

fn json(plan: &ImportPlan, dry_run: bool, done: Option<&Imported>) -> ImportJson {
    let repos = by_repo(plan).into_iter().map(|(repo, files)| RepoJson {
        id: format!("{}/{}", repo.kind.singular(), repo.id),
        files: files.len(),
        files_here: files.iter().filter(|file| file.is_here).count(),
        refs: plan
            .refs
            .iter()
            .filter(|new| new.repo == repo)
            .map(|new| (new.revision.to_string(), new.commit.to_string()))
            .collect(),
    });
    let left_out = plan.left_out.iter();
    ImportJson {
        dry_run,
        repos: repos.collect(),
        files: plan.files.len(),
        files_here: plan.files.iter().filter(|file| file.is_here).count(),
        bytes: plan.bytes,
        placed: done.map_or(0, |done| done.placed),
        left_out: left_out
            .map(|left| LeftJson { what: left.what.clone(), why: left.why.clone() })
            .collect(),
    }
}

fn for_people(plan: &ImportPlan) -> String {
    let new = plan.files.iter().filter(|file| !file.is_here).count();
    let mut text = format!(
        "{} {}, {} of content that is not here yet",
        styled(TITLE, "About to import"),
        output::counted(new, "file"),
        styled(GOOD, output::size(plan.bytes)),
    );
    for (repo, files) in by_repo(plan) {
        let id = format!("{}/{}", repo.kind.singular(), repo.id);
        let here = files.iter().filter(|file| file.is_here).count();
        let what = format!("{}, {here} here already", output::counted(files.len(), "file"));
        text.push_str(&format!("\n  {}  {}", styled(NAME, id), styled(FAINT, what)));
    }
    for new in plan.refs.iter().take(NAMED) {
        let from = new.was.as_ref().map_or_else(String::new, |was| format!(", not {was} any more"));
        let what = format!("{}@{} leads to {}{from}", new.repo.id, new.revision, new.commit);
        text.push_str(&format!("\n  {}", styled(FAINT, what)));
    }
    text
}
