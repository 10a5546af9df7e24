//! A question to the hub that nothing here has a name for, and its answer as it comes: what a program between the hub and its
//! clients hands on. The token, redirects and waiting are as for every request.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::ACCEPT};

use super::{
    json::{malformed, next_link},
    patience::Patience,
};
use crate::{
    api::error::{Error, ErrorKind},
    http::{
        address::Address,
        body::{Unread, whole},
        session::Http,
    },
};

/// A question to the hub.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RawQuestion {
    /// The path below the endpoint, with its query, as it stands in the address; it begins with a slash.
    pub path: String,
    /// The JSON that is sent along; the question is a POST then, and else a GET.
    pub json: Option<Vec<u8>>,
    /// The most bytes that the answer may have.
    pub limit_bytes: usize,
}

impl RawQuestion {
    /// Makes a question.
    #[must_use]
    pub fn new(path: impl Into<String>, limit_bytes: usize) -> Self {
        Self { path: path.into(), json: None, limit_bytes }
    }

    /// Sends JSON along.
    #[must_use]
    pub fn with_json(mut self, json: Vec<u8>) -> Self {
        self.json = Some(json);
        self
    }
}

/// What the hub answered, whatever it was.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RawAnswer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, unpacked.
    pub body: Bytes,
}

impl RawAnswer {
    /// Returns where the next page of a listing is, as the answer says it; `None` where this is the last.
    ///
    /// # Errors
    /// A link that can't be read, and might be it.
    pub fn next_page(&self) -> Result<Option<String>, Error> {
        next_link(&self.headers).map_err(malformed)
    }
}

impl Http {
    /// Asks once, and returns the answer whatever its status.
    ///
    /// # Errors
    /// A path that is none, no answer, or one that is too long.
    pub(crate) async fn raw(
        &self,
        question: RawQuestion,
        patience: Patience,
    ) -> Result<RawAnswer, Error> {
        let RawQuestion { path, json, limit_bytes } = question;
        if !path.starts_with('/') {
            return Err(Error::new(ErrorKind::Usage, "a path begins with a slash"));
        }
        let at = self.at_endpoint(&format!("{}{path}", self.endpoint().as_str()))?;
        let limits = patience.begin().limits();
        let (from, answer): (Address, _) = match json {
            None => {
                let mut headers = HeaderMap::new();
                headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
                self.get_until(&at, &headers, limits).await?
            }
            Some(json) => (at.clone(), self.post(&at, json, limits).await?),
        };
        let (status, headers) = (answer.status, answer.headers.clone());
        match whole(&from, answer, limit_bytes, self.stall_timeout()).await {
            Ok(body) => Ok(RawAnswer { status, headers, body: body.into() }),
            Err(Unread::NoAnswer(error)) => Err(error.into()),
            Err(Unread::TooLong) => {
                let what = format!("the hub's answer has more than {limit_bytes} bytes");
                Err(Error::new(ErrorKind::HubFailing, what))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::LINK;

    use super::*;

    #[test]
    fn a_next_page_is_found_among_other_links() {
        let page = "https://h/api/models/a/b/tree/main/x,y?cursor=1";
        for (link, expected) in [
            (format!("<{page}>; rel=\"next\""), Some(page)),
            (format!("<{page}>;rel=next"), Some(page)),
            (format!("<https://h/first>; rel=\"first\", <{page}>; rel=\"next\""), Some(page)),
            (format!("<{page}>; rel=\"prev\""), None),
            ("nothing".to_owned(), None),
        ] {
            let headers = [(LINK, HeaderValue::from_str(&link).unwrap())].into_iter().collect();
            let answer = RawAnswer { status: StatusCode::OK, headers, body: Bytes::new() };
            assert_eq!(answer.next_page().unwrap().as_deref(), expected, "{link}");
        }
    }
}
