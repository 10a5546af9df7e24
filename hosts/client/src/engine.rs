//! What every question has: the settings, the way to the hub, the cache, who decides, and who is told.

use std::{io, ops::Deref, path::Path, sync::Arc};

use hubstow_cache::{
    Cache, Target, disk::patient::PatientDisk, observe::records::records_folder, staged::Arrivals,
};
use hubstow_core::{
    decide::Guarded,
    layout::RepoLayout,
    name::{Repo, Revision},
};

use crate::{
    api::{
        config::Config,
        error::{Detail, Error, from_io},
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
    parts::{DiskOf, Parts},
};

/// What every question has, and who is told of what happens. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Engine {
    common: Arc<Common>,
    pub(crate) http: Arc<Http>,
    observer: Option<Observer>,
    /// Who reads what is received while it comes.
    arrivals: Option<Arc<dyn Arrivals>>,
}

/// Shared by all clones of a hub.
pub(crate) struct Common {
    pub(crate) config: Config,
    /// Where files are placed.
    pub(crate) cache: CacheHandle,
    /// The shared cache; the same, unless files go to a local folder.
    pub(crate) shared: CacheHandle,
    pub(crate) decider: Guarded,
    /// How much may be open at once.
    pub(crate) budget: Arc<Budget>,
    disks: Disks,
}

/// How directories are reached, and where their work is done.
#[derive(Clone)]
struct Disks {
    of: Arc<DiskOf>,
    offload: Offload,
}

impl Disks {
    fn patient(&self, directory: &Path) -> Result<Arc<PatientDisk>, Error> {
        match (self.of)(directory) {
            Ok(disk) => Ok(Arc::new(PatientDisk::new(disk))),
            Err(error) => Err(out_of_reach(directory, error)),
        }
    }

    /// Opens the shared cache, and where files go to: the same, or a local folder.
    fn caches(&self, config: &Config) -> Result<[CacheHandle; 2], Error> {
        let handle = |cache: Cache, of: &Path| {
            // A host that can't reach it goes without.
            let folder = config.state_dir.as_ref().map(|state| state.join(records_folder(of)));
            let cache = match folder.and_then(|folder| (self.of)(&folder).ok()) {
                Some(disk) => cache.with_own_records(disk),
                None => cache,
            };
            CacheHandle::new(cache, self.offload.clone())
        };
        let (root, durability) = (&config.cache_dir, config.durability);
        let shared = handle(Cache::new(self.patient(root)?, config.policy, durability), root);
        let cache = match &config.local_dir {
            Some(local) => handle(Cache::local(self.patient(local)?, durability), local),
            None => shared.clone(),
        };
        Ok([shared, cache])
    }
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
        config.place_dirs()?;
        let Parts { decider, transport, disk, workers, descriptors, store } = parts;
        let decider = Guarded::new(decider);
        let budget = Arc::new(Budget::of(descriptors));
        let disks = Disks { of: Arc::new(disk), offload: Offload::new(workers) };
        let [shared, cache] = disks.caches(&config)?;
        let transport = Arc::new(Sparing { transport, connections: budget.connections() });
        let http = Arc::new(Http::new(&config, transport, decider.clone(), store));
        let common = Arc::new(Common { config, cache, shared, decider, budget, disks });
        Ok(Self { common, http, observer: None, arrivals: None })
    }

    /// Returns the same with other settings for some questions. Connections, what the hub has said, and how much may be open
    /// stay common; of the settings only those that are not the connections' may change.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub(crate) fn varied(&self, change: impl FnOnce(&mut Config)) -> Result<Self, Error> {
        let mut config = self.config.clone();
        change(&mut config);
        config.place_dirs()?;
        let is_same = config.policy == self.config.policy
            && config.local_dir == self.config.local_dir
            && config.cache_dir == self.config.cache_dir;
        let [shared, cache] = if is_same {
            [self.shared.clone(), self.cache.clone()]
        } else {
            self.disks.caches(&config)?
        };
        let (http, decider) = (Arc::clone(&self.http), self.decider.clone());
        let (budget, disks) = (Arc::clone(&self.budget), self.disks.clone());
        let common = Arc::new(Common { config, cache, shared, decider, budget, disks });
        let (observer, arrivals) = (self.observer.clone(), self.arrivals.clone());
        Ok(Self { common, http, observer, arrivals })
    }

    /// Returns the same for one question: it keeps to one endpoint of the hub until that is away.
    pub(crate) fn for_one(&self) -> Self {
        Self { http: Arc::new(self.http.again()), ..self.clone() }
    }

    /// Reaches any other directory, which need not exist.
    ///
    /// # Errors
    /// One that the host can't reach.
    #[cfg(feature = "care")]
    pub(crate) fn disk_of(&self, directory: &Path) -> Result<Arc<dyn hubstow_cache::Disk>, Error> {
        Ok(self.disks.patient(directory)?)
    }

    /// Makes sure that requests can be waited for here.
    ///
    /// # Errors
    /// What the host says is missing.
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.disks.offload.check()
    }

    /// Sets who is told.
    pub(crate) fn told_to(self, observer: Observer) -> Self {
        self.http.observe(&observer);
        Self { observer: Some(observer), ..self }
    }

    /// Sets who reads what is received while it comes.
    pub(crate) fn read_by(self, arrivals: Arc<dyn Arrivals>) -> Self {
        Self { arrivals: Some(arrivals), ..self }
    }

    /// Returns who reads what is received.
    pub(crate) fn arrivals(&self) -> Option<Arc<dyn Arrivals>> {
        self.arrivals.clone()
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
        self.http.at_endpoint(&self.http.endpoint().file(repo, &revision, &target.file))
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
