//! The system's own disk below a folder, watched, and with the abilities of the kind that it stands for.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use hubstow_cache::{
    Disk, StdDisk,
    disk::{DiskFile, Entry, FolderName, LockFile},
};
use hubstow_core::{
    layout::{CachePath, RepoLayout},
    name::FileName,
};

use crate::{
    handle::TestFile,
    kind::{Kind, Way},
    sample::{BLOBS, OURS, Sample, pointer},
    system::{Errno, allocated, look, number},
    watch::{Fate, Op, Watch, is_private},
};

/// A disk for tests: one process's view of it.
#[derive(Clone)]
pub(crate) struct TestDisk {
    real: StdDisk,
    kind: Kind,
    sample: &'static Sample,
    watch: Arc<Watch>,
    space: Option<Space>,
    /// How much later than it is this process runs, by the disk's clock.
    age: Duration,
    boot: Option<&'static str>,
}

/// What Windows says to whoever reads what another handle has locked.
const LOCK_VIOLATION: i32 = 33;

/// The space of a disk that has an end.
#[derive(Clone)]
pub(crate) struct Space {
    blobs: PathBuf,
    /// What may be taken by blobs and staged files.
    total_bytes: u64,
}

impl Space {
    fn free_bytes(&self) -> u64 {
        self.total_bytes.saturating_sub(taken(&self.blobs))
    }

    /// Lets a file reach an end, if there is space for what it does not have yet.
    pub(crate) fn check(&self, inode: u64, end: u64) -> io::Result<()> {
        let is_it = |(path, _): &(PathBuf, _)| look(path).is_ok_and(|look| look.number == inode);
        let has: u64 = files_in(&self.blobs).filter(is_it).map(|(_, file)| allocated(&file)).sum();
        let more = end.saturating_sub(has);
        if more > self.free_bytes() { Err(Errno::NOSPC.into()) } else { Ok(()) }
    }
}

/// What the files of a folder take of the disk, reserved space included.
pub(crate) fn taken(folder: &Path) -> u64 {
    files_in(folder).map(|(_, file)| allocated(&file)).sum()
}

fn files_in(folder: &Path) -> impl Iterator<Item = (PathBuf, fs::Metadata)> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let looked = entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)));
    looked.filter(|(_, file)| file.is_file())
}

impl TestDisk {
    /// A disk of this kind below a folder, in which the sample is to be placed.
    pub(crate) fn new(root: &Path, kind: Kind, sample: &'static Sample, watch: Watch) -> Self {
        let blobs = root.join(BLOBS);
        let space = kind.free_bytes.map(|free| {
            let total_bytes = free.saturating_add(taken(&blobs));
            Space { blobs, total_bytes }
        });
        let (real, watch) = (StdDisk::new(root), Arc::new(watch));
        Self { real, kind, sample, watch, space, age: Duration::ZERO, boot: Some("first") }
    }

    /// The same when nothing that is there is young any more, by the disk's clock.
    pub(crate) fn later(self) -> Self {
        Self { age: Duration::from_secs(61), ..self }
    }

    /// The same in a time of this name since the system was started.
    pub(crate) fn in_boot(self, boot: Option<&'static str>) -> Self {
        Self { boot, ..self }
    }

    /// What was done.
    pub(crate) fn watch(&self) -> &Watch {
        &self.watch
    }

    fn pass(&self, op: Op, at: &CachePath) -> Result<(), Fate> {
        self.watch.pass(op, at.as_str())?;
        (self.kind.refuses)(op).map_or(Ok(()), |errno| Err(Fate::Failed(errno.into())))
    }

    /// Refuses to make something at a path in a folder that is closed.
    fn open_to(&self, at: &CachePath) -> io::Result<()> {
        let is_closed = (self.kind.closed)(at.as_str());
        if is_closed { Err(Errno::ACCESS.into()) } else { Ok(()) }
    }

    /// Refuses what would lead from one disk to another.
    fn on_one_mount(&self, from: &CachePath, to: &CachePath) -> io::Result<()> {
        let [from, to] = [from, to].map(|at| (self.kind.mount)(at.as_str()));
        if from == to { Ok(()) } else { Err(Errno::XDEV.into()) }
    }

    /// Returns what a path of a local folder leads to where folders answer to other names.
    fn meant(&self, at: &CachePath) -> CachePath {
        let behind = |(alias, own): &(&str, &str)| {
            let rest = at.as_str().strip_prefix(alias)?;
            (rest.is_empty() || rest.starts_with('/')).then(|| format!("{own}{rest}"))
        };
        let Some(path) = self.kind.aliases.iter().find_map(behind) else { return at.clone() };
        let file = FileName::parse(&path).unwrap();
        RepoLayout::local().pointer(&self.sample.target().commit, &file)
    }

    fn file(&self, real: Box<dyn DiskFile>, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        let inode = number(&self.real.native(at))?;
        let (kind, watch) = (self.kind, Arc::clone(&self.watch));
        let space = self.space.clone().filter(|_| at.as_str().ends_with(".incomplete"));
        Ok(Box::new(TestFile { real, kind, watch, space, at: at.as_str().to_owned(), inode }))
    }

    /// Dates an entry as this kind of disk does, and what was just made by the time at which this process runs.
    fn dated(&self, mut entry: Entry, at: &CachePath) -> Entry {
        let identity = &mut entry.identity;
        if entry.len_bytes == 0 && self.watch.has_made(at.as_str()) {
            let age_ns = i128::try_from(self.age.as_nanos()).unwrap();
            identity.modified_ns += age_ns;
            identity.changed_ns += age_ns;
        }
        if self.kind.whole_seconds {
            identity.modified_ns -= identity.modified_ns % 1_000_000_000;
            identity.changed_ns -= identity.changed_ns % 1_000_000_000;
        }
        entry
    }

    /// Whether a file holds the content; where a lock keeps even its holder out, as on Windows, the tree shows it later.
    fn holds(&self, at: &CachePath) -> Option<bool> {
        match fs::read(self.native(at)) {
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(LOCK_VIOLATION) => None,
            read => Some(read.is_ok_and(|bytes| bytes == self.sample.content)),
        }
    }

    fn link(&self, way: Way, probe: bool, make: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        match way {
            Way::Works => make(),
            Way::InProbes(_) if probe => make(),
            Way::InProbes(errno) | Way::Refused(errno) => Err(errno.into()),
            Way::Pretended => Ok(()),
        }
    }
}

impl Disk for TestDisk {
    fn native(&self, at: &CachePath) -> PathBuf {
        self.real.native(at)
    }

    fn entry(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        self.pass(Op::Entry, at)?;
        let layout = self.sample.target().layout;
        if self.kind.folds && *at == layout.folded_snapshots() {
            return self.real.entry(&layout.snapshots());
        }
        Ok(self.real.entry(&self.meant(at))?.map(|entry| self.dated(entry, at)))
    }

    fn through(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        self.pass(Op::Through, at)?;
        Ok(self.real.through(at)?.map(|entry| self.dated(entry, at)))
    }

    fn modified(&self, at: &CachePath) -> io::Result<SystemTime> {
        self.pass(Op::Modified, at)?;
        self.real.modified(at)
    }

    fn link_text(&self, at: &CachePath) -> io::Result<String> {
        self.pass(Op::LinkText, at)?;
        self.real.link_text(&self.meant(at))
    }

    fn names(&self, folder: &CachePath) -> io::Result<Vec<String>> {
        self.pass(Op::Names, folder)?;
        self.real.names(&self.meant(folder))
    }

    fn kinds(&self, folder: &CachePath) -> io::Result<Vec<FolderName>> {
        self.pass(Op::Kinds, folder)?;
        self.real.kinds(folder)
    }

    fn free_bytes(&self, at: &CachePath) -> io::Result<Option<u64>> {
        self.pass(Op::FreeBytes, at)?;
        Ok(self.space.as_ref().map(Space::free_bytes))
    }

    fn boot(&self) -> Option<String> {
        self.boot.map(str::to_owned)
    }

    fn open(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.pass(Op::Open, at)?;
        self.file(self.real.open(at)?, at)
    }

    fn is_own(&self, at: &CachePath) -> bool {
        self.real.is_own(at)
    }

    fn open_own(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.pass(Op::Open, at)?;
        self.file(self.real.open_own(at)?, at)
    }

    fn keep_to_owner(&self, at: &CachePath) -> io::Result<()> {
        self.real.keep_to_owner(at)
    }

    fn share_like(&self, folder: &CachePath, other: &CachePath) -> io::Result<()> {
        self.real.share_like(folder, other)
    }

    fn open_private(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.pass(Op::OpenPrivate, at)?;
        self.watch.judge_writing(at.as_str());
        let real = self.real.open_private(at)?;
        // Whoever wrote it may not have synced it.
        self.watch.written(number(&self.real.native(at))?);
        self.file(real, at)
    }

    fn create(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.pass(Op::Create, at)?;
        self.open_to(at)?;
        self.watch.judge_writing(at.as_str());
        self.file(self.real.create(at)?, at)
    }

    fn open_lock(&self, at: &CachePath) -> io::Result<LockFile> {
        self.pass(Op::OpenLock, at)?;
        let LockFile { file, origin } = self.real.open_lock(at)?;
        Ok(LockFile { file: self.file(file, at)?, origin })
    }

    fn make_folder(&self, at: &CachePath) -> io::Result<()> {
        self.pass(Op::MakeFolder, at)?;
        self.open_to(at)?;
        self.real.make_folder(at)
    }

    fn make_root(&self) -> io::Result<()> {
        self.pass(Op::MakeRoot, &CachePath::root())?;
        self.real.make_root()
    }

    fn links_appear_whole(&self) -> bool {
        self.kind.whole_links
    }

    fn symlink(&self, text: &str, at: &CachePath) -> io::Result<()> {
        let native = self.native(at);
        let blob = fs::read(native.parent().unwrap_or(&native).join(text));
        let of_sample = at.as_str() == pointer(OURS);
        let right = blob.is_ok_and(|bytes| !of_sample || bytes == self.sample.content);
        self.pass(Op::Symlink, at)?;
        self.open_to(at)?;
        self.link(self.kind.symlink, !text.contains('/'), || self.real.symlink(text, at))?;
        // A link appears whole: it may have its public name at once, if what it leads to is there.
        if !is_private(at.as_str()) {
            self.watch.judge_content(right, at.as_str());
        }
        Ok(())
    }

    fn hardlink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        self.pass(Op::Hardlink, at)?;
        self.open_to(at).and_then(|()| self.on_one_mount(from, at))?;
        self.watch.judge_writing(at.as_str());
        let probe = is_private(from.as_str());
        if let (false, Ok(inode)) = (probe, number(&self.native(from))) {
            // Whoever has published it has synced it.
            self.watch.synced(inode);
        }
        self.link(self.kind.hardlink, probe, || self.real.hardlink(from, at))
    }

    /// A copy stands for a reflink: a filesystem that has them is not to be had everywhere. Cloning is two steps, making
    /// the file and sharing the blocks, so a kill may leave an empty one.
    fn reflink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        let passed = self.pass(Op::Reflink, at);
        self.watch.judge_writing(at.as_str());
        let probe = is_private(from.as_str());
        if matches!(passed, Err(Fate::Killed)) {
            self.link(self.kind.reflink, probe, || self.real.create(at).map(drop))?;
        }
        passed?;
        self.open_to(at).and_then(|()| self.on_one_mount(from, at))?;
        let copy = || fs::copy(self.native(from), self.native(at)).map(drop);
        self.link(self.kind.reflink, probe, copy)
    }

    fn rename(&self, from: &CachePath, to: &CachePath) -> io::Result<()> {
        self.pass(Op::Rename, from)?;
        self.open_to(to).and_then(|()| self.on_one_mount(from, to))?;
        let mut right = None;
        if let (Ok(metadata), Ok(look)) =
            (fs::symlink_metadata(self.native(from)), look(&self.native(from)))
        {
            self.watch.judge_rename(look.number, from.as_str(), to.as_str());
            let of_sample = [self.sample.blob(), pointer(OURS)].iter().any(|at| at == to.as_str());
            // What has another name is not ours alone: a peer may change it under our hands.
            if of_sample && metadata.is_file() && look.names == 1 {
                right = self.holds(from);
            }
        }
        self.real.rename(from, to)?;
        // What somebody has cleaned away can't be read, and is not published either.
        if let Some(right) = right {
            self.watch.judge_content(right, to.as_str());
        }
        Ok(())
    }

    fn remove(&self, at: &CachePath) -> io::Result<()> {
        self.pass(Op::Remove, at)?;
        self.watch.judge_removal(at.as_str());
        self.real.remove(at)
    }

    fn remove_folder(&self, at: &CachePath) -> io::Result<()> {
        self.pass(Op::RemoveFolder, at)?;
        self.real.remove_folder(at)
    }
}
