//! The command `hubstow`, as a function of the parts that a host brings.
//!
//! Results go to stdout, everything else to stderr. This crate parses what the user typed, asks the library, and shows
//! the answer; it decides nothing about files. Natively the parts are the system's own; inside a sandbox the same
//! command runs on other parts, with the subcommands that make sense there.

mod args;
mod cache;
mod folder;
mod global;
mod hub_args;
mod repo_arg;

#[cfg(not(target_family = "wasm"))]
mod demo;
mod download;
mod env;
mod explain;
#[cfg(not(target_family = "wasm"))]
mod serve;
mod shell;

mod exit;
mod failures;
mod hints;
mod output;
mod progress;
mod rate;
mod runtime;
mod summary;
mod trace;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use hubstow_client::Error;

use crate::{
    args::{Cli, Command},
    exit::Early,
    global::Global,
};

pub use crate::hub_args::PartsOf;

/// Runs the command that the arguments of this process name, and returns its exit code.
#[must_use]
pub fn main_with(parts: PartsOf) -> ExitCode {
    let early = Early::from_args(std::env::args_os());
    early.color.write_global();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error, early.format),
    };
    trace::start(cli.global.verbose, cli.command.logs_unasked());
    match run(&cli.command, &cli.global, parts) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, cli.global.format()),
    }
}

fn run(command: &Command, global: &Global, parts: PartsOf) -> Result<(), Error> {
    match command {
        Command::Download(args) => download::run(args, global, parts),
        Command::Explain(args) => explain::run(args, global, parts),
        Command::Cache(args) => cache::run(args, global, parts),
        Command::Env(args) => env::run(args, global, parts),
        #[cfg(not(target_family = "wasm"))]
        Command::Serve(args) => serve::run(args, global, parts),
        #[cfg(not(target_family = "wasm"))]
        Command::Demo(args) => demo::run(args, global),
        Command::Completions(args) => shell::completions(args, Cli::command()),
        Command::Man(args) => shell::man(args, Cli::command()),
    }
}
