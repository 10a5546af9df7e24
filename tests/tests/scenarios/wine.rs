//! What a command for Windows needs that is run by Wine, and which scenarios it can play.
//!
//! Wine makes no symlinks, so the disks are those that have none; those that the harness plants it follows without being seen.
//! It is told where it keeps its own things by `cargo verify`, in a step of its own.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use crate::{
    disk::DiskKind,
    scenario::Scenario,
    step::{Edit, FileReport, Run, Step},
};

/// What runs programs for Windows.
pub(crate) const WINE: &str = "wine";
/// What the command is built for.
pub(crate) const TARGET: &str = "x86_64-pc-windows-gnu";
/// What tells Wine where it keeps its own things.
const PREFIX: &str = "WINEPREFIX";
/// What Wine is told besides.
const TOLD: [&str; 3] = ["WINEPATH", "WINEDLLOVERRIDES", "WINEDEBUG"];

/// Tells whether scenarios are to be played by Wine.
pub(crate) fn is_asked_for() -> bool {
    env::var_os(PREFIX).is_some()
}

/// Tells whether the command can play a scenario on a disk.
pub(crate) fn can_play(scenario: &Scenario, disk: DiskKind) -> bool {
    let has_no_links = match disk {
        DiskKind::NoSymlinks | DiskKind::Fat => true,
        // Where nothing is said of links, an ordinary disk is as good as one without.
        DiskKind::Plain => {
            !scenario.disks.contains(&DiskKind::NoSymlinks)
                && !scenario.steps.iter().any(expects_links)
        }
        // Through FUSE and Wine a file has another number each time that it is looked at.
        DiskKind::Exfat
        | DiskKind::NoLinks
        | DiskKind::NoLocks
        | DiskKind::LyingLocks
        | DiskKind::NoSync
        | DiskKind::Tiny
        | DiskKind::BlobsApart
        | DiskKind::RefsApart => false,
    };
    let is_beyond_it = |step: &Step| match step {
        Step::Crash(_) | Step::ReadOnly | Step::Edit(Edit::Link { .. }) => true,
        Step::Run(_)
        | Step::AtOnce(_)
        | Step::Branch(_)
        | Step::Fault(_)
        | Step::Heal
        | Step::StopHub
        | Step::Edit(_) => false,
    };
    has_no_links && !scenario.steps.iter().any(is_beyond_it)
}

fn expects_links(step: &Step) -> bool {
    let in_tree = |tree: &Option<String>| tree.as_ref().is_some_and(|tree| tree.contains("link"));
    let in_run = |run: &Run| {
        let placed_by_links = |file: &FileReport| file.by.as_deref() == Some("symlink");
        in_tree(&run.tree) || run.files.values().any(placed_by_links)
    };
    match step {
        Step::Run(run) => in_run(run),
        Step::AtOnce(runs) => in_tree(&runs.tree) || runs.at_once.iter().any(in_run),
        // Without links there are no blobs to work on.
        Step::Edit(edit) => edit.path().starts_with("blobs"),
        Step::Crash(_)
        | Step::Branch(_)
        | Step::Fault(_)
        | Step::Heal
        | Step::StopHub
        | Step::ReadOnly => false,
    }
}

/// Returns a path as a program for Windows is told it.
pub(crate) fn windows_path(path: &Path) -> OsString {
    let mut told = OsString::from("Z:");
    told.push(path.to_string_lossy().replace('/', "\\"));
    told
}

/// Returns the path that a program for Windows has told.
pub(crate) fn path_of(told: &str) -> PathBuf {
    match told.strip_prefix("Z:") {
        Some(rest) => rest.replace('\\', "/").into(),
        None => told.into(),
    }
}

/// Returns what a program for Windows has told, as text or as JSON, with paths as scenarios write them.
pub(crate) fn with_slashes(told: &str) -> String {
    told.replace("\\\\", "/").replace('\\', "/")
}

/// Makes the environment of a command one for Windows: its folders are where they were, under the names that they have there.
pub(crate) fn translate(env: &mut BTreeMap<String, OsString>) {
    for (unix, windows) in [
        ("HF_HUB_CACHE", "HF_HUB_CACHE"),
        ("HOME", "USERPROFILE"),
        ("XDG_STATE_HOME", "LOCALAPPDATA"),
        ("TMPDIR", "TEMP"),
        ("TMPDIR", "TMP"),
    ] {
        if let Some(path) = env.get(unix).filter(|path| Path::new(path).is_absolute()) {
            env.insert(windows.to_owned(), windows_path(Path::new(path)));
        }
    }
    let prefix = env::var_os(PREFIX).unwrap_or_default();
    for own in ["HOME", "TMPDIR"] {
        env.insert(own.to_owned(), prefix.clone());
    }
    env.insert(PREFIX.to_owned(), prefix);
    for name in TOLD {
        env.extend(env::var_os(name).map(|value| (name.to_owned(), value)));
    }
}
