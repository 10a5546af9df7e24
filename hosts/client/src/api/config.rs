//! What a [`Hub`](crate::Hub) needs to know, given by the program or read from the environment on request.

use std::{
    env, fmt,
    num::NonZeroU64,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hubstow_cache::Durability;
use hubstow_core::{
    facts::{Reach, Stale},
    hub::Endpoint,
    layout::RepoLayout,
    policy::Policy,
};

use crate::api::{
    error::{Detail, Error, ErrorKind},
    headers::Headers,
    login::Login,
    proxies::Proxies,
};

/// An access token. It shows itself nowhere: not in logs, errors or debug output.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_client::Token;
///
/// let token = Token::new(" hf_secret\n")?;
/// assert_eq!(format!("{token:?}"), "Token(…)");
/// assert!(Token::new("two words").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token; surrounding white space is no part of it, and neither is the mark that some editors put before a text.
    ///
    /// # Errors
    /// An empty token, or one that can't stand in a header.
    pub fn new(text: &str) -> Result<Self, Error> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::new(
                ErrorKind::Usage,
                "the token is empty or holds characters that no token has",
            )
            .hint("a token is one line of plain ASCII, such as `hf_…`"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the secret itself, for the one header it belongs to.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Whether content may come from the Xet store. It makes a difference only where the host brings one.
///
/// ```
/// use hubstow_client::{Config, Xet};
///
/// let mut config = Config::new("/models");
/// assert_eq!(config.xet, Xet::On);
/// config.xet = Xet::Off;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Xet {
    /// It may, where the hub says that it is there.
    #[default]
    On,
    /// It comes from the hub's own address.
    Off,
}

/// Settings of a [`Hub`](crate::Hub).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_client::Config;
/// use hubstow_core::policy::Policy;
///
/// let mut config = Config::new("/models");
/// config.set_endpoints("https://mirror.example.org https://huggingface.co")?;
/// config.add_endpoint("https://hub.example.org")?;
/// config.policy = Policy::Dedup;
/// config.max_workers = 4;
/// config.check()?;
/// assert_eq!(config.endpoints().count(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// The hub.
    pub endpoint: Endpoint,
    /// Where else the hub is, in the order in which they are asked when one is away or fails.
    pub further_endpoints: Vec<FurtherEndpoint>,
    /// The cache root. Without a name only a local folder can be filled.
    pub cache_dir: PathBuf,
    /// A folder that gets the files themselves instead of the cache; what the cache holds is copied from there.
    pub local_dir: Option<PathBuf>,
    /// A folder for what only this user may write. Where others can write to the cache directory, what was proved of its
    /// files is kept there; without it they are hashed anew by each program.
    pub state_dir: Option<PathBuf>,
    /// A name and a password for the hub, sent to its origin only and in place of the token.
    pub login: Option<Login>,
    /// The access token, sent to the origins of the endpoints only: to each that has no name and password of its own.
    pub token: Option<Token>,
    /// A token file that is there and can't be read. Whoever is refused for want of a token is told of it.
    pub unread_token: Option<UnreadToken>,
    /// The ladder of methods.
    pub policy: Policy,
    /// Whether the hub may be asked at all.
    pub reach: Reach,
    /// When a cached file may be served unconfirmed.
    pub stale: Stale,
    /// What a power cut may cost.
    pub durability: Durability,
    /// How long a HEAD or a listing may take.
    pub lookup_timeout: Duration,
    /// How long a transfer may stand still.
    pub stall_timeout: Duration,
    /// How long requests wait for a server that refuses them for now (429, or 503 with a time to wait) and takes no other
    /// meanwhile. Hubs count by windows of five minutes, so less than that may be in vain.
    pub throttle_patience: Duration,
    /// How long to wait for another process that downloads the same file and makes no progress.
    pub lock_patience: Duration,
    /// How many files are downloaded at once. Of small files of a snapshot it is eight times as many, and more while more
    /// come in the same time; one where this is one.
    pub max_workers: usize,
    /// How many connections large files are received on at most, all together; each file has one in any case. Where nothing is
    /// said it is up to sixteen for one file, which is what a hub takes from one client without complaint, and up to 32 for
    /// several, as long as more bring more. No more are used than the host has descriptors for and than its transport
    /// offers.
    pub max_connections: Option<usize>,
    /// How many bytes of content are received a second at most, over all files together.
    pub limit_rate: Option<NonZeroU64>,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The proxies that requests go through.
    pub proxies: Proxies,
    /// Headers that are added to each request to the hub.
    pub headers: Headers,
    /// Whether content may come from the Xet store.
    pub xet: Xet,
    /// What the environment has said that is of no use: an error of the first request, and of [`Config::check`].
    pub unusable: UnusableSettings,
}

/// The longest wait that is meant by any setting: a moment so far ahead can be named on every system.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// One more place of the hub.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_client::Config;
///
/// let mut config = Config::new("/models");
/// config.add_endpoint("https://me:secret@mirror.example.org")?;
/// let further = &config.further_endpoints[0];
/// assert_eq!(further.endpoint.as_str(), "https://mirror.example.org");
/// assert!(further.login.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FurtherEndpoint {
    /// Where it is.
    pub endpoint: Endpoint,
    /// A name and a password for it, sent to its origin only and in place of the token.
    pub login: Option<Login>,
}

/// A token file that can't be read.
///
/// ```
/// use hubstow_client::Config;
///
/// let config = Config::new("/models");
/// if let Some(unread) = &config.unread_token {
///     eprintln!("{} can't be read: {}", unread.path.display(), unread.why);
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UnreadToken {
    /// The file.
    pub path: PathBuf,
    /// Why, in the system's words.
    pub why: String,
}

/// What the environment has said that is of no use.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_client::Config;
///
/// let config = Config::from_vars(|name| match name {
///     "HF_HUB_CACHE" => Some("/models".to_owned()),
///     "HF_ENDPOINT" => Some("no URL".to_owned()),
///     _ => None,
/// })?;
/// assert_eq!(config.check().unwrap_err().to_string(), "HF_ENDPOINT can't be used");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct UnusableSettings(Vec<Unusable>);

impl UnusableSettings {
    pub(crate) fn first(&self) -> Option<Unusable> {
        self.0.first().cloned()
    }
}

/// A setting of the environment that is of no use. Whoever sends no request does not need it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{variable} can't be used")]
pub(crate) struct Unusable {
    variable: String,
    source: Arc<Error>,
}

impl From<Unusable> for Error {
    fn from(unusable: Unusable) -> Self {
        let hint = unusable.source.way_out().map(str::to_owned);
        let error = Self::new(ErrorKind::Usage, unusable.to_string()).caused_by(unusable.source);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Returns the `User-Agent` that is sent when a program sets none.
///
/// ```
/// use hubstow_client::{Config, default_user_agent};
///
/// let mut config = Config::new("/models");
/// assert_eq!(config.user_agent, default_user_agent());
/// config.user_agent = format!("my-program/1.0 {}", default_user_agent());
/// ```
#[must_use]
pub fn default_user_agent() -> String {
    concat!("hubstow/", env!("CARGO_PKG_VERSION")).to_owned()
}

impl Config {
    /// Takes every wait that is longer than a year for a year.
    pub(crate) fn bound_waits(&mut self) {
        for wait in [
            &mut self.lookup_timeout,
            &mut self.stall_timeout,
            &mut self.throttle_patience,
            &mut self.lock_patience,
        ] {
            *wait = (*wait).min(LONGEST_WAIT);
        }
    }

    /// Makes the directories absolute: a program that changes its working directory must not change its cache with it.
    pub(crate) fn place_dirs(&mut self) -> Result<(), Error> {
        self.local_dir = self.local_dir.as_deref().map(absolute).transpose()?;
        self.cache_dir = if !self.cache_dir.as_os_str().is_empty() {
            absolute(&self.cache_dir)?
        } else if let Some(local) = &self.local_dir {
            // There is none, and a repo can't write one there.
            local.join(RepoLayout::local().private().as_str()).join("hub")
        } else {
            let what = "nothing says where the cache is: the home directory is not known";
            return Err(Error::new(ErrorKind::Usage, what).with_detail(Detail::Homeless));
        };
        Ok(())
    }

    /// Makes the default settings for a cache root; the environment is not read.
    ///
    /// ```
    /// use hubstow_client::Config;
    ///
    /// let config = Config::new("/models");
    /// assert_eq!(config.endpoint.as_str(), "https://huggingface.co");
    /// ```
    #[must_use]
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self {
            endpoint: public_endpoint(),
            further_endpoints: Vec::new(),
            cache_dir: cache_dir.into(),
            local_dir: None,
            state_dir: None,
            login: None,
            token: None,
            unread_token: None,
            policy: Policy::Compat,
            reach: Reach::Online,
            stale: Stale::Unreachable,
            durability: Durability::Safe,
            lookup_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(10),
            throttle_patience: Duration::from_secs(600),
            lock_patience: Duration::from_secs(20),
            max_workers: 8,
            max_connections: None,
            limit_rate: None,
            user_agent: default_user_agent(),
            proxies: Proxies::default(),
            headers: Headers::default(),
            xet: Xet::On,
            unusable: UnusableSettings::default(),
        }
    }

    /// Looks at what is otherwise looked at when the first request is to be sent.
    ///
    /// # Errors
    /// A variable of the environment whose value is not what it takes.
    pub fn check(&self) -> Result<(), Error> {
        self.unusable.first().map_or(Ok(()), |unusable| Err(unusable.into()))
    }

    /// Takes what a variable says, or notes why it is of no use.
    pub(crate) fn take<T>(
        &mut self,
        variable: &str,
        said: Result<T, Error>,
        set: impl FnOnce(&mut Self, T),
    ) {
        match said {
            Ok(value) => set(self, value),
            Err(error) => {
                let (variable, source) = (variable.to_owned(), Arc::new(error));
                self.unusable.0.push(Unusable { variable, source });
            }
        }
    }

    /// Sets the hub to a URL, which may have a name and a password in it; it has no other endpoint then.
    ///
    /// # Errors
    /// What is no endpoint. What may be a password is not repeated.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_client::Config;
    ///
    /// let mut config = Config::new("/models");
    /// config.set_endpoint("https://hub.example.org")?;
    /// assert!(config.set_endpoint("hub.example.org").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_endpoint(&mut self, url: &str) -> Result<(), Error> {
        (self.endpoint, self.login) = endpoint(url)?;
        self.further_endpoints.clear();
        Ok(())
    }

    /// Adds a URL where the hub is as well, to be asked when those before it are away or fail. What is there already is not
    /// added.
    ///
    /// # Errors
    /// As [`Config::set_endpoint`].
    pub fn add_endpoint(&mut self, url: &str) -> Result<(), Error> {
        let (endpoint, login) = endpoint(url)?;
        let mut known = self.further_endpoints.iter().map(|further| &further.endpoint);
        if self.endpoint != endpoint && known.all(|known| *known != endpoint) {
            self.further_endpoints.push(FurtherEndpoint { endpoint, login });
        }
        Ok(())
    }

    /// Sets the hub to several URLs, with white space between them: each is asked when those before it are away or fail.
    ///
    /// # Errors
    /// As [`Config::set_endpoint`]; no URL at all.
    pub fn set_endpoints(&mut self, urls: &str) -> Result<(), Error> {
        let mut urls = urls.split_whitespace();
        self.set_endpoint(urls.next().unwrap_or_default())?;
        urls.try_for_each(|url| self.add_endpoint(url))
    }

    /// Returns all places of the hub, in the order in which they are asked.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        std::iter::once(&self.endpoint)
            .chain(self.further_endpoints.iter().map(|further| &further.endpoint))
    }
}

/// Reads an endpoint, and takes a name and a password out of it.
fn endpoint(url: &str) -> Result<(Endpoint, Option<Login>), Error> {
    let taken = Login::taken_from(url);
    let is_secret = taken.is_none() && url.contains('@');
    if is_secret {
        let what = "the endpoint is no URL, and may have a password in it";
        return Err(Error::new(ErrorKind::Usage, what));
    }
    let (url, login) = match taken {
        Some((url, login)) => (url, Some(login)),
        None => (url.to_owned(), None),
    };
    Ok((Endpoint::parse(&url)?, login))
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|error| {
        let what = format!("`{}` can't be the name of a directory", path.display());
        Error::new(ErrorKind::Usage, what).caused_by(error)
    })
}

fn public_endpoint() -> Endpoint {
    #[expect(clippy::expect_used, reason = "a constant of the core, parsed by a test as well")]
    Endpoint::parse(Endpoint::PUBLIC).expect("the public endpoint is an endpoint")
}
