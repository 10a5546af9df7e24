//! Requests by wasi:http. The host follows no redirects; whatever is to be followed, the library sends again.
//!
//! A sandbox has one thread, so waiting is done here, with a clock beside whatever is waited for: no timer of the async
//! runtime could interrupt it.

use std::{io::Write as _, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use hubstow_client::{
    Body, BoxFuture, Request, Response, Transport, TransportError, TransportErrorKind,
};
use wasip2::{
    clocks::monotonic_clock::subscribe_duration,
    http::{
        outgoing_handler,
        types::{
            self as wasi, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse,
            OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
        },
    },
    io::{
        poll::{self, Pollable},
        streams::{InputStream, StreamError},
    },
};

use crate::words::of_code;

/// The most bytes that are received in one piece.
const PIECE_BYTES: u64 = 1 << 20;
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Headers that the host sets itself and forbids to set.
const OF_THE_CONNECTION: [&str; 3] = ["host", "connection", "content-length"];

/// Sends requests by wasi:http.
pub(crate) struct WasiTransport {
    user_agent: String,
    stall_timeout: Duration,
}

impl WasiTransport {
    pub(crate) fn new(user_agent: &str, stall_timeout: Duration) -> Self {
        Self { user_agent: user_agent.to_owned(), stall_timeout }
    }

    fn send_now(&self, request: Request) -> Result<Response, TransportError> {
        let limit = request.answer_within;
        let (outgoing, body) = (self.outgoing(&request)?, request.body);
        let sent = outgoing.body().map_err(|()| broken("the request has no body to write"))?;
        let options = RequestOptions::new();
        // A host that knows no such limit has another; the clock below holds in any case.
        let _ = options.set_connect_timeout(Some(nanos(CONNECT_TIMEOUT.min(limit))));
        let _ = options.set_first_byte_timeout(Some(nanos(limit)));
        let _ = options.set_between_bytes_timeout(Some(nanos(self.stall_timeout)));
        let answered =
            outgoing_handler::handle(outgoing, Some(options)).map_err(|code| of_code(&code))?;
        if let Some(bytes) = body {
            let mut stream = sent.write().map_err(|()| broken("the request's body is taken"))?;
            stream
                .write_all(&bytes)
                .map_err(|error| broken("the request could not be sent").caused_by(error))?;
        }
        OutgoingBody::finish(sent, None).map_err(|code| of_code(&code))?;
        if !wait(&answered.subscribe(), limit) {
            return Err(late(format!("no answer within {} s", limit.as_secs_f64().ceil())));
        }
        let response = response(&answered)?;
        let status = StatusCode::from_u16(response.status())
            .map_err(|error| broken("the status is none").caused_by(error))?;
        let headers = headers(&response);
        let body = response.consume().map_err(|()| broken("the answer's body is taken"))?;
        let stream = body.stream().map_err(|()| broken("the answer's body is taken"))?;
        let received =
            Received { stream: Some(stream), body: Some(body), stall: self.stall_timeout };
        Ok(Response::new(status, headers, Box::new(received)))
    }

    fn outgoing(&self, request: &Request) -> Result<OutgoingRequest, TransportError> {
        let fields = Fields::new();
        let append = |name: &str, value: &[u8]| {
            let appended = fields.append(name, value);
            appended.map_err(|_| broken(&format!("the host refuses the header {name}")))
        };
        append("user-agent", self.user_agent.as_bytes())?;
        for (name, value) in &request.headers {
            if !OF_THE_CONNECTION.contains(&name.as_str()) {
                append(name.as_str(), value.as_bytes())?;
            }
        }
        let url = &request.url;
        let scheme = if url.scheme() == "https" { Scheme::Https } else { Scheme::Http };
        let authority = url.authority().rsplit('@').next().unwrap_or_default();
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let outgoing = OutgoingRequest::new(fields);
        let refused = |()| broken("the host refuses the form of the request");
        outgoing.set_method(&method(&request.method)).map_err(refused)?;
        outgoing.set_scheme(Some(&scheme)).map_err(refused)?;
        outgoing.set_authority(Some(authority)).map_err(refused)?;
        outgoing.set_path_with_query(Some(path)).map_err(refused)?;
        Ok(outgoing)
    }
}

impl Transport for WasiTransport {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async { self.send_now(request) })
    }
}

/// A body; the stream is a child of it and is dropped first.
struct Received {
    stream: Option<InputStream>,
    body: Option<IncomingBody>,
    stall: Duration,
}

impl Received {
    fn next(&mut self) -> Result<Option<Bytes>, TransportError> {
        let Some(stream) = &self.stream else { return Ok(None) };
        loop {
            if !wait(&stream.subscribe(), self.stall) {
                return Err(late(format!("nothing came for {} s", self.stall.as_secs())));
            }
            match stream.read(PIECE_BYTES) {
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Ok(Some(bytes.into())),
                Err(StreamError::Closed) => {
                    self.stream = None;
                    self.body = None;
                    return Ok(None);
                }
                Err(StreamError::LastOperationFailed(error)) => {
                    // What the host's other errors are called is for whoever mends the host.
                    return Err(wasi::http_error_code(&error)
                        .map_or_else(|| broken("the connection broke"), |code| of_code(&code)));
                }
            }
        }
    }
}

impl Body for Received {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(async { self.next() })
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        self.stream = None;
    }
}

/// Waits for something, so long and no longer; tells whether it came.
fn wait(pollable: &Pollable, limit: Duration) -> bool {
    if pollable.ready() {
        return true;
    }
    let clock = subscribe_duration(nanos(limit));
    poll::poll(&[pollable, &clock]);
    pollable.ready()
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn response(answered: &FutureIncomingResponse) -> Result<IncomingResponse, TransportError> {
    match answered.get() {
        Some(Ok(Ok(response))) => Ok(response),
        Some(Ok(Err(code))) => Err(of_code(&code)),
        Some(Err(())) | None => Err(broken("the host gives no answer")),
    }
}

fn headers(response: &IncomingResponse) -> HeaderMap {
    let entries = response.headers().entries();
    let parsed = entries.iter().filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        Some((name, HeaderValue::from_bytes(value).ok()?))
    });
    let mut headers = HeaderMap::new();
    for (name, value) in parsed {
        headers.append(name, value);
    }
    headers
}

fn method(method: &Method) -> wasi::Method {
    match method.as_str() {
        "GET" => wasi::Method::Get,
        "HEAD" => wasi::Method::Head,
        "POST" => wasi::Method::Post,
        other => wasi::Method::Other(other.to_owned()),
    }
}

fn late(what: String) -> TransportError {
    TransportError::new(TransportErrorKind::Timeout, what)
}

fn broken(what: &str) -> TransportError {
    TransportError::new(TransportErrorKind::Broken, what)
}
