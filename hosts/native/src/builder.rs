//! Making a hub, setting by setting.

mod settings;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use hubstow_client::{Config, Error, ErrorKind, Event, Observer, Transport};
use hubstow_core::decide::Decider;

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
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::{Config, Hub};
    ///
    /// let mut config = Config::new("/models");
    /// config.max_workers = 2;
    /// let hub = Hub::builder().config(config).max_workers(4).build()?;
    /// assert_eq!(hub.config().max_workers, 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Keeps files in this cache directory.
    pub fn cache_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(dir.into());
        self
    }

    /// Tells a function of every event of every question; it is called from several threads and must not block.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// let hub = hubstow_native::Hub::builder()
    ///     .config(here.config()?)
    ///     .on_event(|event| println!("{event:?}"))
    ///     .build()?;
    /// hub.model("org/model").file("config.json").await?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn on_event(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Lets somebody else decide than the linked core. Whatever is decided is checked against the facts before anything is
    /// touched.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use std::sync::Arc;
    ///
    /// use hubstow_native::{Hub, LinkedCore};
    ///
    /// let hub = Hub::builder().cache_dir("/models").decider(Arc::new(LinkedCore)).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn decider(mut self, decider: Arc<dyn Decider>) -> Self {
        self.decider = Some(decider);
        self
    }

    /// Sends requests by a transport of the program's own. It does what it does about proxies and certificates.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// use std::sync::Arc;
    ///
    /// use hubstow_native::{BoxFuture, ErrorKind, Hub, Request, Response};
    /// use hubstow_native::{Transport, TransportError, TransportErrorKind};
    ///
    /// /// A program's own way to the hub, which is closed today.
    /// struct Closed;
    ///
    /// impl Transport for Closed {
    ///     fn send(&self, _request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
    ///         Box::pin(async { Err(TransportError::of(TransportErrorKind::Tls)) })
    ///     }
    /// }
    ///
    /// let hub = Hub::builder().config(here.config()?).transport(Arc::new(Closed)).build()?;
    /// let error = hub.model("org/model").file("config.json").await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::HubUnreachable);
    /// # Ok(())
    /// # });
    /// ```
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Makes the hub. Nothing is sent or written yet.
    ///
    /// # Errors
    /// A value that can't be used; without a cache directory, a home directory that is not known; nothing that sends requests.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::{ErrorKind, Hub};
    ///
    /// let hub = Hub::builder().cache_dir("/models").build()?;
    /// let error = Hub::builder().cache_dir("/models").endpoint("no URL").build().err();
    /// assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Usage));
    /// # Ok(())
    /// # }
    /// ```
    pub fn build(self) -> Result<Hub, Error> {
        if let Some(unusable) = self.unusable {
            return Err(unusable);
        }
        let mut config = match self.config {
            Some(config) => config,
            None => Config::from_env()?,
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
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hub = hubstow_native::Hub::builder().cache_dir("/models").build_blocking()?;
    /// assert!(hub.model("org/name").file("config.json").cached()?.is_none());
    /// # Ok(())
    /// # }
    /// ```
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
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::at(async |here| {
    /// use hubstow_native::{Hub, reqwest};
    ///
    /// # let _ = rustls::crypto::ring::default_provider().install_default();
    /// let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    /// let hub = Hub::builder().config(here.config()?).http_client(client).build()?;
    /// hub.model("org/model").file("config.json").await?;
    /// # Ok(())
    /// # });
    /// ```
    pub fn http_client(self, client: reqwest::Client) -> Self {
        self.transport(Arc::new(ReqwestTransport::Given(client)))
    }

    /// Believes these authorities too, given as the text of a PEM file; those of the system are believed as ever.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::Hub;
    ///
    /// let pem = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/authority.pem"));
    /// let hub = Hub::builder().cache_dir("/models").ca_certificates(pem).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn ca_certificates(mut self, pem: &[u8]) -> Self {
        let taken = self.authorities.add_pem(pem);
        self.note(taken)
    }

    /// Believes the authorities of a PEM file too.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use hubstow_native::Hub;
    ///
    /// let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/authority.pem");
    /// let hub = Hub::builder().cache_dir("/models").ca_file(pem).build()?;
    /// assert!(Hub::builder().cache_dir("/models").ca_file("/nowhere.pem").build().is_err());
    /// # Ok(())
    /// # }
    /// ```
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
