//! The endpoints of a hub: several that have the same, and the one that is asked.
//!
//! Each question and each download keeps to one endpoint until that is away; then the next is asked, in their order, and
//! each no more than once. What a commit holds is the same everywhere, and content is proved by its hash, so what has come
//! from one may go on at the next. INVARIANT (refusals): only an [`Outage`] leads to the next endpoint. What an endpoint
//! refuses or does not know, a limited rate, and content that is wrong are its answer, and no other is asked for a better one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, StatusCode, header::AUTHORIZATION};
use hubstow_core::hub::{Backoff, Endpoint, Origin, Retry, retry};
use tokio::time::Instant;
use url::Url;

use crate::{
    api::{config::Config, login::Login, report::AskedEndpoint},
    http::{
        address::{Address, NoAnswer, TokenUse},
        transport::TransportErrorKind,
    },
};

/// How long an endpoint that was away is not the first to be asked.
const LEFT_ALONE: Duration = Duration::from_secs(60);
/// How often what may pass is tried again at an endpoint before the next one is asked.
const TRIES_AGAIN: u32 = 1;

/// What a failure says of the endpoint, where another may do better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outage {
    /// Nobody answers there: the next one is asked at once.
    Away,
    /// It fails in a way that may pass: it is tried once more.
    Failing,
}

impl Outage {
    /// Returns what it says that no answer came, or none that ends.
    pub(crate) fn of(error: &NoAnswer) -> Option<Self> {
        let NoAnswer::Transport { source, .. } = error else { return None };
        match source.kind() {
            TransportErrorKind::Connect
            | TransportErrorKind::Timeout
            | TransportErrorKind::Tls
            | TransportErrorKind::Certificate(_)
            | TransportErrorKind::Proxy => Some(Self::Away),
            TransportErrorKind::Broken | TransportErrorKind::Other => Some(Self::Failing),
            // Whoever goes through the proxy needs that login, whatever is asked for.
            TransportErrorKind::ProxyLogin => None,
        }
    }

    /// Returns what a status says.
    pub(crate) fn of_status(status: StatusCode) -> Option<Self> {
        (status.is_server_error() && retry(status.as_u16()) == Retry::Yes).then_some(Self::Failing)
    }

    /// Tells whether it was tried for long enough after so many retries.
    pub(crate) fn is_enough(self, retries: u32) -> bool {
        match self {
            Self::Away => true,
            Self::Failing => retries >= TRIES_AGAIN,
        }
    }
}

/// One endpoint.
struct Site {
    endpoint: Endpoint,
    /// What only this endpoint sees.
    headers: HeaderMap,
    /// Whether it has shown that it can't be asked for chosen paths.
    lacks_paths: AtomicBool,
    left: Mutex<Option<Instant>>,
}

/// Which endpoint, by its place in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SiteId(usize);

/// All endpoints of a hub; there is one at least.
pub(crate) struct Endpoints {
    first: Site,
    others: Vec<Site>,
}

/// The endpoint that one question or download keeps to.
pub(crate) struct Route {
    endpoints: Arc<Endpoints>,
    state: Mutex<Asked>,
}

struct Asked {
    now: SiteId,
    /// Those that were left, with the reason.
    left: Vec<(SiteId, String)>,
}

impl Endpoints {
    pub(crate) fn new(config: &Config) -> Self {
        let site = |endpoint: &Endpoint, login: Option<&Login>| Site {
            endpoint: normalised(endpoint),
            headers: headers(config, login),
            lacks_paths: AtomicBool::new(false),
            left: Mutex::default(),
        };
        let others = config.further_endpoints.iter();
        Self {
            first: site(&config.endpoint, config.login.as_ref()),
            others: others.map(|other| site(&other.endpoint, other.login.as_ref())).collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = (SiteId, &Site)> {
        let sites = std::iter::once(&self.first).chain(&self.others);
        sites.enumerate().map(|(place, site)| (SiteId(place), site))
    }

    fn get(&self, id: SiteId) -> &Site {
        id.0.checked_sub(1).and_then(|place| self.others.get(place)).unwrap_or(&self.first)
    }

    /// Returns the endpoint that a URL is of: the one whose address it begins with, else one of the same origin.
    fn of(&self, url: &Url) -> Option<&Site> {
        let begins = self.all().filter(|(_, site)| below(url, &site.endpoint).is_some());
        let longest = begins.max_by_key(|(_, site)| site.endpoint.as_str().len());
        let same_origin = || {
            let origin = Origin::of(url.as_str())?;
            self.all().find(|(_, site)| *site.endpoint.origin() == origin)
        };
        longest.or_else(same_origin).map(|(_, site)| site)
    }

    /// Tells whether an address is of one of them.
    pub(crate) fn have(&self, at: &Address) -> bool {
        self.of(&at.url).is_some()
    }

    /// Returns the origin that belongs to the token of a URL, if it is one of an endpoint.
    pub(crate) fn origin_of(&self, url: &Url) -> Option<&Origin> {
        self.of(url).map(|site| site.endpoint.origin())
    }

    /// Returns what only the endpoint of a URL sees.
    pub(crate) fn headers_for(&self, url: &Url) -> HeaderMap {
        self.of(url).map(|site| site.headers.clone()).unwrap_or_default()
    }

    /// Returns the first that was not away a moment ago; the first of all where all were.
    fn first_to_ask(&self) -> SiteId {
        let calm = self.all().find(|(_, site)| !site.was_left());
        calm.map_or(SiteId(0), |(id, _)| id)
    }
}

impl Site {
    fn was_left(&self) -> bool {
        locked(&self.left).is_some_and(|left| left.elapsed() < LEFT_ALONE)
    }
}

impl Route {
    /// Begins where nobody was away a moment ago.
    pub(crate) fn new(endpoints: Arc<Endpoints>) -> Self {
        let now = endpoints.first_to_ask();
        Self { endpoints, state: Mutex::new(Asked { now, left: Vec::new() }) }
    }

    /// Begins anew.
    pub(crate) fn again(&self) -> Self {
        Self::new(Arc::clone(&self.endpoints))
    }

    pub(crate) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Returns which endpoint is asked now.
    pub(crate) fn site(&self) -> SiteId {
        locked(&self.state).now
    }

    /// Returns the endpoint that is asked now.
    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoints.get(self.site()).endpoint
    }

    /// Returns whether the endpoint that is asked now has shown that it can't be asked for chosen paths.
    pub(crate) fn lacks_paths(&self) -> &AtomicBool {
        &self.endpoints.get(self.site()).lacks_paths
    }

    /// Tells whether anybody else can be asked than this endpoint.
    pub(crate) fn goes_on_from(&self, site: SiteId) -> bool {
        let state = locked(&self.state);
        state.now != site || self.next(&state).is_some()
    }

    /// Returns how often to try again at one endpoint: less where another can be asked.
    pub(crate) fn patience(&self, backoff: Backoff) -> Backoff {
        let retries = if self.goes_on_from(self.site()) { TRIES_AGAIN } else { backoff.retries };
        Backoff { retries, ..backoff }
    }

    /// Leaves an endpoint for the next one. Who was there before has nothing to do, and is told nothing.
    pub(crate) fn leave(&self, site: SiteId, why: &str) -> Left {
        let mut state = locked(&self.state);
        if state.now != site {
            return Left::Before;
        }
        let Some(next) = self.next(&state) else { return Left::Nowhere };
        let left = self.endpoints.get(site);
        *locked(&left.left) = Some(Instant::now());
        state.left.push((site, why.to_owned()));
        state.now = next;
        tracing::warn!(target: "hubstow", left = left.endpoint.as_str(), why, "asking the next endpoint");
        let [from, to] = [site, next].map(|id| self.endpoints.get(id).endpoint.clone());
        Left::Now { from, to }
    }

    /// Returns who is asked next: who was not asked by this question yet, those first that were not away a moment ago.
    fn next(&self, state: &Asked) -> Option<SiteId> {
        let was_asked =
            |id: SiteId| id == state.now || state.left.iter().any(|(left, _)| *left == id);
        let others = self.endpoints.all().filter(|(id, _)| !was_asked(*id));
        let (away, calm): (Vec<_>, Vec<_>) = others.partition(|(_, site)| site.was_left());
        calm.first().or(away.first()).map(|(id, _)| *id)
    }

    /// Returns where an address is at the endpoint that is asked now. What is at no endpoint stays where it is.
    pub(crate) fn routed(&self, to: &Address) -> Address {
        if to.token == TokenUse::Withhold || self.endpoints.others.is_empty() {
            return to.clone();
        }
        let now = self.endpoint();
        let of = self.endpoints.of(&to.url).filter(|site| site.endpoint != *now);
        let moved = of.and_then(|site| {
            let rest = below(&to.url, &site.endpoint)?;
            Url::parse(&format!("{}{rest}", now.as_str())).ok()
        });
        moved.map_or_else(|| to.clone(), |url| Address { url, token: to.token })
    }

    /// Returns which endpoints were asked, where there are several.
    pub(crate) fn asked(&self) -> Vec<AskedEndpoint> {
        if self.endpoints.others.is_empty() {
            return Vec::new();
        }
        let state = locked(&self.state);
        let name = |id: SiteId| self.endpoints.get(id).endpoint.as_str().to_owned();
        let left = state.left.iter();
        let mut asked: Vec<_> = left
            .map(|(id, why)| AskedEndpoint { endpoint: name(*id), left: Some(why.clone()) })
            .collect();
        asked.push(AskedEndpoint { endpoint: name(state.now), left: None });
        asked
    }
}

/// What came of leaving an endpoint.
pub(crate) enum Left {
    /// The next one is asked from now on.
    Now {
        /// The one that was left.
        from: Endpoint,
        /// The next one.
        to: Endpoint,
    },
    /// Another one is asked already.
    Before,
    /// There is no other.
    Nowhere,
}

/// Returns what of a URL follows an endpoint's address.
fn below<'a>(url: &'a Url, endpoint: &Endpoint) -> Option<&'a str> {
    let rest = url.as_str().strip_prefix(endpoint.as_str())?;
    (rest.is_empty() || rest.starts_with(['/', '?', '#'])).then_some(rest)
}

/// Writes an endpoint as every URL made from it will be written, so that origins can be compared.
fn normalised(endpoint: &Endpoint) -> Endpoint {
    let url = Url::parse(endpoint.as_str()).ok();
    url.and_then(|url| Endpoint::parse(url.as_str()).ok()).unwrap_or_else(|| endpoint.clone())
}

/// Returns the headers that only one endpoint sees. Whoever names a login means that endpoint's own door, which takes no
/// token; the token is for every endpoint that was named.
fn headers(config: &Config, login: Option<&Login>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let who = match (login, &config.token) {
        (Some(login), _) => Some(format!("Basic {}", login.reveal())),
        (None, token) => token.as_ref().map(|token| format!("Bearer {}", token.reveal())),
    };
    // Both hold only visible ASCII, so they always fit.
    if let Some(Ok(mut value)) = who.as_deref().map(HeaderValue::from_str) {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    headers.extend(config.headers.reveal().clone());
    headers
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
