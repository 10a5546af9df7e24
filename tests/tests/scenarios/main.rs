//! Scenarios × disks × hosts: every file in `scenarios/` is played on every disk it names, by every host, each as a test
//! of its own, such as `native/exfat/second-revision-uses-the-twin`.
//!
//! A test is skipped, and says why, where this machine can't make its disk or has no Python client.

mod big;
mod build;
mod check;
mod content;
mod crash;
mod differs;
mod disk;
mod host;
mod hub;
mod names;
mod play;
mod process;
mod program;
mod readers;
mod report;
mod scenario;
mod selftest;
mod stage;
mod step;
mod tree;
mod wine;

use std::{env, fs, path::Path, process::ExitCode, sync::Arc};

use anyhow::{Context as _, Result};
use libtest_mimic::{Arguments, Completion, Trial};

use disk::DiskKind;
use host::Host;
use scenario::Scenario;
use step::{Run, Step};

/// Scenarios wait more than they compute.
const THREADS: usize = 6;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    match trials() {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

fn trials() -> Result<Vec<Trial>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut paths: Vec<_> =
        fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    Ok(paths
        .iter()
        .flat_map(|path| trials_of(path))
        .chain(selftest::trials())
        .chain([big::trial()])
        .collect())
}

/// A file that can't be read is a test that fails, so that the others still run.
fn trials_of(path: &Path) -> Vec<Trial> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let scenario = match Scenario::read(path) {
        Ok(scenario) => Arc::new(scenario),
        Err(error) => return vec![Trial::test(name, move || Err(told(error).into()))],
    };
    let mut trials = Vec::new();
    for host in host::ALL.into_iter().filter(|host| host.is_asked_for()) {
        for disk in scenario.disks.clone() {
            if host == Host::Windows && !wine::can_play(&scenario, disk) {
                continue;
            }
            let scenario = Arc::clone(&scenario);
            let name = format!("{}/{}/{name}", host.name(), disk.name());
            trials.push(Trial::ignorable_test(name, move || {
                Ok(trial(&scenario, disk, host).map_err(told)?)
            }));
        }
    }
    trials
}

fn trial(scenario: &Scenario, disk: DiskKind, host: Host) -> Result<Completion> {
    let unfit = scenario.not_played(host).or_else(|| host.missing());
    if let Some(missing) = unfit.or_else(|| missing(scenario, disk)) {
        return Ok(Completion::ignored_with(missing));
    }
    play::play(&scenario.on(host), disk, host).with_context(|| scenario.story.trim().to_owned())?;
    Ok(Completion::Completed)
}

/// Tells an error with all its causes, the outermost first.
fn told(error: anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.join("\n\n")
}

/// Says what a scenario needs and this machine lacks.
fn missing(scenario: &Scenario, disk: DiskKind) -> Option<String> {
    let runs = |step: &Step| match step {
        Step::Run(run) => is_python(run),
        Step::AtOnce(runs) => runs.at_once.iter().any(is_python),
        Step::Crash(_)
        | Step::Branch(_)
        | Step::Fault(_)
        | Step::Heal
        | Step::StopHub
        | Step::Edit(_)
        | Step::ReadOnly => false,
    };
    let mounts = |step: &Step| matches!(step, Step::ReadOnly);
    let crashes = |step: &Step| matches!(step, Step::Crash(_));
    if scenario.steps.iter().any(runs) && env::var_os(stage::PYTHON).is_none() {
        return Some(format!("{} is not set; `cargo verify` sets it", stage::PYTHON));
    }
    if scenario.steps.iter().any(mounts)
        && let Some(missing) = DiskKind::Tiny.missing()
    {
        return Some(missing);
    }
    if scenario.steps.iter().any(crashes)
        && let Some(missing) = crash::missing()
    {
        return Some(missing);
    }
    disk.missing()
}

fn is_python(run: &Run) -> bool {
    run.python.is_some()
}
