//! The hub and its cache: the library's entry.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use hubstow_core::{
    layout::RepoLayout,
    name::{Repo, Revision},
    policy::{Method, Support},
    resolve::Served,
};
use hubstow_fs::{Cache, Decider, Disk, Target};

#[cfg(not(target_family = "wasm"))]
use crate::reqwest_transport::ReqwestTransport;
use crate::{
    config::{Config, Durability},
    error::{Error, ErrorKind},
    event::{Event, Observer},
    http::{Address, Http},
    place::Placed,
    report::{Done, Environment, FileReport, MethodSupport, Traffic, Warning},
    request::FileRequest,
    resolve::{Hit, Resolved},
    transport::Transport,
};

/// How often the hub is asked again because its answer was outdated when the content came.
const MOVED_LIMIT: usize = 3;

/// A hub and the cache that its files go to. Cloning is cheap; clones share connections and what was learned.
#[derive(Clone)]
pub struct Hub {
    pub(crate) inner: Arc<Inner>,
    observer: Option<Observer>,
}

pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) http: Http,
    /// Where files are placed.
    pub(crate) cache: Cache,
    /// The shared cache; the same, unless files go to a local folder.
    pub(crate) shared: Cache,
    pub(crate) decider: Arc<dyn Decider>,
}

impl Inner {
    /// Returns the layout of a repo where files are placed.
    pub(crate) fn layout(&self, repo: &Repo) -> RepoLayout {
        match self.config.local_dir {
            Some(_) => RepoLayout::local(),
            None => RepoLayout::new(repo),
        }
    }

    /// Returns the address of a target at the hub, by commit.
    pub(crate) fn pinned(&self, repo: &Repo, target: &Target) -> Result<Address, Error> {
        let revision = Revision::from(&target.commit);
        self.http.at_endpoint(&self.config.endpoint.file(repo, &revision, &target.file))
    }
}

/// What a host brings: who decides, how requests are sent, and how directories are reached.
pub struct Parts {
    /// Who decides.
    pub decider: Arc<dyn Decider>,
    /// How requests are sent.
    pub transport: Arc<dyn Transport>,
    /// Makes the disk of a directory.
    pub disk: DiskOf,
}

/// Makes the disk of a directory, which need not exist yet.
pub type DiskOf = Box<dyn Fn(&Path) -> Arc<dyn Disk> + Send + Sync>;

#[cfg(not(target_family = "wasm"))]
impl Parts {
    /// The parts of a native program: the linked core, reqwest, and the system's own filesystem.
    #[must_use]
    pub fn native(config: &Config) -> Self {
        Self {
            decider: Arc::new(hubstow_fs::LinkedCore),
            transport: Arc::new(ReqwestTransport::new(&config.user_agent)),
            disk: Box::new(|directory| Arc::new(hubstow_fs::StdDisk::new(directory))),
        }
    }
}

impl Hub {
    /// Makes a hub. Nothing is sent, looked at or written yet.
    ///
    /// # Errors
    /// A cache directory without a name.
    #[cfg(not(target_family = "wasm"))]
    pub fn new(config: Config) -> Result<Self, Error> {
        let parts = Parts::native(&config);
        Self::with_parts(config, parts)
    }

    /// Makes a hub whose decisions come from elsewhere than the linked core. Whatever it decides is checked against the
    /// facts before anything is touched.
    ///
    /// # Errors
    /// As [`Hub::new`].
    #[cfg(not(target_family = "wasm"))]
    pub fn with_decider(config: Config, decider: Arc<dyn Decider>) -> Result<Self, Error> {
        let parts = Parts { decider, ..Parts::native(&config) };
        Self::with_parts(config, parts)
    }

    /// Makes a hub of the parts that a host brings.
    ///
    /// # Errors
    /// As [`Hub::new`].
    pub fn with_parts(config: Config, parts: Parts) -> Result<Self, Error> {
        let durability = match config.durability {
            Durability::Safe => hubstow_fs::Durability::Safe,
            Durability::Fast => hubstow_fs::Durability::Fast,
        };
        let mut config = config;
        // A program that changes its working directory must not change its cache with it.
        config.cache_dir = absolute(&config.cache_dir)?;
        config.local_dir = config.local_dir.as_deref().map(absolute).transpose()?;
        let Parts { decider, transport, disk } = parts;
        let shared = Cache::new(disk(&config.cache_dir), config.policy, durability);
        let cache = match &config.local_dir {
            Some(local) => Cache::local(disk(local), durability),
            None => shared.clone(),
        };
        let http = Http::new(&config, transport, decider.clone());
        Ok(Self { inner: Arc::new(Inner { config, http, cache, shared, decider }), observer: None })
    }

    /// Sets the function that is told of every event.
    #[must_use]
    pub fn on_event(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Returns the settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// Returns what has been received and sent so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.inner.http.traffic()
    }

    pub(crate) fn tell(&self, event: Event) {
        self.tell_lazily(|| event);
    }

    /// Makes an event only where somebody hears of it.
    pub(crate) fn tell_lazily(&self, event: impl FnOnce() -> Event) {
        if let Some(observer) = &self.observer {
            observer(&event());
        }
    }

    /// Downloads one file unless it is here, and returns where it is.
    ///
    /// # Errors
    /// See [`ErrorKind`]. Whatever the error, nothing wrong is visible in the cache.
    pub async fn download(&self, request: &FileRequest) -> Result<FileReport, Error> {
        self.download_into(&self.inner.cache, request).await
    }

    pub(crate) async fn download_into(
        &self,
        cache: &Cache,
        request: &FileRequest,
    ) -> Result<FileReport, Error> {
        let tell = |event| self.tell(event);
        let mut promised = None;
        for _ in 0..MOVED_LIMIT {
            let resolved = self.inner.resolve(cache, request, true, &tell, &mut Vec::new()).await?;
            let content = match resolved {
                Resolved::Cached(served, hit) => return Ok(self.hit(request, served, hit)),
                Resolved::Found(content) => content,
            };
            match promised {
                Some((before, error)) if before == content.metadata => return Err(error),
                Some(_) | None => {}
            }
            match self.inner.place(cache, &content, request.force, &tell).await? {
                Placed::Done(report) => return Ok(report),
                Placed::Moved(error) => {
                    tracing::info!(file = %request.file, %error, "asking again what is meant");
                    promised = Some((content.metadata, error));
                }
            }
        }
        let what = format!("`{}` changes on the hub faster than it can be fetched", request.file);
        Err(Error::new(ErrorKind::HubFailing, what).hint("ask for a commit instead of a branch"))
    }

    pub(crate) fn hit(&self, request: &FileRequest, served: Served, hit: Hit) -> FileReport {
        let layout = self.inner.layout(&request.repo);
        let at = layout.pointer(&hit.commit, &request.file);
        if let Some((refusal, cause)) = hit.unconfirmed {
            let warning = Warning::Stale { file: request.file.clone(), refusal, cause };
            self.tell(Event::Warned { warning });
        }
        tracing::debug!(file = %request.file, %served, "served from the cache");
        let report = FileReport {
            file: request.file.clone(),
            path: self.inner.cache.disk().native(&at),
            commit: hit.commit,
            size: hit.size,
            etag: hit.etag,
            action: Done::Reused,
            by: None,
            reason: hit.reason,
        };
        self.tell(Event::Finished { report: report.clone() });
        report
    }

    /// Answers a request from the cache alone where that is enough (a pinned commit that is cached, offline mode), without
    /// any async runtime. `None` means that the hub must be asked.
    ///
    /// # Errors
    /// As [`Hub::download`].
    pub fn download_cached(&self, request: &FileRequest) -> Result<Option<FileReport>, Error> {
        match self.inner.resolve_cached(&self.inner.cache, request)? {
            Some((served, hit)) => Ok(Some(self.hit(request, served, hit))),
            None => Ok(None),
        }
    }

    /// Says what [`download_cached`](Self::download_cached) would answer, without writing anything.
    ///
    /// # Errors
    /// As [`Hub::download`].
    pub fn forecast_cached(&self, request: &FileRequest) -> Result<Option<FileReport>, Error> {
        match self.inner.resolve_cached(&self.inner.cache.looking_only(), request)? {
            Some((served, hit)) => Ok(Some(self.hit(request, served, hit))),
            None => Ok(None),
        }
    }

    /// Says what the cache directory supports, by probing it.
    ///
    /// # Errors
    /// A cache directory that can't be looked at.
    pub fn environment(&self) -> Result<Environment, Error> {
        let (config, cache) = (&self.inner.config, &self.inner.shared);
        let exists = config.cache_dir.is_dir();
        let mut methods = Vec::new();
        let mut writable = exists;
        for method in [Method::Symlink, Method::Hardlink, Method::Reflink] {
            let probed = if exists { Some(cache.probe_root(method)) } else { None };
            let (support, detail) = match probed {
                None => (Support::Untried, None),
                Some(Ok(result)) => {
                    (Cache::support_of(&result), result.err().map(|error| error.to_string()))
                }
                Some(Err(error)) => {
                    writable = false;
                    (Support::Untried, Some(error.to_string()))
                }
            };
            methods.push(MethodSupport { method, support, detail });
        }
        let locks = if writable { cache.probe_locks()? } else { Support::Untried };
        Ok(Environment {
            cache_dir: config.cache_dir.clone(),
            exists,
            writable,
            policy: config.policy,
            methods,
            locks,
            case_sensitive: if writable { cache.probe_case().ok() } else { None },
        })
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|error| {
        let what = format!("`{}` can't be the name of a directory", path.display());
        Error::new(ErrorKind::Usage, what).caused_by(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{FileRequest, SnapshotRequest};

    fn spawnable<T: Send>(future: T) -> T {
        future
    }

    /// Programs run downloads as tasks of their own, on runtimes that move tasks between threads.
    #[expect(dead_code, reason = "that it compiles is all it says")]
    fn every_question_can_be_spawned(hub: &Hub, file: &FileRequest, snapshot: &SnapshotRequest) {
        drop(spawnable(hub.download(file)));
        drop(spawnable(hub.snapshot(snapshot)));
        drop(spawnable(hub.forecast(snapshot)));
        drop(spawnable(hub.explain(file)));
    }
}
