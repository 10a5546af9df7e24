//! The hub and its cache: the library's entry.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use hubstow_cache::Cache;
use hubstow_core::{
    policy::{Method, Support},
    resolve::Served,
};

use crate::{
    api::{
        config::{Config, Durability},
        error::{Error, ErrorKind},
        event::{Event, Observer},
        report::{Done, Environment, FileReport, MethodSupport, Traffic, Warning},
        request::FileRequest,
    },
    engine::Engine,
    file::content::{Hit, Placed, Resolved},
    http::session::Http,
    parts::Parts,
};

/// How often the hub is asked again because its answer was outdated when the content came.
const MOVED_LIMIT: usize = 3;

/// A hub and the cache that its files go to. Cloning is cheap; clones share connections and what was learned.
#[derive(Clone)]
pub struct Hub {
    pub(crate) engine: Arc<Engine>,
    observer: Option<Observer>,
}

impl Hub {
    /// Makes a hub of the parts that a host brings. Nothing is sent, looked at or written yet.
    ///
    /// # Errors
    /// A cache directory without a name.
    pub fn with_parts(config: Config, parts: Parts) -> Result<Self, Error> {
        let durability = match config.durability {
            Durability::Safe => hubstow_cache::Durability::Safe,
            Durability::Fast => hubstow_cache::Durability::Fast,
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
        Ok(Self {
            engine: Arc::new(Engine { config, http, cache, shared, decider }),
            observer: None,
        })
    }

    /// Sets the function that is told of every event.
    #[must_use]
    pub fn on_event(mut self, observer: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        let observer: Observer = Arc::new(observer);
        self.engine.http.observe(&observer);
        self.observer = Some(observer);
        self
    }

    /// Returns the settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.engine.config
    }

    /// Returns what has been received and sent so far.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.engine.http.traffic()
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
        self.download_into(&self.engine.cache, request).await
    }

    pub(crate) async fn download_into(
        &self,
        cache: &Cache,
        request: &FileRequest,
    ) -> Result<FileReport, Error> {
        let tell = |event| self.tell(event);
        let mut promised = None;
        for _ in 0..MOVED_LIMIT {
            let resolved =
                self.engine.resolve(cache, request, true, &tell, &mut Vec::new()).await?;
            let content = match resolved {
                Resolved::Cached(served, hit) => return Ok(self.hit(request, served, hit)),
                Resolved::Found(content) => content,
            };
            match promised {
                Some((before, error)) if before == content.metadata => return Err(error),
                Some(_) | None => {}
            }
            match self.engine.place(cache, &content, request.force, &tell).await? {
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
        let layout = self.engine.layout(&request.repo);
        let at = layout.pointer(&hit.commit, &request.file);
        if let Some((refusal, cause)) = hit.unconfirmed {
            let warning = Warning::Stale { file: request.file.clone(), refusal, cause };
            self.tell(Event::Warned { warning });
        }
        tracing::debug!(file = %request.file, %served, "served from the cache");
        let report = FileReport {
            file: request.file.clone(),
            path: self.engine.cache.disk().native(&at),
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
        match self.engine.resolve_cached(&self.engine.cache, request)? {
            Some((served, hit)) => Ok(Some(self.hit(request, served, hit))),
            None => Ok(None),
        }
    }

    /// Says what [`download_cached`](Self::download_cached) would answer, without writing anything.
    ///
    /// # Errors
    /// As [`Hub::download`].
    pub fn forecast_cached(&self, request: &FileRequest) -> Result<Option<FileReport>, Error> {
        match self.engine.resolve_cached(&self.engine.cache.looking_only(), request)? {
            Some((served, hit)) => Ok(Some(self.hit(request, served, hit))),
            None => Ok(None),
        }
    }

    /// Says what the cache directory supports, by probing it.
    ///
    /// # Errors
    /// A cache directory that can't be looked at.
    pub fn environment(&self) -> Result<Environment, Error> {
        let (config, cache) = (&self.engine.config, &self.engine.shared);
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
    use crate::api::request::{FileRequest, SnapshotRequest};

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
