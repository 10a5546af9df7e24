//! A scenario: one story a file, in `tests/scenarios/`. `README.md` there describes the form for people who write them.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{content::Content, differs::PerHost, disk::DiskKind, step::Step};

/// The repo of every scenario.
pub(crate) const REPO: &str = "org/model";
/// Its folder in the cache.
pub(crate) const REPO_FOLDER: &str = "models--org--model";

/// One story, and what must come of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// What happens and what must hold, in words.
    pub(crate) story: String,
    /// The disks that it is played on, each as a test of its own.
    #[serde(default = "on_a_plain_disk")]
    pub(crate) disks: Vec<DiskKind>,
    /// Whether a staged file may be left at the end.
    #[serde(default)]
    pub(crate) may_leave_staged: bool,
    /// The paths that are damaged at the end, because the scenario damaged them and nothing healed them.
    #[serde(default)]
    pub(crate) leaves_damaged: Vec<String>,
    /// What differs at the end on hosts that can't do something.
    #[serde(default)]
    pub(crate) hosts: PerHost,
    /// What the hub holds: the files of each commit, by the scenario's own name for it.
    #[serde(default)]
    pub(crate) commits: BTreeMap<String, BTreeMap<String, Content>>,
    /// Where the branches are at the beginning.
    #[serde(default)]
    pub(crate) branches: BTreeMap<String, String>,
    /// What is done, in order.
    #[serde(rename = "step")]
    pub(crate) steps: Vec<Step>,
}

fn on_a_plain_disk() -> Vec<DiskKind> {
    vec![DiskKind::Plain]
}

impl Scenario {
    /// Reads a scenario file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path)?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// Reads a scenario. Where no branch is said, `main` is at the first commit.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut scenario: Self = toml::from_str(text)?;
        anyhow::ensure!(!scenario.story.trim().is_empty(), "a scenario tells a story");
        scenario.differs_for_reasons()?;
        if scenario.branches.is_empty()
            && let Some(first) = scenario.commits.keys().next()
        {
            scenario.branches.insert("main".to_owned(), first.clone());
        }
        Ok(scenario)
    }
}
