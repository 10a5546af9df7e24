//! What the system says of a disk, from its call to the exit code.

use std::{
    error::Error as _,
    fs,
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use hubstow_cache::{
    Disk, StdDisk,
    disk::{DiskFile, Entry, FolderName, LockFile},
};
use hubstow_client::{Config, Error, ErrorKind, FileRequest, Hub, SnapshotRequest, with_causes};
use hubstow_core::{hub::Endpoint, layout::CachePath};
use hubstow_serve::Server;
use tokio::runtime::{Builder, Runtime};

use super::exit_code;

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    MakeFolder,
    Create,
    Write,
    Sync,
    Rename,
}

/// The system's own disk, on which one kind of call fails with a number.
#[derive(Clone)]
struct FailingDisk {
    disk: Arc<StdDisk>,
    fails: Fails,
}

#[derive(Clone, Copy)]
struct Fails {
    call: Call,
    number: i32,
}

impl Fails {
    fn at(self, call: Call) -> io::Result<()> {
        if self.call == call { Err(io::Error::from_raw_os_error(self.number)) } else { Ok(()) }
    }
}

/// An open file of such a disk.
struct FailingFile {
    file: Box<dyn DiskFile>,
    fails: Fails,
}

impl FailingDisk {
    fn file(&self, opened: io::Result<Box<dyn DiskFile>>) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(FailingFile { file: opened?, fails: self.fails }))
    }
}

impl Read for FailingFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.file.read(into)
    }
}

impl Write for FailingFile {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        self.fails.at(Call::Write)?;
        self.file.write(from)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for FailingFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl DiskFile for FailingFile {
    fn sync(&mut self) -> io::Result<()> {
        self.fails.at(Call::Sync)?;
        self.file.sync()
    }

    fn set_len(&mut self, len_bytes: u64) -> io::Result<()> {
        self.file.set_len(len_bytes)
    }

    fn flushable(&self) -> Option<u64> {
        self.file.flushable()
    }

    fn sync_all(&mut self) -> io::Result<()> {
        self.fails.at(Call::Sync)?;
        self.file.sync_all()
    }

    fn try_lock(&mut self) -> io::Result<()> {
        self.file.try_lock()
    }
}

impl Disk for FailingDisk {
    fn native(&self, at: &CachePath) -> PathBuf {
        self.disk.native(at)
    }

    fn entry(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        self.disk.entry(at)
    }

    fn through(&self, at: &CachePath) -> io::Result<Option<Entry>> {
        self.disk.through(at)
    }

    fn modified(&self, at: &CachePath) -> io::Result<SystemTime> {
        self.disk.modified(at)
    }

    fn link_text(&self, at: &CachePath) -> io::Result<String> {
        self.disk.link_text(at)
    }

    fn names(&self, folder: &CachePath) -> io::Result<Vec<String>> {
        self.disk.names(folder)
    }

    fn kinds(&self, folder: &CachePath) -> io::Result<Vec<FolderName>> {
        self.disk.kinds(folder)
    }

    fn open(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.file(self.disk.open(at))
    }

    fn open_private(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.file(self.disk.open_private(at))
    }

    fn create(&self, at: &CachePath) -> io::Result<Box<dyn DiskFile>> {
        self.fails.at(Call::Create)?;
        self.file(self.disk.create(at))
    }

    fn open_lock(&self, at: &CachePath) -> io::Result<LockFile> {
        self.disk.open_lock(at)
    }

    fn make_folder(&self, at: &CachePath) -> io::Result<()> {
        self.fails.at(Call::MakeFolder)?;
        self.disk.make_folder(at)
    }

    fn make_root(&self) -> io::Result<()> {
        self.disk.make_root()
    }

    fn symlink(&self, text: &str, at: &CachePath) -> io::Result<()> {
        self.disk.symlink(text, at)
    }

    fn hardlink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        self.disk.hardlink(from, at)
    }

    fn reflink(&self, from: &CachePath, at: &CachePath) -> io::Result<()> {
        self.disk.reflink(from, at)
    }

    fn rename(&self, from: &CachePath, to: &CachePath) -> io::Result<()> {
        self.fails.at(Call::Rename)?;
        self.disk.rename(from, to)
    }

    fn remove(&self, at: &CachePath) -> io::Result<()> {
        self.disk.remove(at)
    }

    fn remove_folder(&self, at: &CachePath) -> io::Result<()> {
        self.disk.remove_folder(at)
    }
}

/// Returns a hub whose cache is on such a disk.
fn hub(endpoint: &Endpoint, cache: &Path, fails: Fails) -> Hub {
    let mut config = Config::new(cache);
    config.endpoint = endpoint.clone();
    let disk = move |directory: &Path| -> io::Result<Arc<dyn Disk>> {
        Ok(Arc::new(FailingDisk { disk: Arc::new(StdDisk::new(directory)), fails }))
    };
    let mut parts = hubstow_native::parts(&config);
    parts.disk = Box::new(disk);
    Hub::with_parts(config, parts).unwrap()
}

/// Downloads one file, and a snapshot of two, and returns why that failed.
fn errors(runtime: &Runtime, endpoint: &Endpoint, fails: Fails) -> [Error; 2] {
    let folder = tempfile::tempdir().unwrap();
    let file = FileRequest::parse("acme/tiny", "a.json").unwrap();
    let snapshot = SnapshotRequest::new(file.repo.clone(), file.revision.clone());
    let single = hub(endpoint, &folder.path().join("single"), fails);
    let many = hub(endpoint, &folder.path().join("many"), fails);
    [
        runtime.block_on(single.download(&file)).unwrap_err(),
        runtime.block_on(many.snapshot(&snapshot)).unwrap_err(),
    ]
}

#[test]
fn the_number_of_the_system_survives_from_the_call_to_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("acme/tiny");
    fs::create_dir_all(&model).unwrap();
    for name in ["a.json", "b.json"] {
        fs::write(model.join(name), format!("{{ \"name\": \"{name}\" }}\n")).unwrap();
    }
    let server = Server::builder(folder.path()).build().spawn_on_loopback().unwrap();
    let endpoint = Endpoint::parse(server.url()).unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    const EIO: i32 = 5;
    const EACCES: i32 = 13;
    const ENOSPC: i32 = 28;
    const EROFS: i32 = 30;
    const EDQUOT: i32 = 122;
    for call in [Call::MakeFolder, Call::Create, Call::Write, Call::Sync, Call::Rename] {
        for (number, kind, code) in [
            (ENOSPC, ErrorKind::NoSpace, 7),
            (EDQUOT, ErrorKind::NoSpace, 7),
            (EACCES, ErrorKind::NotPermitted, 7),
            (EROFS, ErrorKind::ReadOnly, 7),
            (EIO, ErrorKind::Other, 1),
        ] {
            for error in errors(&runtime, &endpoint, Fails { call, number }) {
                let told = with_causes(&error);
                let what = format!("{call:?} fails with {number}: {told}");
                assert_eq!(error.raw_os_error(), Some(number), "{what}");
                assert_eq!((error.kind(), exit_code(error.kind())), (kind, code), "{what}");
                assert!(told.contains(&format!("os error {number}")), "{what}");
                assert!(!error.to_string().contains("os error"), "{what}");
                assert!(error.source().is_some(), "{what}");
            }
        }
    }
}
