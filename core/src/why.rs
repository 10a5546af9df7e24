//! Reasons: why a decision is what it is, as data.

use crate::cases;

cases! {
    /// Why an action was chosen, or why nothing is to be done.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_core::why::Reason;
    ///
    /// let reason = Reason::from_code("pinned").ok_or("a reason")?;
    /// assert_eq!(reason.code(), "pinned");
    /// assert_eq!(reason.sentence(), "the commit is cached, and a commit never changes");
    /// # Ok(())
    /// # }
    /// ```
    pub enum Reason {
        /// Reused: the pointer is a link to the blob, and the blob holds the content.
        PointerLinked = "pointer-linked",
        /// Reused: the pointer is a regular file that holds the content.
        PointerHolds = "pointer-holds",
        /// The ref file does not name this commit yet; everything it promises is in place.
        RefBehind = "ref-behind",
        /// Whether the method works here must be known before anything is sealed.
        MethodUntried = "method-untried",
        /// Neither blob, staged file nor twin holds the content.
        NothingHere = "nothing-here",
        /// A staged file holds a part.
        PartHere = "part-here",
        /// Force: what was here before this run does not count.
        Forced = "forced",
        /// The first method of the policy works here.
        MethodWorks = "method-works",
        /// The first method of the policy is tried on the blob itself.
        MethodTried = "method-tried",
        /// Links are refused here: the file just downloaded is moved to its place.
        MovedLinksRefused = "moved-links-refused",
        /// The policy allows no links: the file just downloaded is moved to its place.
        MovedByPolicy = "moved-by-policy",
        /// Links are refused here and other snapshots may use the blob: it is copied.
        CopiedLinksRefused = "copied-links-refused",
        /// The blob is a link into another store: it is read through, and other snapshots may use it.
        CopiedBorrowed = "copied-borrowed",
        /// The policy allows no links and other snapshots may use the blob: it is copied.
        CopiedByPolicy = "copied-by-policy",
        /// No rename leads from the file just downloaded to its place, which is on another disk: it is copied.
        CopiedAcross = "copied-across",
        /// Another snapshot holds the same content as a regular file: it is used instead of a download.
        TwinHere = "twin-here",
        /// What is at the blob's path does not hold the content; it is replaced, so that every snapshot is healed.
        BlobTorn = "blob-torn",
        /// The commit asked for is cached; a commit never changes.
        Pinned = "pinned",
        /// The hub may not be asked, and the cache has the file.
        Offline = "offline",
        /// The hub did not confirm, and the cached file may be served all the same.
        StaleAllowed = "stale-allowed",
        /// The cached content is proved: the hub may answer "not modified".
        ContentKnown = "content-known",
        /// What the revision means now is not known here.
        RevisionUnknown = "revision-unknown",
        /// A "not modified" without a commit says nothing about the revision.
        AnswerBare = "answer-bare",
        /// The hub says what is meant.
        AnswerFound = "answer-found",
        /// The hub says that the commit has no such file; that is remembered.
        EntryMissing = "entry-missing",
    }
}

impl Reason {
    /// Returns one sentence for people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::PointerLinked => {
                "the snapshot already links to the blob, and the blob holds the content"
            }
            Self::PointerHolds => "the snapshot already holds the content as a regular file",
            Self::RefBehind => {
                "the ref does not name this commit yet, and everything it promises is in place"
            }
            Self::MethodUntried => {
                "whether this method works here must be known before anything is sealed"
            }
            Self::NothingHere => {
                "neither a blob, nor a staged file, nor another snapshot holds the content"
            }
            Self::PartHere => "a part is already here",
            Self::Forced => "force: what was here before this run does not count",
            Self::MethodWorks => "it is the first method of the policy, and it works here",
            Self::MethodTried => {
                "it is the first method of the policy, and nothing here has refused it"
            }
            Self::MovedLinksRefused => {
                "links are refused here, and only this run knows the file it has just downloaded"
            }
            Self::MovedByPolicy => {
                "the policy uses no links, and only this run knows the file it has just downloaded"
            }
            Self::CopiedLinksRefused => {
                "links are refused here, and other snapshots may use this blob"
            }
            Self::CopiedBorrowed => {
                "the blob is a link into another store, and what it leads to is copied"
            }
            Self::CopiedByPolicy => {
                "the policy uses no links, and other snapshots may use this blob"
            }
            Self::CopiedAcross => {
                "the file just downloaded is on another disk than its place, so no rename leads there"
            }
            Self::TwinHere => "another snapshot holds the same content as a regular file",
            Self::BlobTorn => "what is at the blob's path does not hold the content",
            Self::Pinned => "the commit is cached, and a commit never changes",
            Self::Offline => "the hub may not be asked, and the cache has the file",
            Self::StaleAllowed => {
                "the hub did not confirm it, and the cached file may be served all the same"
            }
            Self::ContentKnown => {
                "the cached content is proved, so the hub may answer that nothing has changed"
            }
            Self::RevisionUnknown => "what the revision means now is not known here",
            Self::AnswerBare => "the hub said \"not modified\" without naming a commit",
            Self::AnswerFound => "the hub says what is meant",
            Self::EntryMissing => "the hub says that the commit has no such file",
        }
    }
}

cases! {
    /// Why nothing right can be done.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_core::why::Refusal;
    ///
    /// let refusal = Refusal::from_code("not-cached").ok_or("a refusal")?;
    /// assert_eq!((refusal, refusal.code()), (Refusal::NotCached, "not-cached"));
    /// # Ok(())
    /// # }
    /// ```
    pub enum Refusal {
        /// A directory is where the pointer should be.
        PointerIsDirectory = "pointer-is-directory",
        /// A directory is where the blob should be.
        BlobIsDirectory = "blob-is-directory",
        /// Another file of the snapshot has this name on this filesystem.
        NameTaken = "name-taken",
        /// Every method of the policy is refused here.
        NoMethodLeft = "no-method-left",
        /// Force needs the hub, and the hub may not be asked.
        ForceOffline = "force-offline",
        /// Not in the cache, and the hub may not be asked.
        NotCached = "not-cached",
        /// In the cache but damaged, and the hub may not be asked.
        CacheDamaged = "cache-damaged",
        /// The commit has no such file.
        EntryNotFound = "entry-not-found",
        /// The hub does not know the revision.
        RevisionNotFound = "revision-not-found",
        /// The hub does not know the repo, or hides it.
        RepoNotFound = "repo-not-found",
        /// The hub wants a token, or refuses the one it got.
        Unauthorized = "unauthorized",
        /// The hub refuses access.
        Forbidden = "forbidden",
        /// The hub limits the rate.
        Throttled = "throttled",
        /// The hub fails.
        HubFailing = "hub-failing",
        /// The hub can't be reached.
        HubUnreachable = "hub-unreachable",
        /// The answer lacks what every hub says.
        AnswerIncomplete = "answer-incomplete",
        /// The answer holds a name that is none.
        AnswerHostile = "answer-hostile",
        /// The hub answered with another commit than the one asked for.
        OtherCommit = "other-commit",
        /// The hub answered with a status that has no meaning here.
        AnswerUnexpected = "answer-unexpected",
    }
}
