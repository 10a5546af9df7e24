//! The hub of a native program: the client with reqwest and the system's own filesystem below it.

use std::{ops::Deref, path::Path, sync::Arc};

use hubstow_cache::{Disk, StdDisk};
use hubstow_client::{Config, Error, Event, Parts, Transport, XetStore};
#[cfg(feature = "reqwest")]
use hubstow_core::decide::Decider;

use crate::{HubBuilder, descriptors, workers::BlockingPool};

/// A hub and the cache that its files go to. Cloning is cheap; clones share connections and what was learned.
///
/// Everything that can be asked is asked of the [client](hubstow_client::Hub) that it leads to.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let config = hub.model("org/model").file("config.json").await?;
/// let rows = hub.dataset("org/rows").snapshot().include(["*.csv"]).await?;
/// println!("{}, {} files of rows", config.path.display(), rows.files.len());
/// # Ok(())
/// # });
/// ```
#[derive(Clone)]
pub struct Hub(hubstow_client::Hub);

/// Returns the parts of a native program: the linked core, reqwest, the system's own filesystem, tokio's blocking pool, and
/// with the feature `xet` the Xet store.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_native::{Config, Hub, parts};
///
/// let config = Config::new("/models");
/// let mut parts = parts(&config);
/// parts.descriptors = Some(64);
/// let hub = Hub::with_parts(config, parts)?;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "reqwest")]
#[must_use]
pub fn parts(config: &Config) -> Parts {
    let transport = crate::transport::ReqwestTransport::new(config, Default::default());
    parts_with(config, Arc::new(transport))
}

/// Returns the same with another transport.
pub(crate) fn parts_with(config: &Config, transport: Arc<dyn Transport>) -> Parts {
    let disk = Box::new(|directory: &Path| Ok(Arc::new(StdDisk::new(directory)) as Arc<dyn Disk>));
    let mut parts = Parts::new(transport, disk, Arc::new(BlockingPool::default()));
    parts.descriptors = descriptors::descriptor_limit();
    parts.store = xet_store(config);
    parts
}

#[cfg(feature = "xet")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature there is none")]
fn xet_store(config: &Config) -> Option<Arc<dyn XetStore>> {
    Some(Arc::new(crate::xet::HfXet::new(config)))
}

#[cfg(not(feature = "xet"))]
fn xet_store(_config: &Config) -> Option<Arc<dyn XetStore>> {
    None
}

#[cfg(feature = "reqwest")]
impl Hub {
    /// Makes a hub with the settings that the environment says, as [`Config::from_env`] reads them.
    ///
    /// # Errors
    /// As [`Hub::new`]; no home directory.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::Hub;
    ///
    /// let hub = Hub::from_env()?;
    /// println!("{}", hub.config().cache_dir.display());
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        Self::new(Config::from_env()?)
    }

    /// Makes a hub. Nothing is sent, looked at or written yet.
    ///
    /// # Errors
    /// A cache directory without a name.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::{Config, Hub};
    ///
    /// let hub = Hub::new(Config::new("/models"))?;
    /// assert_eq!(hub.config().endpoint.as_str(), "https://huggingface.co");
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(config: Config) -> Result<Self, Error> {
        let parts = parts(&config);
        Self::with_parts(config, parts)
    }

    /// Makes a hub whose decisions come from elsewhere than the linked core. Whatever it decides is checked against the
    /// facts before anything is touched.
    ///
    /// # Errors
    /// As [`Hub::new`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    ///
    /// use hubstow_native::{Config, Hub, LinkedCore};
    ///
    /// // The linked core here; it may be the core as a component.
    /// let hub = Hub::with_decider(Config::new("/models"), Arc::new(LinkedCore))?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_decider(config: Config, decider: Arc<dyn Decider>) -> Result<Self, Error> {
        let mut parts = parts(&config);
        parts.decider = decider;
        Self::with_parts(config, parts)
    }
}

impl Hub {
    /// Begins a hub, setting by setting.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::Hub;
    ///
    /// let hub = Hub::builder().cache_dir("/models").endpoint("https://hub.example.org").build()?;
    /// assert_eq!(hub.config().endpoint.as_str(), "https://hub.example.org");
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> HubBuilder {
        HubBuilder::default()
    }

    /// Makes a hub of other parts than those of a native program.
    ///
    /// # Errors
    /// As [`Hub::new`].
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::{Config, Hub, parts};
    ///
    /// let config = Config::new("/models");
    /// let mut parts = parts(&config);
    /// parts.store = None;
    /// let hub = Hub::with_parts(config, parts)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_parts(config: Config, parts: Parts) -> Result<Self, Error> {
        hubstow_client::Hub::with_parts(config, parts).map(Self)
    }

    /// Sets the function that is told of every event.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// use hubstow_native::Event;
    ///
    /// let hub = hub.on_event(|event| {
    ///     if let Event::Finished { report } = event {
    ///         println!("{} is here", report.file);
    ///     }
    /// });
    /// hub.model("org/model").snapshot().await?;
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn on_event(self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        Self(self.0.on_event(observer))
    }
}

impl Deref for Hub {
    type Target = hubstow_client::Hub;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
