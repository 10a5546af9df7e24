//! What the headers of an answer say about a file.

use alloc::string::String;

use crate::{
    action::Lookup,
    facts::Answer,
    name::{Commit, Etag, NameError, Revision},
    why::Refusal,
};

/// The response headers that matter, as received. Absent headers are `None`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// `X-Repo-Commit`.
    pub repo_commit: Option<&'a str>,
    /// `ETag`.
    pub etag: Option<&'a str>,
    /// `X-Linked-Etag`.
    pub linked_etag: Option<&'a str>,
    /// `X-Linked-Size`.
    pub linked_size: Option<&'a str>,
    /// `Content-Length`.
    pub content_length: Option<&'a str>,
    /// `X-Xet-Hash`.
    pub xet_hash: Option<&'a str>,
    /// `X-Error-Code`.
    pub error_code: Option<&'a str>,
    /// `X-Error-Message`.
    pub error_message: Option<&'a str>,
}

/// What the hub says about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The commit that the revision means now.
    pub commit: Commit,
    /// The content's identity.
    pub etag: Etag,
    /// The size in bytes; a hub may not say it.
    pub size: Option<u64>,
    /// The content's identity in the Xet store.
    pub xet_hash: Option<String>,
}

/// The reading of one answer: its kind, and whatever it says that could be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The kind, as the resolve table takes it.
    pub answer: Answer,
    /// The metadata; present exactly where `answer` is `Found`.
    pub metadata: Option<Metadata>,
    /// The commit, wherever the answer names one.
    pub commit: Option<Commit>,
    /// The name that is none, where `answer` is `Hostile`.
    pub broken: Option<NameError>,
}

impl Reply {
    /// A reply that is only a kind, such as `Unreachable`.
    #[must_use]
    pub fn bare(answer: Answer) -> Self {
        Self { answer, metadata: None, commit: None, broken: None }
    }

    fn hostile(broken: NameError) -> Self {
        Self { broken: Some(broken), ..Self::bare(Answer::Hostile) }
    }
}

/// Reads the answer to the HEAD of a file, for the revision that was asked for and the way it was asked.
///
/// The order of the tests is the Python client's: a redirect is an answer; then the error codes; then the status. A
/// pinned commit must be answered by that commit.
#[must_use]
pub fn read_head(status: u16, headers: &Headers<'_>, asked: &Revision, lookup: Lookup) -> Reply {
    let commit = match headers.repo_commit.map(Commit::parse).transpose() {
        Ok(commit) => commit,
        Err(broken) => return Reply::hostile(broken),
    };
    let answer = match status {
        200..=299 | 301..=303 | 307 | 308 => Answer::Found,
        // Nobody said what it is that has not changed.
        304 if lookup == Lookup::Plain => Answer::Incomplete,
        304 if commit.is_some() => Answer::NotModified,
        304 => Answer::NotModifiedBare,
        _ => kind_of_error(status, headers, commit.is_some()),
    };
    if let (
        Some(pinned),
        Some(answered),
        Answer::Found | Answer::NotModified | Answer::EntryMissing,
    ) = (asked.as_commit(), &commit, answer)
        && pinned != *answered
    {
        return Reply { commit, ..Reply::bare(Answer::OtherCommit) };
    }
    if answer == Answer::Found {
        read_found(status, headers, commit)
    } else {
        Reply { commit, ..Reply::bare(answer) }
    }
}

fn read_found(status: u16, headers: &Headers<'_>, commit: Option<Commit>) -> Reply {
    let etag = match headers.linked_etag.or(headers.etag).map(Etag::from_header).transpose() {
        Ok(etag) => etag,
        Err(broken) => {
            return Reply { commit, ..Reply::hostile(broken) };
        }
    };
    let (Some(commit), Some(etag)) = (commit.clone(), etag) else {
        return Reply { commit, ..Reply::bare(Answer::Incomplete) };
    };
    let own_length = if (300..400).contains(&status) { None } else { headers.content_length };
    let size = match headers.linked_size.or(own_length).map(|text| (text, whole_number(text))) {
        None => None,
        Some((_, Some(size))) => Some(size),
        Some((text, None)) => {
            return Reply { commit: Some(commit), ..Reply::hostile(NameError::size(text)) };
        }
    };
    let metadata = Metadata { commit, etag, size, xet_hash: headers.xet_hash.map(String::from) };
    Reply {
        answer: Answer::Found,
        commit: Some(metadata.commit.clone()),
        metadata: Some(metadata),
        broken: None,
    }
}

/// Reads digits only: no sign, no separator.
fn whole_number(text: &str) -> Option<u64> {
    let text = text.trim_matches([' ', '\t']);
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn kind_of_error(status: u16, headers: &Headers<'_>, commit_known: bool) -> Answer {
    match (headers.error_code, status) {
        (Some("RevisionNotFound"), _) => Answer::RevisionMissing,
        (Some("EntryNotFound"), _) if commit_known => Answer::EntryMissing,
        (Some("EntryNotFound"), _) => Answer::EntryMissingBare,
        (Some("GatedRepo"), _) => Answer::Forbidden,
        (Some("RepoNotFound"), _) => Answer::RepoMissing,
        _ if headers.error_message == Some("Access to this resource is disabled.") => {
            Answer::Forbidden
        }
        (_, 401) => Answer::Unauthorized,
        (_, 403) => Answer::Forbidden,
        (_, 404) => Answer::RepoMissing,
        (_, 429) => Answer::Throttled,
        (_, 408 | 500..=599) => Answer::Failing,
        _ => Answer::Unexpected,
    }
}

/// Says what an error status of any other request (a GET, a listing) means.
#[must_use]
pub fn refusal_of_status(status: u16, headers: &Headers<'_>) -> Refusal {
    match kind_of_error(status, headers, false) {
        Answer::RevisionMissing => Refusal::RevisionNotFound,
        Answer::EntryMissing | Answer::EntryMissingBare => Refusal::EntryNotFound,
        Answer::RepoMissing => Refusal::RepoNotFound,
        Answer::Unauthorized => Refusal::Unauthorized,
        Answer::Forbidden => Refusal::Forbidden,
        Answer::Throttled => Refusal::Throttled,
        Answer::Failing => Refusal::HubFailing,
        Answer::Pending
        | Answer::Found
        | Answer::NotModified
        | Answer::NotModifiedBare
        | Answer::Incomplete
        | Answer::Hostile
        | Answer::OtherCommit
        | Answer::Unreachable
        | Answer::Unexpected => Refusal::AnswerUnexpected,
    }
}

/// Tells whether the answer to a GET speaks of the content that the HEAD promised. Only a hub's own answer (one with
/// `X-Repo-Commit`) can contradict: a store behind a redirect has etags of its own.
#[must_use]
pub fn same_content(promised: &Metadata, headers: &Headers<'_>) -> bool {
    if headers.repo_commit.is_none() {
        return true;
    }
    let etag = headers.linked_etag.or(headers.etag).map(Etag::from_header);
    etag.is_none_or(|etag| etag.as_ref() == Ok(&promised.etag))
        && headers.repo_commit == Some(promised.commit.as_str())
}
