//! `hubstow cache pin` and `unpin`: what is never removed by cleaning.

use clap::Args;
use hubstow_client::{
    Error, ErrorKind,
    care::{CacheDir, RepoSum},
};
use hubstow_core::name::{Repo, RepoId, Revision};
use serde::Serialize;

use super::{
    WhichCache,
    target::{self, Target},
};
use crate::{
    global::{Format, Global},
    hub_args::PartsOf,
    output,
};

/// Keep a repo, or one revision of it, from being removed by `rm` and `prune`
///
/// A branch or tag stays pinned wherever it moves.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubstow cache pin openai-community/gpt2
  hubstow cache pin openai-community/gpt2@main
  hubstow cache pin dataset/org/rows@11c5a3d5811f50298f278a704980280950aedb10")]
pub(super) struct PinArgs {
    /// org/name, dataset/org/name or hf://…, with @REVISION for one revision
    #[arg(value_name = "REPO[@REVISION]")]
    target: String,
    #[command(flatten)]
    which: WhichCache,
}

/// Take a pin away
#[derive(Args)]
pub(super) struct UnpinArgs {
    /// What was pinned, as it was said then
    #[arg(value_name = "REPO[@REVISION]")]
    target: String,
    #[command(flatten)]
    which: WhichCache,
}

#[derive(Serialize)]
struct PinJson<'a> {
    id: String,
    revision: Option<&'a str>,
    pinned: bool,
    changed: bool,
}

/// Pins.
pub(super) fn run(args: &PinArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let cache = args.which.open(parts)?;
    let sums = cache.inventory()?.sums();
    let target = target::find(&args.target, &sums)?;
    let (repo, revision) = named(&target)?;
    let is_new = cache.pin(&repo, revision.as_ref())?;
    let said = if is_new { "Pinned" } else { "Already pinned:" };
    tell(global, &target, said, [true, is_new])
}

/// Takes a pin away.
pub(super) fn undo(args: &UnpinArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let cache = args.which.open(parts)?;
    let sums = cache.inventory()?.sums();
    let target = find_pinned(&args.target, &sums, &cache)?;
    let (repo, revision) = named(&target)?;
    let was = cache.unpin(&repo, revision.as_ref())?;
    let said = if was { "No longer pinned:" } else { "Was not pinned:" };
    tell(global, &target, said, [false, was])
}

/// Finds what is to be unpinned; a revision that is pinned may be gone from the cache.
fn find_pinned<'a>(text: &str, sums: &'a [RepoSum], cache: &CacheDir) -> Result<Target<'a>, Error> {
    let found = target::find(text, sums);
    let Err(error) = found else { return found };
    let Some((name, revision)) = text.split_once('@') else { return Err(error) };
    let whole = target::find(name, sums)?;
    let (repo, _) = named(&whole)?;
    if cache.pins(&repo)?.revisions.contains(revision) {
        return Ok(Target { said: Some(revision.to_owned()), ..whole });
    }
    Err(error)
}

fn named(target: &Target<'_>) -> Result<(Repo, Option<Revision>), Error> {
    if let Some(file) = &target.file {
        let what = format!("`{file}` is a file; only repos and revisions can be pinned");
        return Err(Error::new(ErrorKind::Usage, what).hint("leave the file out"));
    }
    let id = RepoId::parse(&target.repo.name)?;
    let revision = target.said.as_deref().map(Revision::parse).transpose()?;
    Ok((Repo::new(target.repo.kind, id), revision))
}

fn tell(
    global: &Global,
    target: &Target<'_>,
    said: &str,
    [pinned, changed]: [bool; 2],
) -> Result<(), Error> {
    let (id, revision) = (target::id(target.repo), target.said.as_deref());
    match global.format() {
        Format::Json => output::json(&PinJson { id, revision, pinned, changed }),
        Format::Quiet => Ok(()),
        Format::Human => {
            let revision = revision.map_or_else(String::new, |it| format!("@{it}"));
            output::line(format_args!("{said} {id}{revision}"))
        }
    }
}
