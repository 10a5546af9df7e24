//! The flags of every command: how results look, and what is told on the way.

use clap::{ArgAction, Args, ValueEnum};

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
