//! Importing: files that are here by other ways get to their places in the cache, where a hash proves what they are. Nothing is
//! asked of any hub.
//!
//! Pointers come first, listings and markers then, and refs last, so a run that is killed leaves what the next one completes.
//! A pointer that serves other content is left as it is.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    path::Path,
    sync::Arc,
};

use hubstow_cache::{Cache, Target, observe::OwnFacts};
use hubstow_core::{
    facts::{Blob, Demand, Pointer, Staged, Twin},
    layout::{CachePath, RepoLayout},
    name::{Commit, Etag, FileName, Repo, Revision},
};

use super::{
    Existing, LeftOut, Watch,
    bring::{Bringer, Piece, Source as PieceSource},
    export::LISTING_LIMIT_BYTES,
    guard::stands_in_the_way,
    recognize::{Recognized, Recognizer, Wanted},
    source::Source,
};
use crate::{
    api::error::{Error, ErrorKind, FailedFile},
    care::CacheDir,
};

pub use super::recognize::Said;

/// What an import would take. Nothing was written for it.
#[must_use = "a plan does nothing by itself"]
pub struct ImportPlan {
    source: Arc<Source>,
    wanted: Vec<Wanted>,
    listings: BTreeMap<(Repo, Commit), String>,
    absent: Vec<(Repo, Commit, FileName)>,
    /// How many listings and markers are not here yet.
    notes: usize,
    /// The files, with what is to be done for each.
    pub files: Vec<ImportFile>,
    /// The refs that are to be written.
    pub refs: Vec<ImportRef>,
    /// What can't be taken, and why.
    pub left_out: Vec<LeftOut>,
    /// How many bytes of content are not here yet.
    pub bytes: u64,
    /// Where the tar breaks off, if it does; what comes before that can be taken all the same.
    pub broken: Option<String>,
}

/// A file that an import may take.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportFile {
    /// The repo.
    pub repo: Repo,
    /// The commit.
    pub commit: Commit,
    /// The file.
    pub file: FileName,
    /// Its content.
    pub etag: Etag,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it is here already.
    pub is_here: bool,
}

/// A ref that an import writes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImportRef {
    /// The repo.
    pub repo: Repo,
    /// Its name.
    pub revision: Revision,
    /// What it leads to then.
    pub commit: Commit,
    /// What it leads to now.
    pub was: Option<Commit>,
}

/// What came of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// How many files were placed.
    pub placed: usize,
    /// How many were here already.
    pub here: usize,
    /// The bytes of those that were placed, each content once.
    pub bytes: u64,
    /// How many refs were written.
    pub refs: usize,
}

impl ImportPlan {
    /// Tells whether all of it is here already.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.files.iter().all(|file| file.is_here) && self.refs.is_empty() && self.notes == 0
    }
}

impl CacheDir {
    /// Plans an import from a folder, a tar or one file, whoever has made it. What neither says itself of which repo it is, nor
    /// is known here by its hash, is what `said` says.
    ///
    /// # Errors
    /// A path where nothing is or that can't be read; the cache directory itself.
    pub fn plan_import(
        &self,
        from: &Path,
        said: Option<&Said>,
        watch: &Watch<'_>,
    ) -> Result<ImportPlan, Error> {
        self.check_elsewhere(from)?;
        let source = Source::open(&self.engine, from, &watch.cancel)?;
        let inventory = self.inventory()?;
        let cache = self.cache().stopped_by(watch.cancel.clone());
        let recognizer = Recognizer::new(&source, (&cache, &inventory), said, &watch.cancel);
        let Recognized { wanted, refs, listings, absent, left_out } = recognizer.recognize();
        let broken = source.broken.clone();
        let (files, bytes) = (Vec::new(), 0);
        let source = Arc::new(source);
        let mut plan = ImportPlan {
            source,
            wanted,
            listings,
            absent,
            files,
            refs: Vec::new(),
            notes: 0,
            left_out,
            bytes,
            broken,
        };
        plan.look(&cache)?;
        plan.count_notes(&cache);
        plan.sort_refs(&cache, refs);
        Ok(plan)
    }

    /// What is to be taken must not be the cache itself, nor in it.
    fn check_elsewhere(&self, from: &Path) -> Result<(), Error> {
        let root = self.native(&CachePath::root());
        let is_within = from.canonicalize().ok().zip(root.canonicalize().ok());
        if is_within.is_some_and(|(from, root)| from.starts_with(root)) {
            let what = format!("`{}` is in the cache that it would be imported to", from.display());
            return Err(Error::new(ErrorKind::Usage, what)
                .hint("name what was copied or exported, or another cache with --cache-dir"));
        }
        Ok(())
    }

    /// Carries an import out.
    ///
    /// # Errors
    /// Content that is damaged, each by name; a disk that has no room. All else is in its place then.
    pub fn import(&self, plan: &ImportPlan, watch: &Watch<'_>) -> Result<Imported, Error> {
        let cache = self.cache().stopped_by(watch.cancel.clone());
        let free = cache.disk().free_bytes(&CachePath::root()).ok().flatten();
        super::check_room(&cache.disk().native(&CachePath::root()), plan.bytes, free)?;
        let new = plan.files.iter().filter(|file| !file.is_here).count();
        watch.listed(new, plan.bytes);
        let mut done = Imported { here: plan.files.len() - new, ..Imported::default() };
        let mut failures = Vec::new();
        let repos: BTreeSet<&Repo> = plan.files.iter().map(|file| &file.repo).collect();
        for repo in repos {
            let _lease = self.lease(repo)?;
            let layout = RepoLayout::new(repo);
            let remembering = cache.remembering(&layout);
            let failed = self.import_repo(plan, repo, &remembering, &mut done, watch)?;
            plan.write_refs(&remembering, repo, &failed, &mut done)?;
            failures.extend(failed.into_iter().map(|(_, failed)| failed));
        }
        if let Some(broken) = &plan.broken {
            let what = format!("the tar is damaged: {broken}");
            let error = Error::new(ErrorKind::ContentMismatch, what).hint(
                "what comes before that is in place; copy the tar again from where it was made",
            );
            failures.push(FailedFile::new("the tar", error));
        }
        if failures.is_empty() {
            return Ok(done);
        }
        Err(Error::of_files(failures, plan.files.len(), Vec::new()))
    }

    /// Brings the files of a repo, and what comes along with them; returns those that failed, with their commits.
    fn import_repo(
        &self,
        plan: &ImportPlan,
        repo: &Repo,
        cache: &Cache,
        done: &mut Imported,
        watch: &Watch<'_>,
    ) -> Result<Vec<(Commit, FailedFile)>, Error> {
        let (engine, cancel) = (&self.engine, &watch.cancel);
        let bringer = Bringer { engine, cache, cancel, tell: watch.tell, existing: Existing::Keep };
        let (new, here): (Vec<_>, Vec<_>) = plan
            .wanted
            .iter()
            .zip(&plan.files)
            .filter(|(wanted, _)| wanted.repo == *repo)
            .partition(|(_, file)| !file.is_here);
        let new: Vec<&Wanted> = new.into_iter().map(|(wanted, _)| wanted).collect();
        let pieces: Vec<Piece> = new.iter().map(|wanted| wanted.piece()).collect();
        let source = |number: usize, tried: usize| {
            let at = new.get(number)?.at.get(tried)?;
            let (path, _) = plan.source.resolve(at)?;
            Some(plan.source.found(&path))
        };
        let source: &PieceSource<'_> = &source;
        let (mut failed, mut contents) = (Vec::new(), HashSet::new());
        let brought = bringer.bring_all(&pieces, source);
        for (piece, brought) in pieces.iter().zip(brought) {
            match brought {
                Ok(report) => {
                    done.placed += 1;
                    let is_first = contents.insert(&piece.target.etag);
                    done.bytes += report.size.filter(|_| is_first).unwrap_or(0);
                }
                Err(failure) => failed.push((piece.target.commit.clone(), *failure)),
            }
        }
        plan.write_notes(cache, repo)?;
        let layout = RepoLayout::new(repo);
        let all = pieces.into_iter().chain(here.into_iter().map(|(wanted, _)| wanted.piece()));
        let mut of_commit: BTreeMap<Commit, Vec<Target>> = BTreeMap::new();
        for piece in all {
            of_commit.entry(piece.target.commit.clone()).or_default().push(piece.target);
        }
        for (commit, targets) in &of_commit {
            cache.record_proofs(&layout, commit, targets);
        }
        Ok(failed)
    }
}

impl Wanted {
    fn target(&self) -> Target {
        Target {
            layout: RepoLayout::new(&self.repo),
            revision: Revision::from(&self.commit),
            commit: self.commit.clone(),
            file: self.file.clone(),
            etag: self.etag.clone(),
            size: Some(self.size),
        }
    }

    fn piece(&self) -> Piece {
        Piece { repo: self.repo.clone(), target: self.target(), sha256: self.sha256.clone() }
    }
}

impl ImportPlan {
    /// Looks what of it is here, and what stands in the way.
    fn look(&mut self, cache: &Cache) -> Result<(), Error> {
        let (mut needed, mut taken) = (HashSet::new(), Vec::new());
        for wanted in std::mem::take(&mut self.wanted) {
            let target = wanted.target();
            let own = OwnFacts::at_first(Demand::Any, Staged::Absent);
            let shown = format!("{}@{}/{}", wanted.repo.id, wanted.commit, wanted.file);
            let facts = match cache.observe(&target, own) {
                Ok(observed) => observed.facts,
                Err(error) => {
                    self.left_out.push(LeftOut::new(shown, Error::from(error).to_string()));
                    continue;
                }
            };
            if stands_in_the_way(cache, &target)? {
                self.left_out.push(LeftOut::new(shown, "other content is here, which stays"));
                continue;
            }
            let has_blob = matches!(facts.blob, Blob::Existing | Blob::Borrowed);
            let is_here =
                facts.pointer == Pointer::Holds || (facts.pointer == Pointer::Linked && has_blob);
            let has_content = is_here || has_blob || facts.twin == Twin::Present;
            if !has_content && needed.insert((wanted.repo.clone(), wanted.etag.clone())) {
                self.bytes += wanted.size;
            }
            self.files.push(ImportFile {
                repo: wanted.repo.clone(),
                commit: wanted.commit.clone(),
                file: wanted.file.clone(),
                etag: wanted.etag.clone(),
                size: wanted.size,
                is_here,
            });
            taken.push(wanted);
        }
        self.wanted = taken;
        Ok(())
    }

    /// Takes the refs that lead to what is taken and say something new.
    fn sort_refs(&mut self, cache: &Cache, refs: BTreeMap<(Repo, Revision), Commit>) {
        for ((repo, revision), commit) in refs {
            if !self.files.iter().any(|file| file.repo == repo && file.commit == commit) {
                let what = format!("{}@{revision}", repo.id);
                let why = "nothing of the commit that it leads to is taken";
                self.left_out.push(LeftOut::new(what, why));
                continue;
            }
            let was = cache.commit_of(&RepoLayout::new(&repo), &revision);
            if was.as_ref() != Some(&commit) {
                self.refs.push(ImportRef { repo, revision, commit, was });
            }
        }
    }

    /// Keeps the listings and markers of what is taken, and counts those that are not here.
    fn count_notes(&mut self, cache: &Cache) {
        let taken: HashSet<(Repo, Commit)> =
            self.files.iter().map(|file| (file.repo.clone(), file.commit.clone())).collect();
        let is_here = |at: CachePath| matches!(cache.disk().entry(&at), Ok(Some(_)));
        self.listings.retain(|(repo, commit), _| {
            let is_new = || !is_here(RepoLayout::new(repo).tree(commit));
            taken.contains(&(repo.clone(), commit.clone())) && is_new()
        });
        self.absent.retain(|(repo, commit, file)| {
            let layout = RepoLayout::new(repo);
            // What is here is not absent.
            let is_new = || {
                !is_here(layout.no_exist(commit, file)) && !is_here(layout.pointer(commit, file))
            };
            taken.contains(&(repo.clone(), commit.clone())) && is_new()
        });
        self.notes = self.listings.len() + self.absent.len();
    }

    /// Writes the listings and markers that are not here.
    fn write_notes(&self, cache: &Cache, repo: &Repo) -> Result<(), Error> {
        let layout = RepoLayout::new(repo);
        for ((_, commit), path) in self.listings.iter().filter(|((of, _), _)| of == repo) {
            let at = layout.tree(commit);
            if let Some(content) = self.source.read(path, LISTING_LIMIT_BYTES) {
                cache.write_whole(&layout, &at, &content)?;
            }
        }
        for (of, commit, file) in &self.absent {
            if of == repo {
                cache.mark(&layout, &Revision::from(commit), commit, file)?;
            }
        }
        Ok(())
    }

    /// Writes the refs of a repo that lead to what is there without a failure.
    fn write_refs(
        &self,
        cache: &Cache,
        repo: &Repo,
        failed: &[(Commit, FailedFile)],
        done: &mut Imported,
    ) -> Result<(), Error> {
        for new in self.refs.iter().filter(|new| new.repo == *repo) {
            if failed.iter().any(|(commit, _)| *commit == new.commit) {
                continue;
            }
            cache.point(&RepoLayout::new(repo), &new.revision, &new.commit)?;
            done.refs += 1;
        }
        Ok(())
    }
}
