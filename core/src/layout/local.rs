//! A local folder: what of it belongs to its clients, and what a repo may not write there.

use alloc::{borrow::ToOwned, format, string::String};

use crate::{
    layout::{CACHE_TAG, CachePath, LOCAL_STATE, RepoLayout},
    name::{FileName, NameError, foreign},
};

/// The longest name of one entry that the usual disks store.
const LONGEST_NAME_BYTES: usize = 255;
/// How much of a longer name is kept in one that stands for it.
const SHORT_NAME_BYTES: usize = 200;

/// Returns a number that tells long names with one beginning apart: FNV-1a.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

impl RepoLayout {
    /// Tells whether a file of the repo would be written into what belongs to the clients of a local folder, or in its
    /// place.
    #[must_use]
    pub fn is_reserved(&self, file: &FileName) -> bool {
        let mut state = file.parts().zip(LOCAL_STATE.split('/'));
        self.is_local() && state.all(|(part, own)| foreign::is_taken_for(part, own))
    }

    /// Checks that a file of the repo may be written where this layout has it. Users work in a local folder, and so do
    /// programs that obey what they find there.
    ///
    /// # Errors
    /// Its name belongs to somebody else.
    pub fn admit(&self, file: &FileName) -> Result<(), NameError> {
        let rule = if self.is_reserved(file) {
            "it would change what belongs to the clients of that folder"
        } else if self.is_local() && file.is_obeyed() {
            "another program obeys what stands under .git, .hg, .svn or .jj"
        } else {
            return Ok(());
        };
        Err(NameError::new("name that a local folder takes from a repo", file.as_str(), rule))
    }

    /// Returns the path of the record that the Python client keeps of a file in a local folder. Where no disk could bear
    /// that name it is a shorter one, which is ours alone.
    #[must_use]
    pub fn local_metadata(file: &FileName) -> CachePath {
        const SUFFIX: &str = ".metadata";
        let (folder, base) = file.as_str().rsplit_once('/').unwrap_or(("", file.as_str()));
        let folder = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let base = if base.len() + SUFFIX.len() <= LONGEST_NAME_BYTES {
            base.to_owned()
        } else {
            let mut end = SHORT_NAME_BYTES.min(base.len());
            while !base.is_char_boundary(end) {
                end -= 1;
            }
            format!("{}.{:016x}", base.get(..end).unwrap_or_default(), fnv1a(base.as_bytes()))
        };
        CachePath(format!("{LOCAL_STATE}/download/{folder}{base}{SUFFIX}"))
    }

    /// Returns the files that tell other programs to pass over the state in a local folder, with their content.
    #[must_use]
    pub fn local_marks() -> [(CachePath, &'static str); 2] {
        [
            (CachePath(format!("{LOCAL_STATE}/.gitignore")), "*"),
            (CachePath(format!("{LOCAL_STATE}/CACHEDIR.TAG")), CACHE_TAG),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{Repo, RepoId, RepoKind};

    #[test]
    fn a_record_has_the_name_of_its_file_or_one_that_a_disk_can_bear() {
        let base = |name: &str| {
            let at = RepoLayout::local_metadata(&FileName::parse(name).unwrap());
            assert!(at.base().len() <= LONGEST_NAME_BYTES, "{at}");
            at.as_str().strip_prefix(".cache/huggingface/download/").unwrap().to_owned()
        };
        let fits = "a".repeat(246);
        assert_eq!(base("sub/a.txt"), "sub/a.txt.metadata");
        assert_eq!(base(&fits), format!("{fits}.metadata"));
        let (one, other) = (format!("sub/{fits}bcd"), format!("sub/{fits}bce"));
        assert!(base(&one).starts_with("sub/aaaa"));
        assert_ne!(base(&one), base(&other));
        base(&"\u{e9}".repeat(125));
    }

    #[test]
    fn a_repo_can_not_write_into_the_records_of_a_local_folder() {
        let local = RepoLayout::local();
        let shared = RepoLayout::new(&Repo::new(RepoKind::Model, RepoId::parse("a/b").unwrap()));
        for (name, reserved) in [
            (".cache/huggingface/download/x.metadata", true),
            (".Cache/HuggingFace/x", true),
            (".cache/huggingface", true),
            (".cache/other/x", false),
            (".cache", true),
            ("CACHE~1/Huggin~1/x", true),
            (".cache/hugging\u{200b}face/x", true),
            ("sub/.cache/huggingface/x", false),
        ] {
            let file = FileName::parse(name).unwrap();
            assert_eq!(local.is_reserved(&file), reserved, "{name}");
            assert_eq!(local.admit(&file).is_err(), reserved, "{name}");
            assert!(!shared.is_reserved(&file), "{name}");
        }
    }

    #[test]
    fn a_repo_can_not_write_what_another_program_obeys_into_a_local_folder() {
        let local = RepoLayout::local();
        let shared = RepoLayout::new(&Repo::new(RepoKind::Model, RepoId::parse("a/b").unwrap()));
        for (name, admitted) in [
            (".git/config", false),
            (".git", false),
            ("sub/.GIT/hooks/pre-commit", false),
            ("GIT~1/config", false),
            (".hg/hgrc", false),
            (".svn/entries", false),
            (".jj/repo/config.toml", false),
            (".gitattributes", true),
            (".github/workflows/ci.yml", true),
            ("git/config", true),
        ] {
            let file = FileName::parse(name).unwrap();
            assert_eq!(local.admit(&file).is_ok(), admitted, "{name}");
            assert!(shared.admit(&file).is_ok(), "{name}");
        }
    }
}
