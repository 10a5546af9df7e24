//! The URLs of the hub, percent-encoded as the Python client encodes them.

use alloc::{borrow::ToOwned, format, string::String};
use core::fmt::Write as _;

use super::Origin;
use crate::name::{Commit, FileName, NameError, Repo, RepoKind, Revision};

/// The base URL of a hub, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    url: String,
    origin: Origin,
}

impl Endpoint {
    /// The public hub.
    pub const PUBLIC: &'static str = "https://huggingface.co";

    /// Parses an endpoint: an absolute `http` or `https` URL without query or fragment.
    ///
    /// # Errors
    /// Any other text.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let url = text.trim_end_matches('/');
        let wrong = |rule| NameError::new("endpoint", text, rule);
        if url.contains(['?', '#', '\\', ' ']) || url.chars().any(char::is_control) {
            return Err(wrong("it has a query, a fragment or spaces"));
        }
        let origin = Origin::of(url)
            .ok_or_else(|| wrong("it does not begin with http:// or https:// and a host"))?;
        if origin.has_user_info() {
            return Err(wrong("it holds a user name or password"));
        }
        Ok(Self { url: url.to_owned(), origin })
    }

    /// Returns the URL, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Returns scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the URL of a file at a revision; HEAD and GET use the same.
    #[must_use]
    pub fn file(&self, repo: &Repo, revision: &Revision, file: &FileName) -> String {
        let prefix = match repo.kind {
            RepoKind::Model => String::new(),
            RepoKind::Dataset | RepoKind::Space | RepoKind::Kernel => {
                format!("{}/", repo.kind.plural())
            }
        };
        let (revision, file) = (quote(revision.as_str()), quote_path(file.as_str()));
        format!("{}/{prefix}{}/resolve/{revision}/{file}", self.url, repo.id)
    }

    fn api(&self, repo: &Repo, what: &str, revision: &Revision) -> String {
        let revision = quote(revision.as_str());
        format!("{}/api/{}/{}/{what}/{revision}", self.url, repo.kind.plural(), repo.id)
    }

    /// Returns the URL that tells the commit of a revision.
    #[must_use]
    pub fn revision(&self, repo: &Repo, revision: &Revision) -> String {
        self.api(repo, "revision", revision)
    }

    /// Returns the URL of the first page of the whole listing of a revision.
    #[must_use]
    pub fn tree(&self, repo: &Repo, revision: &Revision) -> String {
        format!("{}?recursive=true&expand=false", self.api(repo, "tree", revision))
    }

    /// Returns the URL that tells about chosen paths of a revision (a POST).
    #[must_use]
    pub fn paths_info(&self, repo: &Repo, revision: &Revision) -> String {
        self.api(repo, "paths-info", revision)
    }

    /// Returns the URL that gives a token for reading the content of a commit from the Xet store.
    #[must_use]
    pub fn xet_read_token(&self, repo: &Repo, commit: &Commit) -> String {
        self.api(repo, "xet-read-token", &Revision::from(commit))
    }
}

/// Percent-encodes one path segment: everything but ASCII letters, digits and `_.-~`.
#[must_use]
pub fn quote(text: &str) -> String {
    quoted(text, |_| false)
}

/// Percent-encodes a path, keeping its slashes.
#[must_use]
pub fn quote_path(text: &str) -> String {
    quoted(text, |b| b == b'/')
}

fn quoted(text: &str, keep: impl Fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~".contains(&byte) || keep(byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string can't fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
