//! Which of the folders that the host has opened a path is in.

use std::{
    io,
    path::{Component, Path},
};

/// Where a path is: the place of its folder among the opened ones, and the way from there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) folder: usize,
    pub(crate) rest: String,
}

/// Finds the way to a path from the opened folder with the longest name that fits.
///
/// # Errors
/// `PermissionDenied` for a path that is in none of them; `InvalidFilename` for one that is none in a sandbox.
pub(crate) fn way_to<'a>(
    path: &Path,
    opened: impl Iterator<Item = &'a str> + Clone,
) -> io::Result<Way> {
    let wanted = parts(path)?;
    let fitting = opened.clone().enumerate().filter_map(|(folder, name)| {
        let given = parts(Path::new(name)).ok()?;
        let rest = wanted.strip_prefix(given.as_slice())?;
        let rest = if rest.is_empty() { ".".to_owned() } else { rest.join("/") };
        Some((given.len(), Way { folder, rest }))
    });
    let longest = fitting.max_by_key(|(length, _)| *length);
    longest.map(|(_, way)| way).ok_or_else(|| {
        let what = "no folder that holds it is open to this program";
        let names: Vec<_> = opened.map(|name| format!("`{name}`")).collect();
        let what = match names.as_slice() {
            [] => format!("{what}, and none at all"),
            [one] => format!("{what}, only {one}"),
            several => format!("{what}, only {}", several.join(", ")),
        };
        io::Error::new(io::ErrorKind::PermissionDenied, what)
    })
}

/// Splits a path into its names. There is no way up in a sandbox, and to leave it out would lead elsewhere.
fn parts(path: &Path) -> io::Result<Vec<String>> {
    let normal = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_str().map(str::to_owned)),
        Component::ParentDir => Some(None),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    });
    normal.collect::<Option<_>>().ok_or_else(|| io::ErrorKind::InvalidFilename.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_in_the_opened_folder_with_the_longest_name_that_fits() {
        const OPENED: [&str; 3] = ["/data", "/data/hub", "area"];
        for (path, opened, expected) in [
            ("/data/hub/models", &OPENED[..], Ok((1, "models"))),
            ("/data/hub", &OPENED, Ok((1, "."))),
            ("/data/hubs/a/b", &OPENED, Ok((0, "hubs/a/b"))),
            ("area/a", &OPENED, Ok((2, "a"))),
            ("/area/a", &OPENED, Ok((2, "a"))),
            ("/else/a", &["."], Ok((0, "else/a"))),
            ("/else/a", &["/"], Ok((0, "else/a"))),
            ("/else/a", &OPENED, Err(io::ErrorKind::PermissionDenied)),
            ("/", &OPENED, Err(io::ErrorKind::PermissionDenied)),
            ("/data/hub", &[], Err(io::ErrorKind::PermissionDenied)),
            ("/data/../else", &OPENED, Err(io::ErrorKind::InvalidFilename)),
        ] {
            let found = way_to(Path::new(path), opened.iter().copied());
            let expected = expected.map(|(folder, rest)| Way { folder, rest: rest.to_owned() });
            assert_eq!(found.map_err(|error| error.kind()), expected, "{path} in {opened:?}");
        }
    }

    #[test]
    fn a_path_in_none_of_them_is_told_with_what_is_open() {
        for (opened, words) in [
            (&[][..], "this program, and none at all"),
            (&["/cache"], "this program, only `/cache`"),
            (&["/cache", "/work"], "this program, only `/cache`, `/work`"),
        ] {
            let error = way_to(Path::new("/else"), opened.iter().copied()).unwrap_err();
            assert!(error.to_string().ends_with(words), "{error}");
        }
    }
}
