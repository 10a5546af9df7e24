//! Which files are LFS files: the large ones, and those whose names are said.

use hubstow_core::name::FileName;

use crate::hash::Storage;

/// The size from which files are LFS files if nothing else is said, as on the hub.
const FROM_BYTES: u64 = 10 * 1024 * 1024;

/// Which files count as LFS files.
#[derive(Clone, Debug)]
pub(crate) struct LfsRules {
    pub(crate) from_bytes: u64,
    pub(crate) globs: Vec<String>,
}

impl Default for LfsRules {
    fn default() -> Self {
        Self { from_bytes: FROM_BYTES, globs: Vec::new() }
    }
}

impl LfsRules {
    /// Says how a file is stored.
    pub(crate) fn storage(&self, name: &FileName, len_bytes: u64) -> Storage {
        let named =
            || self.globs.iter().any(|glob| matches(glob.as_bytes(), name.as_str().as_bytes()));
        if len_bytes >= self.from_bytes || named() { Storage::Lfs } else { Storage::Git }
    }
}

/// Matches `*` (any run, slashes too) and `?` (any byte); everything else stands for itself.
fn matches(glob: &[u8], name: &[u8]) -> bool {
    // After a mismatch only the latest `*` needs to take one byte more, so this ends after |glob| * |name| steps.
    let (mut at, mut pos) = (0, 0);
    let mut latest_star = None;
    while pos < name.len() {
        match glob.get(at) {
            Some(b'*') => {
                latest_star = Some((at, pos));
                at += 1;
            }
            Some(byte) if *byte == b'?' || Some(byte) == name.get(pos) => {
                at += 1;
                pos += 1;
            }
            Some(_) | None => {
                let Some((star, taken)) = latest_star else {
                    return false;
                };
                latest_star = Some((star, taken + 1));
                (at, pos) = (star + 1, taken + 1);
            }
        }
    }
    glob.get(at..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_names() {
        for (glob, name, expected) in [
            ("*.bin", "a/b.bin", true),
            ("*.bin", "a.bin.txt", false),
            ("data/*", "data/x/y", true),
            ("d?ta", "data", true),
            ("*a*b*", "xxaxxbxx", true),
            ("*a*b", "ab ab a", false),
            ("", "", true),
            ("*", "", true),
            ("x", "", false),
        ] {
            assert_eq!(matches(glob.as_bytes(), name.as_bytes()), expected, "{glob} {name}");
        }
    }
}
