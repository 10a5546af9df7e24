//! The command `hubstow`.
//!
//! Results go to stdout, everything else to stderr. This program parses what the user typed, asks the library, and
//! shows the answer; it decides nothing about files. What every command shares is in [`output`] and [`exit`].

mod args;
mod hub_args;
mod repo_arg;

mod demo;
mod download;
mod env;
mod explain;
mod serve;
mod shell;

mod exit;
mod output;
mod progress;
mod runtime;
mod summary;
mod trace;

use std::process::ExitCode;

use clap::Parser as _;
use hubstow_native::Error;

use crate::{
    args::{Cli, Command, Global},
    exit::Early,
};

fn main() -> ExitCode {
    let early = Early::from_args(std::env::args_os());
    early.color.write_global();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return exit::usage(&error, early.format),
    };
    trace::start(cli.global.verbose);
    match run(&cli.command, &cli.global) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, cli.global.format()),
    }
}

fn run(command: &Command, global: &Global) -> Result<(), Error> {
    match command {
        Command::Download(args) => download::run(args, global),
        Command::Explain(args) => explain::run(args, global),
        Command::Env(args) => env::run(args, global),
        Command::Serve(args) => serve::run(args, global),
        Command::Demo(args) => demo::run(args, global),
        Command::Completions(args) => shell::completions(args),
        Command::Man(args) => shell::man(args),
    }
}
