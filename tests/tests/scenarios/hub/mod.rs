//! The hub of a scenario: hubstow's own endpoint over a folder that the scenario describes, behind a layer of faults.
//!
//! A commit is a folder, a branch is a symlink to it, so moving a branch is one rename. The second origin is a store
//! where only redirects lead; a token must never get there. The third is another endpoint of the same hub, which has no faults.

mod answer;
mod body;
mod fault;
mod line;
mod listen;
mod log;
// The benchmark's hub slows connections down as well.
#[path = "../../../bench/src/throttle.rs"]
mod throttle;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
};

use anyhow::{Context as _, Result, ensure};
use axum::{Router, body::Body, extract::Request};
use serde::Deserialize;
use tokio::{runtime::Runtime, sync::watch};
use tower::ServiceExt as _;

pub(crate) use fault::Fault;
pub(crate) use log::{Origin, Seen, count, parts};

use crate::scenario::{REPO, Scenario};

/// Locks a mutex; a panic of another test can't have left the value half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running hub. It stops when it is dropped.
pub(crate) struct Hub {
    /// Everything the hub does, runs here; `None` once it was stopped.
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
    commits: BTreeMap<String, String>,
    /// Where nothing ever listens.
    nobody: SocketAddr,
    _ports: [listen::Port; 4],
}

/// What every request sees.
struct Shared {
    folder: PathBuf,
    router: Router,
    hub: SocketAddr,
    second: SocketAddr,
    other: SocketAddr,
    faults: Mutex<Vec<Active>>,
    log: log::Log,
    /// The rate of each connection, and what was sent over all of them.
    line: Arc<line::Line>,
    /// As many as there are bodies that are being sent, and one more.
    bodies: Arc<()>,
    /// How many HEADs of files were answered.
    heads: watch::Sender<usize>,
    /// How many HEADs must have been answered before the next body is sent.
    heads_wanted: Mutex<usize>,
    /// How many bytes of bodies that then stall were sent.
    stalled_at: Mutex<Option<usize>>,
}

/// Which of the requests that a fault is about it strikes.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Struck {
    /// Any.
    #[default]
    Any,
    /// Those for a part of a file.
    Parts,
}

/// A fault that is switched on, how often it still strikes, and whether it ever did.
#[derive(Clone, Debug)]
struct Active {
    fault: Fault,
    left: Option<u32>,
    on: Struck,
    struck: bool,
}

impl Hub {
    /// Writes what the hub of a scenario holds into a folder, and starts the hub.
    pub(crate) fn start(scenario: &Scenario, folder: &Path) -> Result<Self> {
        write(scenario, folder)?;
        let router = hubstow_serve::Server::builder(folder).lfs_glob("*.bin").build().router();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let [(hub, hub_port), (second, second_port), (other, other_port), (_, nobody)] = {
            let _context = runtime.enter();
            [listen::bind()?, listen::bind()?, listen::bind()?, listen::bind()?]
        };
        let shared = Arc::new(Shared {
            folder: folder.to_owned(),
            router,
            hub: hub_port.address,
            second: second_port.address,
            other: other_port.address,
            faults: Mutex::default(),
            log: log::Log::default(),
            line: Arc::default(),
            bodies: Arc::default(),
            heads: watch::Sender::new(0),
            heads_wanted: Mutex::default(),
            stalled_at: Mutex::default(),
        });
        for (listener, origin) in
            [(hub, Origin::Hub), (second, Origin::Second), (other, Origin::Other)]
        {
            let shared = Arc::clone(&shared);
            let line = Arc::clone(&shared.line);
            runtime.spawn(listen::serve(listener, line, move |request| {
                answer::answer(Arc::clone(&shared), origin, request)
            }));
        }
        let commits = scenario
            .commits
            .keys()
            .map(|name| Ok((name.clone(), runtime.block_on(commit_of(&shared.router, name))?)))
            .collect::<Result<_>>()?;
        let address = nobody.address;
        let ports = [hub_port, second_port, other_port, nobody];
        Ok(Self { runtime: Some(runtime), shared, commits, nobody: address, _ports: ports })
    }

    /// Returns the endpoint.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.shared.hub)
    }

    /// Returns the other endpoint, which has no faults.
    pub(crate) fn second_url(&self) -> String {
        format!("http://{}", self.shared.second)
    }

    /// Returns an endpoint where nobody listens.
    pub(crate) fn nobodys_url(&self) -> String {
        format!("http://{}", self.nobody)
    }

    /// Returns the hash of each commit, by the scenario's name for it.
    pub(crate) fn commits(&self) -> BTreeMap<String, String> {
        self.commits.clone()
    }

    /// Moves a branch to a commit, or to nowhere.
    pub(crate) fn move_branch(&self, branch: &str, commit: &str) -> Result<()> {
        point(&self.shared.folder, branch, commit)
    }

    /// Switches a fault on.
    pub(crate) fn fail(&self, fault: Fault, times: Option<u32>, on: Struck) {
        if let Fault::Throttle { bytes_per_s } = fault {
            self.shared.line.rate.store(bytes_per_s, Relaxed);
        }
        lock(&self.shared.faults).push(Active { fault, left: times, on, struck: false });
    }

    /// Switches all faults off. A fault that never struck is an error: the scenario shows nothing.
    pub(crate) fn heal(&self) -> Result<()> {
        *lock(&self.shared.stalled_at) = None;
        self.shared.line.rate.store(0, Relaxed);
        for active in lock(&self.shared.faults).drain(..) {
            ensure!(active.struck, "this fault never struck: {:?}", active.fault);
        }
        Ok(())
    }

    /// Stops the hub: nothing listens at its address any more.
    pub(crate) fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Holds the next bodies back until so many more HEADs have been answered.
    pub(crate) fn wait_for_heads(&self, more: usize) {
        *lock(&self.shared.heads_wanted) = *self.shared.heads.borrow() + more;
    }

    /// Returns how many bytes were sent of a body that then stalled.
    pub(crate) fn stalled_at(&self) -> Option<usize> {
        *lock(&self.shared.stalled_at)
    }

    /// Returns how many requests there were.
    pub(crate) fn requests(&self) -> usize {
        self.shared.log.len()
    }

    /// Returns the requests after the first `from`.
    pub(crate) fn requests_since(&self, from: usize) -> Vec<Seen> {
        self.shared.log.since(from)
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The folder of a commit; hubstow's endpoint serves it as a revision of that name.
fn commit_folder(folder: &Path, commit: &str) -> PathBuf {
    folder.join(format!("{REPO}@{commit}"))
}

fn write(scenario: &Scenario, folder: &Path) -> Result<()> {
    for (commit, files) in &scenario.commits {
        for (name, content) in files {
            let path = commit_folder(folder, commit).join(name);
            fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
            fs::write(path, content.bytes())?;
        }
    }
    fs::create_dir_all(folder)?;
    for (branch, commit) in &scenario.branches {
        point(folder, branch, commit)?;
    }
    Ok(())
}

/// Points a branch at a commit in one step, so that no request finds it missing.
fn point(folder: &Path, branch: &str, commit: &str) -> Result<()> {
    let target = commit_folder(folder, commit);
    let link = match branch {
        "main" => folder.join(REPO),
        _ => commit_folder(folder, &branch.replace('/', "%2F")),
    };
    let beside = folder.join("new branch");
    symlink(&target, &beside)?;
    Ok(fs::rename(beside, link)?)
}

async fn commit_of(router: &Router, revision: &str) -> Result<String> {
    let uri = format!("/api/models/{REPO}/revision/{revision}");
    let request = Request::builder().uri(uri).body(Body::empty())?;
    let response = router.clone().oneshot(request).await?;
    let told: serde_json::Value =
        serde_json::from_slice(&body::whole(response.into_body()).await?)?;
    let sha = told.get("sha").and_then(serde_json::Value::as_str);
    Ok(sha.with_context(|| format!("the hub has no commit {revision}: {told}"))?.to_owned())
}
