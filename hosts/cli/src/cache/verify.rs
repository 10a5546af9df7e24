//! `hubstow cache verify`: whether the cache holds what it says, and healing what is wrong.

mod heal;
mod local;
mod told;

use std::{ops::ControlFlow, path::PathBuf, sync::Arc};

use clap::Args;
use hubstow_client::{
    Error, ErrorKind, Event,
    care::{CacheDir, Inventory, Reading, RepoSum, Scope, Verified, listed, verify::Told},
};
use hubstow_core::{facts::Reach, name::FileName};

use super::{open_hub, target};
use crate::{
    global::{Format, Global},
    hub_args::{HubArgs, PartsOf},
    output,
    progress::Progress,
    repo_arg::KindArg,
    runtime,
};

/// Read every byte of the cache, and say what is not as it should be
///
/// Each file is compared with the hash that its name or its link says, and with the listing of its revision where one is kept.
/// Nothing is believed because it was right before. Of a file that no hash speaks for it is said that nothing can be told.
///
/// --repair heals exactly what is wrong: a link is made anew, content is taken from another place in the cache where it is
/// whole, or that one file is downloaded. What nothing here or at the hub can heal stays as it is, and is told. Nothing that is
/// right is touched. The plan is shown first, and it is asked.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  hubstow cache verify                                   all of it; nothing is sent
  hubstow cache verify openai-community/gpt2             one repo
  hubstow cache verify openai-community/gpt2 --online    also what is missing there, or extra
  hubstow cache verify hf://org/name@main/model.bin      one file
  hubstow cache verify org/name --local-dir models/x     a folder that it was downloaded into
  hubstow cache verify --repair                          heal what is wrong, after asking
  hubstow cache verify --repair --offline --yes          heal it from what is here
  hubstow cache verify --json | jq '.damage[].path'

The hub is asked with --online and --fail-on-…, by --repair of what is wrong, and never with --offline.
Exit codes: 0 nothing is wrong, or all of it was healed; 6 something is wrong.")]
pub(super) struct VerifyArgs {
    /// org/name, dataset/org/name, a commit, or hf://… of a revision or a file [default: all that the cache holds]
    #[arg(value_name = "REPO")]
    targets: Vec<String>,
    /// The kind of the repos
    #[arg(long, visible_alias = "type", value_enum, value_name = "KIND", requires = "targets")]
    repo_type: Option<KindArg>,
    /// Only this branch, tag, refs/pr/N or commit of them
    #[arg(long, value_name = "REV", requires = "targets")]
    revision: Option<String>,
    /// Ask the hub what each revision holds, and compare with that
    #[arg(long)]
    online: bool,
    /// Fail where a file of the listing is not in the cache
    #[arg(long)]
    fail_on_missing_files: bool,
    /// Fail where the cache has a file that the listing does not have
    #[arg(long)]
    fail_on_extra_files: bool,
    /// Verify the files of a folder that REPO was downloaded into, not those of the cache
    #[arg(long, value_name = "DIR", requires = "targets", conflicts_with_all = ["cache_dir", "repair"])]
    local_dir: Option<PathBuf>,
    /// Heal what is wrong
    #[arg(long)]
    repair: bool,
    /// Show what --repair would do, and change nothing
    #[arg(long, requires = "repair")]
    dry_run: bool,
    /// Do not ask before repairing
    #[arg(short, long, requires = "repair")]
    yes: bool,
    #[command(flatten)]
    hub: HubArgs,
}

/// What was looked at, and what was found.
struct Found {
    inventory: Inventory,
    verified: Verified,
}

/// Verifies, and repairs where that was asked for.
pub(super) fn run(args: &VerifyArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let format = global.format();
    let progress = Arc::new(Progress::start(format, global.verbose));
    if let Some(dir) = &args.local_dir {
        return local::run(args, dir, format, parts, &progress);
    }
    let (cache, reach) = args.open(parts, &progress)?;
    let asks = args.asks(reach)?;
    let inventory = cache.inventory()?;
    let scope = args.scope(&inventory.sums())?;
    let listings = if asks {
        ask(&cache, &inventory, &scope, format)?
    } else {
        cache.kept_listings(&inventory, &scope)
    };
    let verified = cache.verify(&inventory, &scope, &listings, |reading| {
        show(&progress, reading);
        ControlFlow::Continue(())
    });
    progress.stop();
    let mut found = Found { inventory, verified: verified? };
    if !args.repair {
        return told::report(&found, args, format);
    }
    if reach == Reach::Online && !asks {
        found.confirm(&cache, &scope, listings, format)?;
    }
    heal::settle(&cache, &found, args, format, &progress)
}

/// Asks the hub what revisions hold, and says of which it did not say it.
fn ask(
    cache: &CacheDir,
    inventory: &Inventory,
    scope: &Scope,
    format: Format,
) -> Result<listed::Listings, Error> {
    let told = runtime::block_on(cache.ask_listings(inventory, scope))?;
    tell_unasked(inventory, &told, format);
    Ok(told.listings)
}

impl Found {
    /// Asks the hub for the listings of those revisions in which something is wrong, before anything is made by what is kept
    /// here.
    fn confirm(
        &mut self,
        cache: &CacheDir,
        scope: &Scope,
        mut listings: listed::Listings,
        format: Format,
    ) -> Result<(), Error> {
        let doubtful = cache.doubtful(&self.inventory, &self.verified);
        if !doubtful.is_empty() {
            listings.extend(ask(cache, &self.inventory, &Scope::Of(doubtful), format)?);
            self.verified = cache.judge_again(&self.inventory, scope, &listings, &self.verified)?;
        }
        Ok(())
    }
}

impl VerifyArgs {
    fn open(&self, parts: PartsOf, progress: &Arc<Progress>) -> Result<(CacheDir, Reach), Error> {
        let config = self.hub.config()?;
        let reach = config.reach;
        let hub = open_hub(config, self.hub.names_cache(), |config| self.hub.hub(config, parts))?;
        let progress = Arc::clone(progress);
        Ok((hub.on_event(move |event| progress.show(event)).cache(), reach))
    }

    /// Tells whether the hub is asked for all listings.
    fn asks(&self, reach: Reach) -> Result<bool, Error> {
        match (self.online, reach) {
            (true, Reach::Offline) => {
                let what = "--online asks the hub, and offline mode forbids it";
                Err(Error::new(ErrorKind::Usage, what)
                    .hint("leave --online out, or --offline and HF_HUB_OFFLINE"))
            }
            (_, Reach::Offline) => Ok(false),
            (online, Reach::Online) => {
                let compares = self.fail_on_missing_files || self.fail_on_extra_files;
                Ok(online || compares)
            }
        }
    }

    /// Finds what is meant in the cache.
    fn scope(&self, sums: &[RepoSum]) -> Result<Scope, Error> {
        if self.targets.is_empty() {
            return Ok(Scope::All);
        }
        let mut ids = Vec::new();
        for text in &self.targets {
            let text = self.in_full(text)?;
            ids.extend(target::find(&text, sums)?.ids());
        }
        Ok(Scope::Of(ids))
    }

    /// Puts what the flags say into a name.
    fn in_full(&self, text: &str) -> Result<String, Error> {
        let twice = |flag: &str| {
            let what = format!("`{text}` says already what {flag} says");
            Error::new(ErrorKind::Usage, what).hint(format!("leave {flag} out"))
        };
        let mut text = text.to_owned();
        if let Some(kind) = self.repo_type {
            if text.contains("://") || text.matches('/').count() > 1 {
                return Err(twice("--repo-type"));
            }
            text = format!("{}/{text}", hubstow_core::name::RepoKind::from(kind).singular());
        }
        if let Some(revision) = &self.revision {
            if text.contains('@') {
                return Err(twice("--revision"));
            }
            text = format!("{text}@{revision}");
        }
        Ok(text)
    }
}

/// Says of which revisions the hub has not said what they hold.
fn tell_unasked(inventory: &Inventory, told: &Told, format: Format) {
    for (id, error) in &told.unasked {
        let what = format!(
            "what `{}` holds, the hub does not say; what is kept here counts: {}",
            target::words(inventory, *id),
            hubstow_client::with_causes(error)
        );
        output::say(output::warning(format, &what));
    }
}

/// Shows how far reading has come: one bar for all files.
fn show(progress: &Progress, reading: Reading) {
    let Ok(file) = FileName::parse("verifying") else { return };
    progress.show(&match reading {
        Reading::Begins { bytes, .. } => Event::Started { file, size: Some(bytes), already: 0 },
        Reading::Read { bytes } => Event::Received { file, bytes },
    });
}
