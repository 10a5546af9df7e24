use super::*;

#[test]
fn windows_codes_are_sorted_as_the_table_says() {
    for (code, group) in [
        (1, ErrorGroup::Unsupported),
        (4, ErrorGroup::TooManyOpen),
        (5, ErrorGroup::Denied),
        (17, ErrorGroup::CrossDevice),
        (32, ErrorGroup::Busy),
        (50, ErrorGroup::Unsupported),
        (80, ErrorGroup::Raced),
        (183, ErrorGroup::Raced),
        (448, ErrorGroup::Unsupported),
        (1314, ErrorGroup::Unsupported),
        (1463, ErrorGroup::Unsupported),
    ] {
        assert_eq!(windows_group(code), Some(group), "Windows error {code}");
    }
}

#[test]
fn the_number_of_the_system_is_reached_from_whatever_it_became() {
    let number = || io::Error::from_raw_os_error(28);
    let path = CachePath::root();
    let reread = |kind| Reread::new("not here", number()).into_error(kind);
    let errors = [
        FsError::io("write", &path, number()),
        FsError::io("write", &path, io::Error::other(number())),
        FsError::io("make the folder", &path, reread(io::ErrorKind::Other)),
        FsError::method(Method::Symlink, &path, reread(io::ErrorKind::Unsupported)),
        FsError::method(Method::Symlink, &path, as_unsupported(number())),
        FsError::other("take random bits", number()),
        FsError::other("take random bits", FsError::io("read", &path, number())),
    ];
    for error in errors {
        let text = error.to_string();
        assert_eq!(error.io_error().and_then(io::Error::raw_os_error), Some(28), "{text}");
        let source = error.source().map(ToString::to_string).unwrap_or_default();
        assert!(!source.is_empty() && !text.contains(&source), "{text}: {source}");
        assert_eq!(with_causes(&error).matches("os error 28").count(), 1, "{text}");
    }
    assert!(FsError::Refused { refusal: Refusal::NotCached }.io_error().is_none());
}

#[cfg(unix)]
#[test]
fn a_refused_link_is_unsupported_and_a_refused_copy_is_fatal() {
    use rustix::io::Errno;
    let refusals = [
        Errno::PERM,
        Errno::ACCESS,
        Errno::INVAL,
        Errno::NOTSUP,
        Errno::OPNOTSUPP,
        Errno::NOSYS,
        Errno::XDEV,
        Errno::MLINK,
        Errno::ROFS,
    ];
    for errno in refusals {
        let error = io::Error::from_raw_os_error(errno.raw_os_error());
        for method in [Method::Symlink, Method::Hardlink, Method::Reflink] {
            assert_eq!(failure_of(Some(method), &error), Failure::Unsupported, "{errno}");
        }
        assert_eq!(failure_of(Some(Method::Copy), &error), Failure::Fatal, "{errno}");
    }
    for errno in [Errno::NOSPC, Errno::DQUOT, Errno::MFILE, Errno::NAMETOOLONG, Errno::IO] {
        let error = io::Error::from_raw_os_error(errno.raw_os_error());
        assert_eq!(failure_of(Some(Method::Symlink), &error), Failure::Fatal, "{errno}");
    }
    for errno in [Errno::EXIST, Errno::NOENT, Errno::STALE] {
        let error = io::Error::from_raw_os_error(errno.raw_os_error());
        assert_eq!(failure_of(Some(Method::Symlink), &error), Failure::Raced, "{errno}");
    }
}
