//! The one place that turns an operating system's error into a failure of the core's vocabulary, and the error type of
//! this crate.

#[cfg(test)]
mod tests;

use std::{error::Error as StdError, io};

use hubstow_core::{
    decide::Undecided, layout::CachePath, learn::Failure, name::NameError, policy::Method,
    why::Refusal,
};

/// What an operating system's error means, whatever its number is called there.
///
/// ```
/// use hubstow_cache::disk::failure::{ErrorGroup, group};
///
/// let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
/// assert_eq!(group(&full), ErrorGroup::NoSpace);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorGroup {
    /// This operation is not to be had here.
    Unsupported,
    /// Not permitted: for links the same as unsupported, for everything else a matter of rights.
    Denied,
    /// The two paths are on different filesystems.
    CrossDevice,
    /// The file has as many links as it can have.
    TooManyLinks,
    /// Something is there already, or is gone already.
    Raced,
    /// Somebody else has it open; it may pass.
    Busy,
    /// A handle or path went stale under us (NFS); looking again by path helps.
    Stale,
    /// The filesystem is read-only.
    ReadOnly,
    /// No space, or over quota.
    NoSpace,
    /// Too many files are open, here or on the whole system; it passes when some are closed.
    TooManyOpen,
    /// The name is too long here.
    NameTooLong,
    /// The name can't exist here.
    BadName,
    /// Anything else, such as a failing disk.
    Other,
}

/// Sorts an error into its group. Numbers come first: 1314 and ENOTSUP have no kind of their own in the standard
/// library, and EPERM and EACCES share one.
#[must_use]
pub fn group(error: &io::Error) -> ErrorGroup {
    error.raw_os_error().and_then(group_of_number).unwrap_or_else(|| group_of_kind(error.kind()))
}

#[cfg(unix)]
fn group_of_number(number: i32) -> Option<ErrorGroup> {
    use rustix::io::Errno;
    let groups: &[(Errno, ErrorGroup)] = &[
        (Errno::PERM, ErrorGroup::Denied),
        (Errno::ACCESS, ErrorGroup::Denied),
        (Errno::INVAL, ErrorGroup::Unsupported),
        (Errno::NOTSUP, ErrorGroup::Unsupported),
        (Errno::OPNOTSUPP, ErrorGroup::Unsupported),
        (Errno::NOSYS, ErrorGroup::Unsupported),
        (Errno::NOTTY, ErrorGroup::Unsupported),
        (Errno::XDEV, ErrorGroup::CrossDevice),
        (Errno::MLINK, ErrorGroup::TooManyLinks),
        (Errno::EXIST, ErrorGroup::Raced),
        (Errno::NOENT, ErrorGroup::Raced),
        (Errno::NOTDIR, ErrorGroup::Raced),
        (Errno::ISDIR, ErrorGroup::Raced),
        (Errno::NOTEMPTY, ErrorGroup::Raced),
        (Errno::BUSY, ErrorGroup::Busy),
        (Errno::TXTBSY, ErrorGroup::Busy),
        (Errno::STALE, ErrorGroup::Stale),
        (Errno::ROFS, ErrorGroup::ReadOnly),
        (Errno::NOSPC, ErrorGroup::NoSpace),
        (Errno::DQUOT, ErrorGroup::NoSpace),
        (Errno::NAMETOOLONG, ErrorGroup::NameTooLong),
        (Errno::ILSEQ, ErrorGroup::BadName),
        (Errno::MFILE, ErrorGroup::TooManyOpen),
        (Errno::NFILE, ErrorGroup::TooManyOpen),
        (Errno::LOOP, ErrorGroup::Other),
    ];
    groups.iter().find(|(errno, _)| errno.raw_os_error() == number).map(|(_, group)| *group)
}

#[cfg(windows)]
fn group_of_number(number: i32) -> Option<ErrorGroup> {
    windows_group(number)
}

#[cfg(not(any(unix, windows)))]
fn group_of_number(_number: i32) -> Option<ErrorGroup> {
    None
}

/// The Windows codes that matter, by number; compiled everywhere so that the table is tested everywhere.
#[cfg(any(windows, test))]
fn windows_group(number: i32) -> Option<ErrorGroup> {
    Some(match number {
        // ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED: what exFAT and SMB say about links.
        1 | 50 => ErrorGroup::Unsupported,
        // ERROR_PRIVILEGE_NOT_HELD: symlinks without Developer Mode. ERROR_SYMLINK_CLASS_DISABLED: a link that can't
        // be followed here.
        1314 | 1463 => ErrorGroup::Unsupported,
        // ERROR_INVALID_PARAMETER.
        87 => ErrorGroup::Unsupported,
        // ERROR_ACCESS_DENIED: a matter of rights, but where something is renamed or removed, see `of_naming`.
        5 => ErrorGroup::Denied,
        // ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION: a scanner or a reader has it open.
        32 | 33 => ErrorGroup::Busy,
        // ERROR_NOT_SAME_DEVICE.
        17 => ErrorGroup::CrossDevice,
        // ERROR_TOO_MANY_LINKS.
        1142 => ErrorGroup::TooManyLinks,
        // ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND, ERROR_FILE_EXISTS, ERROR_ALREADY_EXISTS, ERROR_DIRECTORY.
        2 | 3 | 80 | 183 | 267 => ErrorGroup::Raced,
        // ERROR_WRITE_PROTECT.
        19 => ErrorGroup::ReadOnly,
        // ERROR_HANDLE_DISK_FULL, ERROR_DISK_FULL, ERROR_DISK_QUOTA_EXCEEDED.
        39 | 112 | 1295 => ErrorGroup::NoSpace,
        // ERROR_TOO_MANY_OPEN_FILES.
        4 => ErrorGroup::TooManyOpen,
        // ERROR_INVALID_NAME.
        123 => ErrorGroup::BadName,
        // ERROR_FILENAME_EXCED_RANGE.
        206 => ErrorGroup::NameTooLong,
        // ERROR_UNTRUSTED_MOUNT_POINT: the path leads through a link that this process must not follow.
        448 => ErrorGroup::Unsupported,
        _ => return None,
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the standard library's kinds are not exhaustive"
)]
fn group_of_kind(kind: io::ErrorKind) -> ErrorGroup {
    use io::ErrorKind as Kind;
    match kind {
        Kind::Unsupported | Kind::InvalidInput => ErrorGroup::Unsupported,
        Kind::PermissionDenied => ErrorGroup::Denied,
        Kind::CrossesDevices => ErrorGroup::CrossDevice,
        Kind::TooManyLinks => ErrorGroup::TooManyLinks,
        Kind::AlreadyExists
        | Kind::NotFound
        | Kind::NotADirectory
        | Kind::IsADirectory
        | Kind::DirectoryNotEmpty => ErrorGroup::Raced,
        Kind::ResourceBusy | Kind::ExecutableFileBusy => ErrorGroup::Busy,
        Kind::StaleNetworkFileHandle => ErrorGroup::Stale,
        Kind::ReadOnlyFilesystem => ErrorGroup::ReadOnly,
        Kind::StorageFull | Kind::QuotaExceeded => ErrorGroup::NoSpace,
        Kind::InvalidFilename => ErrorGroup::BadName,
        _ => ErrorGroup::Other,
    }
}

/// Makes of an error of renaming or removing what it means. Windows says of a name that somebody has open what it says where
/// a right is lacking; whoever has come so far has written in the folder before.
pub(crate) fn of_naming(error: io::Error) -> io::Error {
    if cfg!(windows) && group(&error) == ErrorGroup::Denied {
        Reread::new("somebody may have it open", error).into_error(io::ErrorKind::ResourceBusy)
    } else {
        error
    }
}

/// Says how an operation failed; `method` is the one that the disk itself was asked for, where it was asked for one. For a
/// link a refusal of any colour means "not here"; for everything else it is fatal, because nothing better is left.
#[must_use]
pub fn failure_of(method: Option<Method>, error: &io::Error) -> Failure {
    let link = match method {
        Some(Method::Symlink | Method::Hardlink | Method::Reflink) => true,
        Some(Method::Move | Method::Copy) | None => false,
    };
    match group(error) {
        ErrorGroup::Raced | ErrorGroup::Stale => Failure::Raced,
        ErrorGroup::Unsupported
        | ErrorGroup::Denied
        | ErrorGroup::CrossDevice
        | ErrorGroup::TooManyLinks
        | ErrorGroup::ReadOnly
        | ErrorGroup::Busy
            if link =>
        {
            Failure::Unsupported
        }
        ErrorGroup::Unsupported
        | ErrorGroup::Denied
        | ErrorGroup::CrossDevice
        | ErrorGroup::TooManyLinks
        | ErrorGroup::Busy
        | ErrorGroup::ReadOnly
        | ErrorGroup::NoSpace
        | ErrorGroup::TooManyOpen
        | ErrorGroup::NameTooLong
        | ErrorGroup::BadName
        | ErrorGroup::Other => Failure::Fatal,
    }
}

/// Whatever colour a refusal of a link has, or of reading through one, it means "not here"; only a full disk, too many
/// open files and a handle that went stale say nothing of links.
pub(crate) fn as_unsupported(error: io::Error) -> io::Error {
    match group(&error) {
        ErrorGroup::NoSpace | ErrorGroup::TooManyOpen | ErrorGroup::Stale => error,
        ErrorGroup::Unsupported
        | ErrorGroup::Denied
        | ErrorGroup::CrossDevice
        | ErrorGroup::TooManyLinks
        | ErrorGroup::Raced
        | ErrorGroup::Busy
        | ErrorGroup::ReadOnly
        | ErrorGroup::NameTooLong
        | ErrorGroup::BadName
        | ErrorGroup::Other => {
            Reread::new("it is not to be had here", error).into_error(io::ErrorKind::Unsupported)
        }
    }
}

/// A system's error that means something else where it came up than its number says; the error itself is its source.
#[derive(Debug, thiserror::Error)]
#[error("{meaning}")]
pub(crate) struct Reread {
    meaning: &'static str,
    source: io::Error,
}

impl Reread {
    pub(crate) fn new(meaning: &'static str, source: io::Error) -> Self {
        Self { meaning, source }
    }

    /// Makes the error that is sorted by this kind and no more by its number.
    pub(crate) fn into_error(self, kind: io::ErrorKind) -> io::Error {
        io::Error::new(kind, self)
    }
}

/// Returns an error and its causes, outermost first.
pub fn causes<'e>(
    error: &'e (dyn StdError + 'static),
) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'e (dyn StdError + 'static)| {
        let error = *error;
        // What an `io::Error` holds is not its source, but it itself; only what is below that is its source.
        let held = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match held {
            Some(held) => Some(held as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

/// Returns the system's error that an error comes from: the outermost one with a number, or else the innermost one.
#[must_use]
pub fn io_error<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e io::Error> {
    let ours = || causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    ours().find(|cause| cause.raw_os_error().is_some()).or_else(|| ours().last())
}

/// Writes an error and its causes on one line, outermost first. What a foreign error repeats of its cause is said once.
#[must_use]
pub fn with_causes(error: &(dyn StdError + 'static)) -> String {
    let (mut text, mut last) = (String::new(), String::new());
    for cause in causes(error) {
        let words = cause.to_string();
        if words.is_empty() || last.contains(&words) {
            continue;
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&words);
        last = words;
    }
    text
}

/// An error of this crate. What it says of itself does not repeat what its source says; [`with_causes`] says all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FsError {
    /// The system refused an operation on a path of the cache.
    #[error("can't {what} `{path}` in the cache")]
    Io {
        /// What was to be done, as a verb with its object's preposition.
        what: &'static str,
        /// The path, relative to the cache root.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// The disk refused a method of placing, or made something that can't be read.
    #[error("can't {method} to `{path}` in the cache")]
    Method {
        /// The method.
        method: Method,
        /// The path that was to be made, relative to the cache root.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// Something that is no path failed.
    #[error("can't {what}")]
    Other {
        /// What was to be done.
        what: &'static str,
        /// The cause.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// A folder of the cache is a link to elsewhere; nothing is written through it.
    #[error("`{path}` in the cache is a link to elsewhere, not a folder")]
    FolderIsLink {
        /// The path, relative to the cache root.
        path: String,
    },
    /// Something that is no folder stands where the cache root is to be, or above it.
    #[error("can't make the folder `{path}`")]
    NoFolder {
        /// The cache root.
        path: String,
        /// What stands there.
        source: io::Error,
    },
    /// The name of a file belongs to somebody else where it would be written.
    #[error(transparent)]
    NotAdmitted(#[from] NameError),
    /// Something of the cache can't be read by this user.
    #[error("can't read `{path}`{}", belonging(owner.as_deref()))]
    Closed {
        /// The path, as the user's system knows it.
        path: String,
        /// Who owns it, where that is known.
        owner: Option<String>,
        /// The system's error.
        source: io::Error,
    },
    /// The core refused.
    #[error("refused: {refusal}")]
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// An action that nothing here can carry out (invariant I25).
    #[error("the decision `{action}` is not possible for what is there; nothing was changed")]
    ImpossibleAction {
        /// The action, as text.
        action: String,
    },
    /// There is no decision, or none that is possible for what is there.
    #[error(transparent)]
    Undecided(#[from] Undecided),
    /// Others changed the cache at every turn.
    #[error("others kept changing `{path}` in the cache; gave up after {rounds} rounds")]
    Unsettled {
        /// The pointer, relative to the cache root.
        path: String,
        /// How often it was tried.
        rounds: usize,
    },
}

fn belonging(owner: Option<&str>) -> String {
    owner.map_or_else(String::new, |owner| format!(", which belongs to {owner}"))
}

impl FsError {
    pub(crate) fn io(what: &'static str, path: &CachePath, source: io::Error) -> Self {
        Self::Io { what, path: path.as_str().to_owned(), source }
    }

    pub(crate) fn method(method: Method, path: &CachePath, source: io::Error) -> Self {
        Self::Method { method, path: path.as_str().to_owned(), source }
    }

    pub(crate) fn other(
        what: &'static str,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::Other { what, source: source.into() }
    }

    /// Returns the group of the system's error behind this one, if there is one.
    #[must_use]
    pub fn group(&self) -> Option<ErrorGroup> {
        match self {
            Self::Io { source, .. } | Self::Method { source, .. } | Self::Closed { source, .. } => {
                Some(group(source))
            }
            Self::Other { .. }
            | Self::FolderIsLink { .. }
            | Self::NoFolder { .. }
            | Self::NotAdmitted(_)
            | Self::Refused { .. }
            | Self::ImpossibleAction { .. }
            | Self::Undecided(_)
            | Self::Unsettled { .. } => None,
        }
    }

    /// Returns the system's error behind this one, if there is one.
    #[must_use]
    pub fn io_error(&self) -> Option<&io::Error> {
        io_error(self)
    }
}
