//! What a host can't do, and why: the only differences between hosts that a scenario may have, each said in its file.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde::Deserialize;

use crate::{
    host::Host,
    scenario::Scenario,
    step::{AtOnce, Run, Step},
};

/// How the end of a scenario differs on one host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Differs {
    /// Why.
    why: String,
    /// Whether a staged file may be left at the end.
    #[serde(default)]
    may_leave_staged: bool,
    /// Whether the host does not do what the scenario is about.
    #[serde(default)]
    not_played: bool,
}

/// How a step differs on one host.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepDiffers {
    /// Why.
    why: String,
    /// The exit code.
    exit: Option<i32>,
    /// The kind in the JSON error.
    kind: Option<String>,
    /// Whether any requests may be seen: how many depends on who is first.
    #[serde(default)]
    any_requests: bool,
}

/// The differences of a scenario's end, by host.
pub(crate) type PerHost = BTreeMap<Host, Differs>;
/// The differences of a step, by host.
pub(crate) type StepPerHost = BTreeMap<Host, StepDiffers>;

impl Scenario {
    /// Says why a host does not play the scenario.
    pub(crate) fn not_played(&self, host: Host) -> Option<String> {
        let differs = self.hosts.get(&host)?;
        differs.not_played.then(|| differs.why.clone())
    }

    /// Returns the scenario as it is played on a host.
    pub(crate) fn on(&self, host: Host) -> Self {
        let mut scenario = self.clone();
        scenario.may_leave_staged |=
            self.hosts.get(&host).is_some_and(|differs| differs.may_leave_staged);
        for step in &mut scenario.steps {
            match step {
                Step::Run(run) => run.on(host),
                Step::AtOnce(runs) => runs.on(host),
                Step::Crash(_)
                | Step::Branch(_)
                | Step::Fault(_)
                | Step::Heal
                | Step::StopHub
                | Step::Edit(_)
                | Step::ReadOnly => {}
            }
        }
        scenario
    }

    /// Checks that every difference has a reason.
    pub(crate) fn differs_for_reasons(&self) -> Result<()> {
        let mut reasons: Vec<&str> = self.hosts.values().map(|it| it.why.as_str()).collect();
        for step in &self.steps {
            let per_host = match step {
                Step::Run(run) => Some(&run.hosts),
                Step::AtOnce(runs) => Some(&runs.hosts),
                Step::Crash(_)
                | Step::Branch(_)
                | Step::Fault(_)
                | Step::Heal
                | Step::StopHub
                | Step::Edit(_)
                | Step::ReadOnly => None,
            };
            reasons.extend(per_host.into_iter().flatten().map(|(_, it)| it.why.as_str()));
        }
        ensure!(reasons.iter().all(|why| why.len() > 20), "a difference between hosts says why");
        Ok(())
    }
}

impl Run {
    fn on(&mut self, host: Host) {
        if let Some(differs) = self.hosts.get(&host) {
            self.exit = differs.exit.unwrap_or(self.exit);
            self.kind = differs.kind.clone().or_else(|| self.kind.take());
            self.requests = self.requests.take().filter(|_| !differs.any_requests);
            self.parts = self.parts.filter(|_| !differs.any_requests);
        }
    }
}

impl AtOnce {
    fn on(&mut self, host: Host) {
        let differs = self.hosts.get(&host);
        self.requests = self.requests.take().filter(|_| !differs.is_some_and(|it| it.any_requests));
        self.at_once.iter_mut().for_each(|run| run.on(host));
    }
}
