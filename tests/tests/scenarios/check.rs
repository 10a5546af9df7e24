//! What must hold after every scenario, whatever it was about.
//!
//! - Every pointer that is visible opens, and holds what the hub holds (I1).
//! - Every blob keeps the promise of its name.
//! - No private file is left (I6), and none is where users or peers would see it.
//! - Every ref is 40 lower-case hex digits and names a snapshot that is there (I4).
//! - Nothing outside the cache root changed (I15), and in the cache root nothing is that does not belong there.
//! - The token and the password went nowhere but to the hub, and are in nothing that is printed or stored (I23).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};

use crate::{content, names::Names, scenario::Scenario, tree::files_below};

/// What is found wrong, all of it: a single cause often shows in several places.
pub(crate) type Complaints = Vec<String>;

/// Looks at everything below the cache root.
pub(crate) fn cache(root: &Path, scenario: &Scenario, names: &Names) -> Result<Complaints> {
    let damaged: Vec<PathBuf> = scenario
        .leaves_damaged
        .iter()
        .map(|path| Ok(root.join(names.path(path)?)))
        .collect::<Result<_>>()?;
    let mut check = Check { names, damaged, complaints: Vec::new() };
    let Ok(entries) = fs::read_dir(root) else {
        return Ok(Vec::new());
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kind = name.split_once("--").map(|(kind, _)| kind);
        match (kind, name.as_str()) {
            (Some("models" | "datasets" | "spaces" | "kernels"), _) => check.repo(&path)?,
            // `blobs` is the store that repos share since Python 2.4.
            (_, ".locks" | "CACHEDIR.TAG" | "blobs") => {}
            _ => check.complain(&path, "does not belong into a cache root"),
        }
    }
    if !scenario.may_leave_staged {
        check.leftovers(root)?;
    }
    Ok(check.complaints)
}

/// Looks for secrets in every file below the cache root, and in its name.
pub(crate) fn stored(root: &Path, secrets: &[&str]) -> Result<Complaints> {
    let has = |text: &str| secrets.iter().any(|secret| text.contains(secret));
    let files = if root.is_dir() { files_below(root)? } else { Vec::new() };
    let told = files.iter().filter(|file| {
        let path = root.join(file);
        let content = if path.is_file() { fs::read(&path).unwrap_or_default() } else { Vec::new() };
        has(file) || has(&String::from_utf8_lossy(&content))
    });
    Ok(told.map(|file| format!("a secret is stored in {file}")).collect())
}

struct Check<'a> {
    names: &'a Names,
    damaged: Vec<PathBuf>,
    complaints: Complaints,
}

impl Check<'_> {
    fn complain(&mut self, path: &Path, what: &str) {
        if !self.damaged.iter().any(|damaged| damaged == path) {
            self.complaints.push(format!("{} {what}", path.display()));
        }
    }

    fn repo(&mut self, repo: &Path) -> Result<()> {
        for file in files_below(&repo.join("snapshots"))? {
            self.pointer(&repo.join("snapshots"), &file);
        }
        for file in files_below(&repo.join("blobs"))? {
            let path = repo.join("blobs").join(file.trim_end_matches('/'));
            match fs::read(&path) {
                Ok(bytes) if content::keeps_promise(&file, &bytes) => {}
                Ok(_) => self.complain(&path, "does not hold what its name promises"),
                Err(error) => self.complain(&path, &format!("can't be read: {error}")),
            }
        }
        for file in files_below(&repo.join("refs"))? {
            self.ref_file(repo, &repo.join("refs").join(file));
        }
        Ok(())
    }

    fn pointer(&mut self, snapshots: &Path, file: &str) {
        let path = snapshots.join(file.trim_end_matches('/'));
        let Some((commit, file)) = file.split_once('/') else {
            self.complain(&path, "is a file among the snapshots");
            return;
        };
        if file.is_empty() {
            return;
        }
        let expected = self.names.file(commit, file).map(|file| file.bytes.clone());
        match (expected, fs::read(&path)) {
            (Some(expected), Ok(bytes)) if expected == bytes => {}
            (Some(_), Ok(_)) => self.complain(&path, "does not hold what the hub holds"),
            (Some(_), Err(error)) => self.complain(&path, &format!("can't be opened: {error}")),
            (None, _) => self.complain(&path, "is no file that the hub has"),
        }
    }

    fn ref_file(&mut self, repo: &Path, path: &Path) {
        let Ok(text) = fs::read_to_string(path) else {
            self.complain(path, "is a ref that can't be read");
            return;
        };
        let is_commit = text.len() == 40 && text.bytes().all(|b| b"0123456789abcdef".contains(&b));
        if !is_commit {
            self.complain(path, &format!("holds {text:?}, not 40 lower-case hex digits"));
        } else if !repo.join("snapshots").join(&text).is_dir() {
            self.complain(path, "names a snapshot that does not exist");
        }
    }

    /// Staged files, private files, and the records that belong to them.
    fn leftovers(&mut self, root: &Path) -> Result<()> {
        for file in files_below(root)? {
            let private = [".incomplete", ".tmp"].iter().any(|end| file.ends_with(end));
            if private || file.contains("/.hubstow/staged/") && !file.ends_with('/') {
                self.complain(&root.join(&file), "was left behind");
            }
        }
        Ok(())
    }
}

/// Everything below a folder but for one, as a value that shows any change.
pub(crate) fn fingerprint(folder: &Path, but: Option<&Path>) -> Result<BTreeMap<String, String>> {
    let mut entries = BTreeMap::new();
    for file in files_below(folder)? {
        let path = folder.join(&file);
        if but.is_some_and(|but| path.starts_with(but)) {
            continue;
        }
        let entry = fs::symlink_metadata(&path).with_context(|| file.clone())?;
        let content = if entry.is_symlink() {
            format!("link to {}", fs::read_link(&path)?.display())
        } else if entry.is_file() {
            content::sha256(&fs::read(&path)?)
        } else {
            "no file".to_owned()
        };
        entries.insert(file, format!("{content} {:?}", entry.modified()?));
    }
    Ok(entries)
}

/// Complains where two fingerprints differ.
pub(crate) fn unchanged(
    what: &str,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Result<()> {
    let same = |path: &&String| before.get(*path) == after.get(*path);
    let changed: Vec<&String> =
        before.keys().chain(after.keys()).filter(|path| !same(path)).collect();
    ensure!(changed.is_empty(), "{what} changed: {changed:?}");
    Ok(())
}
