//! What the HEAD of a file leaves open, or what speaks against it, is looked up elsewhere: the commit at the revision, hash
//! and size in the listing.
//!
//! A mirror may answer with an etag of its own or with none, without a commit, or to no HEAD at all, and list the same as
//! the hub behind it. INVARIANT (I13): nothing becomes right by being told twice; a hash is proved by the content.

use http::{HeaderMap, StatusCode};
use hubstow_core::{
    action::Lookup as Kind,
    facts::Answer,
    hub::{Metadata, Reply},
    name::{Commit, ContentHash, Etag},
};

use super::{
    entry::{Entry, OfCommit},
    head::{Found, Lookup},
    json::Unlisted,
};
use crate::{
    api::{error::Error, event::Event},
    http::{address::core_headers, session::Http},
};

/// From this size on a git hash is looked into before it is believed: files that large are in git LFS, and some hubs name them by
/// the hash of their pointer in git.
const LARGE_BYTES: u64 = 11 << 20;
/// The hashes of no content at all.
const OF_NOTHING: [&str; 2] = [
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
];

/// How far what was said of a content may be contradicted by the header of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// A HEAD has said it, and nothing else was asked.
    First,
    /// The listing has said it, or a HEAD where no listing does. A hash that is known so is proved by the content alone.
    Final,
}

/// What came of content that had been promised before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// The hub does not know it any more.
    Gone,
    /// The answer to the GET spoke of other content.
    Contradicted,
    /// What came is something else.
    Unfit,
}

/// What is cached of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CachedEtag<'a> {
    pub(crate) commit: &'a Commit,
    pub(crate) etag: &'a Etag,
}

/// An answer to a HEAD, as it came.
pub(crate) struct Said {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
}

impl Http {
    /// Looks up what an answer leaves open. Where that can't be had, the answer stays what it is.
    ///
    /// # Errors
    /// Nobody could say, or not truly, what the answer means.
    pub(super) async fn complete(
        &self,
        lookup: &Lookup<'_>,
        mut found: Found,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Found, Error> {
        if !found.may_be_completed() {
            return Ok(found);
        }
        let site = self.route().site();
        let commit = match (&found.reply.commit, lookup.revision.as_commit()) {
            (Some(commit), _) => commit.clone(),
            (None, Some(pinned)) => pinned,
            (None, None) => {
                let Lookup { repo, revision, patience, .. } = *lookup;
                match self.commit_of(repo, revision, patience, tell).await {
                    Ok(commit) => commit,
                    Err(unknown) => {
                        not_looked_up(lookup, &unknown);
                        return Ok(found);
                    }
                }
            }
        };
        self.read_as_of(lookup, &commit, &mut found)?;
        found.forget_no_size();
        // What one endpoint says of the file need not be so at the commit that another one names.
        let is_of_another = self.route().site() != site;
        if !is_of_another && !found.is_doubtful(lookup) {
            return Ok(found);
        }
        let of = OfCommit { repo: lookup.repo, revision: lookup.revision, commit: &commit };
        let entry = self.entry(of, lookup.file, lookup.patience, tell).await;
        let entry = entry.unwrap_or_else(|unknown| {
            not_looked_up(lookup, &unknown);
            Entry::Unknown
        });
        found.listed(lookup, commit, entry);
        Ok(found)
    }

    /// Reads an answer that names no commit as what it says of this one.
    fn read_as_of(
        &self,
        lookup: &Lookup<'_>,
        commit: &Commit,
        found: &mut Found,
    ) -> Result<(), Error> {
        let Some(said) = &found.said else { return Ok(()) };
        if found.reply.commit.is_some() || said.status.as_u16() >= 400 {
            return Ok(());
        }
        let mut headers = core_headers(&said.headers);
        headers.repo_commit = Some(commit.as_str());
        let status = said.status.as_u16();
        found.reply = self.decider.read_head(status, &headers, lookup.revision, Kind::Plain)?;
        Ok(())
    }
}

impl Found {
    /// Tells whether anything is to be looked up that could make this the answer.
    fn may_be_completed(&self) -> bool {
        let Some(said) = &self.said else { return false };
        match self.reply.answer {
            Answer::Found => true,
            Answer::Incomplete => said.status != StatusCode::NOT_MODIFIED,
            // An etag that is no name says as much as none.
            Answer::Hostile => {
                self.reply.broken.as_ref().is_some_and(|broken| broken.what() == "etag")
            }
            Answer::Unexpected => said.serves_no_head(),
            Answer::Pending
            | Answer::NotModified
            | Answer::NotModifiedBare
            | Answer::OtherCommit
            | Answer::EntryMissing
            | Answer::EntryMissingBare
            | Answer::RevisionMissing
            | Answer::RepoMissing
            | Answer::Unauthorized
            | Answer::Forbidden
            | Answer::Throttled
            | Answer::Failing
            | Answer::Unreachable => false,
        }
    }

    /// A HEAD that says of content that it has no bytes says nothing, unless the etag says the same: servers that make their
    /// answers as they go know no length before.
    fn forget_no_size(&mut self) {
        let told = |said: &Said| core_headers(&said.headers).linked_size.is_some();
        if let Some(metadata) = &mut self.reply.metadata
            && metadata.size == Some(0)
            && !OF_NOTHING.contains(&metadata.etag.as_str())
            && !self.said.as_ref().is_some_and(told)
        {
            metadata.size = None;
        }
    }

    /// Tells whether the listing is to be asked before this is believed.
    fn is_doubtful(&self, lookup: &Lookup<'_>) -> bool {
        let Some(Metadata { commit, etag, size, .. }) = &self.reply.metadata else { return true };
        let is_doubted = match lookup.doubt {
            Some(Doubt::Contradicted | Doubt::Unfit) => true,
            Some(Doubt::Gone) | None => false,
        };
        let is_odd = match etag.content_hash() {
            ContentHash::Opaque => true,
            ContentHash::GitBlobSha1 => size.is_some_and(|size| size >= LARGE_BYTES),
            // A hub says of what is in git LFS that it is; others name whatever they have by its sha256.
            ContentHash::Sha256 => !self.said.as_ref().is_some_and(Said::is_of_linked),
        };
        // What is cached of a commit never changes.
        let differs = lookup.here.is_some_and(|here| here.commit == commit && here.etag != etag);
        is_doubted || is_odd || differs
    }

    /// Takes what the listing says.
    fn listed(&mut self, lookup: &Lookup<'_>, commit: Commit, entry: Entry) {
        self.word = Word::Final;
        let said = self.reply.metadata.take();
        let metadata = match (entry, said) {
            (Entry::Listed { etag, size, xet_hash }, said) => {
                let xet_hash = xet_hash.or_else(|| said?.xet_hash);
                Metadata { commit, etag, size: Some(size), xet_hash }
            }
            (Entry::Missing, None) if self.said.as_ref().is_some_and(Said::serves_no_head) => {
                self.reply = Reply { commit: Some(commit), ..Reply::bare(Answer::EntryMissing) };
                return;
            }
            (Entry::Missing | Entry::Unknown, None) => return,
            (Entry::Missing | Entry::Unknown, Some(mut said)) => {
                let is_hashed = said.etag.content_hash() != ContentHash::Opaque;
                if lookup.doubt == Some(Doubt::Unfit) && is_hashed {
                    // The hash tells how long it is.
                    said.size = None;
                }
                said
            }
        };
        self.cause = None;
        self.reply = Reply {
            answer: Answer::Found,
            commit: Some(metadata.commit.clone()),
            metadata: Some(metadata),
            broken: None,
        };
    }
}

impl Said {
    fn is_of_linked(&self) -> bool {
        core_headers(&self.headers).linked_etag.is_some()
    }

    /// Tells whether it says that there is no HEAD here.
    fn serves_no_head(&self) -> bool {
        matches!(self.status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)
    }
}

fn not_looked_up(lookup: &Lookup<'_>, unknown: &Unlisted) {
    let (repo, file) = (lookup.repo, lookup.file);
    tracing::debug!(%repo, %file, cause = %unknown.words(), "what the HEAD left open could not be looked up");
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use hubstow_core::name::{FileName, Repo, RepoId, RepoKind, Revision};

    use super::*;
    use crate::{
        api::config::Config,
        lookup::{ahead::Ahead, head::By, patience::Patience},
    };

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    const OTHER_COMMIT: &str = "76543210fedcba9876543210fedcba9876543210";
    const GIT: &str = "e965047ad7c57865823c7d992b1d046ea66edf78";
    const SHA256: &str = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    const OPAQUE: &str = "66a1f3c2-493e0";
    const LARGE: u64 = 11 * 1024 * 1024;

    /// What a HEAD says of a file, and what else is known of it.
    struct Case {
        etag: &'static str,
        size: Option<u64>,
        /// The hub says that it is in git LFS.
        is_linked: bool,
        /// The commit and the etag of what is cached.
        here: Option<(&'static str, &'static str)>,
        doubt: Option<Doubt>,
    }

    const fn case(etag: &'static str, size: Option<u64>) -> Case {
        Case { etag, size, is_linked: false, here: None, doubt: None }
    }

    const fn linked(etag: &'static str, size: Option<u64>) -> Case {
        Case { is_linked: true, ..case(etag, size) }
    }

    impl Case {
        const fn here(self, commit: &'static str, etag: &'static str) -> Self {
            Self { here: Some((commit, etag)), ..self }
        }

        const fn after(self, doubt: Doubt) -> Self {
            Self { doubt: Some(doubt), ..self }
        }

        fn is_doubtful(&self) -> bool {
            let commit = |text| Commit::parse(text).unwrap();
            let etag = |text| Etag::parse(text).unwrap();
            let mut headers = HeaderMap::new();
            if self.is_linked {
                let name = HeaderName::from_static("x-linked-etag");
                headers.insert(name, HeaderValue::from_static(self.etag));
            }
            let metadata = Metadata {
                commit: commit(COMMIT),
                etag: etag(self.etag),
                size: self.size,
                xet_hash: None,
            };
            let reply = Reply { metadata: Some(metadata), ..Reply::bare(Answer::Found) };
            let said = Some(Said { status: StatusCode::OK, headers });
            let (word, ahead) = (Word::First, Ahead::default());
            let found = Found { reply, content: None, cause: None, word, said, ahead };
            let here = self.here.map(|(of, named)| (commit(of), etag(named)));
            let lookup = Lookup {
                repo: &Repo::new(RepoKind::Model, RepoId::parse("org/model").unwrap()),
                revision: &Revision::parse("main").unwrap(),
                file: &FileName::parse("model.bin").unwrap(),
                known: None,
                here: here.as_ref().map(|(commit, etag)| CachedEtag { commit, etag }),
                doubt: self.doubt,
                patience: Patience::lasting(&Config::new("cache")),
                by: By::Head,
            };
            found.is_doubtful(&lookup)
        }
    }

    #[test]
    fn the_listing_is_asked_where_a_header_may_not_name_the_content() {
        for (what, case, is_doubtful) in [
            ("a hash of git", case(GIT, Some(LARGE - 1)), false),
            ("a hash of git of what git does not hold", case(GIT, Some(LARGE)), true),
            ("the same, and the header is the one for LFS", linked(GIT, Some(LARGE)), true),
            ("a hash of git of who knows how much", case(GIT, None), false),
            ("a sha256 of what is in LFS", linked(SHA256, Some(LARGE)), false),
            ("a sha256 of a small file in LFS", linked(SHA256, Some(1)), false),
            ("a sha256 of what is not said to be in LFS", case(SHA256, Some(LARGE)), true),
            ("no hash", case(OPAQUE, Some(1)), true),
            ("no hash of what is in LFS", linked(OPAQUE, Some(LARGE)), true),
            ("what was gone", case(GIT, Some(1)).after(Doubt::Gone), false),
            ("what was contradicted", case(GIT, Some(1)).after(Doubt::Contradicted), true),
            ("what did not fit", case(GIT, Some(1)).after(Doubt::Unfit), true),
            ("what is here", case(GIT, Some(1)).here(COMMIT, GIT), false),
            ("other than is here", case(GIT, Some(1)).here(COMMIT, SHA256), true),
            ("a new commit's", case(GIT, Some(1)).here(OTHER_COMMIT, SHA256), false),
        ] {
            assert_eq!(case.is_doubtful(), is_doubtful, "{what}");
        }
    }
}
