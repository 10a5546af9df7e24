//! `hubstow demo`: the whole round trip on this machine, in a temporary folder, without the internet.
//!
//! It shows what the cache looks like and why, and checks all that it says: placements, requests and every byte. What
//! is not as it says is an error.

mod check;
mod content;
mod narrator;
mod tree;

use std::path::{Path, PathBuf};

use clap::Args;
use hubstow_client::{Config, Error, ErrorKind, FileRequest, Hub, SnapshotReport, SnapshotRequest};
use hubstow_core::{
    facts::Reach,
    hub::Endpoint,
    name::{FileName, Repo, RepoId, RepoKind, Revision},
    policy::{Method, Policy, Support},
};
use hubstow_serve::{RunningServer, Server};

use self::{check::Check, narrator::Narrator};
use crate::{exit, global::Global, runtime};

/// Show a whole round trip on this machine: no internet, a temporary folder, nothing left behind
///
/// A small hub is started on loopback. The demo downloads with links, without links, a second revision and offline,
/// draws the cache, says why each file is where it is, and checks every byte.
#[derive(Args)]
pub(crate) struct DemoArgs {}

/// Shows the round trip.
pub(crate) fn run(_args: &DemoArgs, global: &Global) -> Result<(), Error> {
    let folder = tempfile::Builder::new()
        .prefix("hubstow-demo-")
        .tempdir()
        .map_err(|error| failed("a temporary folder can't be made", error))?;
    let revisions = content::revisions();
    let root = folder.path().join("hub");
    content::write(&revisions, &root)
        .map_err(|error| failed("the repo can't be written", error))?;
    let server = Server::builder(&root).lfs_glob("*.safetensors").build().spawn_on_loopback();
    let demo = Demo {
        server: server.map_err(|error| failed("the hub can't be started", error))?,
        revisions,
        folder: folder.path().to_owned(),
        repo: Repo::new(RepoKind::Model, RepoId::parse(content::REPO)?),
    };
    let mut narrator = Narrator::new(global.format());
    runtime::block_on(demo.tell(&mut narrator)).map_err(proxy_hint)?;
    drop(demo);
    folder.close().map_err(|error| failed("the temporary folder can't be removed", error))?;
    narrator.end()
}

struct Demo {
    server: RunningServer,
    revisions: [content::Revision; 2],
    folder: PathBuf,
    repo: Repo,
}

/// One cache of the demo: its folder, and the ladder that is used there.
struct Cache {
    root: PathBuf,
    policy: Policy,
}

impl Demo {
    async fn tell(&self, narrator: &mut Narrator) -> Result<(), Error> {
        narrator.title("A hub on this machine")?;
        narrator.text(&format!(
            "{} serves {} with two revisions, main and v2. They share {} (3.15 MB) and tokenizer.json; config.json differs.",
            self.server.url(),
            self.repo,
            content::MODEL
        ))?;
        let first = self.cache("cache", Policy::Compat);
        if self.first(&first, narrator).await? == Support::Works {
            let plain = self.cache("cache-without-links", Policy::Portable);
            self.without_links(&plain, narrator).await?;
            self.second(&[("with links", &first), ("without links", &plain)], narrator).await?;
        } else {
            self.second(&[("without links", &first)], narrator).await?;
        }
        self.offline(&first, narrator).await?;
        self.refused(&first, narrator).await
    }

    /// Links, where the disk makes them; where it does not, the real thing. Returns what this disk says to symlinks.
    async fn first(&self, cache: &Cache, narrator: &mut Narrator) -> Result<Support, Error> {
        let hub = self.hub(cache, Reach::Online)?;
        let report = self.snapshot(&hub, "main").await?;
        let symlinks = hub
            .environment()?
            .methods
            .iter()
            .find(|found| found.method == Method::Symlink)
            .map_or(Support::Untried, |found| found.support);
        let (title, by) = if symlinks == Support::Works {
            ("Each file once, and a link to it", Method::Symlink)
        } else {
            ("This disk refuses links: each file is moved to its place", Method::Move)
        };
        narrator.title(title)?;
        narrator.tree(&self.repo_folder(cache))?;
        narrator.reasons("", &report)?;
        Check::of("the first download", &report).placed_by(by)?;
        self.same_bytes(&report, "main")?;
        Ok(symlinks)
    }

    async fn without_links(&self, cache: &Cache, narrator: &mut Narrator) -> Result<(), Error> {
        let hub = self.hub(cache, Reach::Online)?;
        let report = self.snapshot(&hub, "main").await?;
        narrator.title("The same where there are no links")?;
        narrator.text(
            "This disk has links, so the policy `portable` plays a disk that refuses them: the \
             steps are the same, only the reason names the policy instead of the disk.",
        )?;
        narrator.tree(&self.repo_folder(cache))?;
        narrator.reasons("", &report)?;
        Check::of("the download without links", &report).placed_by(Method::Move)?;
        self.same_bytes(&report, "main")
    }

    /// The second revision costs only what differs.
    async fn second(
        &self,
        caches: &[(&str, &Cache)],
        narrator: &mut Narrator,
    ) -> Result<(), Error> {
        narrator.title("The second revision: only what differs is downloaded")?;
        for (name, cache) in caches {
            self.server.clear_requests();
            let hub = self.hub(cache, Reach::Online)?;
            let report = self.snapshot(&hub, "v2").await?;
            let received = hub.traffic().bytes_downloaded;
            let heading = format!(
                "{name}: {received} bytes of content received, no GET for {}",
                content::MODEL
            );
            narrator.reasons(&heading, &report)?;
            let check = Check::of("the second revision", &report);
            check.not_fetched(content::MODEL)?;
            check.received(received)?;
            check::no_get(&self.server.requests(), content::MODEL)?;
            self.same_bytes(&report, "v2")?;
        }
        Ok(())
    }

    async fn offline(&self, cache: &Cache, narrator: &mut Narrator) -> Result<(), Error> {
        self.server.clear_requests();
        let hub = self.hub(cache, Reach::Offline)?;
        let report = self.snapshot(&hub, "main").await?;
        narrator.title("Offline")?;
        let heading = format!("{} requests", self.server.requests().len());
        narrator.reasons(&heading, &report)?;
        Check::of("offline", &report).all_reused()?;
        check::that(self.server.requests().is_empty(), "offline, the hub is not asked")?;
        self.same_bytes(&report, "main")
    }

    /// A file that does not exist, as the user sees it.
    async fn refused(&self, cache: &Cache, narrator: &mut Narrator) -> Result<(), Error> {
        narrator.title("A file that does not exist")?;
        let file = FileName::parse("modle.safetensors")?;
        let request = FileRequest::new(self.repo.clone(), file)?;
        let Err(error) = self.hub(cache, Reach::Online)?.download(&request).await else {
            return Err(check::broken("a file that does not exist is not found"));
        };
        check::that(
            error.kind() == ErrorKind::EntryNotFound,
            "a file that does not exist is not found",
        )?;
        let command = format!("hubstow download {} {}", content::REPO, request.file);
        narrator.error(&command, &exit::for_people(&error), exit::exit_code(error.kind()))
    }

    async fn snapshot(&self, hub: &Hub, revision: &str) -> Result<SnapshotReport, Error> {
        let revision = Revision::parse(revision)?;
        hub.snapshot(&SnapshotRequest::new(self.repo.clone(), revision)).await
    }

    fn cache(&self, name: &str, policy: Policy) -> Cache {
        Cache { root: self.folder.join(name), policy }
    }

    fn hub(&self, cache: &Cache, reach: Reach) -> Result<Hub, Error> {
        let mut config = Config::new(&cache.root);
        config.endpoint = Endpoint::parse(self.server.url())?;
        config.policy = cache.policy;
        config.reach = reach;
        let parts = hubstow_native::parts(&config);
        Hub::with_parts(config, parts)
    }

    fn repo_folder(&self, cache: &Cache) -> PathBuf {
        cache.root.join(self.repo.folder())
    }

    /// Compares every file of a revision with what the hub was given.
    fn same_bytes(&self, report: &SnapshotReport, revision: &str) -> Result<(), Error> {
        let served = self.revisions.iter().find(|served| served.name == revision);
        let files = served.map_or(&[][..], |served| &served.files);
        check::that(
            report.files.len() == files.len() && !files.is_empty(),
            "every file of the revision is there",
        )?;
        for (name, bytes) in files {
            check::same_bytes(&report.path.join(Path::new(name)), bytes)?;
        }
        Ok(())
    }
}

fn failed(what: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Other, what).caused_by(error)
}

/// A proxy that takes loopback requests away is the one thing of the environment that the demo can't do without.
fn proxy_hint(error: Error) -> Error {
    let has_proxy = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some());
    if has_proxy && error.kind() == ErrorKind::HubUnreachable {
        error.hint(
            "a proxy is set; NO_PROXY=127.0.0.1 keeps it away from this machine's own addresses",
        )
    } else {
        error
    }
}
