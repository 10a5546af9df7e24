//! Files that lie in no repo folder: what a tool has downloaded into a folder of the user's, and what was copied by hand.

use std::collections::{BTreeMap, HashMap};

use hubstow_core::{
    layout::RepoLayout,
    name::{Commit, Etag, FileName, Repo, Revision},
};

use super::{Claim, Listed, Recognizer, Said, listed};
use crate::{care::carry::guard::is_hash, lookup::listing::Listing};

/// Where clients keep what they know of a local folder.
const STATE: &str = ".cache/huggingface";
/// The most bytes of a record, and of a listing.
const RECORD_LIMIT_BYTES: u64 = 4 << 10;
const LISTING_LIMIT_BYTES: u64 = 1 << 30;

/// A file that a kept listing has.
struct Candidate {
    repo: Repo,
    commit: Commit,
    file: FileName,
    etag: Etag,
    size: u64,
}

impl Recognizer<'_> {
    /// Recognizes files that lie in no repo folder.
    pub(super) fn loose_files(&mut self, loose: &[String]) {
        let mut locals: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        for path in loose {
            if let Some(root) = local_root(path) {
                locals.entry(root.to_owned()).or_default();
            }
        }
        let mut plain = Vec::new();
        for path in loose.iter().filter(|path| local_root(path).is_none()) {
            let of = locals.iter_mut().filter(|(root, _)| is_below(path, root));
            match of.max_by_key(|(root, _)| root.len()) {
                Some((_, files)) => files.push(path),
                None => plain.push(path),
            }
        }
        for (root, files) in &locals {
            self.local_folder(root, files);
        }
        if !plain.is_empty() {
            self.plain_files(&plain);
        }
    }

    /// Recognizes the files of a local folder by the records that its clients keep.
    fn local_folder(&mut self, root: &str, files: &[&String]) {
        let state = if root.is_empty() { STATE.to_owned() } else { format!("{root}/{STATE}") };
        let mut listings: Vec<(Commit, Listed, String)> = Vec::new();
        for (name, _) in self.source.below(&format!("{state}/trees")) {
            let path = format!("{state}/trees/{name}");
            let commit = name.strip_suffix(".json").and_then(|name| Commit::parse(name).ok());
            let content = self.source.read(&path, LISTING_LIMIT_BYTES);
            let files = content.and_then(|content| Listing::of_kept(&content)).and_then(listed);
            listings.extend(commit.zip(files).map(|(commit, files)| (commit, files, path)));
        }
        for path in files {
            let name = path.strip_prefix(root).unwrap_or(path).trim_start_matches('/');
            let file = match FileName::parse(name) {
                Ok(file) => file,
                Err(error) => {
                    self.leave_out(path, error.to_string());
                    continue;
                }
            };
            let record = self.record(&state, &file);
            let of_listing = listings.iter().rev().find_map(|(commit, files, _)| {
                let (etag, size) = files.get(&file)?.clone();
                Some((commit.clone(), Claim { etag, size: Some(size), sha256: None }))
            });
            let of_record = record.map(|(commit, etag)| {
                let claim = Claim { etag, size: None, sha256: None };
                (commit, claim)
            });
            let Some((commit, claim)) = of_record.or(of_listing) else {
                self.leave_out(path, "no record says of which commit it is");
                continue;
            };
            match self.repo_of_commit(&commit) {
                Some(repo) => {
                    let at = vec![(*path).clone()];
                    self.want(&repo, path, (commit, file), claim, at);
                }
                None => self.leave_out(path, "nothing says of which repo it is; --repo says it"),
            }
        }
        for (commit, _, path) in listings {
            if let Some(repo) = self.repo_of_commit(&commit) {
                self.found.listings.insert((repo, commit), path);
            }
        }
    }

    /// Returns the repo of a commit: the one that the user says, or that this cache knows it of.
    fn repo_of_commit(&self, commit: &Commit) -> Option<Repo> {
        let said = self.said.map(|said| said.repo.clone());
        said.or_else(|| self.commits.get(commit).cloned())
    }

    fn record(&self, state: &str, file: &FileName) -> Option<(Commit, Etag)> {
        let path = format!("{state}/download/{file}.metadata");
        let content = self.source.read(&path, RECORD_LIMIT_BYTES)?;
        let text = String::from_utf8(content).ok()?;
        let mut lines = text.lines().map(str::trim);
        let commit = Commit::parse(lines.next()?).ok()?;
        Some((commit, Etag::parse(lines.next()?).ok().filter(is_hash)?))
    }

    /// Recognizes files by name and hash among all that this cache keeps listings of.
    fn plain_files(&mut self, plain: &[&String]) {
        let candidates = self.candidates();
        for path in plain {
            let Some((_, len_bytes)) = self.source.resolve(path) else {
                self.leave_out(path, "its link leads to nothing that is there");
                continue;
            };
            let base = path.rsplit('/').next().unwrap_or_default();
            let named = candidates.get(base).into_iter().flatten();
            let may_be: Vec<&Candidate> = named
                .filter(|it| it.size == len_bytes && is_named(path, it.file.as_str()))
                .collect();
            if may_be.is_empty() {
                let why = match self.said {
                    Some(Said { repo, .. }) => {
                        format!("no listing of {} that is kept here has it", repo.id)
                    }
                    None => "no listing that is kept here has it".to_owned(),
                };
                self.leave_out(path, why);
                continue;
            }
            let hashes = match self.source.hashes(path, self.cancel) {
                Ok(hashes) => hashes,
                Err(error) => {
                    self.leave_out(path, error.to_string());
                    continue;
                }
            };
            let is = |it: &&&Candidate| hashes.iter().any(|hash| hash == it.etag.as_str());
            let proved: Vec<&&Candidate> = may_be.iter().filter(is).collect();
            if proved.is_empty() {
                self.leave_out(path, "its hash is that of no file by this name");
            }
            for Candidate { repo, commit, file, etag, size } in proved.into_iter().copied() {
                let claim = Claim { etag: etag.clone(), size: Some(*size), sha256: None };
                let at = vec![(*path).clone()];
                self.want(repo, path, (commit.clone(), file.clone()), claim, at);
            }
        }
    }

    /// Returns what plain files may be, by the last part of their names.
    fn candidates(&mut self) -> HashMap<String, Vec<Candidate>> {
        let said = self.said;
        let wanted = |repo: &Repo, commit: &Commit| match said {
            None => true,
            Some(Said { repo: of, revision }) => {
                let is_revision = |it: &Revision| {
                    let layout = RepoLayout::new(repo);
                    self.cache.commit_of(&layout, it).as_ref() == Some(commit)
                };
                of == repo && revision.as_ref().is_none_or(is_revision)
            }
        };
        let known: Vec<(Commit, Repo)> = self
            .commits
            .iter()
            .filter(|(commit, repo)| wanted(repo, commit))
            .map(|(commit, repo)| (commit.clone(), repo.clone()))
            .collect();
        let mut candidates: HashMap<String, Vec<Candidate>> = HashMap::new();
        for (commit, repo) in known {
            let Some(files) = self.kept(&repo, &commit).cloned() else { continue };
            for (file, (etag, size)) in files {
                let base = file.base().to_owned();
                let (repo, commit) = (repo.clone(), commit.clone());
                let candidate = Candidate { repo, commit, file, etag, size };
                candidates.entry(base).or_default().push(candidate);
            }
        }
        candidates
    }
}

/// Returns the local folder whose clients' state an entry is part of.
fn local_root(path: &str) -> Option<&str> {
    let at = path.find(STATE)?;
    let root = path.get(..at)?;
    let is_whole = root.is_empty() || root.ends_with('/');
    let below = path.get(at + STATE.len()..)?.starts_with('/');
    (is_whole && below).then(|| root.trim_end_matches('/'))
}

fn is_below(path: &str, root: &str) -> bool {
    root.is_empty() || path.strip_prefix(root).is_some_and(|below| below.starts_with('/'))
}

/// Tells whether a path ends with the name of a file.
fn is_named(path: &str, file: &str) -> bool {
    path.strip_suffix(file).is_some_and(|above| above.is_empty() || above.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_of_a_local_folder_tells_where_the_folder_is() {
        for (path, root) in [
            (".cache/huggingface/download/a.metadata", Some("")),
            ("x/y/.cache/huggingface/trees/c.json", Some("x/y")),
            ("x.cache/huggingface/a", None),
            (".cache/huggingfaces/a", None),
            ("a.bin", None),
        ] {
            assert_eq!(local_root(path), root, "{path}");
        }
    }

    #[test]
    fn a_plain_file_is_named_by_the_end_of_its_path() {
        for (path, file, expected) in [
            ("a.bin", "a.bin", true),
            ("copied/deep/a.bin", "deep/a.bin", true),
            ("copied/xdeep/a.bin", "deep/a.bin", false),
            ("a.bin", "deep/a.bin", false),
        ] {
            assert_eq!(is_named(path, file), expected, "{path}");
        }
    }
}
