//! A name and a password for the hub, as a mirror may ask for.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode_str;
use url::Url;

/// A name and a password, sent to the endpoint's origin only and in place of a token (`Authorization: Basic`). It shows
/// itself nowhere: not in logs, errors or debug output.
///
/// ```
/// use hubstow_client::{Config, Login};
///
/// let mut config = Config::new("/models");
/// config.login = Some(Login::new("me", "secret"));
/// assert!(!format!("{config:?}").contains("secret"));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Login(String);

impl Login {
    /// Takes a name and a password.
    #[must_use]
    pub fn new(name: &str, password: &str) -> Self {
        Self(BASE64_STANDARD.encode(format!("{name}:{password}")))
    }

    /// Takes what stands before the `@` of a URL out of it; `None` where nothing does, or where it is no URL.
    pub(crate) fn taken_from(text: &str) -> Option<(String, Self)> {
        let mut url = Url::parse(text).ok()?;
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let login = Self::new(&decoded(url.username()), &decoded(url.password().unwrap_or("")));
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        Some((url.into(), login))
    }

    /// Returns the secret itself, for the one header it belongs to.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Login(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_taken_out_of_a_url_and_hidden() {
        let (url, login) = Login::taken_from("https://user:p%40ss@hub.test/hf").unwrap();
        assert_eq!(url, "https://hub.test/hf");
        assert_eq!(login, Login::new("user", "p@ss"));
        assert_eq!(login.reveal(), "dXNlcjpwQHNz");
        assert_eq!(format!("{login:?}"), "Login(…)");
        assert_eq!(Login::taken_from("https://hub.test/hf"), None);
        assert_eq!(Login::taken_from("user:secret"), None);
    }
}
