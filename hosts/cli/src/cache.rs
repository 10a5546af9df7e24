//! `hubstow cache`: what the cache holds, and what of it may go.

mod agree;
mod ask;
mod export;
pub(crate) mod filter;
mod import;
mod ls;
mod pin;
mod plan;
mod prune;
mod relink;
mod relocate;
mod report;
mod rm;
mod sort;
mod table;
mod target;
mod tree;
mod verify;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hubstow_client::{Config, Error, ErrorKind, Hub, care::CacheDir, env_var};

#[cfg(not(target_family = "wasm"))]
pub(crate) use self::filter::duration;
use crate::{
    folder,
    global::{Format, Global},
    hub_args::{PartsOf, Placement},
    output::{self, BAD, styled},
};

/// See what the cache holds, and take care of it
///
/// The cache is the folder that all tools of this world share. `ls` and `report` show what is in it. `rm` removes what you name,
/// `prune` what nothing needs any more, and `pin` keeps something from ever being removed. `verify` reads every byte and says what
/// is damaged; with --repair it heals it. `relink` makes links of copies, or files of links. `move` brings it to another disk,
/// `export` and `import` bring parts of it to another machine.
///
/// Whatever changes something shows its plan first and asks: --dry-run only shows it, --yes does not ask. What another process works
/// with at the same time is left alone, and so is all that a snapshot which stays still links to. Broken off at any time, the same
/// command goes on. Nothing here asks the hub, but for `verify` with --online or --repair.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubstow cache ls                              what is there, and how large it is
  hubstow cache ls --sort size --limit 10       the ten largest repos
  hubstow cache ls --tree openai-community/gpt2 one repo with every entry
  hubstow cache rm openai-community/gpt2        remove a repo, after asking
  hubstow cache prune --dry-run                 what could go; nothing is removed
  hubstow cache prune --unused-for 90d --yes    also what nobody has used for 90 days
  hubstow cache verify                          read all of it, and say what is damaged
  hubstow cache verify --repair                 heal what is damaged, after asking
  hubstow cache relink --placement compat       make links of copies, as downloads would
  hubstow cache pin openai-community/gpt2@main  never prune this
  hubstow cache export org/model -o model.tar   to carry it to a machine without network
  hubstow cache import model.tar                and to take it in there
  hubstow cache move /data/huggingface --link   the whole cache to another disk")]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Subcommand)]
enum CacheCommand {
    #[command(visible_alias = "list")]
    Ls(ls::LsArgs),
    Rm(rm::RmArgs),
    Prune(prune::PruneArgs),
    Report(report::ReportArgs),
    Verify(Box<verify::VerifyArgs>),
    Relink(relink::RelinkArgs),
    Pin(pin::PinArgs),
    Unpin(pin::UnpinArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Move(relocate::MoveArgs),
}

/// Runs a subcommand.
pub(crate) fn run(args: &CacheArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    match &args.command {
        CacheCommand::Ls(args) => ls::run(args, global, parts),
        CacheCommand::Rm(args) => rm::run(args, global, parts),
        CacheCommand::Prune(args) => prune::run(args, global, parts),
        CacheCommand::Report(args) => report::run(args, global, parts),
        CacheCommand::Verify(args) => verify::run(args, global, parts),
        CacheCommand::Relink(args) => relink::run(args, global, parts),
        CacheCommand::Pin(args) => pin::run(args, global, parts),
        CacheCommand::Unpin(args) => pin::undo(args, global, parts),
        CacheCommand::Export(args) => export::run(args, global, parts),
        CacheCommand::Import(args) => import::run(args, global, parts),
        CacheCommand::Move(args) => relocate::run(args, global, parts),
    }
}

/// Which cache is meant.
#[derive(Args)]
#[command(next_help_heading = "Cache")]
struct WhichCache {
    /// The cache that all tools share [env: HF_HUB_CACHE, or HF_HOME and /hub]
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
}

impl WhichCache {
    /// Opens the cache. One that is not there is empty, unless it was named.
    fn open(&self, parts: PartsOf) -> Result<CacheDir, Error> {
        self.open_if(self.cache_dir.is_none(), None, parts)
    }

    /// Opens the cache, or where one is to be made, to place files in it.
    fn open_or_make(
        &self,
        placement: Option<Placement>,
        parts: PartsOf,
    ) -> Result<CacheDir, Error> {
        self.open_if(true, placement, parts)
    }

    /// Opens the cache that is moved. One that is gone may have been moved by a run that was killed before it has left its link.
    fn open_to_move(
        &self,
        is_link_left: bool,
        placement: Option<Placement>,
        parts: PartsOf,
    ) -> Result<CacheDir, Error> {
        self.open_if(self.cache_dir.is_none() || is_link_left, placement, parts)
    }

    fn open_if(
        &self,
        may_be_missing: bool,
        placement: Option<Placement>,
        parts: PartsOf,
    ) -> Result<CacheDir, Error> {
        let mut config = Config::from_vars(|name| self.var(name))?;
        if let Some(dir) = &self.cache_dir {
            config.cache_dir = folder::named("--cache-dir", dir)?;
        }
        if let Some(placement) = placement {
            config.policy = placement.into();
        }
        let hub = open_hub(config, !may_be_missing, |config| {
            let parts = parts(&config);
            Hub::with_parts(config, parts)
        });
        Ok(hub?.cache())
    }

    /// Reads a variable, unless it is about a hub, which is not asked.
    fn var(&self, name: &str) -> Option<String> {
        match name {
            "HF_HUB_DISABLE_IMPLICIT_TOKEN" => Some("1".to_owned()),
            "HF_ENDPOINT" | "HUGGINGFACE_CO_STAGING" | "HF_TOKEN" | "HUGGING_FACE_HUB_TOKEN" => {
                None
            }
            _ => env_var(name),
        }
    }
}

/// Opens the hub of a cache. One that is not there is empty, unless it was named.
fn open_hub(
    config: Config,
    is_named: bool,
    open: impl FnOnce(Config) -> Result<Hub, Error>,
) -> Result<Hub, Error> {
    folder::check(&config.cache_dir)?;
    let dir = &config.cache_dir;
    let is_wrong = if dir.exists() { !dir.is_dir() } else { is_named };
    if is_wrong {
        let what = format!("`{}` is no cache directory", dir.display());
        return Err(Error::new(ErrorKind::Usage, what)
            .hint("it is the folder that holds `models--org--name` and the like"));
    }
    open(config)
}

/// Tells that nothing was found, in words or as an empty list.
fn nothing_found(format: Format) -> Result<(), Error> {
    match format {
        Format::Json => output::line("[]"),
        Format::Quiet => Ok(()),
        Format::Human => output::line("No results found."),
    }
}

/// Tells what is wrong in the cache; all of it, or how much.
fn tell_damage(inventory: &hubstow_client::care::Inventory, all: bool, format: Format) {
    if all {
        for damage in &inventory.damage {
            let said = damage.said.as_ref().map_or_else(String::new, |said| format!(": {said}"));
            let what = format!("`{}`: {}{said}", damage.at, damage.flaw);
            output::say(output::warning(format, &what));
        }
    } else if !inventory.damage.is_empty() && format == Format::Human {
        let count = inventory.damage.len();
        let words =
            if count == 1 { "1 thing is".to_owned() } else { format!("{count} things are") };
        let what = format!("{words} wrong in the cache; --show-warnings tells what");
        output::say(styled(BAD, "!") + " " + &what);
    }
}
