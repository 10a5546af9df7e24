//! The steps of a scenario. The key that names what is done comes first in each; the other keys belong to it.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    differs::StepPerHost,
    disk::DiskKind,
    hub::{Fault, Struck},
};

/// One step.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "toml::Table")]
pub(crate) enum Step {
    /// Runs `hubstow`, or the Python client.
    Run(Box<Run>),
    /// Runs several commands at the same time.
    AtOnce(AtOnce),
    /// Kills a command at each of its system calls in turn.
    Crash(Box<Crash>),
    /// Moves a branch.
    Branch(Branch),
    /// Switches a fault of the hub on.
    Fault(FaultStep),
    /// Switches all faults off.
    Heal,
    /// Stops the hub: nothing listens any more.
    StopHub,
    /// Changes something in the cache, as a failing disk or a careless user would.
    Edit(Edit),
    /// Makes the cache read-only.
    ReadOnly,
}

/// A command and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    /// The arguments of `hubstow`, as in a shell.
    pub(crate) run: Option<String>,
    /// What the Python client does: a verb of `peer.py` with its arguments.
    pub(crate) python: Option<String>,
    /// What this command can't do, although the disk could.
    pub(crate) under: Option<DiskKind>,
    /// More environment variables.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// The exit code.
    #[serde(default)]
    pub(crate) exit: i32,
    /// The kind in the JSON error.
    pub(crate) kind: Option<String>,
    /// What the output must contain.
    #[serde(default)]
    pub(crate) says: Vec<String>,
    /// What it must print on stdout, to the letter.
    pub(crate) prints: Option<String>,
    /// What must be reported of each file.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, FileReport>,
    /// How many bytes must have been downloaded.
    pub(crate) downloaded: Option<Amount>,
    /// Kills the command when the hub has sent so many bytes of a file and holds the rest back.
    pub(crate) kill_after: Option<u64>,
    /// Whether the command must change nothing at all in the cache.
    #[serde(default)]
    pub(crate) writes_nothing: bool,
    /// The requests that the hub must have seen during this step, by kind; those not named must not occur.
    pub(crate) requests: Option<BTreeMap<String, usize>>,
    /// How many parts of files the hub must have sent.
    pub(crate) parts: Option<Amount>,
    /// What the repo folder must hold after this step, line by line, and nothing else.
    pub(crate) tree: Option<String>,
    /// What differs on hosts that can't do something.
    #[serde(default)]
    pub(crate) hosts: StepPerHost,
}

/// What is reported of a file; only what is stated is compared.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileReport {
    pub(crate) action: Option<String>,
    pub(crate) by: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) commit: Option<String>,
}

/// A number of bytes, or bounds of it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Amount {
    Exactly(u64),
    Between { at_least: u64, at_most: u64 },
}

impl Amount {
    /// Tells whether a number is within the bounds.
    pub(crate) fn allows(self, number: u64) -> bool {
        match self {
            Self::Exactly(amount) => number == amount,
            Self::Between { at_least, at_most } => (at_least..=at_most).contains(&number),
        }
    }
}

/// Commands that run at the same time. The hub holds the first download back until every command has asked it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AtOnce {
    pub(crate) at_once: Vec<Run>,
    pub(crate) requests: Option<BTreeMap<String, usize>>,
    pub(crate) tree: Option<String>,
    /// What differs on hosts that can't do something.
    #[serde(default)]
    pub(crate) hosts: StepPerHost,
}

/// A command that is killed at each of its system calls, and then run to its end.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Crash {
    /// The command, and what must come of the run after each crash.
    #[serde(rename = "crash_everywhere")]
    pub(crate) run: Run,
    /// What the repo folder must hold after that run.
    pub(crate) tree: String,
}

/// A branch and where it goes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Branch {
    pub(crate) branch: String,
    pub(crate) to: String,
}

/// A fault, and how often it strikes.
#[derive(Clone, Debug)]
pub(crate) struct FaultStep {
    pub(crate) fault: Fault,
    pub(crate) times: Option<u32>,
    pub(crate) on: Struck,
}

/// A change to the cache that no client made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", tag = "edit")]
pub(crate) enum Edit {
    /// Cuts a file off.
    Truncate { path: String, to: u64 },
    /// Inverts one byte.
    Flip { path: String, at: u64 },
    /// Writes a text file, and its folders.
    Write { path: String, text: String },
    /// Makes a symlink with this text.
    Link { path: String, text: String },
    /// Makes a folder.
    MakeDir { path: String },
    /// Removes a file, a link or a whole folder.
    Remove { path: String },
    /// Moves a file, as a peer would.
    Move { path: String, to: String },
    /// Copies a file.
    Copy { path: String, to: String },
}

impl Edit {
    /// Returns the path of what is edited.
    pub(crate) fn path(&self) -> &str {
        match self {
            Self::Truncate { path, .. }
            | Self::Flip { path, .. }
            | Self::Write { path, .. }
            | Self::Link { path, .. }
            | Self::MakeDir { path }
            | Self::Remove { path }
            | Self::Move { path, .. }
            | Self::Copy { path, .. } => path,
        }
    }
}

impl TryFrom<toml::Table> for Step {
    type Error = anyhow::Error;

    fn try_from(mut table: toml::Table) -> Result<Self> {
        let has = |key: &str| table.contains_key(key);
        if has("run") || has("python") {
            return Ok(Self::Run(Box::new(read(table)?)));
        }
        if has("crash_everywhere") {
            return Ok(Self::Crash(Box::new(read(table)?)));
        }
        if has("at_once") {
            return Ok(Self::AtOnce(read(table)?));
        }
        if has("fault") {
            let times = table.remove("times").map(toml::Value::try_into).transpose()?;
            let on = table.remove("strikes").map(toml::Value::try_into).transpose()?;
            let on = on.unwrap_or_default();
            return Ok(Self::Fault(FaultStep { fault: read(table)?, times, on }));
        }
        if has("branch") {
            return Ok(Self::Branch(read(table)?));
        }
        if has("edit") {
            return Ok(Self::Edit(read(table)?));
        }
        match table.into_iter().collect::<Vec<_>>().as_slice() {
            [(key, toml::Value::String(word))] => match (key.as_str(), word.as_str()) {
                ("hub", "healthy") => Ok(Self::Heal),
                ("hub", "down") => Ok(Self::StopHub),
                ("disk", "read-only") => Ok(Self::ReadOnly),
                _ => bail!("`{key} = \"{word}\"` is no step"),
            },
            other => bail!("no step has these keys: {other:?}"),
        }
    }
}

fn read<T: DeserializeOwned>(table: toml::Table) -> Result<T> {
    Ok(toml::Value::Table(table).try_into()?)
}
