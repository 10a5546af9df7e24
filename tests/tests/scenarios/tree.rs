//! The repo folder as a scenario sees it: one line an entry, in the scenario's own names.
//!
//! ```text
//! refs/main               v1          the ref names the commit
//! blobs/model.bin         file        a regular file with the hub's content
//! snapshots/v1/model.bin  link        the relative symlink to its blob
//! snapshots/v1/model.bin  hardlink    a second name of its blob
//! ```
//!
//! Anything else is shown as what it is: `damaged`, `staged`, `dir`, `link to …`, `text …`.

use std::{collections::BTreeSet, fs, io, os::unix::fs::MetadataExt as _, path::Path};

use anyhow::{Result, bail};

use crate::{content, names::Names, scenario::REPO_FOLDER};

/// Compares the repo folder with the lines that a scenario expects.
pub(crate) fn compare(expected: &str, cache: &Path, names: &Names) -> Result<()> {
    let expected: BTreeSet<String> = expected.lines().filter_map(line_of).collect();
    let found: BTreeSet<String> = show(cache, names)?.into_iter().collect();
    if expected == found {
        return Ok(());
    }
    let mut difference = String::new();
    for line in expected.difference(&found) {
        difference.push_str(&format!("\n  missing     {line}"));
    }
    for line in found.difference(&expected) {
        difference.push_str(&format!("\n  unexpected  {line}"));
    }
    bail!("the repo folder is not as expected:{difference}")
}

fn line_of(line: &str) -> Option<String> {
    let (path, what) = line.trim().split_once(char::is_whitespace)?;
    Some(format!("{path} {}", what.trim()))
}

/// Shows the repo folder. What hubstow and Python keep for themselves is left out: `.hubstow` and `trees`.
pub(crate) fn show(cache: &Path, names: &Names) -> Result<Vec<String>> {
    let repo = cache.join(REPO_FOLDER);
    let mut lines = Vec::new();
    for part in ["refs", "blobs", "snapshots", ".no_exist"] {
        for file in files_below(&repo.join(part))? {
            if !is_bare_folder(part, &file) {
                lines.push(show_entry(&repo, part, &file, names)?);
            }
        }
    }
    Ok(lines)
}

/// Returns everything below a folder as relative paths: what is no folder, and with a `/` at the end the folders that are
/// empty. A folder that does not exist has nothing below it.
pub(crate) fn files_below(folder: &Path) -> Result<Vec<String>> {
    let mut found = Vec::new();
    walk(folder, "", &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => bail!("{}: {error}", folder.display()),
    };
    for entry in entries {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            let before = found.len();
            walk(&entry.path(), &format!("{name}/"), found)?;
            if found.len() == before {
                found.push(format!("{name}/"));
            }
        } else {
            found.push(name);
        }
    }
    Ok(())
}

/// Tells whether this is an empty folder of the kind that a failed run may leave: it hides nothing and is nobody's file.
fn is_bare_folder(part: &str, file: &str) -> bool {
    let below_snapshot = part == "snapshots" && file.matches('/').count() > 1;
    file.ends_with('/') && !below_snapshot
}

fn show_entry(repo: &Path, part: &str, file: &str, names: &Names) -> Result<String> {
    let path = repo.join(part).join(file);
    Ok(match part {
        "refs" => {
            let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            let what = names.commit_called(&text).map_or(format!("text {text:?}"), str::to_owned);
            format!("refs/{file} {what}")
        }
        "blobs" => match names.blob_called(file) {
            Some(name) => format!("blobs/{name} {}", show_blob(&path, file)?),
            None if file.ends_with(".incomplete") => {
                let etag = file.split('.').next().unwrap_or(file);
                let name = names.blob_called(etag).unwrap_or_else(|| etag.to_owned());
                format!("blobs/{name} staged")
            }
            None => format!("blobs/{file} {}", show_blob(&path, file)?),
        },
        _ => {
            let (hash, file) = file.split_once('/').unwrap_or((file, ""));
            let commit = names.commit_called(hash).unwrap_or(hash);
            let what = match part {
                "snapshots" => show_pointer(&path, repo, commit, file, names)?,
                _ => if fs::metadata(&path)?.len() == 0 { "empty" } else { "not empty" }.to_owned(),
            };
            format!("{part}/{commit}/{} {what}", file.trim_end_matches('/'))
        }
    })
}

fn show_blob(path: &Path, etag: &str) -> Result<String> {
    if let Ok(target) = fs::read_link(path) {
        return Ok(format!("link to {}", target.display()));
    }
    let good = content::keeps_promise(etag, &fs::read(path)?);
    Ok(if good { "file" } else { "damaged" }.to_owned())
}

fn show_pointer(
    path: &Path,
    repo: &Path,
    commit: &str,
    file: &str,
    names: &Names,
) -> Result<String> {
    if file.ends_with('/') {
        return Ok("dir".to_owned());
    }
    let hub_file = names.file(commit, file);
    if let Ok(target) = fs::read_link(path) {
        let etag = hub_file.map(|file| file.etag.as_str()).unwrap_or_default();
        let depth = file.matches('/').count() + 2;
        let to_its_blob = format!("{}blobs/{etag}", "../".repeat(depth));
        return Ok(if target.to_str() == Some(&to_its_blob) {
            "link".to_owned()
        } else {
            format!("link to {}", target.display())
        });
    }
    let Some(hub_file) = hub_file else {
        return Ok("nobody's".to_owned());
    };
    if fs::read(path)? != hub_file.bytes {
        return Ok("damaged".to_owned());
    }
    let inode = |path: &Path| fs::symlink_metadata(path).map(|entry| (entry.dev(), entry.ino()));
    let blob = repo.join("blobs").join(&hub_file.etag);
    let same = inode(&blob).is_ok_and(|blob| inode(path).is_ok_and(|pointer| pointer == blob));
    Ok(if same { "hardlink" } else { "file" }.to_owned())
}
