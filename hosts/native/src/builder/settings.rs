//! The settings of a hub that are values, one by one.

use std::{num::NonZeroU64, time::Duration};

use hubstow_client::{Durability, Login, Proxies, Proxy, Token, Xet};
use hubstow_core::{
    facts::{Reach, Stale},
    policy::Policy,
};

use super::HubBuilder;

impl HubBuilder {
    /// Asks the hub at this URL, which may have a name and a password in it.
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.change(move |config| config.set_endpoint(&url))
    }

    /// Asks the hub at the first of these URLs, and at each other when those before it are away or fail; no endpoint is asked
    /// for a better answer than another one's.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::Hub;
    ///
    /// let hub = Hub::builder()
    ///     .cache_dir("/models")
    ///     .endpoints(["https://mirror.example.org", "https://huggingface.co"])
    ///     .build()?;
    /// assert_eq!(hub.config().endpoints().count(), 2);
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::Hub;
    ///
    /// let hub = Hub::builder().cache_dir("/models").no_token().build()?;
    /// assert!(hub.config().token.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn no_token(self) -> Self {
        self.set(|config| (config.token, config.unread_token) = (None, None))
    }

    /// Sends a name and a password to the hub, in place of a token.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::Hub;
    ///
    /// let hub = Hub::builder().cache_dir("/models").login("me", "secret").build()?;
    /// assert!(!format!("{:?}", hub.config()).contains("secret"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn login(self, name: &str, password: &str) -> Self {
        let login = Login::new(name, password);
        self.set(move |config| config.login = Some(login))
    }

    /// Adds a header to each request to the hub; it is sent to no other server, as no token is.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::Hub;
    ///
    /// let hub = Hub::builder().cache_dir("/models").header("X-Gateway-Key", "key").build()?;
    /// assert!(Hub::builder().cache_dir("/models").header("Range", "bytes=0-1").build().is_err());
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::Hub;
    ///
    /// let hub = Hub::builder().cache_dir("/models").proxy("http://proxy.example:3128").build()?;
    /// assert!(hub.config().proxies.https.is_some());
    /// let direct = Hub::builder().cache_dir("/models").no_proxy().build()?;
    /// assert!(direct.config().proxies.https.is_none());
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::{Hub, Stale};
    ///
    /// let hub = Hub::builder().cache_dir("/models").stale(Stale::Always).offline().build()?;
    /// assert!(hub.model("org/name").file("config.json").cached()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn offline(self) -> Self {
        self.set(|config| config.reach = Reach::Offline)
    }

    /// Says when a cached file may be served that the hub has not confirmed.
    pub fn stale(self, stale: Stale) -> Self {
        self.set(move |config| config.stale = stale)
    }

    /// Says what a power cut may cost.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::{Durability, Hub};
    ///
    /// // For a cache that is made anew after a power cut.
    /// let hub = Hub::builder().cache_dir("/models").durability(Durability::Fast).without_xet().build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn durability(self, durability: Durability) -> Self {
        self.set(move |config| config.durability = durability)
    }

    /// Takes no content from the Xet store, whatever the program was built with.
    pub fn without_xet(self) -> Self {
        self.set(|config| config.xet = Xet::Off)
    }

    /// Downloads at most this many files at once; of small ones it is eight times as many.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::num::NonZeroU64;
    ///
    /// use hubstow_native::Hub;
    ///
    /// let hub = Hub::builder()
    ///     .cache_dir("/models")
    ///     .max_workers(2)
    ///     .max_connections(4)
    ///     .limit_rate(NonZeroU64::new(5_000_000).ok_or("5 MB a second")?)
    ///     .build()?;
    /// assert_eq!(hub.config().max_connections, Some(4));
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    ///
    /// use hubstow_native::Hub;
    ///
    /// let hub = Hub::builder()
    ///     .cache_dir("/models")
    ///     .lookup_timeout(Duration::from_secs(5))
    ///     .stall_timeout(Duration::from_secs(30))
    ///     .throttle_patience(Duration::from_secs(60))
    ///     .build()?;
    /// assert_eq!(hub.config().stall_timeout, Duration::from_secs(30));
    /// # Ok(())
    /// # }
    /// ```
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
}
