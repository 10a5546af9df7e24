//! What a shell and a manual need to know of this command.

use clap::{Args, Command};
use clap_complete::Shell;
use hubstow_client::{Error, ErrorKind};

use crate::output;

/// Print the completions of a shell
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubstow completions bash > ~/.local/share/bash-completion/completions/hubstow
  hubstow completions zsh > ~/.zfunc/_hubstow
  hubstow completions fish > ~/.config/fish/completions/hubstow.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page of this command, or of one of its subcommands
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubstow man | man -l -
  hubstow man download > hubstow-download.1")]
pub(crate) struct ManArgs {
    /// The subcommand
    command: Option<String>,
}

/// Prints the completions of a command line.
pub(crate) fn completions(args: &CompletionsArgs, mut root: Command) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut root, "hubstow", &mut script);
    output::write(&script)
}

/// Prints a manual page of a command line.
pub(crate) fn man(args: &ManArgs, mut root: Command) -> Result<(), Error> {
    root.build();
    let page = match &args.command {
        None => root,
        Some(name) => root
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| {
                Error::new(ErrorKind::Usage, format!("there is no subcommand `{name}`"))
                    .hint("`hubstow --help` lists them")
            })?
            .display_name(format!("hubstow-{name}")),
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text).map_err(|error| {
        Error::new(ErrorKind::Other, "the manual page can't be made").caused_by(error)
    })?;
    output::write(&text)
}
