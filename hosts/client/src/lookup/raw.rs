//! A question to the hub that nothing here has a name for, and its answer as it comes: what a program between the hub and its
//! clients hands on. The token, redirects and waiting are as for every request.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::ACCEPT};
use hubstow_cache::disk::failure::with_causes;
use hubstow_core::hub::{Endpoint, Retry};

use super::{
    json::{malformed, next_link},
    patience::{Missed, Patience},
};
use crate::{
    api::error::{Detail, Error, ErrorKind},
    http::{
        address::NoAnswer,
        body::{Unread, whole},
        endpoints::Outage,
        session::{Http, Limits},
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
    /// Who has answered.
    endpoint: Endpoint,
}

impl RawAnswer {
    /// Returns where the next page of a listing is, below the endpoint; `None` where this is the last.
    ///
    /// # Errors
    /// A link that can't be read, and might be it: what is cut short must not look whole.
    pub fn next_page(&self) -> Result<Option<String>, Error> {
        let Some(link) = next_link(&self.headers).map_err(malformed)? else { return Ok(None) };
        let page = self.endpoint.next_page(&link);
        let path = page.as_deref().and_then(|page| page.strip_prefix(self.endpoint.as_str()));
        match path {
            Some(path) => Ok(Some(path.to_owned())),
            None => Err(malformed("the link to its next page is no address")),
        }
    }
}

impl Http {
    /// Asks each endpoint once while those before it are away or fail, and returns the answer whatever its status.
    ///
    /// # Errors
    /// A path that is none, no answer, or one that is too long.
    pub(crate) async fn raw(
        &self,
        question: RawQuestion,
        patience: Patience,
    ) -> Result<RawAnswer, Error> {
        if !question.path.starts_with('/') {
            return Err(Error::new(ErrorKind::Usage, "a path begins with a slash"));
        }
        let mut asking = patience.once().begin();
        loop {
            let site = self.route().site();
            let asked = self.raw_once(&question, asking.limits()).await;
            let (outage, why) = match &asked {
                Ok(answer) => (Outage::of_status(answer.status), answer.status.to_string()),
                Err(RawError::NoAnswer(error)) => (Outage::of(error), with_causes(error)),
                Err(RawError::Other(_)) => (None, String::new()),
            };
            let missed = Missed { site, passing: Retry::No, outage };
            if outage.is_none() || asking.again(self, missed, || why, &|_| ()).is_none() {
                return asked.map_err(|error| match error {
                    RawError::NoAnswer(error) => error.into(),
                    RawError::Other(error) => error,
                });
            }
        }
    }

    async fn raw_once(
        &self,
        RawQuestion { path, json, limit_bytes }: &RawQuestion,
        limits: Limits,
    ) -> Result<RawAnswer, RawError> {
        let endpoint = self.endpoint().clone();
        let at = self.at_endpoint(&format!("{}{path}", endpoint.as_str()));
        let at = at.map_err(RawError::Other)?;
        let asked = match json {
            None => {
                let mut headers = HeaderMap::new();
                headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
                self.get_until(&at, &headers, limits).await
            }
            Some(json) => self.post(&at, json.clone(), limits).await,
        };
        let (from, answer) = asked.map_err(RawError::NoAnswer)?;
        let (status, headers) = (answer.status, answer.headers.clone());
        match whole(&from, answer, *limit_bytes, self.stall_timeout()).await {
            Ok(body) => Ok(RawAnswer { status, headers, body: body.into(), endpoint }),
            Err(Unread::NoAnswer(error)) => Err(RawError::NoAnswer(error)),
            Err(Unread::TooLong) => {
                let what = format!("the hub's answer has more than {limit_bytes} bytes");
                let error = Error::new(ErrorKind::HubFailing, what);
                Err(RawError::Other(error.with_detail(Detail::TooLong)))
            }
        }
    }
}

/// Why there is no answer to hand on.
enum RawError {
    NoAnswer(NoAnswer),
    Other(Error),
}

#[cfg(test)]
mod tests {
    use http::header::LINK;

    use super::*;

    fn answer(headers: HeaderMap) -> RawAnswer {
        let endpoint = Endpoint::parse("https://h").unwrap();
        RawAnswer { status: StatusCode::OK, headers, body: Bytes::new(), endpoint }
    }

    #[test]
    fn a_next_page_is_found_among_other_links() {
        let page = "https://h/api/models/a/b/tree/main/x,y?cursor=1";
        let path = page.strip_prefix("https://h");
        for (link, expected) in [
            (format!("<{page}>; rel=\"next\""), path),
            (format!("<{page}>;rel=next"), path),
            (format!("<https://h/first>; rel=\"first\", <{page}>; rel=\"next\""), path),
            (format!("<{page}>; rel=\"prev\""), None),
            ("nothing".to_owned(), None),
        ] {
            let headers = [(LINK, HeaderValue::from_str(&link).unwrap())].into_iter().collect();
            assert_eq!(answer(headers).next_page().unwrap().as_deref(), expected, "{link}");
        }
        let no_address = HeaderValue::from_static("<ftp://h/api/models>; rel=\"next\"");
        assert!(answer([(LINK, no_address)].into_iter().collect()).next_page().is_err());
    }
}
