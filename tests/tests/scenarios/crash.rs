//! Kills a command at each of its system calls in turn, and looks at what is left.
//!
//! A crash is only another starting point: whatever is visible is whole, and one more run ends well and leaves nothing but
//! the result (I1, I6). `strace` kills at the N-th call of a kind, for N from 1 until the command gets to its end.

use std::{
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    check, report,
    scenario::Scenario,
    stage::Stage,
    step::{Crash, Run},
    tree,
};

/// The calls that change a disk, and those that open and write.
const CALLS: [&str; 17] = [
    "openat",
    "write",
    "fsync",
    "fdatasync",
    "syncfs",
    "ftruncate",
    "fchmod",
    "utimensat",
    "mkdir",
    "mkdirat",
    "rename",
    "renameat",
    "renameat2",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
];
/// More calls of one kind than any small download makes.
const LIMIT: u32 = 400;

/// Says why nothing can be killed so on this machine.
pub(crate) fn missing() -> Option<String> {
    static TRIED: OnceLock<bool> = OnceLock::new();
    let works = *TRIED.get_or_init(|| {
        let mut command = Command::new("strace");
        command.args(["-qq", "-o", "/dev/null", "true"]).stdin(Stdio::null());
        command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    });
    (!works).then(|| "strace, or the permission to trace".to_owned())
}

/// Kills the command everywhere.
pub(crate) fn everywhere(stage: &Stage, scenario: &Scenario, crash: &Crash) -> Result<()> {
    let saved = stage.cache().with_extension("saved");
    copy(stage.cache(), &saved)?;
    let clean = undisturbed(stage, crash)?;
    let mut crashes = 0;
    for call in CALLS {
        for n in 1.. {
            ensure!(n < LIMIT, "{call} was called {n} times");
            copy(&saved, stage.cache())?;
            let at = || format!("killed at {call} number {n}");
            if !killed(stage, &crash.run, call, n).with_context(at)? {
                break;
            }
            crashes += 1;
            recovers(stage, scenario, crash, &clean).with_context(at)?;
        }
    }
    fs::remove_dir_all(saved)?;
    ensure!(crashes >= CALLS.len(), "only {crashes} crashes: nothing was tried");
    Ok(())
}

/// Runs the command until it is killed; `false` if it got to its end first.
fn killed(stage: &Stage, run: &Run, call: &str, n: u32) -> Result<bool> {
    let (trace, inject) =
        (format!("trace={call}"), format!("inject={call}:signal=SIGKILL:when={n}"));
    let tracer = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    let mut prepared = stage.prepare(run)?;
    prepared.before = tracer.into_iter().map(OsString::from).collect();
    let ended = stage.start(prepared, 0)?.wait()?;
    stage.remember(&ended);
    match ended.code {
        Some(0) => Ok(false),
        None | Some(137) => Ok(true),
        Some(code) => bail!("it ended with {code}: {}", ended.stderr),
    }
}

/// Returns the files that a run leaves which nobody kills.
fn undisturbed(stage: &Stage, crash: &Crash) -> Result<Vec<String>> {
    let ended = stage.start(stage.prepare(&crash.run)?, 0)?.wait()?;
    report::compare(stage, &crash.run, &ended).context("undisturbed")?;
    tree::compare(&crash.tree, stage.cache(), &stage.names)?;
    files(stage.cache())
}

/// Returns every file below the cache root, hidden ones too.
fn files(cache: &Path) -> Result<Vec<String>> {
    let mut files = tree::files_below(cache)?;
    files.retain(|file| !file.ends_with('/'));
    Ok(files)
}

/// Tells whether a file is one that nobody but its owner uses, or a lock file, which hurts nobody.
fn is_private(file: &str) -> bool {
    [".incomplete", ".tmp", ".lock"].iter().any(|end| file.ends_with(end))
}

fn recovers(stage: &Stage, scenario: &Scenario, crash: &Crash, clean: &[String]) -> Result<()> {
    let crashed = Scenario { may_leave_staged: true, ..scenario.clone() };
    nothing_wrong(check::cache(stage.cache(), &crashed, &stage.names)?)
        .context("right after the crash")?;
    let ended = stage.start(stage.prepare(&crash.run)?, 0)?.wait()?;
    stage.remember(&ended);
    report::compare(stage, &crash.run, &ended).context("the run after the crash")?;
    nothing_wrong(check::cache(stage.cache(), scenario, &stage.names)?)
        .context("after the run after the crash")?;
    let mut left = files(stage.cache())?;
    if scenario.may_leave_staged {
        left.retain(|file| clean.contains(file) || !is_private(file));
    }
    ensure!(left == clean, "{left:#?} are there, instead of {clean:#?}");
    Ok(())
}

fn nothing_wrong(complaints: check::Complaints) -> Result<()> {
    ensure!(complaints.is_empty(), "{}", complaints.join("\n  "));
    Ok(())
}

/// Makes a folder the copy of another, with links as links and times as they were.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    let status = Command::new("cp").arg("--archive").args([from, to]).status()?;
    ensure!(status.success(), "cp failed");
    Ok(())
}
