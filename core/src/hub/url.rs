//! The URLs of the hub, percent-encoded as the Python client encodes them.

use alloc::{borrow::ToOwned, format, string::String};
use core::fmt::Write as _;

use super::Origin;
use crate::name::{Commit, FileName, NameError, Repo, RepoKind, Revision};

/// The base URL of a hub, without a slash at the end.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_core::{hub::Endpoint, name::{FileName, Repo, RepoId, RepoKind, Revision}};
///
/// let hub = Endpoint::parse("https://hub.example.org/")?;
/// assert_eq!((hub.as_str(), hub.origin().host()), ("https://hub.example.org", "hub.example.org"));
/// let (repo, main) = (Repo::new(RepoKind::Model, RepoId::parse("org/name")?), Revision::parse("main")?);
/// let config = hub.file(&repo, &main, &FileName::parse("config.json")?);
/// assert_eq!(config, "https://hub.example.org/org/name/resolve/main/config.json");
/// assert_eq!(hub.refs(&repo), "https://hub.example.org/api/models/org/name/refs");
/// for url in [
///     hub.revision(&repo, &main),
///     hub.revision_with_files(&repo, &main),
///     hub.tree(&repo, &main),
///     hub.paths_info(&repo, &main),
/// ] {
///     println!("{url}");
/// }
/// # Ok(())
/// # }
/// ```
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

    /// Returns the URL that tells the branches and tags of a repo.
    #[must_use]
    pub fn refs(&self, repo: &Repo) -> String {
        format!("{}/api/{}/{}/refs", self.url, repo.kind.plural(), repo.id)
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

    /// Returns the URL that tells the commit of a revision and names its files, with their hashes where the hub can.
    #[must_use]
    pub fn revision_with_files(&self, repo: &Repo, revision: &Revision) -> String {
        format!("{}?blobs=true", self.revision(repo, revision))
    }

    /// Returns where at this endpoint a listing goes on whose link names any host: a mirror hands on the link of the hub
    /// behind it, and a proxy below a path prefix does not know the prefix. Path and query stay, from `/api/` on; `None`
    /// where the link is no absolute `http` or `https` URL.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_core::hub::Endpoint;
    ///
    /// let mirror = Endpoint::parse("https://hub.example.org/mirror")?;
    /// let next = mirror.next_page("https://huggingface.co/api/models/org/name/tree/main?cursor=7");
    /// assert_eq!(
    ///     next.as_deref(),
    ///     Some("https://hub.example.org/mirror/api/models/org/name/tree/main?cursor=7")
    /// );
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn next_page(&self, link: &str) -> Option<String> {
        Origin::of(link)?;
        let (_, rest) = link.split_once("://")?;
        let rest = rest.split('#').next()?;
        let path = rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or_default();
        let before_query = path.find('?').unwrap_or(path.len());
        let api = path.get(..before_query)?.find("/api/").unwrap_or(0);
        let tail = path.get(api..)?;
        let slash = if tail.starts_with('/') { "" } else { "/" };
        Some(format!("{}{slash}{tail}", self.url))
    }

    /// Returns the URL that gives a token for reading the content of a commit from the Xet store.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_core::{hub::Endpoint, name::{Commit, Repo, RepoId, RepoKind}};
    ///
    /// let hub = Endpoint::parse(Endpoint::PUBLIC)?;
    /// let repo = Repo::new(RepoKind::Model, RepoId::parse("org/name")?);
    /// let commit = Commit::parse("0123456789012345678901234567890123456789")?;
    /// println!("{}", hub.xet_read_token(&repo, &commit));
    /// # Ok(())
    /// # }
    /// ```
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_goes_on_at_its_own_endpoint_below_its_prefix() {
        let tail = "/api/models/org/name/tree/main?recursive=true&cursor=a%2Fb";
        for (endpoint, link, expected) in [
            ("https://hub.test", "https://hub.test", Some(tail)),
            ("https://hub.test", "https://huggingface.co", Some(tail)),
            ("https://hub.test", "http://user:secret@10.0.0.1:8080/behind", Some(tail)),
            ("http://mirror.test/hf/main", "https://huggingface.co", Some(tail)),
            ("http://mirror.test/hf/main", "http://mirror.test/hf/main", Some(tail)),
            ("http://mirror.test/hf/main", "http://mirror.test", Some(tail)),
            ("https://hub.test", "ftp://hub.test", None),
            ("https://hub.test", "//hub.test", None),
        ] {
            let next = Endpoint::parse(endpoint).unwrap().next_page(&format!("{link}{tail}"));
            assert_eq!(next, expected.map(|tail| format!("{endpoint}{tail}")), "{link}");
        }
        let endpoint = Endpoint::parse("https://hub.test/prefix").unwrap();
        for (link, expected) in [
            ("https://a.test", "https://hub.test/prefix/"),
            ("https://a.test?x=/api/", "https://hub.test/prefix/?x=/api/"),
            ("https://a.test/other?x#y", "https://hub.test/prefix/other?x"),
        ] {
            assert_eq!(endpoint.next_page(link).as_deref(), Some(expected), "{link}");
        }
    }
}
