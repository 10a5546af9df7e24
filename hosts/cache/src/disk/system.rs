//! What only some systems can do. Elsewhere each is not to be had, and nothing right depends on it.

mod access;
mod boot;
mod positions;

use std::{io, path::Path};

pub(crate) use access::{is_own, keep_to_owner, owner, share_like};
pub(crate) use boot::boot;
pub(crate) use positions::{allow_holes, read_at, second_handle, write_at};

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs::File, io, num::NonZeroU64, os::unix::fs::MetadataExt as _, sync::LazyLock};

    use rustix::{
        fs::{Advice, FallocateFlags, FsWord},
        io::Errno,
    };

    /// The filesystems of which it is known that `syncfs` brings everything to the disk, with the disk's own cache, and
    /// tells every failure: ext4, XFS, Btrfs, and tmpfs, which has no disk. On an overlay, NFS, FUSE or SMB it may say
    /// yes to what a sync of the file itself would refuse.
    const FLUSHABLE: [FsWord; 4] = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994];

    /// Before 5.8, `syncfs` says nothing of bytes that could not be written.
    static TELLS_FAILURES: LazyLock<bool> = LazyLock::new(|| {
        let name = rustix::system::uname();
        tells_failures(&name.release().to_string_lossy())
    });

    pub(super) fn tells_failures(release: &str) -> bool {
        let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= (5, 8)
    }

    pub(crate) fn flushable(file: &File) -> Option<u64> {
        let kind = rustix::fs::fstatfs(file).ok()?.f_type;
        let known = *TELLS_FAILURES && FLUSHABLE.contains(&kind);
        known.then(|| file.metadata().ok()).flatten().map(|metadata| metadata.dev())
    }

    pub(crate) fn sync_all(file: &File) -> io::Result<()> {
        Ok(rustix::fs::syncfs(file)?)
    }

    pub(crate) fn reserve(file: &File, from: u64, len: u64) -> io::Result<()> {
        Ok(rustix::io::retry_on_intr(|| {
            rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, from, len)
        })?)
    }

    pub(crate) fn free(file: &File, from: u64, len: u64) -> io::Result<()> {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        Ok(rustix::io::retry_on_intr(|| rustix::fs::fallocate(file, hole, from, len))?)
    }

    /// Linux starts to write dirty pages of a range that is said to be no longer needed, and drops only those that are
    /// on the disk already.
    pub(crate) fn start_writing(file: &File, from: u64, len: u64) -> io::Result<()> {
        let len = NonZeroU64::new(len).ok_or(Errno::INVAL)?;
        Ok(rustix::fs::fadvise(file, from, Some(len), Advice::DontNeed)?)
    }
}

#[cfg(target_os = "linux")]
pub(crate) use linux::{flushable, free, reserve, start_writing, sync_all};

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::{fs::File, io};

    pub(crate) fn flushable(_file: &File) -> Option<u64> {
        None
    }

    pub(crate) fn sync_all(_file: &File) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn reserve(_file: &File, _from: u64, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn free(_file: &File, _from: u64, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn start_writing(_file: &File, _from: u64, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::{flushable, free, reserve, start_writing, sync_all};

/// Returns how many bytes this user may still write on the filesystem of a path; `None` where it does not tell, as some
/// network filesystems that report a size of zero.
#[cfg(unix)]
pub(crate) fn free_bytes(at: &Path) -> io::Result<Option<u64>> {
    let found = rustix::fs::statvfs(at)?;
    Ok((found.f_blocks > 0).then(|| found.f_bavail.saturating_mul(found.f_frsize)))
}

/// Returns the same of the volume of a folder.
#[cfg(windows)]
pub(crate) fn free_bytes(at: &Path) -> io::Result<Option<u64>> {
    use std::{os::windows::ffi::OsStrExt as _, ptr};

    use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;

    let path: Vec<u16> = at.as_os_str().encode_wide().chain([0]).collect();
    let mut free = 0;
    #[expect(unsafe_code, reason = "the standard library does not tell what is free")]
    // SAFETY: the path ends with a zero, and it and the number live for the time of the call.
    let told = unsafe {
        GetDiskFreeSpaceExW(path.as_ptr(), &raw mut free, ptr::null_mut(), ptr::null_mut())
    };
    if told == 0 { Err(io::Error::last_os_error()) } else { Ok(Some(free)) }
}

#[cfg(not(any(unix, windows)))]
pub(crate) fn free_bytes(_at: &Path) -> io::Result<Option<u64>> {
    Ok(None)
}

/// Returns how much of the disk a file takes, what is reserved for it included.
#[cfg(unix)]
pub(crate) fn allocated_bytes(metadata: &std::fs::Metadata) -> u64 {
    /// The unit in which the system counts, whatever the disk's own is.
    const UNIT_BYTES: u64 = 512;
    std::os::unix::fs::MetadataExt::blocks(metadata).saturating_mul(UNIT_BYTES)
}

#[cfg(not(unix))]
pub(crate) fn allocated_bytes(metadata: &std::fs::Metadata) -> u64 {
    metadata.len()
}

/// Tells whether the file's mode lets everybody read it.
#[cfg(unix)]
pub(crate) fn readable_by_all(metadata: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o444 == 0o444
}

#[cfg(not(unix))]
pub(crate) fn readable_by_all(_metadata: &std::fs::Metadata) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{fs::File, io::Write, os::unix::fs::MetadataExt};

    #[test]
    fn a_reserve_takes_space_and_changes_no_length() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"part").unwrap();
        if super::reserve(&file, 4, 1 << 20).is_ok() {
            let metadata = file.metadata().unwrap();
            assert_eq!(metadata.len(), 4);
            assert!(metadata.blocks() * 512 >= 1 << 20);
        }
        super::start_writing(&file, 0, 4).unwrap();
        super::start_writing(&file, 0, 0).unwrap_err();
    }

    #[test]
    fn cutting_a_file_to_its_own_length_frees_what_is_reserved_behind_it() {
        let here = std::env::current_dir().unwrap();
        for folder in ["/dev/shm".into(), std::env::temp_dir(), here] {
            let Ok(mut file) = tempfile::tempfile_in(&folder) else { continue };
            file.write_all(b"part").unwrap();
            if super::reserve(&file, 4, 1 << 20).is_err() {
                continue;
            }
            file.set_len(4).unwrap();
            let metadata = file.metadata().unwrap();
            assert_eq!(metadata.len(), 4);
            let allocated = super::allocated_bytes(&metadata);
            assert!(allocated < 1 << 18, "{allocated} in {}", folder.display());
        }
    }

    #[test]
    fn what_says_that_it_can_be_flushed_can_be() {
        let file = tempfile::tempfile().unwrap();
        if super::flushable(&file).is_some() {
            super::sync_all(&file).unwrap();
        }
        let other = File::open("/proc/self/status").unwrap();
        assert_eq!(super::flushable(&other), None, "a filesystem that is not known");
    }

    #[test]
    fn only_kernels_that_tell_failures_flush_groups() {
        for (release, tells) in [
            ("5.7.19", false),
            ("5.8.0", true),
            ("5.10.0-28-cloud-amd64", true),
            ("6.1", true),
            ("6-rc1", true),
            ("4.19.0", false),
            ("strange", false),
            ("", false),
        ] {
            assert_eq!(super::linux::tells_failures(release), tells, "{release}");
        }
    }
}
