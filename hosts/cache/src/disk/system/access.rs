//! Who may write what. Where a system has neither owners nor modes, everything is the user's own.

#[cfg(unix)]
mod unix {
    use std::{
        fs::{self, Metadata, Permissions},
        io,
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
        path::Path,
    };

    use rustix::process::geteuid;

    /// The bits that let others than the owner write.
    const OTHERS_WRITE: u32 = 0o022;
    const GROUP_WRITES: u32 = 0o020;
    /// What of a mode is a matter of access; with the bit by which what is made in a folder gets its group.
    const ACCESS: u32 = 0o2777;
    /// What of that a file has: nothing in it is run or entered.
    const ACCESS_OF_FILE: u32 = 0o666;

    pub(crate) fn is_own(metadata: &Metadata) -> bool {
        let owner = metadata.uid();
        (owner == geteuid().as_raw() || owner == 0) && metadata.mode() & OTHERS_WRITE == 0
    }

    pub(crate) fn owner(metadata: &Metadata) -> Option<String> {
        let number = metadata.uid();
        Some(match uzers::get_user_by_uid(number) {
            Some(user) => format!("{} (uid {number})", user.name().to_string_lossy()),
            None => format!("uid {number}"),
        })
    }

    pub(crate) fn keep_to_owner(at: &Path) -> io::Result<()> {
        let mode = fs::symlink_metadata(at)?.mode();
        if mode & OTHERS_WRITE == 0 {
            return Ok(());
        }
        fs::set_permissions(at, Permissions::from_mode(mode & 0o7777 & !OTHERS_WRITE))
    }

    /// Where the group can't be had, its members get no right to write: that would be another group's.
    pub(crate) fn share_like(at: &Path, other: &Path) -> io::Result<()> {
        let (made, like) = (fs::symlink_metadata(at)?, fs::metadata(other)?);
        let mut mode = like.mode() & if made.is_dir() { ACCESS } else { ACCESS_OF_FILE };
        if made.gid() != like.gid()
            && std::os::unix::fs::lchown(at, None, Some(like.gid())).is_err()
        {
            mode &= !GROUP_WRITES;
        }
        if made.mode() & ACCESS == mode {
            return Ok(());
        }
        fs::set_permissions(at, Permissions::from_mode(mode))
    }
}

#[cfg(unix)]
pub(crate) use unix::{is_own, keep_to_owner, owner, share_like};

#[cfg(not(unix))]
mod elsewhere {
    use std::{fs::Metadata, io, path::Path};

    pub(crate) fn is_own(_metadata: &Metadata) -> bool {
        true
    }

    pub(crate) fn owner(_metadata: &Metadata) -> Option<String> {
        None
    }

    #[expect(clippy::unnecessary_wraps, reason = "elsewhere there is something to fail")]
    pub(crate) fn keep_to_owner(_at: &Path) -> io::Result<()> {
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "elsewhere there is something to fail")]
    pub(crate) fn share_like(_folder: &Path, _other: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(not(unix))]
pub(crate) use elsewhere::{is_own, keep_to_owner, owner, share_like};

#[cfg(all(test, unix))]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    };

    #[test]
    fn what_others_can_write_is_not_our_own_until_it_is_kept_to_its_owner() {
        for (mode, own, kept) in [
            (0o755, true, 0o755),
            (0o775, false, 0o755),
            (0o2777, false, 0o2755),
            (0o700, true, 0o700),
        ] {
            let folder = tempfile::tempdir().unwrap();
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            let is_own = || super::is_own(&fs::symlink_metadata(folder.path()).unwrap());
            assert_eq!(is_own(), own, "{mode:o}");
            super::keep_to_owner(folder.path()).unwrap();
            assert!(is_own(), "{mode:o}");
            let now = fs::metadata(folder.path()).unwrap().mode() & 0o7777;
            assert_eq!(now, kept, "{mode:o}");
        }
    }

    #[test]
    fn a_file_gets_what_of_the_mode_of_a_folder_is_of_use_to_it() {
        for (like, mode) in [(0o2775, 0o664), (0o700, 0o600), (0o755, 0o644)] {
            let folder = tempfile::tempdir().unwrap();
            let file = tempfile::NamedTempFile::new().unwrap();
            fs::set_permissions(folder.path(), Permissions::from_mode(like)).unwrap();
            super::share_like(file.path(), folder.path()).unwrap();
            assert_eq!(fs::metadata(file.path()).unwrap().mode() & 0o7777, mode, "{like:o}");
        }
    }

    #[test]
    fn a_folder_gets_the_mode_of_another() {
        for mode in [0o2775, 0o700, 0o755] {
            let (made, like) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            fs::set_permissions(like.path(), Permissions::from_mode(mode)).unwrap();
            super::share_like(made.path(), like.path()).unwrap();
            assert_eq!(fs::metadata(made.path()).unwrap().mode() & 0o7777, mode, "{mode:o}");
        }
    }
}
