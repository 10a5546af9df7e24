//! Which redirects are followed, and when the token stays behind.

use alloc::{format, string::String};

use crate::cases;

/// The most redirects that are followed for one request.
pub const REDIRECT_LIMIT: usize = 10;

/// Scheme, host and port of a URL, in lower case, with the default port filled in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    secure: bool,
    host: String,
    port: u16,
    user_info: bool,
}

impl Origin {
    /// Reads the origin of an absolute `http` or `https` URL; anything else has none.
    #[must_use]
    pub fn of(url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = rest.split(['/', '?', '#', '\\']).next()?;
        let (user_info, host_port) = match authority.rsplit_once('@') {
            Some((_, host_port)) => (true, host_port),
            None => (false, authority),
        };
        let (host, port) = match host_port.rsplit_once(':') {
            // A colon inside brackets belongs to an IPv6 address.
            Some((_, after)) if after.contains(']') => (host_port, None),
            Some((host, port)) => (host, Some(port)),
            None => (host_port, None),
        };
        let port = match port {
            None | Some("") => {
                if secure {
                    443
                } else {
                    80
                }
            }
            Some(port) if port.bytes().all(|b| b.is_ascii_digit()) => port.parse().ok()?,
            Some(_) => return None,
        };
        if host.is_empty() {
            return None;
        }
        Some(Self { secure, host: host.to_ascii_lowercase(), port, user_info })
    }

    /// Tells whether the URL held a user name or password.
    #[must_use]
    pub fn has_user_info(&self) -> bool {
        self.user_info
    }

    /// Returns the origin as a URL, with its port.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }

    /// Returns the host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    fn same(&self, other: &Self) -> bool {
        (self.secure, &self.host, self.port) == (other.secure, &other.host, other.port)
    }
}

/// One redirect, as the host saw it. `from` and `to` are absolute URLs; the host has joined `Location` with `from`.
#[derive(Clone, Copy, Debug)]
pub struct Hop<'a> {
    /// The URL that answered with a redirect.
    pub from: &'a str,
    /// Where it points.
    pub to: &'a str,
    /// The origin that the token belongs to.
    pub endpoint: &'a Origin,
    /// How many redirects have been followed before this one.
    pub followed: usize,
}

cases! {
    /// What is to be done about a redirect.
    pub enum Redirect {
        /// Follow it with the token: it stays at the endpoint.
        FollowWithToken = "follow-with-token",
        /// Follow it without the token, now and on every later hop.
        FollowWithoutToken = "follow-without-token",
        /// Refuse: it is no http or https URL.
        WrongScheme = "wrong-scheme",
        /// Refuse: it goes from https to http.
        Downgrade = "downgrade",
        /// Refuse: too many redirects.
        TooMany = "too-many",
    }
}

/// Decides about one redirect. For the HEAD of a file, metadata is read first: a redirect that says what the file is only
/// tells where the content is, and one that does not (a renamed repo, a mirror) is followed to who can say it.
#[must_use]
pub fn redirect(hop: &Hop<'_>) -> Redirect {
    if hop.followed >= REDIRECT_LIMIT {
        return Redirect::TooMany;
    }
    let (Some(from), Some(to)) = (Origin::of(hop.from), Origin::of(hop.to)) else {
        return Redirect::WrongScheme;
    };
    if from.secure && !to.secure {
        return Redirect::Downgrade;
    }
    if to.same(hop.endpoint) && from.same(hop.endpoint) {
        Redirect::FollowWithToken
    } else {
        Redirect::FollowWithoutToken
    }
}
