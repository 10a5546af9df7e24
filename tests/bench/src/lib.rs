//! Measures hubstow and its peers on the same work, side by side, against a hub on loopback.
//!
//! One program in several roles: the one that measures, the hub in a process of its own (so that what it needs is not
//! counted as a client's), the client that does the least a verifying client can do, and clients that throw away what they
//! get, where servers are measured. `docs/benchmarks.md` says what the cases are and how to read the tables.
//!
//! What this crate does not do: it judges nothing but the targets that a case names, and a missed one is no failure.
//!
//! INVARIANT (right or nothing): a run counts only when every file it was to bring is there with its size, and a sample
//! of them with its sha256; `node.rs` says what stands for that where servers are measured.

mod args;
mod care;
mod case;
mod cases;
mod check;
mod client;
mod content;
mod control;
mod fated;
mod hub;
mod limit;
mod line;
mod matrix;
mod measure;
mod node;
mod node_cost;
mod process;
mod redirect;
mod report;
mod target;
mod throttle;
mod tools;

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use clap::Parser as _;

use crate::args::{Args, Role};

/// Runs the benchmark, or the role that the arguments name, with `scratch` as the place for everything it writes.
#[must_use]
pub fn main(scratch: &Path) -> ExitCode {
    match try_main(scratch) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn try_main(scratch: &Path) -> Result<ExitCode> {
    let args = Args::parse();
    match &args.role {
        Some(Role::Hub { dir }) => hub::run(dir).map(|()| ExitCode::SUCCESS),
        Some(Role::Receive { files, sync }) => {
            let pairs = files.chunks_exact(2).filter_map(|pair| match pair {
                [url, path] => Some((url.clone(), path.into())),
                _ => None,
            });
            limit::receive(&pairs.collect::<Vec<_>>(), *sync).map(|()| ExitCode::SUCCESS)
        }
        Some(Role::Hash { files }) => limit::hash(files).map(|()| ExitCode::SUCCESS),
        Some(Role::Ask(ask)) => node::receiver::run(ask).map(|()| ExitCode::SUCCESS),
        None if args.bench && args.node_cost => node_cost::all(args.quick),
        None if args.bench && args.node => node::all(&args, scratch),
        None if args.bench => measure::all(&args, scratch),
        None => {
            println!("nothing is measured but by `cargo bench -p hubstow-bench`");
            Ok(ExitCode::SUCCESS)
        }
    }
}
