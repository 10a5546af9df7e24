//! Exporting: chosen repos as a folder or a tar that any machine can take, whatever its disk can do.
//!
//! Either is a cache directory in portable form: regular files only, with refs, listings, and a manifest for each repo. What
//! is written is hashed on its way; what does not hold its content is refused by name. A folder is continued: what is there and
//! proved stays. A tar gets its name when it is whole.

use std::{
    io::{self, Write},
    path::Path,
};

use hubstow_cache::{Cache, Target, care::inventory::Inventory};
use hubstow_core::{
    care::Id,
    layout::{CACHE_TAG, CachePath, RepoLayout},
    name::{Commit, Repo, Revision},
    policy::Policy,
};

use super::{
    Existing, LeftOut, Watch,
    bring::{Bringer, Found, Piece},
    chosen::{Chooser, ChosenFile, ChosenRepo},
    manifest::{self, Manifest},
    output::{at_output, is_of_writing},
    pack::Packer,
    store::is_plain,
    tarplace::TarPlace,
};
use crate::{
    api::error::{Error, ErrorKind, from_io},
    care::CacheDir,
    handle::CallerBlocks,
};

/// The most bytes of a listing that are carried.
pub(super) const LISTING_LIMIT_BYTES: u64 = 1 << 30;

/// What is exported. It is made of an inventory, and nothing was written for it.
#[derive(Clone, Debug)]
#[must_use = "a plan does nothing by itself"]
pub struct ExportPlan {
    repos: Vec<ChosenRepo>,
    /// What was asked for and can't be exported, and why.
    pub left_out: Vec<LeftOut>,
}

/// A repo that is exported, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExportedRepo {
    /// The repo.
    pub repo: Repo,
    /// The refs that are exported, with what they lead to.
    pub refs: Vec<(Revision, Commit)>,
    /// The revisions.
    pub revisions: Vec<Commit>,
    /// How many files its snapshots have.
    pub files: usize,
    /// How many bytes of content are written.
    pub bytes: u64,
}

/// What came of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// How many files were written.
    pub written: usize,
    /// How many were there already, and proved.
    pub kept: usize,
    /// How many bytes of content are in what was made.
    pub bytes: u64,
}

impl ExportPlan {
    /// Returns what is exported, by repo.
    #[must_use]
    pub fn repos(&self) -> Vec<ExportedRepo> {
        let sum = |chosen: &ChosenRepo| ExportedRepo {
            repo: chosen.repo.clone(),
            refs: chosen.refs.clone().into_iter().collect(),
            revisions: chosen.revisions.iter().map(|revision| revision.commit.clone()).collect(),
            files: chosen.revisions.iter().map(|revision| revision.files.len()).sum(),
            bytes: carried(chosen).map(|(_, file)| file.size).sum(),
        };
        self.repos.iter().map(sum).collect()
    }

    /// Returns how many files of content are written.
    #[must_use]
    pub fn files(&self) -> usize {
        self.repos.iter().map(|chosen| carried(chosen).count()).sum()
    }

    /// Returns how many bytes of content are written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.repos.iter().flat_map(carried).map(|(_, file)| file.size).sum()
    }
}

/// Returns the files whose content is written: each content once, but within one snapshot each file.
fn carried(chosen: &ChosenRepo) -> impl Iterator<Item = (Commit, ChosenFile)> {
    let manifest = chosen.manifest();
    let all = chosen.revisions.clone().into_iter().flat_map(|revision| {
        let commit = revision.commit;
        revision.files.into_iter().map(move |file| (commit.clone(), file))
    });
    all.filter(move |(commit, file)| {
        let entry = manifest.revisions.get(commit).and_then(|it| it.files.get(&file.name));
        entry.is_some_and(|entry| entry.at.is_none())
    })
}

/// A small file that comes along: what it says, and where.
struct Note {
    at: CachePath,
    content: Vec<u8>,
}

impl CacheDir {
    /// Plans the export of repos, revisions and pointers. What nobody has named by a hash is hashed for it.
    ///
    /// # Errors
    /// A file that can't be read.
    pub fn plan_export(&self, inventory: &Inventory, asked: &[Id]) -> Result<ExportPlan, Error> {
        let mut chooser = Chooser::new(self.cache(), inventory, asked);
        let repos = chooser.repos()?;
        Ok(ExportPlan { repos, left_out: chooser.left_out })
    }

    /// Exports to a folder, which may hold an earlier export, whole or not. The folder is a cache directory by itself.
    ///
    /// # Errors
    /// Content that is damaged, each by name; what is there already and is something else; a disk that has no room for it. What
    /// was written is whole, and the next run goes on from there.
    pub fn export_to_folder(
        &self,
        plan: &ExportPlan,
        folder: &Path,
        existing: Existing,
        watch: &Watch<'_>,
    ) -> Result<Exported, Error> {
        check_whole(plan)?;
        self.check_outside(folder)?;
        let at_output = |error| at_output(error, folder);
        let engine = self.engine.varied(|config| {
            config.cache_dir = folder.to_owned();
            (config.policy, config.local_dir, config.state_dir) = (Policy::Portable, None, None);
        });
        let engine = engine.map_err(at_output)?;
        let blocking = CallerBlocks::its_thread();
        // An export has no records of what one disk holds.
        let to = engine.shared.blocking(&blocking).stopped_by(watch.cancel.clone()).looking_only();
        let cancel = &watch.cancel;
        let mut done = Exported::default();
        let manifests = merged(&to, plan, existing)?;
        check_room(&to, plan)?;
        to.make_folders(&CachePath::root()).map_err(Error::from).map_err(at_output)?;
        watch.listed(plan.files(), plan.bytes());
        for (chosen, manifest) in plan.repos.iter().zip(&manifests) {
            let _lease = self.lease(&chosen.repo)?;
            let cache = &to.remembering(&chosen.layout());
            let bringer = Bringer { engine: &engine, cache, cancel, tell: watch.tell, existing };
            self.bring_repo(&bringer, chosen, folder, &mut done)?;
            let notes = self.notes(chosen, manifest)?;
            for note in notes.iter().rev() {
                keep_note(&to, &chosen.layout(), note, existing).map_err(at_output)?;
            }
            // Only staged files were in it.
            let _ = to.disk().remove_folder(&chosen.layout().blobs());
        }
        Ok(done)
    }

    fn bring_repo(
        &self,
        bringer: &Bringer<'_>,
        chosen: &ChosenRepo,
        folder: &Path,
        done: &mut Exported,
    ) -> Result<(), Error> {
        let layout = chosen.layout();
        let files: Vec<(Commit, ChosenFile)> = carried(chosen).collect();
        let piece = |(commit, file): &(Commit, ChosenFile)| Piece {
            repo: chosen.repo.clone(),
            target: Target {
                layout: layout.clone(),
                revision: Revision::from(commit),
                commit: commit.clone(),
                file: file.name.clone(),
                etag: file.etag.clone(),
                size: Some(file.size),
            },
            sha256: file.sha256.clone(),
        };
        let pieces: Vec<Piece> = files.iter().map(piece).collect();
        let disk = self.cache().disk();
        let source = |number: usize, tried: usize| {
            let (_, file) = files.get(number).filter(|_| tried == 0)?;
            let opened = disk.open(&file.from).map(|content| {
                let whole = is_plain(disk, &file.from).then(|| disk.native(&file.from));
                Found { content: Box::new(content), file: whole }
            });
            Some(opened)
        };
        let brought = bringer.bring_all(&pieces, &source);
        let wanted = brought.len();
        let (mut failures, mut finished) = (Vec::new(), Vec::new());
        for brought in brought {
            match brought {
                Ok(report) => finished.push(report),
                Err(mut failed) => {
                    // What the cache can't give is told as it is.
                    if is_of_writing(&failed.error) {
                        failed.error = at_output(failed.error, folder);
                    }
                    failures.push(*failed);
                }
            }
        }
        if !failures.is_empty() {
            return Err(Error::of_files(failures, wanted, finished));
        }
        for report in &finished {
            let is_new = report.by.is_some();
            *(if is_new { &mut done.written } else { &mut done.kept }) += 1;
            done.bytes += report.size.unwrap_or(0);
        }
        Ok(())
    }

    /// Exports to a tar, which gets its name when it is whole and on the disk.
    ///
    /// # Errors
    /// As [`export_to_folder`](Self::export_to_folder); nothing is left of it then.
    pub fn export_to_tar(
        &self,
        plan: &ExportPlan,
        file: &Path,
        existing: Existing,
        watch: &Watch<'_>,
    ) -> Result<Exported, Error> {
        check_whole(plan)?;
        self.check_outside(file)?;
        let at_output = |error| at_output(error, file);
        let named = |what: &str| format!("`{}` {what}", file.display());
        let place = TarPlace::of(file, |folder| self.engine.disk_of(folder)).map_err(at_output)?;
        let is_taken = place.is_taken();
        let is_taken =
            is_taken.map_err(|error| at_output(from_io("it can't be looked at", error)))?;
        if is_taken && existing == Existing::Keep {
            return Err(Error::new(ErrorKind::Usage, named("is there already"))
                .hint("choose another name, or replace it with --force"));
        }
        place.check_room(plan.bytes())?;
        let written = |error| at_output(from_io("the tar can't be written", error));
        let mut out = place.create().map_err(written)?;
        let packed = self.pack(plan, &mut io::BufWriter::with_capacity(1 << 20, &mut out), watch);
        let published = packed.and_then(|done| {
            let synced = out.flush().and_then(|()| out.sync());
            synced.and_then(|()| place.publish()).map_err(written)?;
            Ok(done)
        });
        published.inspect_err(|_| place.discard())
    }

    /// Writes a tar to whatever takes it, such as a pipe.
    ///
    /// # Errors
    /// As [`export_to_tar`](Self::export_to_tar); what was written until then is of no use.
    pub fn export_to(
        &self,
        plan: &ExportPlan,
        to: &mut dyn Write,
        watch: &Watch<'_>,
    ) -> Result<Exported, Error> {
        check_whole(plan)?;
        self.pack(plan, to, watch)
    }

    fn pack(
        &self,
        plan: &ExportPlan,
        to: &mut dyn Write,
        watch: &Watch<'_>,
    ) -> Result<Exported, Error> {
        watch.listed(plan.files(), plan.bytes());
        let unwritten = |error| from_io("the tar can't be written", error);
        let mut packer = Packer::new(to, watch);
        packer.note(&CachePath::cache_tag(), CACHE_TAG.as_bytes()).map_err(unwritten)?;
        for chosen in &plan.repos {
            let _lease = self.lease(&chosen.repo)?;
            for Note { at, content } in self.notes(chosen, &chosen.manifest())? {
                packer.note(&at, &content).map_err(unwritten)?;
            }
            for (commit, file) in carried(chosen) {
                let at = chosen.layout().pointer(&commit, &file.name);
                packer.content(self.cache().disk(), &chosen.repo, &at, &commit, &file)?;
            }
        }
        packer.end().map_err(unwritten)
    }

    /// Returns the small files of a repo: the manifest first, which tells that all is there, and refs before what they lead to.
    fn notes(&self, chosen: &ChosenRepo, manifest: &Manifest) -> Result<Vec<Note>, Error> {
        let layout = chosen.layout();
        let written = manifest.to_bytes().map_err(|error| {
            Error::new(ErrorKind::Other, "the manifest can't be written").caused_by(error)
        })?;
        let mut notes = vec![Note { at: layout.manifest(), content: written }];
        for (name, commit) in &chosen.refs {
            let content = commit.as_str().as_bytes().to_vec();
            notes.push(Note { at: layout.ref_file(name), content });
        }
        for revision in &chosen.revisions {
            if let Some(at) = &revision.listing {
                let content = self.cache().read(at, LISTING_LIMIT_BYTES).ok_or_else(|| {
                    Error::new(ErrorKind::Other, format!("`{at}` can't be read any more"))
                })?;
                notes.push(Note { at: at.clone(), content });
            }
            for name in &revision.absent {
                let at = layout.no_exist(&revision.commit, name);
                notes.push(Note { at, content: Vec::new() });
            }
        }
        Ok(notes)
    }
}

/// Refuses to export what would arrive incomplete without anybody knowing.
fn check_whole(plan: &ExportPlan) -> Result<(), Error> {
    let Some(first) = plan.left_out.first() else { return Ok(()) };
    let more = match plan.left_out.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more can't"),
    };
    let what = format!("`{}` can't be exported: {}{more}", first.what, first.why);
    Err(Error::new(ErrorKind::ContentMismatch, what).hint(
        "`hubstow cache verify --repair` or `hubstow download` mends it; `hubstow cache rm` removes it",
    ))
}

/// Joins what is exported with the manifests that are there already.
fn merged(to: &Cache, plan: &ExportPlan, existing: Existing) -> Result<Vec<Manifest>, Error> {
    let merge = |chosen: &ChosenRepo| {
        let mut manifest = chosen.manifest();
        let at = chosen.layout().manifest();
        let old = to.read(&at, manifest::LIMIT_BYTES);
        let Some(Ok(old)) = old.map(|bytes| Manifest::parse(&bytes)) else { return Ok(manifest) };
        for (name, commit) in old.refs {
            let ours = manifest.refs.entry(name.clone()).or_insert_with(|| commit.clone());
            if *ours != commit && existing == Existing::Keep {
                let what = format!(
                    "the export there has another `{name}` of {}: {commit}",
                    chosen.repo.id
                );
                return Err(Error::new(ErrorKind::Usage, what)
                    .hint("choose another folder, or replace it with --force"));
            }
        }
        for (commit, old) in old.revisions {
            let ours = manifest.revisions.entry(commit).or_default();
            ours.listing |= old.listing;
            ours.absent.extend(old.absent);
            for (name, file) in old.files {
                ours.files.entry(name).or_insert(file);
            }
        }
        Ok(manifest)
    };
    plan.repos.iter().map(merge).collect()
}

/// Makes sure that there is room for what is not there yet.
fn check_room(to: &Cache, plan: &ExportPlan) -> Result<(), Error> {
    let missing = plan.repos.iter().flat_map(|chosen| {
        let layout = chosen.layout();
        carried(chosen).filter(move |(commit, file)| {
            !matches!(to.disk().entry(&layout.pointer(commit, &file.name)), Ok(Some(_)))
        })
    });
    let needed = missing.map(|(_, file)| file.size).sum();
    let free = to.disk().free_bytes(&CachePath::root()).ok().flatten();
    super::check_room(&to.disk().native(&CachePath::root()), needed, free)
}

/// Writes a small file, unless it is there.
fn keep_note(
    to: &Cache,
    layout: &RepoLayout,
    note: &Note,
    existing: Existing,
) -> Result<(), Error> {
    let old = to.read(&note.at, LISTING_LIMIT_BYTES);
    let is_manifest = note.at == layout.manifest();
    match old {
        Some(old) if old == note.content => return Ok(()),
        Some(_) if existing == Existing::Keep && !is_manifest => {
            let what = format!("`{}` is there already, and is another", note.at);
            return Err(Error::new(ErrorKind::Usage, what)
                .hint("choose another folder, or replace it with --force"));
        }
        Some(_) | None => {}
    }
    Ok(to.write_whole(layout, &note.at, &note.content)?)
}
