//! The one token that a server may ask for, and the signatures that stand for it in redirects.
//!
//! A client must not carry its token to another host, so the content route takes a signature of the path instead. The
//! token itself is never shown, not even by `Debug`.

use std::fmt;

use axum::http::{HeaderMap, header};
use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::{credentials, fault::Fault, hash::sha256_of};

/// A secret that requests must carry.
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn new(secret: String) -> Self {
        Self(secret)
    }

    /// Checks that the request carries the token.
    ///
    /// # Errors
    /// It carries none, or another one.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Result<(), Fault> {
        if !headers.contains_key(header::AUTHORIZATION) {
            return Err(Fault::TokenMissing);
        }
        let offered = credentials::bearer(headers).map(str::to_owned);
        let offered = offered.or_else(|| password(credentials::of_scheme(headers, "Basic")?));
        // Digests are compared, so that the time it takes says nothing about the token.
        match offered {
            Some(offered) if sha256_of(&offered) == sha256_of(&self.0) => Ok(()),
            Some(_) | None => Err(Fault::TokenWrong),
        }
    }

    /// Returns what a request for this path has to carry in place of the token.
    pub(crate) fn signature(&self, path: &str) -> String {
        sha256_of(&format!("{path}\0{}", self.0))
    }
}

/// Returns the password, as which browsers and simple clients carry a token.
fn password(pair: &str) -> Option<String> {
    let pair = String::from_utf8(BASE64_STANDARD.decode(pair).ok()?).ok()?;
    Some(pair.split_once(':')?.1.to_owned())
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
