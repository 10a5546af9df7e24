//! Rows about the hub's contract: answers, redirects, URLs, retries.

use hubstow_core::{
    action::Lookup,
    facts::Answer,
    hub::{Endpoint, Headers, Redirect, Retry},
    name::{Commit, Etag, FileName, Repo, RepoId, RepoKind, Revision},
    why::Refusal,
};
use serde::Deserialize;

use super::row::{Checked, Row, same};
use crate::subject;

/// The headers of an answer.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    x_repo_commit: Header,
    etag: Header,
    x_linked_etag: Header,
    x_linked_size: Header,
    content_length: Header,
    x_xet_hash: Header,
    x_error_code: Header,
    x_error_message: Header,
}

/// The value of a header, or `false` where it was not sent.
#[derive(Deserialize)]
#[serde(untagged)]
enum Header {
    Sent(String),
    Absent(#[expect(dead_code, reason = "only its type matters")] bool),
}

impl Header {
    fn value(&self) -> Option<&str> {
        match self {
            Self::Sent(text) => Some(text),
            Self::Absent(_) => None,
        }
    }
}

impl Written {
    fn headers(&self) -> Headers<'_> {
        Headers {
            repo_commit: self.x_repo_commit.value(),
            etag: self.etag.value(),
            linked_etag: self.x_linked_etag.value(),
            linked_size: self.x_linked_size.value(),
            content_length: self.content_length.value(),
            xet_hash: self.x_xet_hash.value(),
            error_code: self.x_error_code.value(),
            error_message: self.x_error_message.value(),
        }
    }
}

/// The reading of one answer, names as text.
#[derive(Debug, PartialEq)]
pub(crate) struct Read {
    pub(crate) answer: Answer,
    pub(crate) commit: Option<String>,
    pub(crate) file: Option<ReadFile>,
    /// What kind of name is none.
    pub(crate) broken: Option<String>,
}

/// What the hub says about a file.
#[derive(Debug, PartialEq)]
pub(crate) struct ReadFile {
    pub(crate) commit: String,
    pub(crate) etag: String,
    pub(crate) size: Option<u64>,
    pub(crate) xet_hash: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    lookup: Lookup,
    asked: Revision,
    status: u16,
    headers: Written,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Said {
    answer: Answer,
    commit: Option<String>,
    etag: Option<String>,
    size: Option<u64>,
    xet_hash: Option<String>,
    broken: Option<String>,
}

/// One row of `head.toml`.
pub(crate) fn one_answer(row: &Row) -> Checked {
    let given: Head = row.given()?;
    let headers = given.headers.headers();
    let read = subject::read_head(given.status, &headers, &given.asked, given.lookup);
    let file = read.file.as_ref();
    let came = Said {
        answer: read.answer,
        commit: read.commit.clone(),
        etag: file.map(|known| known.etag.clone()),
        size: file.and_then(|known| known.size),
        xet_hash: file.and_then(|known| known.xet_hash.clone()),
        broken: read.broken,
    };
    same("what the answer says", &row.expect()?, &came)?;
    same("metadata, exactly where found", &(read.answer == Answer::Found), &file.is_some())?;
    match file {
        Some(known) => same("one commit", &read.commit.as_ref(), &Some(&known.commit)),
        None => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    promised: Promised,
    status: u16,
    headers: Written,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Promised {
    commit: Commit,
    etag: Etag,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Meant {
    refuse: Option<Refusal>,
    same_content: Option<bool>,
}

/// One row of `get.toml`.
pub(crate) fn one_body(row: &Row) -> Checked {
    let given: Body = row.given()?;
    let expected: Meant = row.expect()?;
    let headers = given.headers.headers();
    if let Some(refusal) = expected.refuse {
        same(
            "what the status means",
            &refusal,
            &subject::refusal_of_status(given.status, &headers),
        )?;
    }
    let Promised { commit, etag } = given.promised;
    match expected.same_content {
        Some(expected) => {
            let came = subject::same_content(&commit, &etag, &headers);
            same("the same content", &expected, &came)
        }
        None => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jump {
    endpoint: String,
    from: String,
    to: String,
    followed: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Judged {
    decision: Redirect,
}

/// One row of `redirect.toml`.
pub(crate) fn one_redirect(row: &Row) -> Checked {
    let given: Jump = row.given()?;
    let expected: Judged = row.expect()?;
    let came = subject::redirect(&given.endpoint, &given.from, &given.to, given.followed)?;
    same("the redirect", &expected.decision, &came)
}

/// A page of the hub about a repo at a revision.
#[derive(Clone, Copy)]
pub(crate) enum Page<'a> {
    File(&'a FileName),
    Revision,
    Listing,
    PathsInfo,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    endpoint: String,
    kind: RepoKind,
    repo: RepoId,
    revision: Revision,
    file: FileName,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Urls {
    file: Option<String>,
    revision: Option<String>,
    listing: Option<String>,
    paths_info: Option<String>,
    xet_read_token: Option<String>,
}

/// One row of `urls.toml`.
pub(crate) fn one_set_of_urls(row: &Row) -> Checked {
    let given: Asked = row.given()?;
    let expected: Urls = row.expect()?;
    let repo = Repo::new(given.kind, given.repo);
    let urls = [
        ("file", expected.file, Page::File(&given.file)),
        ("revision", expected.revision, Page::Revision),
        ("listing", expected.listing, Page::Listing),
        ("paths-info", expected.paths_info, Page::PathsInfo),
    ];
    for (what, expected, page) in urls {
        let came = subject::url(&given.endpoint, &repo, &given.revision, page)?;
        same(what, &expected.unwrap_or_else(|| came.clone()), &came)?;
    }
    if let Some(expected) = expected.xet_read_token {
        let endpoint = Endpoint::parse(&given.endpoint).map_err(|error| error.to_string())?;
        let commit = given.revision.as_commit().ok_or("the token is for a commit")?;
        same("xet-read-token", &expected, &endpoint.xet_read_token(&repo, &commit))?;
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Again {
    statuses: Vec<u16>,
    retry_after: Header,
    rate_limit: Header,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Waits {
    retry: Option<Retry>,
    /// Seconds; -1 where the answer asks for no wait.
    wait_s: Option<i64>,
    backoff_ms: Option<Vec<u64>>,
}

/// One row of `retry.toml`.
pub(crate) fn one_retry(row: &Row) -> Checked {
    let given: Again = row.given()?;
    let expected: Waits = row.expect()?;
    if let Some(again) = expected.retry {
        for status in &given.statuses {
            same(&format!("sent again after {status}"), &again, &subject::retry(*status))?;
        }
    }
    if let Some(wait) = expected.wait_s {
        let came = subject::retry_after_s(given.retry_after.value(), given.rate_limit.value());
        same("the wait", &u64::try_from(wait).ok(), &came)?;
    }
    if let Some(waits) = expected.backoff_ms {
        let came: Vec<_> = (0..).map_while(subject::backoff_ms).collect();
        same("the waits", &waits, &came)?;
        same("no wait after the last", &None, &subject::backoff_ms(u32::MAX))?;
    }
    Ok(())
}
