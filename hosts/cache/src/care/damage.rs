//! What is wrong in a cache, each with its place. Damage hides nothing else.

use std::fmt;

use hubstow_core::layout::CachePath;

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flaw {
    /// A repo folder is a link; it is not followed.
    RepoIsLink,
    /// Its name is that of a repo folder, and it is a file.
    RepoIsFile,
    /// A folder can't be read.
    Unreadable,
    /// A file has the name of a folder of the cache.
    NoFolder,
    /// A file stands among the snapshots, or a folder among the blobs.
    Misplaced,
    /// A ref names no commit.
    RefDamaged,
    /// A ref names a commit without a snapshot.
    RefLeadsNowhere,
    /// A link of a snapshot leads to nothing that is there.
    LinkLeadsNowhere,
    /// A link of a snapshot leads out of the cache directory; it is not followed.
    LinkLeadsOutside,
    /// A repo without snapshots.
    NoSnapshots,
}

impl Flaw {
    /// Returns the stable code, as JSON shows it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::RepoIsLink => "repo-is-link",
            Self::RepoIsFile => "repo-is-file",
            Self::Unreadable => "unreadable",
            Self::NoFolder => "no-folder",
            Self::Misplaced => "misplaced",
            Self::RefDamaged => "ref-damaged",
            Self::RefLeadsNowhere => "ref-leads-nowhere",
            Self::LinkLeadsNowhere => "link-leads-nowhere",
            Self::LinkLeadsOutside => "link-leads-outside",
            Self::NoSnapshots => "no-snapshots",
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RepoIsLink => "the repo folder is a link, and is not followed",
            Self::RepoIsFile => "it is named like a repo folder, and is a file",
            Self::Unreadable => "it can't be read",
            Self::NoFolder => "it is no folder, and every client takes it for one",
            Self::Misplaced => "it does not belong there",
            Self::RefDamaged => "the ref names no commit",
            Self::RefLeadsNowhere => "the ref names a commit that has no snapshot",
            Self::LinkLeadsNowhere => "the link leads to nothing that is there",
            Self::LinkLeadsOutside => "the link leads out of the cache, and is not followed",
            Self::NoSnapshots => "the repo has no snapshots",
        })
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where.
    pub at: CachePath,
    /// What.
    pub flaw: Flaw,
    /// What the system says, where it has said something.
    pub said: Option<String>,
}

impl Damage {
    pub(crate) fn new(at: &CachePath, flaw: Flaw) -> Self {
        Self { at: at.clone(), flaw, said: None }
    }
}
