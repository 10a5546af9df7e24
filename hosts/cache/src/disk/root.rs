//! Making the cache root, with all that is missing above it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// How many links that lead nowhere are followed to where folders are made.
const LINK_LIMIT: usize = 8;

/// Something that is no folder stands where one is needed.
#[derive(Debug, thiserror::Error)]
#[error("`{}` is no folder", .0.display())]
struct NoFolder(PathBuf);

/// Makes a folder and those above it. Where a link leads to what is not there, that is made: whoever has put a cache on
/// another disk may have emptied that disk.
pub(crate) fn make(root: &Path) -> io::Result<()> {
    make_through(root, LINK_LIMIT)
}

fn make_through(root: &Path, links: usize) -> io::Result<()> {
    let Err(error) = fs::create_dir_all(root) else { return Ok(()) };
    let Some(at) = in_the_way(root) else { return Err(error) };
    match fs::read_link(&at) {
        Ok(target) if links > 0 && !fs::exists(&at).unwrap_or(true) => {
            make_through(&at.parent().unwrap_or(Path::new("")).join(target), links - 1)?;
            make_through(root, links - 1)
        }
        Ok(_) | Err(_) => Err(io::Error::new(io::ErrorKind::NotADirectory, NoFolder(at))),
    }
}

/// Returns the first on the way that is there and no folder.
fn in_the_way(root: &Path) -> Option<PathBuf> {
    let mut above: Vec<&Path> = root.ancestors().collect();
    above.reverse();
    let is_there = |at: &&Path| fs::symlink_metadata(at).is_ok() && !at.is_dir();
    above.into_iter().find(is_there).map(Path::to_owned)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_that_lead_nowhere_lead_to_folders_afterwards_and_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("elsewhere/models", at("first")).unwrap();
        symlink(at("first"), at("second")).unwrap();
        make(&at("second/hub")).unwrap();
        assert!(at("elsewhere/models/hub").is_dir());
        make(&at("second/hub")).unwrap();
        fs::write(at("file"), "mine").unwrap();
        symlink("circle", at("circle")).unwrap();
        symlink("file", at("to-file")).unwrap();
        for (name, shown) in [("file", "file"), ("file/hub", "file"), ("to-file/hub", "to-file")] {
            let error = make(&at(name)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotADirectory, "{name}");
            assert!(error.to_string().contains(shown), "{error}");
        }
        assert!(make(&at("circle/hub")).is_err());
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "mine");
    }
}
