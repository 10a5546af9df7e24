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
  hubstow man download > hubstow-download.1
  hubstow man cache rm > hubstow-cache-rm.1")]
pub(crate) struct ManArgs {
    /// The subcommand, and one of its own
    #[arg(value_name = "COMMAND")]
    path: Vec<String>,
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
    let mut page = root;
    let mut name = "hubstow".to_owned();
    for part in &args.path {
        page = page.find_subcommand(part).cloned().ok_or_else(|| {
            let shown = name.replace('-', " ");
            Error::new(ErrorKind::Usage, format!("`{shown}` has no subcommand `{part}`"))
                .hint(format!("`{shown} --help` lists them"))
        })?;
        name = format!("{name}-{part}");
        page = page.display_name(&name);
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text).map_err(|error| {
        Error::new(ErrorKind::Other, "the manual page can't be made").caused_by(error)
    })?;
    output::write(&text)
}
