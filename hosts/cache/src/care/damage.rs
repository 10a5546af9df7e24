//! What is wrong in a cache, each with its place. Damage hides nothing else.

use std::fmt;

use hubstow_core::layout::CachePath;

/// How much something that is wrong matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// It takes space, or is not looked into; whoever reads the cache reads what is right.
    Litter,
    /// A client reads what is wrong, misses what should be there, or shows less than there is.
    Harm,
}

/// What is wrong with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
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
    /// A link of a snapshot leads back to itself.
    LinkGoesRound,
    /// A link of a snapshot leads to a folder.
    LinkLeadsToFolder,
    /// A pipe, a socket or a device stands where a file belongs.
    NotAFile,
    /// A folder has the name of a blob.
    BlobIsFolder,
    /// A folder stands where the listing has a file.
    FileIsFolder,
    /// It holds nothing, and should.
    Empty,
    /// It is shorter than it should be.
    Truncated,
    /// It is longer than it should be.
    TooLong,
    /// All its bytes are zero, and should not be.
    Zeros,
    /// Its hash is another one.
    WrongHash,
    /// It holds the content of another file.
    HoldsOther,
    /// It is a file that holds the text of the link that it should be.
    FlattenedLink,
    /// It holds the text that git keeps in the place of large files.
    LfsPointer,
    /// Its link leads to content that is whole, and not what the listing says.
    OtherThanListed,
    /// A ref says more than the 40 digits of its commit; not every client reads past that.
    RefUntidy,
    /// An empty folder stands among the refs, and keeps a ref of that name from being written.
    RefIsFolder,
    /// The list of what is pinned can't be understood.
    PinsDamaged,
    /// A kept listing can't be understood.
    ListingDamaged,
    /// A kept listing is not what the hub says.
    ListingDiffers,
    /// A marker says that a file does not exist, and it is here.
    MarkerWrong,
    /// A line in the list of a shared content's users names none.
    UsersDamaged,
    /// The list of a shared content's users lacks one, so that another tool may remove the content.
    UserMissing,
    /// A download that nobody goes on with.
    Leftover,
    /// Two names differ in nothing but case; not every disk tells them apart.
    NamesClash,
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
            Self::LinkGoesRound => "link-goes-round",
            Self::LinkLeadsToFolder => "link-leads-to-folder",
            Self::NotAFile => "not-a-file",
            Self::BlobIsFolder => "blob-is-folder",
            Self::FileIsFolder => "file-is-folder",
            Self::Empty => "empty",
            Self::Truncated => "truncated",
            Self::TooLong => "too-long",
            Self::Zeros => "zeros",
            Self::WrongHash => "wrong-hash",
            Self::HoldsOther => "holds-other",
            Self::FlattenedLink => "flattened-link",
            Self::LfsPointer => "lfs-pointer",
            Self::OtherThanListed => "other-than-listed",
            Self::RefUntidy => "ref-untidy",
            Self::RefIsFolder => "ref-is-folder",
            Self::PinsDamaged => "pins-damaged",
            Self::ListingDamaged => "listing-damaged",
            Self::ListingDiffers => "listing-differs",
            Self::MarkerWrong => "marker-wrong",
            Self::UsersDamaged => "users-damaged",
            Self::UserMissing => "user-missing",
            Self::Leftover => "leftover",
            Self::NamesClash => "names-clash",
        }
    }

    /// Tells whether nobody knows because of it what of a repo is needed.
    #[must_use]
    pub fn is_doubt(self) -> bool {
        matches!(self, Self::Unreadable | Self::RefDamaged | Self::RefIsFolder | Self::PinsDamaged)
    }

    /// Returns how much it matters.
    #[must_use]
    pub fn weight(self) -> Weight {
        let is_litter = matches!(
            self,
            Self::RepoIsLink
                | Self::RepoIsFile
                | Self::NoSnapshots
                | Self::UsersDamaged
                | Self::Leftover
                | Self::NamesClash
        );
        if is_litter { Weight::Litter } else { Weight::Harm }
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
            Self::LinkGoesRound => "the link leads back to itself",
            Self::LinkLeadsToFolder => "the link leads to a folder",
            Self::NotAFile => "it is neither a file nor a link",
            Self::BlobIsFolder => "a folder has the name of a blob",
            Self::FileIsFolder => "a folder stands where the listing has a file",
            Self::Empty => "it is empty, and should not be",
            Self::Truncated => "it is shorter than it should be",
            Self::TooLong => "it is longer than it should be",
            Self::Zeros => "all its bytes are zero",
            Self::WrongHash => "its hash is not the one that it should have",
            Self::HoldsOther => "it holds the content of another file",
            Self::FlattenedLink => "it holds the text of a link, and should be that link",
            Self::LfsPointer => "it holds git's text about a large file, and not that file",
            Self::OtherThanListed => "what it leads to is whole, and not what the listing says",
            Self::RefUntidy => {
                "the ref says more than its commit, and not every client reads past that"
            }
            Self::RefIsFolder => "an empty folder keeps a ref of this name from being written",
            Self::PinsDamaged => "the list of what is pinned can't be understood",
            Self::ListingDamaged => "the kept listing can't be understood",
            Self::ListingDiffers => "the kept listing is not what the hub says",
            Self::MarkerWrong => "the marker says that the file does not exist, and it is here",
            Self::UsersDamaged => "a line names nobody who uses the shared content",
            Self::UserMissing => {
                "the list of its users lacks one, so another tool may remove what that one needs"
            }
            Self::Leftover => "it is left of a download that nobody goes on with",
            Self::NamesClash => "another name differs from it in nothing but case",
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
