//! The disks that scenarios are played on. Where links are refused, the system refuses them: by a filter on the system
//! calls, or because the cache is on a FAT or exFAT filesystem that has none.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

/// A kind of disk.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum DiskKind {
    /// An ordinary one.
    Plain,
    /// `symlink` fails with EPERM, as on Windows without privilege.
    NoSymlinks,
    /// No method makes a second name: neither symlinks, nor hard links, nor reflinks.
    NoLinks,
    /// `flock` fails with ENOLCK.
    NoLocks,
    /// `flock` reports success and does nothing.
    LyingLocks,
    /// `fsync` and its kind fail with EIO.
    NoSync,
    /// A FAT filesystem.
    Fat,
    /// An exFAT filesystem.
    Exfat,
    /// One with room for 4 MiB.
    Tiny,
    /// The blobs of the repo are on a disk of their own: neither a rename nor a hard link leads from there to a pointer.
    BlobsApart,
    /// So are its refs.
    RefsApart,
}

/// Where the cache is on a disk: deep enough that a climbing name stays in the watched folder.
pub(crate) const CACHE: &str = "some/deep/cache";

impl DiskKind {
    /// Returns the word for it, as scenario files use it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::NoSymlinks => "no-symlinks",
            Self::NoLinks => "no-links",
            Self::NoLocks => "no-locks",
            Self::LyingLocks => "lying-locks",
            Self::NoSync => "no-sync",
            Self::Fat => "fat",
            Self::Exfat => "exfat",
            Self::Tiny => "tiny",
            Self::BlobsApart => "blobs-apart",
            Self::RefsApart => "refs-apart",
        }
    }

    /// Tells whether this kind is a filesystem of its own, which can't be unmounted while a file on it is open.
    pub(crate) fn is_mounted(self) -> bool {
        match self {
            Self::Fat | Self::Exfat | Self::Tiny | Self::BlobsApart | Self::RefsApart => true,
            Self::Plain
            | Self::NoSymlinks
            | Self::NoLinks
            | Self::NoLocks
            | Self::LyingLocks
            | Self::NoSync => false,
        }
    }

    /// Returns what `refuse` refuses to a command on this disk.
    pub(crate) fn refusals(self) -> &'static [&'static str] {
        match self {
            Self::NoSymlinks => &["symlink=EPERM"],
            Self::NoLinks => &["symlink=EPERM", "link=EPERM", "reflink=EOPNOTSUPP"],
            Self::NoLocks => &["flock=ENOLCK"],
            Self::LyingLocks => &["flock=OK"],
            Self::NoSync => &["fsync=EIO"],
            Self::Plain
            | Self::Fat
            | Self::Exfat
            | Self::Tiny
            | Self::BlobsApart
            | Self::RefsApart => &[],
        }
    }

    /// Says why this kind can't be had on this machine.
    pub(crate) fn missing(self) -> Option<String> {
        static FAT: OnceLock<Option<String>> = OnceLock::new();
        static EXFAT: OnceLock<Option<String>> = OnceLock::new();
        static TMPFS: OnceLock<Option<String>> = OnceLock::new();
        let tried = match self {
            Self::Fat => &FAT,
            Self::Exfat => &EXFAT,
            Self::Tiny | Self::BlobsApart | Self::RefsApart => &TMPFS,
            Self::Plain
            | Self::NoSymlinks
            | Self::NoLinks
            | Self::NoLocks
            | Self::LyingLocks
            | Self::NoSync => return None,
        };
        tried.get_or_init(|| self.try_once().err().map(|error| format!("{error:#}"))).clone()
    }

    fn try_once(self) -> Result<()> {
        let folder = tempfile::tempdir()?;
        Disk::open(self, folder.path()).map(drop)
    }
}

/// A folder on a disk of some kind. What was mounted for it is unmounted when it is dropped.
pub(crate) struct Disk {
    folder: PathBuf,
    /// Mount points, in the order of mounting, and the loop device below the first.
    mounted: Vec<PathBuf>,
    loop_device: Option<String>,
}

impl Disk {
    /// Makes a disk in an empty folder.
    ///
    /// # Errors
    /// This machine does not permit it, or lacks the programs.
    pub(crate) fn open(kind: DiskKind, folder: &Path) -> Result<Self> {
        let mut disk = Self { folder: folder.join("disk"), mounted: Vec::new(), loop_device: None };
        std::fs::create_dir(&disk.folder)?;
        let image = folder.join("image");
        match kind {
            DiskKind::Fat => disk.mount_fat(&image)?,
            DiskKind::Exfat => disk.mount_exfat(&image)?,
            DiskKind::Tiny => disk.mount(&["-t", "tmpfs", "-o", "size=4m", "tmpfs"])?,
            DiskKind::BlobsApart => disk.mount_in_repo("blobs")?,
            DiskKind::RefsApart => disk.mount_in_repo("refs")?,
            DiskKind::Plain
            | DiskKind::NoSymlinks
            | DiskKind::NoLinks
            | DiskKind::NoLocks
            | DiskKind::LyingLocks
            | DiskKind::NoSync => {}
        }
        Ok(disk)
    }

    /// Returns the folder.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes a folder of this disk read-only, for root as well.
    pub(crate) fn make_read_only(&mut self, folder: &Path) -> Result<()> {
        run(Command::new("mount").arg("--bind").args([folder, folder]))?;
        self.mounted.push(folder.to_owned());
        run(Command::new("mount").args(["-o", "remount,ro,bind"]).arg(folder))
    }

    fn mount(&mut self, arguments: &[&str]) -> Result<()> {
        run(Command::new("mount").args(arguments).arg(&self.folder))?;
        self.mounted.push(self.folder.clone());
        Ok(())
    }

    /// Puts a folder of the repo on a disk of its own.
    fn mount_in_repo(&mut self, name: &str) -> Result<()> {
        let folder = self.folder.join(CACHE).join("models--org--model").join(name);
        std::fs::create_dir_all(&folder)?;
        run(Command::new("mount").args(["-t", "tmpfs", "tmpfs"]).arg(&folder))?;
        self.mounted.push(folder);
        Ok(())
    }

    /// The kernel's own FAT where it has one, else a FUSE program.
    fn mount_fat(&mut self, image: &Path) -> Result<()> {
        run(Command::new("mkfs.vfat").arg("-C").arg(image).arg("65536"))?;
        let path = image.to_string_lossy();
        if self.mount(&["-o", "loop", &path]).is_err() {
            run(Command::new("fusefat").args(["-o", "rw+"]).arg(image).arg(&self.folder))?;
            self.mounted.push(self.folder.clone());
        }
        self.must_be_mounted()
    }

    /// The FUSE program wants a block device, hence the loop device.
    fn mount_exfat(&mut self, image: &Path) -> Result<()> {
        File::create(image)?.set_len(64 << 20)?;
        let device = answer(Command::new("losetup").args(["--find", "--show"]).arg(image))?;
        let device = device.trim().to_owned();
        self.loop_device = Some(device.clone());
        run(Command::new("mkfs.exfat").arg(&device))?;
        if self.mount(&["-t", "exfat", &device]).is_err() {
            run(Command::new("mount.exfat-fuse").arg(&device).arg(&self.folder))?;
            self.mounted.push(self.folder.clone());
        }
        self.must_be_mounted()
    }

    /// The FUSE programs report success before anything is mounted.
    fn must_be_mounted(&self) -> Result<()> {
        let point = self.folder.to_string_lossy();
        let mounts = std::fs::read_to_string("/proc/mounts")?;
        let mounted = mounts.lines().any(|line| line.split(' ').nth(1) == Some(&point));
        ensure!(mounted, "nothing was mounted at {point}");
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for point in self.mounted.iter().rev() {
            let umount = |flags: &[&str]| run(Command::new("umount").args(flags).arg(point));
            // A file may still be open for a moment after its process is gone.
            if umount(&[]).is_err()
                && let Err(error) = umount(&["--lazy"])
            {
                eprintln!("{} stays mounted: {error:#}", point.display());
            }
        }
        if let Some(device) = &self.loop_device {
            let _ = run(Command::new("losetup").args(["--detach", device]));
        }
    }
}

fn run(command: &mut Command) -> Result<()> {
    answer(command).map(drop)
}

fn answer(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().with_context(|| program.clone())?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        bail!("{program}: {}", told.lines().next().unwrap_or("it failed"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
