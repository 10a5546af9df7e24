//! The command line: subcommands, and the flags that all of them share.

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

#[cfg(not(target_family = "wasm"))]
use crate::{demo::DemoArgs, serve::ServeArgs};
use crate::{
    download::DownloadArgs,
    env::EnvArgs,
    explain::ExplainArgs,
    shell::{CompletionsArgs, ManArgs},
};

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
    Env(EnvArgs),
    #[cfg(not(target_family = "wasm"))]
    Serve(ServeArgs),
    #[cfg(not(target_family = "wasm"))]
    Demo(DemoArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// How results look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for people
    #[default]
    Human,
    /// One JSON object on stdout; errors and warnings as JSON on stderr
    Json,
    /// Only the path or the value
    Quiet,
}

/// When colors are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Sets the choice for everything that this process prints.
    pub(crate) fn write_global(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// The flags of every command.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Global {
    /// How the result is printed
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value = "human")]
    format: Format,
    /// Short for --format json
    #[arg(long, global = true, overrides_with_all = ["format", "quiet"])]
    json: bool,
    /// Short for --format quiet: the bare path or value
    #[arg(short, long, global = true, overrides_with_all = ["format", "json"])]
    quiet: bool,
    /// When to use colors
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// Log to stderr what is done; -vv logs more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Global {
    /// Returns the format in force; the short flags win.
    pub(crate) fn format(&self) -> Format {
        match (self.json, self.quiet) {
            (true, _) => Format::Json,
            (false, true) => Format::Quiet,
            (false, false) => self.format,
        }
    }
}
