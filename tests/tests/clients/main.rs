//! The clients that people have, each before every source that the command serves; `docs/clients.md` is the table of them.
//!
//! A client is a program as people write it (`tests/python`, `tests/javascript`, `tests/clients`) or a command. It must get
//! what was put there, byte by byte. Where this machine lacks one, its rows are skipped and named. The table in the
//! documentation has exactly the clients and the sources that are here; `BLESS=1` writes it down, if nothing was skipped.

#![expect(clippy::print_stdout, reason = "a test says what it could not compare")]

#[path = "../scenarios/build.rs"]
mod build;
mod clients;
#[path = "../scenarios/program.rs"]
mod program;
mod stage;
mod table;
mod tools;

use std::{
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use libtest_mimic::{Arguments, Completion, Trial};

use self::{clients::CLIENTS, stage::SOURCES, stage::Stage, tools::Tools};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if arguments.list {
        return libtest_mimic::run(&arguments, Vec::new()).exit_code();
    }
    let ready = Tools::find().and_then(|tools| Ok((Stage::new(&tools)?, tools)));
    let (stage, tools) = match ready {
        Ok((stage, tools)) => (Arc::new(stage), Arc::new(tools)),
        Err(error) => {
            println!("the clients can't be tried: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    let seen = Arc::new(Mutex::new(Vec::new()));
    let pairs = CLIENTS.iter().flat_map(|client| SOURCES.iter().map(move |at| (client, at)));
    let trials = pairs.map(|(client, source)| {
        let (stage, tools, seen) = (Arc::clone(&stage), Arc::clone(&tools), Arc::clone(&seen));
        Trial::ignorable_test(format!("{}/{}", client.name, source.name), move || {
            match client.meets(source, &stage, &tools) {
                Ok(Some(missing)) => Ok(Completion::ignored_with(missing)),
                Ok(None) => {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.push((client.name, source.name));
                    Ok(Completion::Completed)
                }
                Err(error) => Err(format!("{error:#}").into()),
            }
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    if conclusion.has_failed() {
        return conclusion.exit_code();
    }
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    match table::compare(&seen) {
        Ok(()) => conclusion.exit_code(),
        Err(error) => {
            println!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
