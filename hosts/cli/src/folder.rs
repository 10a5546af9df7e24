//! Folders as users name them: what `..` means in their paths, and where it can mean nothing.
//!
//! A system goes a way up by itself, each in its own manner, and the library leaves it to that. Where nobody goes it, a
//! path with `..` would lead to another folder than the one that was named, or out of what the program was given.

use std::path::{Path, PathBuf};

use hubstow_client::{Error, ErrorKind};

/// Who reads the paths of this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paths {
    Unix,
    Windows,
    Sandbox,
}

impl Paths {
    const HERE: Self = if cfg!(target_family = "wasm") {
        Self::Sandbox
    } else if cfg!(windows) {
        Self::Windows
    } else {
        Self::Unix
    };

    /// Returns why a path can't be used, if so.
    fn broken_rule(self, path: &str) -> Option<&'static str> {
        // The host of a sandbox may be any system, and separate by backslashes.
        let climbs = path.split(['/', '\\']).any(|part| part == "..");
        match self {
            Self::Unix => None,
            Self::Windows => (climbs && path.starts_with(r"\\?\"))
                .then_some(r"Windows takes `..` for a name in a path that starts with `\\?\`"),
            Self::Sandbox => {
                climbs.then_some("there is no way up in a sandbox, so it can't have `..`")
            }
        }
    }
}

/// Understands the folder that a flag names. A shell does not put the home directory in place of `~` behind a `=`, and
/// nobody means a folder of that name; `./~` is one.
///
/// # Errors
/// An empty path, and one that is refused by [`check`].
pub(crate) fn named(flag: &str, path: &Path) -> Result<PathBuf, Error> {
    if path.as_os_str().is_empty() {
        return Err(Error::new(ErrorKind::Usage, format!("{flag} is empty"))
            .hint("name a folder, or leave the flag out"));
    }
    let home = || hubstow_client::env_var("HOME").filter(|home| !home.is_empty());
    let path = match (path.strip_prefix("~"), home()) {
        (Ok(below), Some(home)) => Path::new(&home).join(below),
        (Ok(_) | Err(_), _) => path.to_owned(),
    };
    check(&path)?;
    Ok(path)
}

/// Checks that a folder which the user named is one that its path can lead to.
///
/// # Errors
/// A path with `..` where nobody goes the way up.
pub(crate) fn check(path: &Path) -> Result<(), Error> {
    match Paths::HERE.broken_rule(&path.to_string_lossy()) {
        None => Ok(()),
        Some(rule) => {
            let what = format!("the folder `{}` can't be used: {rule}", path.display());
            Err(Error::new(ErrorKind::Usage, what).hint("name the folder without `..`"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_up_is_refused_where_nobody_goes_it() {
        #[rustfmt::skip]
        let table = [
            // path, on Windows, in a sandbox
            ("/cache", true, true),
            ("cache/hub", true, true),
            ("/cache/..hidden/a..b/...", true, true),
            ("/cache/../x", true, false),
            ("/cache/..", true, false),
            ("../x", true, false),
            ("..", true, false),
            (r"C:\cache", true, true),
            (r"C:\a\..\b", true, false),
            ("C:/a/../b", true, false),
            (r"C:\a/..\b", true, false),
            (r"..\b", true, false),
            (r"\\server\share\..\b", true, false),
            (r"\\?\C:\a", true, true),
            (r"\\?\C:\a\..\b", false, false),
        ];
        for (path, windows, sandbox) in table {
            let is_fine = |paths: Paths| paths.broken_rule(path).is_none();
            let found = (is_fine(Paths::Unix), is_fine(Paths::Windows), is_fine(Paths::Sandbox));
            assert_eq!(found, (true, windows, sandbox), "{path}");
        }
    }
}
