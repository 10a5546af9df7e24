//! What every question has: the settings, the way to the hub, the cache, who decides, and who is told.

use std::{
    io,
    ops::Deref,
    path::{Path, PathBuf},
    sync::Arc,
};

use hubstow_cache::{Cache, Target, disk::patient::PatientDisk, observe::records::records_folder};
use hubstow_core::{
    decide::Guarded,
    layout::RepoLayout,
    name::{Repo, Revision},
};

use crate::{
    api::{
        config::Config,
        error::{Detail, Error, ErrorKind, from_io},
        event::{Event, Observer},
    },
    budget::Budget,
    handle::CacheHandle,
    http::{
        address::Address,
        session::Http,
        transport::{BoxFuture, Request, Response, Transport, TransportError},
    },
    offload::Offload,
    parts::Parts,
};

/// What every question has, and who is told of what happens. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Engine {
    common: Arc<Common>,
    observer: Option<Observer>,
}

/// Shared by all clones of a hub.
pub(crate) struct Common {
    pub(crate) config: Config,
    pub(crate) http: Http,
    /// Where files are placed.
    pub(crate) cache: CacheHandle,
    /// The shared cache; the same, unless files go to a local folder.
    pub(crate) shared: CacheHandle,
    pub(crate) decider: Guarded,
    /// How much may be open at once.
    pub(crate) budget: Budget,
}

impl Deref for Engine {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.common
    }
}

impl Engine {
    /// Puts the parts that a host brings together.
    ///
    /// # Errors
    /// A cache directory without a name, or one that the host can't reach.
    pub(crate) fn new(mut config: Config, parts: Parts) -> Result<Self, Error> {
        config.bound_waits();
        let durability = config.durability;
        // A program that changes its working directory must not change its cache with it.
        config.cache_dir = absolute(&config.cache_dir)?;
        config.local_dir = config.local_dir.as_deref().map(absolute).transpose()?;
        let Parts { decider, transport, disk, workers, descriptors, store } = parts;
        let decider = Guarded::new(decider);
        let budget = Budget::of(descriptors);
        let offload = Offload::new(workers);
        let handle = |cache| CacheHandle::new(cache, offload.clone());
        let patient = |directory: &Path| match disk(directory) {
            Ok(disk) => Ok(Arc::new(PatientDisk::new(disk))),
            Err(error) => Err(out_of_reach(directory, error)),
        };
        // A host that can't reach it goes without.
        let with_records = |cache: Cache, of: &Path| {
            let folder = config.state_dir.as_ref().map(|state| state.join(records_folder(of)));
            match folder.and_then(|folder| disk(&folder).ok()) {
                Some(disk) => cache.with_own_records(disk),
                None => cache,
            }
        };
        let shared = Cache::new(patient(&config.cache_dir)?, config.policy, durability);
        let shared = handle(with_records(shared, &config.cache_dir));
        let cache = match &config.local_dir {
            Some(local) => handle(with_records(Cache::local(patient(local)?, durability), local)),
            None => shared.clone(),
        };
        let transport = Arc::new(Sparing { transport, connections: budget.connections() });
        let http = Http::new(&config, transport, decider.clone(), store);
        let common = Arc::new(Common { config, http, cache, shared, decider, budget });
        Ok(Self { common, observer: None })
    }

    /// Sets who is told.
    pub(crate) fn told_to(self, observer: Observer) -> Self {
        self.http.observe(&observer);
        Self { observer: Some(observer), ..self }
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

/// A transport that is asked for no more connections of their own than there are descriptors for.
struct Sparing {
    transport: Arc<dyn Transport>,
    connections: usize,
}

impl Transport for Sparing {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        self.transport.send(request)
    }

    fn connections(&self) -> usize {
        self.transport.connections().min(self.connections)
    }
}

fn out_of_reach(directory: &Path, error: io::Error) -> Error {
    let what = format!("`{}` can't be reached from here", directory.display());
    from_io(&what, error).with_detail(Detail::OutOfReach)
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|error| {
        let what = format!("`{}` can't be the name of a directory", path.display());
        Error::new(ErrorKind::Usage, what).caused_by(error)
    })
}
