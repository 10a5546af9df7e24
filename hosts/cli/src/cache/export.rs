//! `hubstow cache export`: repos of the cache as a folder or a tar that can be carried anywhere.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

use clap::Args;
use hubstow_client::{
    Error, ErrorKind,
    care::carry::{
        Cancel, Existing, Watch,
        export::{ExportPlan, Exported, ExportedRepo},
    },
};
use serde::Serialize;

use super::{
    WhichCache,
    agree::{Agreement, ended, heed_interrupts},
    target,
};
use crate::{
    folder,
    global::{Format, Global},
    hub_args::PartsOf,
    output::{self, FAINT, GOOD, NAME, TITLE, styled},
    progress::Progress,
};

/// Write repos of the cache into a folder or a tar, to carry them to another machine
///
/// What is written stands by itself: the files, the branches and tags that lead to them, the hub's listing, and a manifest with the
/// hash of every file. There are regular files only, so it can lie on any disk, a FAT stick as well, and a tar can be unpacked by any
/// tool. `hubstow cache import` takes it in; and it is a cache directory itself, to be used as HF_HUB_CACHE.
///
/// Every byte is hashed while it is written, and what is damaged is refused by name. Nothing in the cache changes.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubstow cache export openai-community/gpt2 -o /media/usb/models
  hubstow cache export org/model@v1.0 dataset/org/rows -o models.tar
  hubstow cache export org/model -o - | ssh elsewhere 'cat > models.tar'

A folder that holds an earlier export is continued, and may get more repos. The format is written down in docs/carry.md.")]
pub(super) struct ExportArgs {
    /// org/name, dataset/org/name, hf://… or a commit; with @REVISION for one revision
    #[arg(value_name = "REPO[@REVISION]", required = true)]
    targets: Vec<String>,
    /// Where to: a file that ends in .tar, `-` for a tar on stdout, or else a folder
    #[arg(short, long, value_name = "DIR|FILE.tar|-")]
    output: PathBuf,
    /// Replace what is there and is something else
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    agreement: Agreement,
    #[command(flatten)]
    which: WhichCache,
}

#[derive(Serialize)]
struct ExportJson<'a> {
    dry_run: bool,
    output: &'a Path,
    repos: Vec<RepoJson>,
    files: usize,
    /// Of content, in bytes.
    bytes: u64,
    written: usize,
    kept: usize,
}

#[derive(Serialize)]
struct RepoJson {
    id: String,
    refs: BTreeMap<String, String>,
    revisions: Vec<String>,
    files: usize,
    bytes: u64,
}

/// What is written to.
enum Output {
    Folder(PathBuf),
    Tar(PathBuf),
    Stdout,
}

impl Output {
    fn of(path: &Path) -> Result<Self, Error> {
        if path == Path::new("-") {
            if io::stdout().is_terminal() {
                let what = "a tar on a terminal is of no use to anybody";
                return Err(Error::new(ErrorKind::Usage, what)
                    .hint("lead it to a file or a command, or name a file that ends in .tar"));
            }
            return Ok(Self::Stdout);
        }
        let path = folder::named("--output", path)?;
        let is_tar = path.extension().is_some_and(|extension| extension == "tar") && !path.is_dir();
        if is_tar {
            return Ok(Self::Tar(path));
        }
        if !path.is_dir() && is_packed(&path) {
            let what = format!("`{}` would be compressed, which nothing here does", path.display());
            return Err(Error::new(ErrorKind::Usage, what).hint(
                "name a file that ends in .tar, or pack it on its way: `--output - | zstd > FILE`",
            ));
        }
        if path.exists() && !path.is_dir() {
            let what = format!("`{}` is no folder", path.display());
            return Err(Error::new(ErrorKind::Usage, what)
                .hint("name a folder, or a file that ends in .tar"));
        }
        Ok(Self::Folder(path))
    }
}

/// Tells whether a path has the name of a compressed file.
fn is_packed(path: &Path) -> bool {
    const PACKED: [&str; 12] =
        ["gz", "tgz", "zst", "tzst", "bz2", "tbz2", "xz", "txz", "lz4", "zip", "7z", "rar"];
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|it| PACKED.contains(&it.to_ascii_lowercase().as_str()))
}

/// Plans, shows, asks and exports.
pub(super) fn run(args: &ExportArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let format = global.format();
    let to = Output::of(&args.output)?;
    let cache = args.which.open(parts)?;
    if let Output::Folder(place) | Output::Tar(place) = &to {
        cache.check_outside(place)?;
    }
    let inventory = cache.inventory()?;
    let sums = inventory.sums();
    let mut asked = Vec::new();
    for text in &args.targets {
        asked.extend(target::find(text, &sums)?.ids());
    }
    let plan = cache.plan_export(&inventory, &asked)?;
    for left in &plan.left_out {
        output::say(output::warning(
            format,
            &format!("`{}`: {}", output::name(&left.what), left.why),
        ));
    }
    if args.agreement.dry_run {
        return tell(args, &plan, None, format);
    }
    args.agreement.given("Export this?", &for_people(args, &plan), format)?;
    let existing = if args.force { Existing::Replace } else { Existing::Keep };
    let (progress, cancel) = (Progress::start(format, global.verbose), Cancel::default());
    heed_interrupts(&cancel);
    let show = |event: &_| progress.show(event);
    let watch = Watch::new(&show, cancel.clone());
    let (done, kept) = match &to {
        Output::Folder(folder) => (
            cache.export_to_folder(&plan, folder, existing, &watch),
            "what was written is whole; the same command goes on from there",
        ),
        Output::Tar(file) => {
            (cache.export_to_tar(&plan, file, existing, &watch), "nothing was left of the tar")
        }
        Output::Stdout => (
            cache.export_to(&plan, &mut io::stdout().lock(), &watch),
            "what was written so far is of no use",
        ),
    };
    progress.stop();
    let done = done.map_err(|error| ended(&cancel, error, kept))?;
    if matches!(to, Output::Stdout) {
        return Ok(());
    }
    tell(args, &plan, Some(&done), format)
}

fn tell(
    args: &ExportArgs,
    plan: &ExportPlan,
    done: Option<&Exported>,
    format: Format,
) -> Result<(), Error> {
    match format {
        Format::Json => output::json(&json(args, plan, done)),
        Format::Quiet => output::path(&args.output),
        Format::Human => match done {
            None => output::line(for_people(args, plan)),
            Some(done) => output::line(said(args, done)),
        },
    }
}

fn json<'a>(args: &'a ExportArgs, plan: &ExportPlan, done: Option<&Exported>) -> ExportJson<'a> {
    let repo = |repo: ExportedRepo| RepoJson {
        id: format!("{}/{}", repo.repo.kind.singular(), repo.repo.id),
        refs: repo.refs.iter().map(|(name, to)| (name.to_string(), to.to_string())).collect(),
        revisions: repo.revisions.iter().map(ToString::to_string).collect(),
        files: repo.files,
        bytes: repo.bytes,
    };
    ExportJson {
        dry_run: done.is_none(),
        output: &args.output,
        repos: plan.repos().into_iter().map(repo).collect(),
        files: plan.files(),
        bytes: plan.bytes(),
        written: done.map_or(0, |done| done.written),
        kept: done.map_or(0, |done| done.kept),
    }
}

fn for_people(args: &ExportArgs, plan: &ExportPlan) -> String {
    let mut text = format!(
        "{} {} in {} to {}",
        styled(TITLE, "About to export"),
        styled(GOOD, output::size(plan.bytes())),
        output::counted(plan.files(), "file"),
        styled(NAME, args.output.display())
    );
    for repo in plan.repos() {
        let id = format!("{}/{}", repo.repo.kind.singular(), repo.repo.id);
        let refs: Vec<String> = repo.refs.iter().map(|(name, _)| name.to_string()).collect();
        let refs = if refs.is_empty() { "no branch or tag".to_owned() } else { refs.join(", ") };
        let revisions = output::counted(repo.revisions.len(), "revision");
        let (files, size) = (output::counted(repo.files, "file"), output::size(repo.bytes));
        let what = styled(FAINT, format!("{revisions} ({refs}), {files}, {size}"));
        text.push_str(&format!("\n  {}  {what}", styled(NAME, output::plain(&id))));
    }
    text
}

fn said(args: &ExportArgs, done: &Exported) -> String {
    let kept = match done.kept {
        0 => String::new(),
        kept => format!(", {} there already", output::counted(kept, "file")),
    };
    let bytes = styled(GOOD, output::size(done.bytes));
    let to = styled(NAME, args.output.display());
    let written = output::counted(done.written, "file");
    format!("Exported {bytes} to {to}: {written} written{kept}.")
}
