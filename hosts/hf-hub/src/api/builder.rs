//! Settings of the hub, before it is made.

use std::path::PathBuf;

use hubstow_native::{Config, Error, Token};

use super::absolute;
use crate::Cache;

/// Settings of a hub.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::at(async |here| {
/// use hubstow_hf_hub::api::sync::ApiBuilder;
///
/// let api = ApiBuilder::new()
///     .with_endpoint(here.url())
///     .with_cache_dir(here.place("cache"))
///     .with_token(None)
///     .with_progress(false)
///     .with_user_agent("my-program", "1.0")
///     .with_max_files(4)
///     .with_retries(3)
///     .with_chunk_size(None)
///     .build()?;
/// let path = api.model("org/model".to_owned()).get("config.json")?;
/// println!("{}", path.display());
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct ApiBuilder {
    pub(super) config: Result<Config, Error>,
    pub(super) progress: bool,
}

impl Default for ApiBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ApiBuilder {
    /// The default settings, with the environment's cache and token.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// use hubstow_hf_hub::api::sync::ApiBuilder;
    ///
    /// let api = ApiBuilder::new().with_endpoint(here.url()).with_cache_dir(here.place("cache")).build()?;
    /// println!("{}", api.space("org/show".to_owned()).url("app.py"));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::from_env()
    }

    /// The settings that the environment says.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// use hubstow_hf_hub::api::sync::ApiBuilder;
    ///
    /// let api = ApiBuilder::from_env().high().with_endpoint(here.url()).build()?;
    /// println!("{}", api.dataset("org/rows".to_owned()).url("train.csv"));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn from_env() -> Self {
        Self { config: Config::from_env(), progress: true }
    }

    /// The settings of a cache that is there, with its token, and none of the environment's.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// use hubstow_hf_hub::{Cache, api::sync::ApiBuilder};
    ///
    /// let cache = Cache::new(here.place("home/hub"));
    /// let api = ApiBuilder::from_cache(cache).with_endpoint(here.url()).build()?;
    /// let path = api.dataset("org/rows".to_owned()).get("train.csv")?;
    /// assert!(path.starts_with(here.place("home/hub")));
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn from_cache(cache: Cache) -> Self {
        let mut config = Config::new(cache.path());
        config.token = cache.token().and_then(|token| Token::new(&token).ok());
        Self { config: Ok(config), progress: true }
    }

    /// Many connections for machines and lines that have room for them.
    #[must_use]
    pub fn high(self) -> Self {
        self.with(|config| {
            config.max_connections = Some(64);
            Ok(())
        })
    }

    /// Whether bars are shown.
    #[must_use]
    pub fn with_progress(mut self, progress: bool) -> Self {
        self.progress = progress;
        self
    }

    /// Another hub; of several URLs with spaces between them, as `HF_ENDPOINT` may have them, each is asked when those before it
    /// are away or fail.
    #[must_use]
    pub fn with_endpoint(self, endpoint: String) -> Self {
        self.with(|config| config.set_endpoints(&endpoint))
    }

    /// Another cache.
    #[must_use]
    pub fn with_cache_dir(self, cache_dir: PathBuf) -> Self {
        self.with(|config| {
            config.cache_dir = absolute(cache_dir);
            Ok(())
        })
    }

    /// Another token, or none.
    #[must_use]
    pub fn with_token(self, token: Option<String>) -> Self {
        self.with(|config| {
            config.token = token.as_deref().map(Token::new).transpose()?;
            Ok(())
        })
    }

    /// Has no meaning here: what may pass is tried again as long as it makes sense.
    #[must_use]
    pub fn with_retries(self, _max_retries: usize) -> Self {
        self
    }

    /// Has no meaning here: how long ranges are follows from the line.
    #[must_use]
    pub fn with_chunk_size(self, _chunk_size: Option<usize>) -> Self {
        self
    }

    /// How many connections large files are received on at most.
    #[must_use]
    pub fn with_max_files(self, max_files: usize) -> Self {
        self.with(|config| {
            config.max_connections = Some(max_files.max(1));
            Ok(())
        })
    }

    /// Adds a word to the `User-Agent`.
    #[must_use]
    pub fn with_user_agent(self, key: &str, value: &str) -> Self {
        self.with(|config| {
            config.user_agent.push_str(&format!("; {key}/{value}"));
            Ok(())
        })
    }

    /// The first setting that can't be is what the hub fails with when it is made.
    fn with(mut self, change: impl FnOnce(&mut Config) -> Result<(), Error>) -> Self {
        if let Ok(config) = &mut self.config
            && let Err(error) = change(config)
        {
            self.config = Err(error);
        }
        self
    }
}
