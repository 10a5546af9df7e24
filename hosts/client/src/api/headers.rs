//! Headers that a program adds to its requests.

use std::fmt;

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, IF_MATCH,
        IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, TRANSFER_ENCODING,
    },
};

use crate::api::error::{Error, ErrorKind};

/// What the client itself says in a request: another value would change what is asked for.
const OWN: [HeaderName; 12] = [
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    HOST,
    IF_MATCH,
    IF_MODIFIED_SINCE,
    IF_NONE_MATCH,
    IF_RANGE,
    IF_UNMODIFIED_SINCE,
    RANGE,
    TRANSFER_ENCODING,
];

/// Headers that are added to each request to the hub, and sent to the endpoint's origin only, as a token is: a gateway may ask
/// for a key, and the store behind a redirect must not see it. Their values show themselves nowhere. An `Authorization`
/// among them is sent instead of the token.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_client::Config;
///
/// let mut config = Config::new("/models");
/// config.headers.insert("X-Gateway-Key", "secret")?;
/// assert!(!format!("{config:?}").contains("secret"));
/// assert!(config.headers.insert("Range", "bytes=0-1").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(HeaderMap);

impl Headers {
    /// Adds a header; one of that name is replaced.
    ///
    /// # Errors
    /// What is no header, or one that says what is asked for, such as `Range`. The value is not repeated.
    pub fn insert(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let unusable = |why: &str| {
            let what = format!("the header `{}` can't be added: {why}", name.escape_debug());
            Error::new(ErrorKind::Usage, what)
        };
        let parsed = HeaderName::from_bytes(name.as_bytes());
        let name = parsed.map_err(|_| unusable("that is no name of a header"))?;
        if OWN.contains(&name) {
            return Err(unusable("hubstow says it itself, by what it asks for"));
        }
        let parsed = HeaderValue::from_str(value);
        let mut value = parsed.map_err(|_| unusable("its value holds what no header can hold"))?;
        value.set_sensitive(true);
        self.0.insert(name, value);
        Ok(())
    }

    pub(crate) fn reveal(&self) -> &HeaderMap {
        &self.0
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Headers;

    #[test]
    fn a_header_is_taken_and_its_value_hidden() {
        let mut headers = Headers::default();
        headers.insert("X-Gateway-Key", "secret").unwrap();
        assert_eq!(format!("{headers:?}"), r#"{"x-gateway-key"}"#);
        assert_eq!(headers.reveal()["x-gateway-key"], "secret");
    }

    #[test]
    fn what_would_change_the_question_is_refused_and_no_value_repeated() {
        for (name, value, why) in [
            ("Range", "bytes=0-1", "hubstow says it itself"),
            ("accept-encoding", "gzip", "hubstow says it itself"),
            ("two words", "secret", "no name of a header"),
            ("", "secret", "no name of a header"),
            ("x-key", "secret\r\nRange: bytes=0-1", "no header can hold"),
        ] {
            let error = Headers::default().insert(name, value).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("secret"), "{name}: {error}");
        }
    }
}
