//! Sending requests: one client for all, redirects by the core's rule, the token to the endpoint's origin only.

use std::{
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{ACCEPT_ENCODING, CONTENT_TYPE, IF_RANGE},
};
use hubstow_core::{
    decide::Guarded,
    hub::{Endpoint, REDIRECT_LIMIT},
};
use tokio::{runtime::Handle, sync::Semaphore, time::Instant};
use tracing::Instrument as _;
use url::Url;

use crate::{
    api::{
        config::{Config, Unusable},
        error::{Error, ErrorKind},
        event::{Event, Observer},
        report::{AskedEndpoint, Traffic},
    },
    http::{
        address::{Address, NoAnswer, TokenUse, location, shown, transport},
        connections::Connections,
        decode::unpacked,
        endpoints::{Endpoints, Left, Route, SiteId},
        gate::{Entered, Gate, Pass, Passed, Until, is_refusal_for_now},
        pace::Pace,
        transport::{
            BoxFuture, Connection, Request, Response, Transport, TransportError, TransportErrorKind,
        },
        xet::{XetAccess, XetStore},
    },
};

/// On how many connections a large file is received where nobody says a number: as many as a hub takes from one client
/// without complaint.
const CONNECTIONS_OF_ONE: usize = 16;
/// The same of several files together, where more bring more, and where each of these brings little: what they hold stays
/// below 48 MiB either way.
const CONNECTIONS_OF_ALL: usize = 24;
const SLOW_CONNECTIONS_OF_ALL: usize = 56;
/// See [`HttpCommon::room`].
pub(crate) const ROOM_BYTES: usize = 2 << 20;
/// How long an endpoint that fails and asks to be left alone is waited for where another can be asked.
const FAILING_PATIENCE: Duration = Duration::from_secs(2);

/// How long a request may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long each answer may take to begin.
    pub(crate) answer_within: Duration,
    /// When the question is over, whatever the request waits for.
    pub(crate) until: Option<Instant>,
}

/// A GET that follows redirects.
struct Asked<'a> {
    connection: Connection,
    to: &'a Address,
    headers: &'a HeaderMap,
    limits: Limits,
}

/// The HTTP side of a hub, as one question or download has it: which requests are sent, with or without the token, which
/// redirects are followed, and at which endpoint.
pub(crate) struct Http {
    common: Arc<HttpCommon>,
    route: Route,
}

/// What all questions to a hub have together.
pub(crate) struct HttpCommon {
    transport: Arc<dyn Transport>,
    pub(crate) decider: Guarded,
    /// A setting that is of no use, although every request needs it.
    unusable: Option<Unusable>,
    lookup_timeout: Duration,
    stall_timeout: Duration,
    pub(crate) gate: Gate,
    pub(crate) connections: Arc<Connections>,
    /// Room for received bytes that wait to be written and hashed, of all files together: enough to keep both busy while the
    /// other waits for a turn, and little beside what a program may take.
    pub(crate) room: Arc<Semaphore>,
    pace: Option<Pace>,
    /// The Xet store, where there is one that may be used.
    pub(crate) xet: Option<XetAccess>,
    requests: AtomicU64,
    bytes: AtomicU64,
}

impl Deref for Http {
    type Target = HttpCommon;

    fn deref(&self) -> &HttpCommon {
        &self.common
    }
}

impl Http {
    pub(crate) fn new(
        config: &Config,
        transport: Arc<dyn Transport>,
        decider: Guarded,
        store: Option<Arc<dyn XetStore>>,
    ) -> Self {
        let offered = transport.connections();
        let most = match config.max_connections {
            Some(most) => [most; 3],
            None => [CONNECTIONS_OF_ONE, CONNECTIONS_OF_ALL, SLOW_CONNECTIONS_OF_ALL],
        };
        let [of_one, of_all, of_slow] = most.map(|most| most.min(offered));
        let connections = Connections::at_most(of_one, of_all, of_slow);
        let common = HttpCommon {
            transport,
            decider,
            unusable: config.unusable.first(),
            lookup_timeout: config.lookup_timeout,
            stall_timeout: config.stall_timeout,
            gate: Gate::new(config.throttle_patience),
            connections: Arc::new(connections),
            room: Arc::new(Semaphore::new(ROOM_BYTES)),
            pace: config.limit_rate.map(Pace::new),
            xet: XetAccess::new(config, store),
            requests: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        };
        let route = Route::new(Arc::new(Endpoints::new(config)));
        Self { common: Arc::new(common), route }
    }

    /// Returns the same for another question: it begins at the endpoint that is first to be asked by now.
    pub(crate) fn again(&self) -> Self {
        Self { common: Arc::clone(&self.common), route: self.route.again() }
    }

    /// Returns the endpoint that is asked now, and what is known of the others.
    pub(crate) fn route(&self) -> &Route {
        &self.route
    }

    /// Leaves an endpoint that is away, and tells so; says whether another one is asked from now on.
    pub(crate) fn leave(&self, site: SiteId, why: &str, tell: &(dyn Fn(Event) + Sync)) -> bool {
        match self.route.leave(site, why) {
            Left::Now { from, to } => {
                let [from, to] = [from, to].map(|endpoint| endpoint.as_str().to_owned());
                tell(Event::EndpointLeft { from, to, cause: why.to_owned() });
                true
            }
            Left::Before => true,
            Left::Nowhere => false,
        }
    }

    /// Returns which endpoints were asked, where there are several.
    pub(crate) fn asked(&self) -> Vec<AskedEndpoint> {
        self.route.asked()
    }

    /// How long a transfer may stand still.
    pub(crate) fn stall_timeout(&self) -> Duration {
        self.stall_timeout
    }

    /// Waits as long as the limit on the rate asks for after so many bytes of content.
    pub(crate) async fn pay(&self, bytes: u64) {
        if let Some(pace) = &self.pace {
            pace.pay(bytes).await;
        }
    }

    /// On how many connections of its own a file may be received.
    pub(crate) fn own_connections(&self) -> usize {
        self.connections.of_one()
    }

    /// Returns how long an answer from there takes; from where nothing has ever come, as long as from the hub.
    pub(crate) fn delay(&self, to: &Address) -> Duration {
        let of_endpoint = || self.gate.shown(&Url::parse(self.endpoint().as_str()).ok()?).delay;
        self.gate.shown(&to.url).delay.or_else(of_endpoint).unwrap_or_default()
    }

    /// Returns the endpoint that is asked now.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.route.endpoint()
    }

    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            bytes_downloaded: self.bytes.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn received(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Parses a URL of the endpoint; the token may go there.
    pub(crate) fn at_endpoint(&self, url: &str) -> Result<Address, Error> {
        let parsed = Url::parse(url).map_err(|error| {
            Error::new(ErrorKind::Usage, format!("`{url}` is no URL")).caused_by(error)
        })?;
        Ok(Address { url: parsed, token: TokenUse::Send })
    }

    /// Tells this observer, as long as it exists, when an origin asks to be left alone.
    pub(crate) fn observe(&self, observer: &Observer) {
        self.gate.observe(observer);
    }

    /// Sends one request and follows nothing; says where it was sent.
    pub(crate) async fn send(
        &self,
        method: Method,
        to: &Address,
        headers: HeaderMap,
        limits: Limits,
    ) -> Result<(Address, Response), NoAnswer> {
        let to = self.route.routed(to);
        let request = self.request(method, &to, headers, limits);
        let answer = self.send_through_gate(request, limits.until).await?;
        Ok((to, answer))
    }

    /// Sends a request and follows its redirects by the core's rule.
    pub(crate) async fn get(
        &self,
        to: &Address,
        headers: &HeaderMap,
        timeout: Option<Duration>,
    ) -> Result<(Address, Response), NoAnswer> {
        self.get_on(Connection::Shared, to, headers, timeout).await
    }

    /// Does the same on a connection that may have to be its own. There the caller is told of a refusal for now, because it
    /// says how many connections are too many; the gate keeps it for everybody all the same.
    pub(crate) async fn get_on(
        &self,
        connection: Connection,
        to: &Address,
        headers: &HeaderMap,
        timeout: Option<Duration>,
    ) -> Result<(Address, Response), NoAnswer> {
        let limits = self.in_time(timeout);
        self.follow(Asked { connection, to, headers, limits }, &mut |_, _| {}).await
    }

    /// Sends a request for all of something and follows its redirects, of each of which it says from where and where to.
    pub(crate) async fn get_watching(
        &self,
        to: &Address,
        mut watch: impl FnMut(&Address, &Address) + Send,
    ) -> Result<(Address, Response), NoAnswer> {
        let (headers, limits) = (&HeaderMap::new(), self.in_time(None));
        let asked = Asked { connection: Connection::Shared, to, headers, limits };
        self.follow(asked, &mut watch).await
    }

    /// Sends a request that has an end, and follows its redirects.
    pub(crate) async fn get_until(
        &self,
        to: &Address,
        headers: &HeaderMap,
        limits: Limits,
    ) -> Result<(Address, Response), NoAnswer> {
        let asked = Asked { connection: Connection::Shared, to, headers, limits };
        self.follow(asked, &mut |_, _| {}).await
    }

    /// Sends JSON by a POST, and follows no redirect; says where it was sent.
    pub(crate) async fn post(
        &self,
        to: &Address,
        body: Vec<u8>,
        limits: Limits,
    ) -> Result<(Address, Response), NoAnswer> {
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let to = self.route.routed(to);
        let request = self.request(Method::POST, &to, HeaderMap::from_iter([json]), limits);
        let request = Request { body: Some(body), ..request };
        let answer = self.send_through_gate(request, limits.until).await?;
        Ok((to, answer))
    }

    /// Returns the limits of a request that has no end but that its answer must begin in time.
    pub(crate) fn in_time(&self, timeout: Option<Duration>) -> Limits {
        Limits { answer_within: timeout.unwrap_or(self.stall_timeout), until: None }
    }

    async fn follow(
        &self,
        asked: Asked<'_>,
        watch: &mut (dyn FnMut(&Address, &Address) + Send),
    ) -> Result<(Address, Response), NoAnswer> {
        let Asked { connection, to, headers, limits } = asked;
        let mut at = self.route.routed(to);
        for followed in 0..=REDIRECT_LIMIT {
            let mut sent = headers.clone();
            if at.token == TokenUse::Withhold {
                // The store behind a redirect has validators of its own.
                sent.remove(IF_RANGE);
            }
            let request = self.request(Method::GET, &at, sent, limits);
            let request = Request { connection, ..request };
            let answer = self.send_through_gate(request, limits.until).await?;
            let Some(location) = location(&answer) else { return Ok((at, answer)) };
            let next = self.hop(&at, &location, followed)?;
            watch(&at, &next);
            at = next;
        }
        Err(self.too_many(&at))
    }

    fn request(
        &self,
        method: Method,
        to: &Address,
        mut headers: HeaderMap,
        limits: Limits,
    ) -> Request {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if to.token == TokenUse::Send {
            headers.extend(self.route.endpoints().headers_for(&to.url));
        }
        Request {
            method,
            url: to.url.clone(),
            headers,
            body: None,
            answer_within: limits.answer_within,
            connection: Connection::Shared,
            made_after: None,
        }
    }

    /// Sends a request when the gate lets it pass, and again where its origin refuses it for now.
    fn send_through_gate(
        &self,
        request: Request,
        until: Option<Instant>,
    ) -> BoxFuture<'_, Result<Response, NoAnswer>> {
        Box::pin(self.pass_gate(request, until))
    }

    async fn pass_gate(
        &self,
        mut request: Request,
        until: Option<Instant>,
    ) -> Result<Response, NoAnswer> {
        let url = request.url.clone();
        if let Some(unusable) = &self.unusable {
            return Err(NoAnswer::Unset(unusable.clone()));
        }
        if Handle::try_current().is_err() {
            let what = "a request needs a tokio runtime, and there is none";
            return Err(transport(&url, TransportError::new(TransportErrorKind::Other, what)));
        }
        let since = Instant::now();
        loop {
            // Where another can be asked, there must be time for it.
            let (failing, share) = match self.route.goes_on_from(self.route.site()) {
                true => (Some(FAILING_PATIENCE), 2),
                false => (None, 1),
            };
            let wait = Until { moment: until, failing };
            let entered = self.gate.enter(&url, request.connection, since, wait).await;
            let pass = match entered {
                Entered::Go(pass) => pass,
                Entered::Refused(answer) => return Ok(answer),
            };
            if failing.is_some() {
                request.answer_within = request.answer_within.min(self.lookup_timeout);
            }
            if let Some(until) = until {
                let left = until.saturating_duration_since(Instant::now()) / share;
                request.answer_within = request.answer_within.min(left);
            }
            request.made_after = pass.broke_at();
            let method = &request.method;
            let span =
                tracing::debug_span!(target: "hubstow", "request", %method, url = %shown(&url));
            let answer = self.send_now(request.clone(), &pass).instrument(span).await?;
            if !is_refusal_for_now(answer.status, &answer.headers) {
                pass.taken();
                let body = Passed::new(answer.body, pass, self.stall_timeout);
                return Ok(unpacked(Response { body: Box::new(body), ..answer }));
            }
            self.gate.refused(&pass, &url, &answer);
            match request.connection {
                Connection::Shared => {}
                Connection::Own => return Ok(answer),
            }
        }
    }

    async fn send_now(&self, request: Request, pass: &Pass) -> Result<Response, NoAnswer> {
        let (url, limit) = (request.url.clone(), request.answer_within);
        self.requests.fetch_add(1, Ordering::Relaxed);
        let asked = Instant::now();
        let answer = match tokio::time::timeout(limit, self.transport.send(request)).await {
            Ok(answer) => answer.map_err(|error| transport(&url, error)),
            Err(_) => {
                let what = format!("no answer within {} s", limit.as_secs_f64().ceil());
                Err(transport(&url, TransportError::new(TransportErrorKind::Timeout, what)))
            }
        };
        let answer = answer.and_then(|answer| match answer.status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
                Err(transport(&url, TransportError::of(TransportErrorKind::ProxyLogin)))
            }
            _ => Ok(answer),
        });
        let status = answer.as_ref().map(|answer| answer.status.as_u16());
        tracing::debug!(target: "hubstow", ?status, "asked");
        match &answer {
            Ok(_) => pass.answered(asked.elapsed()),
            Err(_) => pass.broke(),
        }
        answer
    }
}
