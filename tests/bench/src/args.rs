//! The command line.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Result;
use clap::{Parser, Subcommand};
use serde::Serialize;
use tempfile::TempDir;

use crate::node::receiver::Ask;

/// Measure hubstow and its peers on the same work
#[derive(Debug, Parser)]
#[command(name = "cargo bench -p hubstow-bench --")]
pub(crate) struct Args {
    /// Small files and one repetition: shows that everything works, and measures nothing
    #[arg(long)]
    pub(crate) quick: bool,
    /// The matrix of lines instead of the other cases: each cell once, and one table for all
    #[arg(long)]
    pub(crate) matrix: bool,
    /// The care of a cache instead of the other cases
    #[arg(long, conflicts_with = "matrix")]
    pub(crate) care: bool,
    /// What a node serves instead of the other cases, beside nginx and olah
    #[arg(long, conflicts_with_all = ["matrix", "care"])]
    pub(crate) node: bool,
    /// What a node costs, by a simulation; nothing is measured
    #[arg(long, conflicts_with_all = ["matrix", "care", "node"])]
    pub(crate) node_cost: bool,
    /// Only cases with TEXT in their name; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Vec<String>,
    /// Only clients with TEXT in their name, besides hubstow itself; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub(crate) client: Vec<String>,
    /// Measure this build of the command as well, such as an earlier one, wherever hubstow is measured
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) earlier: Option<PathBuf>,
    /// How often each client does the work of a case
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    repeat: Option<u8>,
    /// The size of the large file
    #[arg(long, value_name = "MIB")]
    large_mib: Option<u64>,
    /// The size of the medium file
    #[arg(long, value_name = "MIB")]
    medium_mib: Option<u64>,
    /// How many small files there are
    #[arg(long, value_name = "N")]
    files: Option<usize>,
    /// Where everything is written, and deleted at the end
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Write every run with its numbers to FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Name the cases and end
    #[arg(long)]
    pub(crate) list: bool,
    /// What cargo says when it runs a benchmark
    #[arg(long, hide = true)]
    pub(crate) bench: bool,
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// What this program does when it is not the one that measures.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Be the hub: print the endpoint, and serve until stdin ends
    #[command(hide = true)]
    Hub { dir: PathBuf },
    /// Receive, write and hash files: addresses and paths in turn
    #[command(hide = true)]
    Receive {
        files: Vec<String>,
        #[arg(long)]
        sync: bool,
    },
    /// Read and hash files, two at a time
    #[command(hide = true)]
    Hash { files: Vec<PathBuf> },
    /// Ask a server, and throw away what it sends
    #[command(hide = true)]
    Ask(Ask),
}

/// How much there is to download.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) large_bytes: u64,
    pub(crate) medium_bytes: u64,
    pub(crate) files: usize,
}

impl Args {
    /// Returns the sizes of this run.
    pub(crate) fn sizes(&self) -> Sizes {
        let (large, medium, files) = if self.quick { (64, 32, 100) } else { (2048, 512, 2000) };
        Sizes {
            large_bytes: self.large_mib.unwrap_or(large) << 20,
            medium_bytes: self.medium_mib.unwrap_or(medium) << 20,
            files: self.files.unwrap_or(files).max(2),
        }
    }

    /// Tells whether work of a name is asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|text| name.contains(text))
    }

    /// Makes the folder that everything is written to, and that goes with the value.
    pub(crate) fn room(&self, scratch: &Path) -> Result<TempDir> {
        let scratch = self.dir.as_deref().unwrap_or(scratch);
        fs::create_dir_all(scratch)?;
        Ok(tempfile::Builder::new().prefix("bench-").tempdir_in(scratch)?)
    }

    /// Writes what was measured so far, where somebody wants it: a long run that ends early has told what it had.
    pub(crate) fn keep(&self, reports: &impl Serialize) -> Result<()> {
        match &self.json {
            Some(file) => Ok(fs::write(file, serde_json::to_string_pretty(reports)?)?),
            None => Ok(()),
        }
    }

    /// Returns how often each client does the work of a case.
    pub(crate) fn repeat(&self) -> usize {
        self.repeat.map_or(if self.quick || self.matrix { 1 } else { 3 }, usize::from)
    }
}
