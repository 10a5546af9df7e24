//! How stores are reached over HTTP: one client with this program's TLS, and answers that say what they are.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::StatusCode;
use object_store::{
    ClientConfigKey, ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    },
};
use reqwest::Client;
use rustls::{ClientConfig, RootCertStore, crypto::CryptoProvider};
use rustls_platform_verifier::Verifier;

use crate::error::{Answered, Error, ErrorKind};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long nothing may come of a body.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// The most bytes of an error's body that are looked at.
const ERROR_LIMIT_BYTES: usize = 16 << 10;

/// Makes clients for the store, and for whoever gives it credentials.
#[derive(Clone, Debug)]
pub(crate) struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let allowed = options.get_config_value(&ClientConfigKey::AllowHttp);
        let client = Plain::said(allowed.as_deref()).and_then(client);
        let client = client.map_err(|error| object_store::Error::Generic {
            store: "HTTP",
            source: error.into(),
        })?;
        Ok(HttpClient::new(Service(client)))
    }
}

/// Whether requests may go without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plain {
    /// They may.
    Allowed,
    /// They may not.
    Refused,
}

impl Plain {
    /// Reads the setting as the store's library does.
    ///
    /// # Errors
    /// A word that is neither yes nor no.
    pub(crate) fn said(value: Option<&str>) -> Result<Self, Error> {
        match value.map(str::to_ascii_lowercase).as_deref() {
            Some("1" | "true" | "on" | "yes" | "y") => Ok(Self::Allowed),
            None | Some("0" | "false" | "off" | "no" | "n" | "") => Ok(Self::Refused),
            Some(_) => {
                let why = "whether plain HTTP is allowed (such as AWS_ALLOW_HTTP) is said by `true` or `false`";
                Err(Error::new(ErrorKind::Usage, "the settings of the tier can't be used", why))
            }
        }
    }
}

/// Makes a client. Redirects are not followed: no store needs them, and signed requests must go nowhere else.
pub(crate) fn client(plain: Plain) -> Result<Client, Error> {
    let unusable =
        |why: String| Error::new(ErrorKind::Usage, "the HTTP client can't be set up", why);
    Client::builder()
        .user_agent(concat!("hubstow/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .https_only(plain == Plain::Refused)
        .tls_backend_preconfigured(tls(plain).map_err(|error| unusable(error.to_string()))?)
        .build()
        .map_err(|error| unusable(error.without_url().to_string()))
}

/// What encrypts is what the program has chosen for the process, else what it was built with. Where plain HTTP is allowed
/// and the system has no certificates, nothing is believed.
fn tls(plain: Plain) -> Result<ClientConfig, rustls::Error> {
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?;
    match Verifier::new(provider) {
        Ok(verifier) => Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth()),
        Err(_) if plain == Plain::Allowed => {
            Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
        }
        Err(error) => Err(error),
    }
}

#[derive(Debug)]
struct Service(Client);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = HttpService::call(&self.0, request).await?;
        let status = answer.status();
        if is_expected(status) {
            return Ok(answer);
        }
        let (parts, body) = answer.into_parts();
        let number = parts.headers.get(http::header::RETRY_AFTER);
        let seconds = number.and_then(|it| it.to_str().ok()?.trim().parse().ok());
        let body = first_bytes(body.bytes_stream(), ERROR_LIMIT_BYTES).await;
        let code = code_of(&body);
        // A missing object is an answer; a missing bucket is not, and HEAD does not tell them apart.
        if status == StatusCode::NOT_FOUND && code.as_deref() != Some("NoSuchBucket") {
            return Ok(HttpResponse::from_parts(parts, Bytes::from(body).into()));
        }
        let answered = Answered {
            status: status.as_u16(),
            code,
            retry_after: seconds.map(Duration::from_secs),
        };
        Err(HttpError::new(HttpErrorKind::Unknown, answered))
    }
}

/// The answers that the store's library, and the tier, act on.
fn is_expected(status: StatusCode) -> bool {
    status.is_success()
        || matches!(
            status,
            StatusCode::NOT_MODIFIED | StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED
        )
}

pub(crate) async fn first_bytes<E>(
    body: impl futures_util::Stream<Item = Result<Bytes, E>>,
    limit: usize,
) -> Vec<u8> {
    let mut body = std::pin::pin!(body);
    let mut taken = Vec::new();
    while let Ok(Some(bytes)) = body.try_next().await {
        let room = limit.saturating_sub(taken.len());
        taken.extend_from_slice(bytes.get(..room).unwrap_or(&bytes));
        if taken.len() >= limit {
            break;
        }
    }
    taken
}

/// Finds `<Code>NoSuchBucket</Code>` in the body of an error. Nothing else of it is ever shown.
fn code_of(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let (_, rest) = text.split_once("<Code>")?;
    let (code, _) = rest.split_once("</Code>")?;
    let plain = code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    (plain && !code.is_empty()).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_allowed_in_every_word_that_the_library_knows() {
        for yes in ["1", "true", "TRUE", "on", "yes", "y"] {
            assert_eq!(Plain::said(Some(yes)).unwrap(), Plain::Allowed, "{yes}");
        }
        for no in [None, Some(""), Some("0"), Some("false"), Some("No")] {
            assert_eq!(Plain::said(no).unwrap(), Plain::Refused, "{no:?}");
        }
        assert_eq!(Plain::said(Some("perhaps")).unwrap_err().kind(), ErrorKind::Usage);
    }

    #[test]
    fn only_the_code_of_an_error_is_taken() {
        let rows = [
            ("<Error><Code>SlowDown</Code><Key>secret</Key></Error>", Some("SlowDown")),
            ("<Code></Code>", None),
            ("<Code>a <b></Code>", None),
            ("no xml", None),
        ];
        for (body, expected) in rows {
            assert_eq!(code_of(body.as_bytes()).as_deref(), expected, "{body}");
        }
    }
}
