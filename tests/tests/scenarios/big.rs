//! A file of more than 4 GiB, where 32 bits end: what is 64 bits wide everywhere else must be so inside a sandbox too.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use libtest_mimic::{Completion, Trial};
use serde_json::Value;

use crate::{disk::DiskKind, host::Host, process::Prepared, told};

/// 4 GiB and as much again as shows that nothing wraps around.
const BYTES: u64 = (4 << 30) + (8 << 20);
/// A sandbox hashes some 300 MiB a second, and tests run beside each other.
const PATIENCE: Duration = Duration::from_secs(600);
/// What the file ends with.
const END: &[u8] = b"the end of a large file";

/// Returns the test.
pub(crate) fn trial() -> Trial {
    let run = || match Host::Wasi.missing() {
        Some(missing) => Ok(Completion::ignored_with(missing)),
        None => Ok(play().map(|()| Completion::Completed).map_err(told)?),
    };
    Trial::ignorable_test("wasi/plain/more-than-four-gigabytes", run)
}

fn play() -> Result<()> {
    // On a real disk: the folder for temporary files may be in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (repo, cache) = (folder.path().join("hub/org/model"), folder.path().join("cache"));
    fs::create_dir_all(&repo)?;
    fs::create_dir_all(&cache)?;
    // A hole, so that the hub's side takes no space.
    let mut file = File::create(repo.join("model.bin"))?;
    file.set_len(BYTES - END.len() as u64)?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(END)?;
    let hub = hubstow_serve::Server::builder(folder.path().join("hub")).build();
    let hub = hub.spawn_on_loopback()?;
    let path = download(folder.path(), &cache, hub.url())?;
    let mut pointer = File::open(&path)?;
    ensure!(pointer.metadata()?.len() == BYTES, "{path} has another size");
    pointer.seek(SeekFrom::End(-i64::try_from(END.len())?))?;
    let mut end = Vec::new();
    pointer.read_to_end(&mut end)?;
    ensure!(end == END, "{path} has another end");
    Ok(())
}

/// Downloads the file and returns where it is. That its hash is its etag is the program's own condition.
fn download(folder: &Path, cache: &Path, hub: &str) -> Result<String> {
    let words = ["--json", "download", "org/model", "model.bin"].map(str::to_owned);
    let prepared = Prepared {
        line: Host::Wasi.command_line(&words, cache)?,
        env: [("HF_HUB_CACHE", cache.as_os_str()), ("HF_ENDPOINT", hub.as_ref())]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        folder: folder.to_owned(),
        before: Vec::new(),
        under: DiskKind::Plain,
    };
    let ended = prepared.start(&folder.join("logs"))?.wait_at_most(PATIENCE)?;
    ensure!(ended.code == Some(0), "it ended with {:?}: {}", ended.code, ended.stderr);
    let report: Value = serde_json::from_str(&ended.stdout)?;
    let downloaded = report.get("bytes_downloaded").and_then(Value::as_u64);
    ensure!(downloaded == Some(BYTES), "{downloaded:?} bytes were downloaded");
    report.get("path").and_then(Value::as_str).map(str::to_owned).context("no path is reported")
}
