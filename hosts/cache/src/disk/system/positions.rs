//! Reading and writing at offsets, in whatever order.

use std::{fs::File, io};

#[cfg(unix)]
pub(crate) fn write_at(file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
pub(crate) fn read_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, into, offset)
}

#[cfg(windows)]
pub(crate) fn write_at(file: &File, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = bytes.get(count..).unwrap_or_default();
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(windows)]
pub(crate) fn read_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, offset)
}

#[cfg(not(any(unix, windows)))]
pub(crate) fn write_at(mut file: &File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
    io::Write::write_all(&mut file, bytes)
}

#[cfg(not(any(unix, windows)))]
pub(crate) fn read_at(mut file: &File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    io::Seek::seek(&mut file, io::SeekFrom::Start(offset))?;
    io::Read::read(&mut file, into)
}

#[cfg(any(unix, windows))]
pub(crate) fn second_handle(file: &File) -> io::Result<File> {
    file.try_clone()
}

#[cfg(not(any(unix, windows)))]
pub(crate) fn second_handle(_file: &File) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Filesystems that write zeros up to wherever a file is written: FAT, exFAT, HFS, HFS+ and NTFS by Linux's own driver.
#[cfg(target_os = "linux")]
const WITHOUT_HOLES: [rustix::fs::FsWord; 5] = [0x4d44, 0x2011_bab0, 0x4244, 0x482b, 0x7366_746e];

#[cfg(target_os = "linux")]
pub(crate) fn allow_holes(file: &File) -> io::Result<()> {
    let kind = rustix::fs::fstatfs(file)?.f_type;
    if WITHOUT_HOLES.contains(&kind) { Err(io::ErrorKind::Unsupported.into()) } else { Ok(()) }
}

/// Of what macOS has, only APFS is known to have holes.
#[cfg(target_os = "macos")]
pub(crate) fn allow_holes(file: &File) -> io::Result<()> {
    let kind = rustix::fs::fstatfs(file)?.f_fstypename;
    let name = kind.iter().map(|unit| unit.cast_unsigned()).take_while(|unit| *unit != 0);
    if name.eq(*b"apfs") { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
}

/// On NTFS a file has holes only once it is said to be sparse.
#[cfg(windows)]
pub(crate) fn allow_holes(file: &File) -> io::Result<()> {
    use std::os::windows::io::AsRawHandle as _;
    use windows_sys::Win32::System::{IO::DeviceIoControl, Ioctl::FSCTL_SET_SPARSE};

    let (mut returned, handle) = (0, file.as_raw_handle());
    #[expect(unsafe_code, reason = "the standard library does not say that a file is sparse")]
    // SAFETY: the handle is open for the time of the call, which takes no buffers and is not overlapped.
    let done = unsafe {
        DeviceIoControl(
            handle,
            FSCTL_SET_SPARSE,
            std::ptr::null(),
            0,
            std::ptr::null_mut(),
            0,
            &raw mut returned,
            std::ptr::null_mut(),
        )
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
pub(crate) fn allow_holes(_file: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
