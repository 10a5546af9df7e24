//! What the scenario calls things, and what they are called in the cache.
//!
//! A scenario says `snapshots/v1/model.bin` and `blobs/model.bin`; the cache has hashes in both places. Where a file
//! differs between commits its blob is `blobs/model.bin@v2`.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::{
    content,
    scenario::{REPO_FOLDER, Scenario},
};

/// A file of a commit.
#[derive(Clone, Debug)]
pub(crate) struct HubFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) etag: String,
}

/// Both vocabularies.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// The files of each commit, by the scenario's names.
    files: BTreeMap<String, BTreeMap<String, HubFile>>,
    /// The hash of each commit.
    commits: BTreeMap<String, String>,
    /// Words that stand for something else in texts, such as `{outside}`.
    words: BTreeMap<String, String>,
}

impl Names {
    /// Takes the files of the scenario and the hashes that the hub gave to its commits.
    pub(crate) fn new(scenario: &Scenario, commits: BTreeMap<String, String>) -> Self {
        let file = |(name, content): (&String, &content::Content)| {
            let bytes = content.bytes();
            let etag = content::etag(name, &bytes);
            (name.clone(), HubFile { bytes, etag })
        };
        let files = scenario
            .commits
            .iter()
            .map(|(commit, files)| (commit.clone(), files.iter().map(file).collect()))
            .collect();
        Self { files, commits, words: BTreeMap::new() }
    }

    /// Gives a word of the scenario's texts its meaning.
    pub(crate) fn define(&mut self, word: &str, meaning: impl Into<String>) {
        self.words.insert(word.to_owned(), meaning.into());
    }

    /// Returns the scenario's name of a commit.
    pub(crate) fn commit_called(&self, hash: &str) -> Option<&str> {
        self.commits.iter().find(|(_, of)| *of == hash).map(|(name, _)| name.as_str())
    }

    /// Returns a file of a commit, by the scenario's name or by the hash of the commit.
    pub(crate) fn file(&self, commit: &str, file: &str) -> Option<&HubFile> {
        let name = self.commit_called(commit).unwrap_or(commit);
        self.files.get(name)?.get(file)
    }

    /// Returns what the scenario calls a blob.
    pub(crate) fn blob_called(&self, etag: &str) -> Option<String> {
        let all = self
            .files
            .iter()
            .flat_map(|(commit, files)| files.iter().map(move |(name, file)| (commit, name, file)));
        let (commit, name, _) = all.clone().find(|(_, _, file)| file.etag == etag)?;
        let differs = all.clone().any(|(_, other, file)| other == name && file.etag != etag);
        Some(if differs { format!("{name}@{commit}") } else { name.clone() })
    }

    fn etag_of(&self, blob: &str) -> Result<String> {
        let (name, commit) = match blob.split_once('@') {
            Some((name, commit)) => (name, Some(commit)),
            None => (blob, None),
        };
        let mut etags: Vec<&str> = self
            .files
            .iter()
            .filter(|(at, _)| commit.is_none_or(|commit| commit == at.as_str()))
            .filter_map(|(_, files)| files.get(name).map(|file| file.etag.as_str()))
            .collect();
        etags.sort_unstable();
        etags.dedup();
        match etags.as_slice() {
            [etag] => Ok((*etag).to_owned()),
            [] => bail!("no commit has the file `{blob}`"),
            _ => bail!("`{name}` differs between commits: say `{name}@COMMIT`"),
        }
    }

    /// Returns the path of what the scenario calls so, below the cache root. A leading `/` means the cache root itself;
    /// else it is a path in the repo folder.
    pub(crate) fn path(&self, said: &str) -> Result<PathBuf> {
        if let Some(below_root) = said.strip_prefix('/') {
            return Ok(PathBuf::from(self.text(below_root)?));
        }
        let repo = PathBuf::from(REPO_FOLDER);
        Ok(match said.split('/').collect::<Vec<_>>().as_slice() {
            ["blobs", blob @ ..] if !blob.is_empty() && !said.contains('{') => {
                repo.join("blobs").join(self.etag_of(&blob.join("/"))?)
            }
            [folder @ ("snapshots" | ".no_exist"), commit, file @ ..] => {
                let hash = self.commits.get(*commit);
                let hash = hash.with_context(|| format!("`{commit}` is no commit"))?;
                file.iter().fold(repo.join(folder).join(hash), |path, part| path.join(part))
            }
            _ => repo.join(self.text(said)?),
        })
    }

    /// Replaces the words in braces: `{v1}` by the hash of that commit, `{etag model.bin}` by that file's etag, and those
    /// that were defined.
    pub(crate) fn text(&self, said: &str) -> Result<String> {
        let mut out = String::new();
        let mut rest = said;
        while let Some((before, after)) = rest.split_once('{') {
            let (word, tail) =
                after.split_once('}').with_context(|| format!("a lone {{ in {said}"))?;
            out.push_str(before);
            out.push_str(&self.meaning(word)?);
            rest = tail;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn meaning(&self, word: &str) -> Result<String> {
        if let Some(blob) = word.strip_prefix("etag ") {
            return self.etag_of(blob);
        }
        let known = self.commits.get(word).or_else(|| self.words.get(word));
        known.cloned().with_context(|| format!("`{{{word}}}` stands for nothing"))
    }
}
