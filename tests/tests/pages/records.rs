//! The records on the disk, as the guide describes them.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path, time::SystemTime};

use anyhow::{Context as _, Result, ensure};
use hubstow_native::{Config, Hub};
use serde_json::{Value, json};

use crate::stage::{CONFIG, LAYERS, MODEL, Stage, TOKEN, WEIGHTS, WEIGHTS_BYTES};

pub(crate) fn are_as_told() -> Result<Option<String>> {
    let stage = Stage::open()?;
    let mut config = Config::new(stage.path("cache"));
    config.set_endpoint(stage.hub.url())?;
    config.token = Some(hubstow_native::Token::new(TOKEN)?);
    let hub = Hub::new(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let snapshot = runtime.block_on(async { hub.model(MODEL).snapshot().await })?;
    let repo = stage.path("cache").join(format!("models--{}", MODEL.replace('/', "--")));
    let commit = snapshot.commit.to_string();
    ensure!(fs::read(repo.join("refs/main"))? == commit.as_bytes(), "the ref");
    listing(&repo, &commit)?;
    proof(&repo, &commit)?;
    let local = stage.path("local");
    runtime.block_on(async { hub.model(MODEL).file(CONFIG).local_dir(&local).await })?;
    metadata(&local, &commit)?;
    Ok(None)
}

/// The etag of a file is what its link is called.
fn etag(repo: &Path, commit: &str, file: &str) -> Result<String> {
    let text = fs::read_link(repo.join("snapshots").join(commit).join(file))?;
    let name = text.file_name().context("a link to nothing")?;
    Ok(name.to_string_lossy().into_owned())
}

fn listing(repo: &Path, commit: &str) -> Result<()> {
    let kept: Value =
        serde_json::from_slice(&fs::read(repo.join(format!("trees/{commit}.json")))?)?;
    println!("{kept}");
    let entry = kept.get("files").and_then(|files| files.get(WEIGHTS));
    let git = entry.and_then(|entry| entry.get("blob_id")).context("no `blob_id`")?;
    let told = json!({"format_version": 1, "files": {
        CONFIG: {"size": LAYERS.len(), "blob_id": etag(repo, commit, CONFIG)?},
        WEIGHTS: {"size": WEIGHTS_BYTES, "blob_id": git,
            "lfs_sha256": etag(repo, commit, WEIGHTS)?, "lfs_size": WEIGHTS_BYTES},
    }});
    ensure!(kept == told, "it is not {told}");
    ensure!(git.as_str().is_some_and(|id| id.len() == 40), "`blob_id` is {git}");
    Ok(())
}

fn proof(repo: &Path, commit: &str) -> Result<()> {
    let etag = etag(repo, commit, WEIGHTS)?;
    let blob = fs::metadata(repo.join("blobs").join(&etag))?;
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let modified = nanos(blob.mtime(), blob.mtime_nsec());
    let changed = nanos(blob.ctime(), blob.ctime_nsec());
    let told = format!(". {} {WEIGHTS_BYTES} {modified} {changed}\n", blob.ino());
    let kept = fs::read_to_string(repo.join(".hubstow/proved").join(&etag))?;
    println!("{kept}");
    ensure!(kept == told, "it is not {told}");
    Ok(())
}

fn metadata(local: &Path, commit: &str) -> Result<()> {
    let at = local.join(format!(".cache/huggingface/download/{CONFIG}.metadata"));
    let kept = fs::read_to_string(&at)?;
    println!("{kept}");
    let [first, etag, time] = kept.lines().collect::<Vec<_>>()[..] else {
        anyhow::bail!("it has not three lines: {kept}");
    };
    ensure!(first == commit && etag.len() == 40 && kept.ends_with('\n'), "{kept}");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs_f64();
    let time: f64 = time.parse()?;
    ensure!(time <= now && now - time < 600.0, "another time: {time}");
    Ok(())
}
