//! Plays a scenario, step by step.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    check, crash,
    disk::DiskKind,
    host::Host,
    hub::{Fault, Seen, Struck, count, parts},
    process::Running,
    readers::Readers,
    report,
    scenario::{REPO_FOLDER, Scenario},
    stage::Stage,
    step::{AtOnce, Edit, Run, Step},
    tree,
};

/// How long a client may take to write down what it has received, before it is killed all the same.
const TO_WRITE_DOWN: Duration = Duration::from_secs(3);
/// How much a client may keep in memory before it writes it down.
const BLOCK_BYTES: u64 = 1 << 20;

/// Plays all steps on a stage of its own, then checks what must always hold.
pub(crate) fn play(scenario: &Scenario, kind: DiskKind, host: Host) -> Result<()> {
    let mut stage = Stage::open(scenario, kind, host)?;
    let mut readers = Readers::default();
    for (at, step) in scenario.steps.iter().enumerate() {
        if matches!(step, Step::Edit(_)) {
            readers.close();
        }
        perform(&mut stage, scenario, step)
            .with_context(|| format!("step {} of the scenario", at + 1))?;
        if !kind.is_mounted() {
            readers.look(stage.cache())?;
        }
    }
    readers.check()?;
    readers.close();
    stage.hub.heal()?;
    stage.check(scenario)
}

fn perform(stage: &mut Stage, scenario: &Scenario, step: &Step) -> Result<()> {
    match step {
        Step::Run(run) => perform_run(stage, run),
        Step::Crash(crash) => crash::everywhere(stage, scenario, crash),
        Step::AtOnce(runs) => perform_at_once(stage, runs),
        Step::Branch(branch) => stage.hub.move_branch(&branch.branch, &branch.to),
        Step::Fault(step) => {
            let fault = step.fault.clone().with_texts(|text| stage.names.text(text))?;
            stage.hub.fail(fault, step.times, step.on);
            Ok(())
        }
        Step::Heal => stage.hub.heal(),
        Step::StopHub => {
            stage.hub.stop();
            Ok(())
        }
        Step::Edit(edit) => perform_edit(stage, edit),
        Step::ReadOnly => {
            let cache = stage.cache().to_owned();
            stage.disk.make_read_only(&cache)
        }
    }
}

fn perform_run(stage: &Stage, run: &Run) -> Result<()> {
    let requests_before = stage.hub.requests();
    let cache_before = check::fingerprint(stage.cache(), None)?;
    if let Some(bytes) = run.kill_after {
        kill_after(stage, run, bytes)?;
    } else {
        let ended = stage.start(stage.prepare(run)?, 0)?.wait()?;
        stage.remember(&ended);
        report::compare(stage, run, &ended)?;
    }
    if run.writes_nothing {
        let cache_after = check::fingerprint(stage.cache(), None)?;
        check::unchanged("the cache", &cache_before, &cache_after)?;
    }
    if let Some(amount) = run.parts {
        let parts = parts(&stage.hub.requests_since(requests_before));
        ensure!(amount.allows(parts), "expected {amount:?} parts, but there were {parts}");
    }
    afterwards(stage, requests_before, run.requests.as_ref(), run.tree.as_deref())
}

fn afterwards(
    stage: &Stage,
    requests_before: usize,
    requests: Option<&BTreeMap<String, usize>>,
    tree: Option<&str>,
) -> Result<()> {
    if let Some(expected) = requests {
        let seen = stage.hub.requests_since(requests_before);
        let lines = || {
            let line = |request: &Seen| format!("{} {:?}", request.line, request.status);
            seen.iter().map(line).collect::<Vec<_>>().join("\n  ")
        };
        ensure!(
            *expected == count(&seen),
            "expected the requests {expected:?}, but there were {:?}:\n  {}",
            count(&seen),
            lines()
        );
    }
    tree.map_or(Ok(()), |tree| tree::compare(tree, stage.cache(), &stage.names))
}

fn perform_at_once(stage: &Stage, runs: &AtOnce) -> Result<()> {
    let before = stage.hub.requests();
    stage.hub.wait_for_heads(runs.at_once.len());
    let running: Vec<_> = runs
        .at_once
        .iter()
        .enumerate()
        .map(|(number, run)| {
            let mut prepared = stage.prepare(run)?;
            // Whoever is held back until the others have started must not take that for a broken transfer.
            prepared.env.insert("HF_HUB_DOWNLOAD_TIMEOUT".to_owned(), "60".into());
            stage.start(prepared, number)
        })
        .collect::<Result<_>>()?;
    // Everybody is waited for before anything is judged: nobody may be left running.
    let ended: Vec<_> = running.into_iter().map(Running::wait).collect();
    for (run, ended) in runs.at_once.iter().zip(ended) {
        let ended = ended?;
        stage.remember(&ended);
        report::compare(stage, run, &ended)?;
    }
    afterwards(stage, before, runs.requests.as_ref(), runs.tree.as_deref())
}

/// Lets the hub send so many bytes and no more, and kills the command when it has written them down.
fn kill_after(stage: &Stage, run: &Run, bytes: u64) -> Result<()> {
    let after = usize::try_from(bytes)?;
    stage.hub.fail(Fault::Stall { after }, Some(1), Struck::Any);
    let mut sent: Option<Instant> = None;
    stage.start(stage.prepare(run)?, 0)?.kill_when(|| {
        if stage.hub.stalled_at().is_none() {
            return Ok(false);
        }
        let since = sent.get_or_insert_with(Instant::now).elapsed();
        let written = staged_bytes(stage.cache())?;
        Ok(written >= bytes || since > TO_WRITE_DOWN && written + BLOCK_BYTES >= bytes)
    })?;
    stage.hub.heal()
}

fn staged_bytes(cache: &Path) -> Result<u64> {
    let blobs = cache.join(REPO_FOLDER).join("blobs");
    let mut bytes = 0;
    for file in tree::files_below(&blobs)? {
        if file.ends_with(".incomplete") {
            // It may be gone by now, when its owner has just ended.
            bytes += fs::metadata(blobs.join(file)).map_or(0, |entry| entry.len());
        }
    }
    Ok(bytes)
}

fn perform_edit(stage: &Stage, edit: &Edit) -> Result<()> {
    match edit {
        Edit::Truncate { path, to } => {
            Ok(OpenOptions::new().write(true).open(stage.path(path)?)?.set_len(*to)?)
        }
        Edit::Flip { path, at } => {
            let path = stage.path(path)?;
            let mut file = OpenOptions::new().read(true).write(true).open(path)?;
            let mut byte = [0];
            file.seek(SeekFrom::Start(*at))?;
            file.read_exact(&mut byte)?;
            file.seek(SeekFrom::Start(*at))?;
            Ok(file.write_all(&byte.map(|b| !b))?)
        }
        Edit::Write { path, text } => {
            let path = with_folders(stage.path(path)?)?;
            Ok(fs::write(path, stage.names.text(text)?)?)
        }
        Edit::Link { path, text } => {
            Ok(symlink(stage.names.text(text)?, with_folders(stage.path(path)?)?)?)
        }
        Edit::MakeDir { path } => Ok(fs::create_dir_all(stage.path(path)?)?),
        Edit::Remove { path } => {
            let path = stage.path(path)?;
            let entry = fs::symlink_metadata(&path)?;
            let removed =
                if entry.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            Ok(removed?)
        }
        Edit::Move { path, to } => {
            Ok(fs::rename(stage.path(path)?, with_folders(stage.path(to)?)?)?)
        }
        Edit::Copy { path, to } => {
            fs::copy(stage.path(path)?, with_folders(stage.path(to)?)?)?;
            Ok(())
        }
    }
}

fn with_folders(path: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(path.parent().context("a path in the cache has a parent")?)?;
    Ok(path)
}
