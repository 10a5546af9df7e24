//! `hubstow cache move`: the whole cache to another folder or disk.

use std::path::{Path, PathBuf};

use clap::Args;
use hubstow_client::{
    Error, ErrorKind,
    care::carry::{
        Cancel, LeftOut, Watch,
        relocate::{MovePlan, Moved, Old, Way},
    },
};
use hubstow_core::layout::CachePath;
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

/// How many of what stays are named.
const NAMED: usize = 20;

/// Move the whole cache to another folder or disk
///
/// On the same disk it is renamed, which takes no time. To another one it is copied, every file is proved by its hash there, and only then
/// removed here; files are linked there if that disk can do it, whatever they are here. It can be broken off at any time: the same command
/// goes on. What another process works with, what is damaged, and what is nothing of a cache stays where it is, and is told.
///
/// Afterwards programs must be told where the cache is: set HF_HUB_CACHE to the new folder, or let --link leave a link in the old
/// place.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubstow cache move /data/huggingface --dry-run
  hubstow cache move /data/huggingface --link
  hubstow cache move /mnt/backup/huggingface --keep

Whoever downloads to the old place meanwhile loses nothing: what has come there stays, and the same command moves it later.")]
pub(super) struct MoveArgs {
    /// The new folder, which need not exist; it may hold a cache already
    #[arg(value_name = "DEST")]
    to: PathBuf,
    /// Leave a link in the old place that leads to the new one, so that no setting has to change
    #[arg(long, conflicts_with = "keep")]
    link: bool,
    /// Keep the old one as it is: copy, and remove nothing
    #[arg(long)]
    keep: bool,
    /// How files are put in their places [default: compat; portable if HF_HUB_DISABLE_SYMLINKS=1]
    #[arg(long, value_enum, value_name = "POLICY")]
    placement: Option<Placement>,
    #[command(flatten)]
    agreement: Agreement,
    #[command(flatten)]
    which: WhichCache,
}

#[derive(Serialize)]
struct MoveJson<'a> {
    dry_run: bool,
    from: PathBuf,
    to: &'a Path,
    by: &'static str,
    repos: Vec<RepoJson<'a>>,
    /// To be copied, in bytes.
    bytes: u64,
    placed: usize,
    freed: u64,
    linked: bool,
    left: Vec<LeftJson<'a>>,
}

#[derive(Serialize)]
struct RepoJson<'a> {
    id: &'a str,
    files: usize,
    bytes: u64,
}

#[derive(Serialize)]
struct LeftJson<'a> {
    what: &'a str,
    why: &'a str,
}

/// Plans, shows, asks and moves.
pub(super) fn run(args: &MoveArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let format = global.format();
    let to = folder::named("DEST", &args.to)?;
    let is_link_left = args.link && to.is_dir();
    let cache = args.which.open_to_move(is_link_left, args.placement, parts)?;
    let from = cache.native(&CachePath::root());
    let (progress, cancel) = (Progress::start(format, global.verbose), Cancel::default());
    let show = |event: &_| progress.show(event);
    let watch = Watch::new(&show, cancel.clone());
    let kept = "nothing is lost; the same command goes on from there";
    let old = if args.keep { Old::Keep } else { Old::Remove };
    let plan = cache.plan_move(&to, old, &watch);
    let plan = plan.map_err(|error| ended(&cancel, error, kept))?;
    if args.agreement.dry_run {
        tell_left(&plan.left, format);
        return tell(&from, &plan, None, false, format);
    }
    args.agreement.given("Move this?", &for_people(&from, &plan), format)?;
    heed_interrupts(&cancel);
    let done = cache.relocate(&plan, &watch);
    progress.stop();
    let done = done.map_err(|error| ended(&cancel, error, kept))?;
    if cancel.is_cancelled() {
        let error = Error::new(ErrorKind::Other, "interrupted");
        return Err(error.hint(kept));
    }
    tell_left(&done.left, format);
    if args.link {
        cache.link_old(&plan)?;
    }
    tell(&from, &plan, Some(&done), args.link, format)?;
    if is_nothing(&plan, &done) && !done.left.is_empty() {
        return Err(Error::new(ErrorKind::Other, "nothing was moved: all of it stays where it is")
            .hint("end what works with it, and run the same command again"));
    }
    Ok(())
}

/// Tells whether nothing is in the new place that was not there before.
fn is_nothing(plan: &MovePlan, done: &Moved) -> bool {
    plan.way != Way::Rename && done.placed == 0 && done.here == 0
}

fn tell_left(left: &[LeftOut], format: Format) {
    if format == Format::Json {
        return;
    }
    for left in left.iter().take(NAMED) {
        let what = format!("`{}` stays where it is: {}", output::name(&left.what), left.why);
        output::say(output::warning(format, &what));
    }
    if let Some(more) = left.len().checked_sub(NAMED).filter(|more| *more > 0) {
        output::say(output::warning(format, &format!("… and {more} more stay")));
    }
}

fn tell(
    from: &Path,
    plan: &MovePlan,
    done: Option<&Moved>,
    linked: bool,
    format: Format,
) -> Result<(), Error> {
    match (format, done) {
        (Format::Json, _) => output::json(&json(from, plan, done, linked)),
        (Format::Quiet, _) => output::path(&plan.to),
        (Format::Human, None) => output::line(for_people(from, plan)),
        (Format::Human, Some(done)) => output::line(said(from, plan, done, linked)),
    }
}

fn json<'a>(
    from: &Path,
    plan: &'a MovePlan,
    done: Option<&'a Moved>,
    linked: bool,
) -> MoveJson<'a> {
    let repos = plan.repos.iter();
    let left = done.map_or(&plan.left, |done| &done.left);
    MoveJson {
        dry_run: done.is_none(),
        from: from.to_owned(),
        to: &plan.to,
        by: if plan.way == Way::Rename { "rename" } else { "copy" },
        repos: repos
            .map(|repo| RepoJson { id: &repo.id, files: repo.files, bytes: repo.bytes })
            .collect(),
        bytes: plan.bytes,
        placed: done.map_or(0, |done| done.placed),
        freed: done.map_or(0, |done| done.freed_bytes),
        linked,
        left: left.iter().map(|left| LeftJson { what: &left.what, why: &left.why }).collect(),
    }
}

fn for_people(from: &Path, plan: &MovePlan) -> String {
    let how = match plan.way {
        Way::Rename => "renamed, on the same disk".to_owned(),
        Way::Copy | _ => {
            format!("{} to be copied and proved", styled(GOOD, output::size(plan.bytes)))
        }
    };
    let mut text = format!(
        "{} {} to {}: {how}",
        styled(TITLE, "About to move"),
        styled(NAME, from.display()),
        styled(NAME, plan.to.display()),
    );
    for repo in plan.repos.iter().take(NAMED) {
        let files = output::counted(repo.files, "file");
        let what = format!("{files}, {}", output::size(repo.bytes));
        let id = output::plain(&repo.id);
        text.push_str(&format!("\n  {}  {}", styled(NAME, id), styled(FAINT, what)));
    }
    if let Some(more) = plan.repos.len().checked_sub(NAMED).filter(|more| *more > 0) {
        text.push_str(&format!("\n  … and {more} more repos"));
    }
    text
}

fn said(from: &Path, plan: &MovePlan, done: &Moved, linked: bool) -> String {
    let here = match done.here {
        0 => String::new(),
        here => format!(", {} there already", output::counted(here, "file")),
    };
    let freed = match done.freed_bytes {
        0 => String::new(),
        freed => format!("; {} free in the old place", styled(GOOD, output::size(freed))),
    };
    let moved = format!("Moved {}{here}{freed}.", output::counted(done.placed, "file"));
    if is_nothing(plan, done) && !linked {
        return "Nothing was moved.".to_owned();
    }
    let to = styled(NAME, plan.to.display());
    let next = if linked {
        format!("{} is a link to {to} now, so programs find it as ever.", from.display())
    } else {
        format!("Tell programs where it is: export HF_HUB_CACHE={to}")
    };
    format!("{moved}\n{next}")
}
