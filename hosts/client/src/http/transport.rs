//! The seam below the library: how one request is sent and its answer received.
//!
//! A transport sends what it is given and follows nothing: redirects, retries, the token and every rule about them are
//! the library's. Natively that is reqwest; a sandbox brings its own.

use std::{
    error::Error as StdError,
    fmt,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use hubstow_core::hub::Retry;
use url::Url;

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One request.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
///
/// use hubstow_client::{Connection, Request};
///
/// let url = "https://huggingface.co/org/model/resolve/main/config.json".parse()?;
/// let request = Request::new(http::Method::HEAD, url, Duration::from_secs(10));
/// assert_eq!(request.connection, Connection::Shared);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where to; its scheme is http or https.
    pub url: Url,
    /// All headers but those that belong to the connection and the `User-Agent`.
    pub headers: HeaderMap,
    /// The body of a POST.
    pub body: Option<Vec<u8>>,
    /// How long the answer may take to begin. The library gives up by itself where a transport lets it.
    pub answer_within: Duration,
    /// Which connection.
    pub connection: Connection,
    /// A connection that was made before this moment may be dead: a request has failed since. A transport that keeps none
    /// has nothing to heed.
    pub made_after: Option<Instant>,
}

impl Request {
    /// Makes a request without headers, on any connection; the fields say otherwise where they are set.
    #[must_use]
    pub fn new(method: Method, url: Url, answer_within: Duration) -> Self {
        let (headers, connection) = (HeaderMap::new(), Connection::Shared);
        Self { method, url, headers, body: None, answer_within, connection, made_after: None }
    }
}

/// Which connection a request may use.
///
/// ```
/// use hubstow_client::{Connection, Request};
///
/// fn may_be_multiplexed(request: &Request) -> bool {
///     request.connection == Connection::Shared
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Any, also one that carries other answers at the same time.
    Shared,
    /// One that carries no other answer meanwhile: several of them may be faster than one.
    Own,
}

/// What came back. The body is read piece by piece.
///
/// ```
/// use bytes::Bytes;
/// use hubstow_client::{Body, BoxFuture, Response, TransportError};
///
/// /// A body that has come already.
/// struct Whole(Option<Bytes>);
///
/// impl Body for Whole {
///     fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
///         let next = self.0.take();
///         Box::pin(async { Ok(next) })
///     }
/// }
///
/// let body = Box::new(Whole(Some(Bytes::from_static(b"{}"))));
/// let response = Response::new(http::StatusCode::OK, http::HeaderMap::new(), body);
/// assert_eq!(response.status, 200);
/// ```
#[non_exhaustive]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body. Dropping it gives the rest up.
    pub body: Box<dyn Body>,
}

impl Response {
    /// Puts an answer together.
    #[must_use]
    pub fn new(status: StatusCode, headers: HeaderMap, body: Box<dyn Body>) -> Self {
        Self { status, headers, body }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

/// The body of an answer, as it arrives.
///
/// ```
/// use hubstow_client::{Response, TransportError};
///
/// async fn read(mut response: Response) -> Result<Vec<u8>, TransportError> {
///     let mut read = Vec::new();
///     while let Some(piece) = response.body.chunk().await? {
///         read.extend_from_slice(&piece);
///     }
///     Ok(read)
/// }
/// ```
pub trait Body: Send {
    /// Returns the next piece; `None` at the end.
    ///
    /// # Errors
    /// A transfer that breaks. A body that ends early is an error wherever the transport can tell.
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>>;
}

/// Sends requests.
///
/// ```
/// use std::sync::Arc;
///
/// use hubstow_client::{BoxFuture, Request, Response, Transport, TransportError};
///
/// /// Says what is sent.
/// struct Told(Arc<dyn Transport>);
///
/// impl Transport for Told {
///     fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
///         println!("{} {}", request.method, request.url.path());
///         self.0.send(request)
///     }
///
///     fn connections(&self) -> usize {
///         self.0.connections()
///     }
/// }
/// ```
pub trait Transport: Send + Sync {
    /// Sends one request and returns its answer, whatever its status. Nothing is followed and nothing is decoded.
    ///
    /// # Errors
    /// A request that got no answer.
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>>;

    /// Returns how many connections of their own ([`Connection::Own`]) there can be at a time.
    fn connections(&self) -> usize {
        1
    }
}

/// Why there was no answer, or no more of it. Neither its words nor those of its causes name a query or a secret.
///
/// ```
/// use hubstow_client::{TransportError, TransportErrorKind};
///
/// let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
/// let error = TransportError::of(TransportErrorKind::Connect).caused_by(refused);
/// assert_eq!(error.kind(), TransportErrorKind::Connect);
/// assert_eq!(error.to_string(), "no connection could be made");
/// ```
#[derive(Clone, Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    words: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// What kind of failure a [`TransportError`] is.
///
/// ```
/// use hubstow_client::{Distrust, TransportErrorKind};
/// use hubstow_core::hub::Retry;
///
/// assert_eq!(TransportErrorKind::Timeout.retry(), Retry::Yes);
/// assert_eq!(TransportErrorKind::Certificate(Distrust::Expired).retry(), Retry::No);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection could be made.
    Connect,
    /// TLS can't be set up, or was not agreed on.
    Tls,
    /// The certificate of the server or of the proxy is not trusted.
    Certificate(Distrust),
    /// It took too long.
    Timeout,
    /// The connection broke, or what came on it is no answer.
    Broken,
    /// The proxy is none, or refuses.
    Proxy,
    /// The proxy wants to know who asks (407).
    ProxyLogin,
    /// Anything else.
    Other,
}

/// What is wrong with a certificate.
///
/// ```
/// use hubstow_client::{Distrust, TransportError, TransportErrorKind};
///
/// let error = TransportError::of(TransportErrorKind::Certificate(Distrust::UnknownIssuer));
/// assert!(error.to_string().ends_with("by nobody whom this system trusts"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Distrust {
    /// Nobody has signed it whom this system trusts.
    UnknownIssuer,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// It is of another name than that of the server.
    OtherName,
    /// Who has signed it has taken that back.
    Revoked,
    /// It is that of an authority, which may sign others and be no server's.
    OfAuthority,
    /// Anything else.
    Other,
}

impl Distrust {
    /// Says it as the whole of an error.
    fn words(self) -> &'static str {
        match self {
            Self::UnknownIssuer => "the certificate is signed by nobody whom this system trusts",
            Self::Expired => "the certificate has expired",
            Self::NotYetValid => "the certificate is not valid yet",
            Self::OtherName => "the certificate is of another server",
            Self::Revoked => "the certificate has been revoked",
            Self::OfAuthority => "an authority's certificate is used as that of a server",
            Self::Other => "the certificate is not trusted",
        }
    }
}

impl TransportErrorKind {
    /// Says it as the whole of an error.
    fn words(self) -> &'static str {
        match self {
            Self::Connect => "no connection could be made",
            Self::Tls => "TLS could not be agreed on",
            Self::Certificate(why) => why.words(),
            Self::Timeout => "it took too long",
            Self::Broken => "the connection broke",
            Self::Proxy => "the proxy gives no connection",
            Self::ProxyLogin => "the proxy wants a name and a password, or others (407)",
            Self::Other => "it could not be sent",
        }
    }

    /// Tells whether such a failure may pass by itself. Certificates and the setup of TLS stay as they are until somebody
    /// changes them.
    #[must_use]
    pub fn retry(self) -> Retry {
        match self {
            Self::Tls | Self::Certificate(_) | Self::ProxyLogin => Retry::No,
            Self::Connect | Self::Timeout | Self::Broken | Self::Proxy | Self::Other => Retry::Yes,
        }
    }
}

impl TransportError {
    /// Makes an error that says what its kind does, and no more.
    #[must_use]
    pub fn of(kind: TransportErrorKind) -> Self {
        Self::new(kind, kind.words())
    }

    /// Makes an error.
    ///
    /// ```
    /// use hubstow_client::{TransportError, TransportErrorKind};
    ///
    /// let error = TransportError::new(TransportErrorKind::Proxy, "the proxy answered 502");
    /// assert_eq!(error.to_string(), "the proxy answered 502");
    /// ```
    #[must_use]
    pub fn new(kind: TransportErrorKind, words: impl Into<String>) -> Self {
        Self { kind, words: words.into(), source: None }
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
