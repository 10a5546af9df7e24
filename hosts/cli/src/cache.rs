//! `hubstow cache`: what the cache holds, and what of it may go.

mod ask;
mod filter;
mod ls;
mod pin;
mod plan;
mod prune;
mod relink;
mod rm;
mod sort;
mod table;
mod target;
mod tree;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hubstow_client::{Config, Error, ErrorKind, Hub, care::CacheDir, env_var};

use crate::{
    folder,
    global::{Format, Global},
    hub_args::PartsOf,
    output::{self, BAD, styled},
};

/// See what the cache holds, and clean it
///
/// The cache is the folder that all tools of this world share. `ls` shows what is in it, `rm` removes what you name, `prune`
/// removes what nothing needs any more, `pin` keeps something from ever being pruned, and `relink` makes links of copies or files
/// of links. Nothing here asks the hub.
///
/// Whatever removes something shows first what would go and how many bytes that frees, and asks. What another process
/// downloads at the same time is left alone, and so is all that a snapshot which stays still links to.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubstow cache ls                              what is there, and how large it is
  hubstow cache ls --sort size --limit 10       the ten largest repos
  hubstow cache ls --tree openai-community/gpt2 one repo with every entry
  hubstow cache rm openai-community/gpt2        remove a repo, after asking
  hubstow cache prune --dry-run                 what could go; nothing is removed
  hubstow cache prune --unused-for 90d --yes    also what nobody has used for 90 days
  hubstow cache relink --placement compat       make links of copies, as downloads would
  hubstow cache pin openai-community/gpt2@main  never prune this")]
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
    Relink(relink::RelinkArgs),
    Pin(pin::PinArgs),
    Unpin(pin::UnpinArgs),
}

/// Runs a subcommand.
pub(crate) fn run(args: &CacheArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    match &args.command {
        CacheCommand::Ls(args) => ls::run(args, global, parts),
        CacheCommand::Rm(args) => rm::run(args, global, parts),
        CacheCommand::Prune(args) => prune::run(args, global, parts),
        CacheCommand::Relink(args) => relink::run(args, global, parts),
        CacheCommand::Pin(args) => pin::run(args, global, parts),
        CacheCommand::Unpin(args) => pin::undo(args, global, parts),
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
        let mut config = Config::from_vars(|name| self.var(name))?;
        if let Some(dir) = &self.cache_dir {
            config.cache_dir = folder::named("--cache-dir", dir)?;
        }
        folder::check(&config.cache_dir)?;
        let dir = &config.cache_dir;
        let is_wrong = if dir.exists() { !dir.is_dir() } else { self.cache_dir.is_some() };
        if is_wrong {
            let what = format!("`{}` is no cache directory", dir.display());
            return Err(Error::new(ErrorKind::Usage, what)
                .hint("it is the folder that holds `models--org--name` and the like"));
        }
        let parts = parts(&config);
        Ok(Hub::with_parts(config, parts)?.cache())
    }

    /// Reads a variable, unless it is about a hub, which is not asked.
    fn var(&self, name: &str) -> Option<String> {
        match name {
            "HF_HUB_CACHE" if self.cache_dir.is_some() => Some(".".to_owned()),
            "HF_HUB_DISABLE_IMPLICIT_TOKEN" => Some("1".to_owned()),
            "HF_ENDPOINT" | "HUGGINGFACE_CO_STAGING" | "HF_TOKEN" | "HUGGING_FACE_HUB_TOKEN" => {
                None
            }
            _ => env_var(name),
        }
    }
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
