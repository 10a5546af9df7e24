//! Making a hub, setting by setting.

use std::{
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hubstow_client::{
    Config, Durability, Error, ErrorKind, Event, Login, Observer, Proxies, Proxy, Token, Transport,
    Xet, env_var,
};
use hubstow_core::{
    decide::Decider,
    facts::{Reach, Stale},
    policy::Policy,
};

use crate::{Hub, hub};
#[cfg(feature = "reqwest")]
use crate::{tls::Authorities, transport::ReqwestTransport};

/// Nothing here believes anybody.
#[cfg(not(feature = "reqwest"))]
type Authorities = ();

/// Makes a [`Hub`]. What is not said here is as the environment says, which [`Config::from_env`] reads, or as other settings
/// say ([`HubBuilder::config`]). A value that can't be used is an error of [`HubBuilder::build`].
///
/// ```
/// # fn run() -> Result<(), hubstow_native::Error> {
/// use hubstow_native::{Hub, Policy};
///
/// let hub = Hub::builder()
///     .cache_dir("/models")
///     .endpoint("https://hub.example.org")
///     .token("hf_…")
///     .policy(Policy::Portable)
///     .user_agent("my-program/1.0")
///     .build();
/// # assert!(hub.is_err(), "that is no token");
/// # Ok(())
/// # }
/// # run().unwrap();
/// ```
#[derive(Default)]
#[must_use = "nothing is made yet"]
pub struct HubBuilder {
    config: Option<Config>,
    cache_dir: Option<PathBuf>,
    /// What is said beside that, in its order.
    changes: Vec<Change>,
    decider: Option<Arc<dyn Decider>>,
    transport: Option<Arc<dyn Transport>>,
    observer: Option<Observer>,
    authorities: Authorities,
    /// The first thing that could not be used.
    unusable: Option<Error>,
}

type Change = Box<dyn FnOnce(&mut Config) -> Result<(), Error>>;

impl HubBuilder {
    /// Begins with these settings instead of those of the environment.
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Keeps files in this cache directory.
    pub fn cache_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(dir.into());
        self
    }

    /// Asks the hub at this URL, which may have a name and a password in it.
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.change(move |config| config.set_endpoint(&url))
    }

    /// Asks the hub at the first of these URLs, and at each other when those before it are away or fail; no endpoint is asked
    /// for a better answer than another one's.
    pub fn endpoints<U: Into<String>>(self, urls: impl IntoIterator<Item = U>) -> Self {
        let urls: Vec<String> = urls.into_iter().map(Into::into).collect();
        self.change(move |config| config.set_endpoints(&urls.join(" ")))
    }

    /// Sends this access token to the hub: to each of its endpoints.
    pub fn token(self, token: impl Into<String>) -> Self {
        let token = token.into();
        self.change(move |config| {
            config.token = Some(Token::new(&token)?);
            Ok(())
        })
    }

    /// Sends no token, whatever the environment says.
    pub fn no_token(self) -> Self {
        self.set(|config| (config.token, config.unread_token) = (None, None))
    }

    /// Sends a name and a password to the hub, in place of a token.
    pub fn login(self, name: &str, password: &str) -> Self {
        let login = Login::new(name, password);
        self.set(move |config| config.login = Some(login))
    }

    /// Adds a header to each request to the hub; it is sent to no other server, as no token is.
    pub fn header(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let (name, value) = (name.into(), value.into());
        self.change(move |config| config.headers.insert(&name, &value))
    }

    /// Says who asks, in the `User-Agent` header.
    pub fn user_agent(self, user_agent: impl Into<String>) -> Self {
        let user_agent = user_agent.into();
        self.set(move |config| config.user_agent = user_agent)
    }

    /// Sends all requests through this proxy: `http://HOST:PORT`, `https://…`, or with the feature `socks` `socks5h://…`.
    pub fn proxy(self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.change(move |config| {
            let proxy = Proxy::parse(&url)?;
            config.proxies = Proxies::default();
            (config.proxies.http, config.proxies.https) = (Some(proxy.clone()), Some(proxy));
            Ok(())
        })
    }

    /// Sends requests through no proxy, whatever the environment says.
    pub fn no_proxy(self) -> Self {
        self.set(|config| config.proxies = Proxies::default())
    }

    /// Places files by this policy.
    pub fn policy(self, policy: Policy) -> Self {
        self.set(move |config| config.policy = policy)
    }

    /// Sends no request (`HF_HUB_OFFLINE` of the Python client).
    pub fn offline(self) -> Self {
        self.set(|config| config.reach = Reach::Offline)
    }

    /// Says when a cached file may be served that the hub has not confirmed.
    pub fn stale(self, stale: Stale) -> Self {
        self.set(move |config| config.stale = stale)
    }

    /// Says what a power cut may cost.
    pub fn durability(self, durability: Durability) -> Self {
        self.set(move |config| config.durability = durability)
    }

    /// Takes no content from the Xet store, whatever the program was built with.
    pub fn without_xet(self) -> Self {
        self.set(|config| config.xet = Xet::Off)
    }

    /// Downloads at most this many files at once; of small ones it is eight times as many.
    pub fn max_workers(self, files: usize) -> Self {
        self.set(move |config| config.max_workers = files)
    }

    /// Receives large files on at most this many connections, all together.
    pub fn max_connections(self, connections: usize) -> Self {
        self.set(move |config| config.max_connections = Some(connections))
    }

    /// Receives at most this many bytes of content a second, over all files together.
    pub fn limit_rate(self, bytes_per_second: NonZeroU64) -> Self {
        self.set(move |config| config.limit_rate = Some(bytes_per_second))
    }

    /// Gives a question to the hub this long to be answered.
    pub fn lookup_timeout(self, timeout: Duration) -> Self {
        self.set(move |config| config.lookup_timeout = timeout)
    }

    /// Lets a transfer stand still this long.
    pub fn stall_timeout(self, timeout: Duration) -> Self {
        self.set(move |config| config.stall_timeout = timeout)
    }

    /// Waits this long for a server that refuses requests for now (429, or 503 with a time to wait).
    pub fn throttle_patience(self, patience: Duration) -> Self {
        self.set(move |config| config.throttle_patience = patience)
    }

    /// Tells a function of every event of every question; it is called from several threads and must not block.
    pub fn on_event(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Lets somebody else decide than the linked core. Whatever is decided is checked against the facts before anything is
    /// touched.
    pub fn decider(mut self, decider: Arc<dyn Decider>) -> Self {
        self.decider = Some(decider);
        self
    }

    /// Sends requests by a transport of the program's own. It does what it does about proxies and certificates.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Makes the hub. Nothing is sent or written yet.
    ///
    /// # Errors
    /// A value that can't be used; without a cache directory, a home directory that is not known; nothing that sends requests.
    pub fn build(self) -> Result<Hub, Error> {
        if let Some(unusable) = self.unusable {
            return Err(unusable);
        }
        let mut config = match (self.config, &self.cache_dir) {
            (Some(config), _) => config,
            (None, dir) => from_env(dir.as_deref())?,
        };
        config.cache_dir = self.cache_dir.unwrap_or(config.cache_dir);
        for change in self.changes {
            change(&mut config)?;
        }
        let transport = match self.transport {
            Some(given) => given,
            None => own_transport(&config, self.authorities)?,
        };
        let mut parts = hub::parts_with(&config, transport);
        parts.decider = self.decider.unwrap_or(parts.decider);
        let hub = Hub::with_parts(config, parts)?;
        Ok(match self.observer {
            Some(observer) => hub.on_event(move |event| observer(event)),
            None => hub,
        })
    }

    /// Makes a hub that is asked without async.
    ///
    /// # Errors
    /// As [`HubBuilder::build`].
    #[cfg(feature = "blocking")]
    pub fn build_blocking(self) -> Result<crate::blocking::Hub, Error> {
        self.build().map(crate::blocking::Hub::from)
    }

    fn change(mut self, change: impl FnOnce(&mut Config) -> Result<(), Error> + 'static) -> Self {
        self.changes.push(Box::new(change));
        self
    }

    fn set(self, set: impl FnOnce(&mut Config) + 'static) -> Self {
        self.change(|config| {
            set(config);
            Ok(())
        })
    }
}

#[cfg(feature = "reqwest")]
impl HubBuilder {
    /// Sends requests with the program's own client of reqwest: its proxies, certificates, timeouts and `User-Agent` are left
    /// as they are. It must not follow redirects by itself ([`reqwest::redirect::Policy::none`]), and a timeout for whole
    /// requests would end long downloads. Its connections are driven by the runtimes that ask.
    pub fn http_client(self, client: reqwest::Client) -> Self {
        self.transport(Arc::new(ReqwestTransport::Given(client)))
    }

    /// Believes these authorities too, given as the text of a PEM file; those of the system are believed as ever.
    pub fn ca_certificates(mut self, pem: &[u8]) -> Self {
        let taken = self.authorities.add_pem(pem);
        self.note(taken)
    }

    /// Believes the authorities of a PEM file too.
    pub fn ca_file(mut self, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let read = std::fs::read(path).map_err(|error| unusable_file(path).caused_by(error));
        let taken = read.and_then(|pem| {
            let taken = self.authorities.add_pem(&pem);
            taken.map_err(|error| unusable_file(path).caused_by(error))
        });
        self.note(taken)
    }

    fn note(mut self, taken: Result<(), Error>) -> Self {
        self.unusable = self.unusable.or(taken.err());
        self
    }
}

#[cfg(feature = "reqwest")]
fn unusable_file(path: &Path) -> Error {
    let what = format!("`{}` can't be used as a file of certificates", path.display());
    Error::new(ErrorKind::Usage, what)
}

#[cfg(feature = "reqwest")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature there is none")]
fn own_transport(config: &Config, authorities: Authorities) -> Result<Arc<dyn Transport>, Error> {
    Ok(Arc::new(ReqwestTransport::new(config, authorities)))
}

#[cfg(not(feature = "reqwest"))]
fn own_transport(_config: &Config, (): Authorities) -> Result<Arc<dyn Transport>, Error> {
    let what = "nothing sends requests: this program is built without the feature `reqwest`";
    Err(Error::new(ErrorKind::Usage, what).hint("give it a `Transport`"))
}

/// Reads the environment. A cache that is named needs no home directory.
fn from_env(cache_dir: Option<&Path>) -> Result<Config, Error> {
    Config::from_vars(|name| match name {
        "HF_HUB_CACHE" if cache_dir.is_some() => Some(".".to_owned()),
        _ => env_var(name),
    })
}
