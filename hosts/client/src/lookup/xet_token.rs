//! The token of the Xet store: asked for at the hub, good for reading one commit of one repo for a while.
//!
//! INVARIANT (I23): the hub's token goes to the endpoint's origin with this question, and no further; where the store is
//! may be said only as a redirect may lead there.

use http::{HeaderMap, HeaderName};
use hubstow_core::name::{Commit, Repo};
use serde::Deserialize;

use crate::{
    api::config::Token,
    http::{
        address::text,
        session::Http,
        transport::Response,
        xet::{StoreFailure, XetGrant},
    },
};

/// The most bytes of an answer.
const ANSWER_LIMIT_BYTES: usize = 64 << 10;

/// The answer of the hub, in its body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenAnswer {
    cas_url: String,
    access_token: String,
    exp: u64,
}

impl TokenAnswer {
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
    pub(crate) async fn grant(
        &self,
        repo: &Repo,
        commit: &Commit,
    ) -> Result<XetGrant, StoreFailure> {
        let url = self.endpoint().xet_read_token(repo, commit);
        let asked = self.at_endpoint(&url).map_err(StoreFailure::NoAddress)?;
        let (from, answer) = self.get(&asked, &HeaderMap::new(), None).await?;
        if !answer.status.is_success() {
            return Err(StoreFailure::NotGranted(answer.status));
        }
        let said = match TokenAnswer::of_headers(&answer.headers) {
            Some(said) => said,
            None => read(self, answer).await?,
        };
        let store = self.hop(&from, &said.cas_url, 0)?;
        let token = Token::new(&said.access_token).map_err(|_| StoreFailure::NoToken)?;
        let url = store.url.as_str().trim_end_matches('/').to_owned();
        Ok(XetGrant { url, token, expires_s: said.exp })
    }
}

async fn read(http: &Http, mut answer: Response) -> Result<TokenAnswer, StoreFailure> {
    let mut body = Vec::new();
    while body.len() <= ANSWER_LIMIT_BYTES {
        match tokio::time::timeout(http.stall_timeout(), answer.body.chunk()).await {
            Ok(Ok(Some(piece))) => body.extend_from_slice(&piece),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => return Err(StoreFailure::GrantLate),
        }
    }
    // The parser's own message could quote the token.
    serde_json::from_slice(&body).map_err(|_| StoreFailure::GrantUnreadable)
}
