//! The token of the Xet store: asked for at the hub, good for reading one commit of one repo for a while.
//!
//! INVARIANT (I23): the hub's token goes to the endpoint's origin with this question, and no further; where the store is
//! may be said only as a redirect may lead there.

use http::{HeaderMap, HeaderName};
use hubstow_core::hub::{Retry, retry};
use serde::Deserialize;

use crate::receive::{fetch::Fetch, xet::store::Trouble};
use crate::{
    api::config::Token,
    http::{
        session::{Http, NoAnswer, text},
        transport::Answer,
    },
};

/// The most bytes of an answer.
const ANSWER_LIMIT_BYTES: usize = 64 << 10;

/// Where the store is, and what it lets us read with until when.
pub(crate) struct Grant {
    pub(crate) url: String,
    pub(crate) token: Token,
    /// In seconds since 1970.
    pub(crate) expires_s: u64,
}

/// The answer of the hub, in its body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    cas_url: String,
    access_token: String,
    exp: u64,
}

impl Said {
    fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let named = |name| text(headers, &HeaderName::from_static(name));
        Some(Self {
            cas_url: named("x-xet-cas-url")?.to_owned(),
            access_token: named("x-xet-access-token")?.to_owned(),
            exp: named("x-xet-token-expiration")?.trim().parse().ok()?,
        })
    }
}

impl Http {
    /// Asks the hub for a token of the store.
    pub(crate) async fn grant(&self, fetch: &Fetch<'_>) -> Result<Grant, Trouble> {
        let url = self.endpoint().xet_read_token(fetch.repo, &fetch.metadata.commit);
        let asked = self.at_endpoint(&url).map_err(|error| Trouble::lasting(error.to_string()))?;
        let (from, answer) = self.get(&asked, &HeaderMap::new(), None).await?;
        let status = answer.status;
        if !status.is_success() {
            let cause =
                format!("the hub answered {status} when asked for a token of the Xet store");
            return Err(Trouble { retry: retry(status.as_u16()), ..Trouble::lasting(cause) });
        }
        let said = match Said::of_headers(&answer.headers) {
            Some(said) => said,
            None => read(self, answer).await?,
        };
        let store = self.hop(&from, &said.cas_url, 0)?;
        let token = Token::new(&said.access_token)
            .map_err(|_| Trouble::lasting("the hub's token of the Xet store is none".to_owned()))?;
        let url = store.url.as_str().trim_end_matches('/').to_owned();
        Ok(Grant { url, token, expires_s: said.exp })
    }
}

impl From<NoAnswer> for Trouble {
    fn from(error: NoAnswer) -> Self {
        let retry = match &error {
            NoAnswer::Transport { .. } => Retry::Yes,
            NoAnswer::Redirected { .. } | NoAnswer::Undecided { .. } => Retry::No,
        };
        Self { retry, ..Self::lasting(error.to_string()) }
    }
}

async fn read(http: &Http, mut answer: Answer) -> Result<Said, Trouble> {
    let mut body = Vec::new();
    loop {
        match tokio::time::timeout(http.stall_timeout(), answer.body.chunk()).await {
            Ok(Ok(Some(piece))) => body.extend_from_slice(&piece),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => return Err(Trouble::passing(error.0)),
            Err(_) => {
                return Err(Trouble::passing("no token of the Xet store came in time".to_owned()));
            }
        }
        if body.len() > ANSWER_LIMIT_BYTES {
            break;
        }
    }
    // The parser's own message could quote the token.
    serde_json::from_slice(&body).map_err(|_| {
        Trouble::lasting("the hub's answer about the Xet store can't be read".to_owned())
    })
}
