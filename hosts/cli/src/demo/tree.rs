//! A folder as a tree, the way people draw the cache: sizes for files, arrows for links, hashes cut short.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::output::{self, FAINT, NAME, TITLE, styled};

/// So much of a hash tells two apart.
const HASH_SHOWN: usize = 8;
/// Sizes and arrows begin at this column.
const NAME_COLUMNS: usize = 36;

/// Draws a folder with all that is below it, names in order; hidden entries are left out.
pub(super) fn draw(root: &Path) -> io::Result<String> {
    let name = root.file_name().unwrap_or(root.as_os_str()).to_string_lossy();
    let mut lines = vec![styled(TITLE, name)];
    draw_below(root, "", &mut lines)?;
    Ok(lines.join("\n"))
}

fn draw_below(folder: &Path, indent: &str, lines: &mut Vec<String>) -> io::Result<()> {
    let paths = entries(folder)?;
    let last = paths.len().saturating_sub(1);
    for (index, path) in paths.iter().enumerate() {
        let (branch, below) =
            if index == last { ("└── ", "    ") } else { ("├── ", "│   ") };
        let name = shortened(&path.file_name().unwrap_or_default().to_string_lossy());
        let start = format!("{indent}{branch}{name}");
        let metadata = fs::symlink_metadata(path)?;
        if metadata.is_dir() && entries(path)?.is_empty() {
            lines.push(format!("{start:<NAME_COLUMNS$} {}", styled(FAINT, "(empty)")));
        } else if metadata.is_dir() {
            lines.push(start);
            draw_below(path, &format!("{indent}{below}"), lines)?;
        } else if metadata.is_symlink() {
            let target = fs::read_link(path)?;
            let blob = shortened(&target.file_name().unwrap_or_default().to_string_lossy());
            lines.push(format!(
                "{start:<NAME_COLUMNS$} {}",
                styled(NAME, format_args!("-> blob {blob}"))
            ));
        } else if folder.ends_with("refs") {
            let commit = shortened(fs::read_to_string(path)?.trim());
            lines.push(format!("{start:<NAME_COLUMNS$} {}", styled(FAINT, commit)));
        } else {
            let size = output::size(metadata.len());
            lines.push(format!("{start:<NAME_COLUMNS$} {size:>9}"));
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Cuts a hash, also before an extension; any other name stays as it is.
fn shortened(name: &str) -> String {
    let (stem, extension) = name.split_once('.').map_or((name, None), |(s, e)| (s, Some(e)));
    if stem.len() < 40 || !stem.bytes().all(|b| b.is_ascii_hexdigit()) {
        return name.to_owned();
    }
    let mut short: String = stem.chars().take(HASH_SHOWN).chain(['…']).collect();
    if let Some(extension) = extension {
        short.push('.');
        short.push_str(extension);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_cut_and_names_are_not() {
        assert_eq!(shortened("0123456789abcdef0123456789abcdef01234567"), "01234567…");
        assert_eq!(shortened("0123456789abcdef0123456789abcdef01234567.json"), "01234567….json");
        assert_eq!(shortened("config.json"), "config.json");
    }

    #[cfg(unix)]
    #[test]
    fn a_tree_shows_sizes_links_and_refs() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("models--o--n");
        for folder in ["blobs", "refs", "snapshots/c0"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("blobs/e1"), "12345").unwrap();
        fs::write(root.join("refs/main"), "c0").unwrap();
        std::os::unix::fs::symlink("../../blobs/e1", root.join("snapshots/c0/a")).unwrap();
        let text = anstream::adapter::strip_str(&draw(&root).unwrap()).to_string();
        let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["models--o--n"]);
        assert_eq!(rows[2], ["│", "└──", "e1", "5", "B"]);
        assert_eq!(rows[4], ["│", "└──", "main", "c0"]);
        assert_eq!(rows[7], ["└──", "a", "->", "blob", "e1"]);
    }
}
