//! The command line: the subcommands, below the flags that all of them share.

use clap::{Parser, Subcommand};

use crate::{
    cache::CacheArgs,
    download::DownloadArgs,
    env::EnvArgs,
    explain::ExplainArgs,
    global::Global,
    shell::{CompletionsArgs, ManArgs},
    trace::Unasked,
};
#[cfg(not(target_family = "wasm"))]
use crate::{demo::DemoArgs, serve::ServeArgs};

/// Downloads from Hugging Face-compatible hubs into the cache that every tool shares
///
/// Each file is put in its place by the best method the disk allows: link, move, copy or reuse. Results go to stdout,
/// everything else to stderr.
#[derive(Parser)]
#[command(
    name = "hubstow",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 ok, 1 other error, 2 usage, 3 not found on the hub, 4 not in the cache and offline,\n\
        5 access refused, 6 content does not match, 7 no space or not permitted, 8 hub unreachable or failing."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Download(DownloadArgs),
    Explain(ExplainArgs),
    Cache(CacheArgs),
    Env(EnvArgs),
    #[cfg(not(target_family = "wasm"))]
    Serve(Box<ServeArgs>),
    #[cfg(not(target_family = "wasm"))]
    Demo(DemoArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

impl Command {
    /// Returns what is logged where nobody asks for more.
    pub(crate) fn logs_unasked(&self) -> Unasked {
        match self {
            #[cfg(not(target_family = "wasm"))]
            Self::Serve(args) => args.logs_unasked(),
            #[cfg(not(target_family = "wasm"))]
            Self::Demo(_) => Unasked::Nothing,
            Self::Download(_)
            | Self::Explain(_)
            | Self::Cache(_)
            | Self::Env(_)
            | Self::Completions(_)
            | Self::Man(_) => Unasked::Nothing,
        }
    }
}
