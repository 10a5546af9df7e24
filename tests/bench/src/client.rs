//! The clients: how each is told to do a job.

use std::{ffi::OsString, fs, path::Path, process::Command};

use anyhow::Result;

use crate::{content::Expected, tools::Tools};

/// A client, with the options that it is measured with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// The command, with flags; the first word is its name in tables.
    Hubstow(&'static str, &'static [&'static str]),
    /// Another build of the command.
    Earlier,
    /// The command that is built with the wasmtime host, and who decides.
    Decided(&'static str, &'static str),
    /// `huggingface_hub`.
    Python,
    /// The hf-hub crate.
    HfHub,
    /// `curl`, in parallel where there are many files.
    Curl,
    /// `curl`, and `sha256sum` of what it brought.
    CurlThenHash,
    /// `aria2c` with 16 connections for each file.
    Aria2,
    /// What receiving, writing and hashing cost at least.
    Limit { sync: bool },
}

pub(crate) const HUBSTOW: Client = Client::Hubstow("hubstow", &[]);
pub(crate) const HUBSTOW_FAST: Client = Client::Hubstow("hubstow fast", &["--durability", "fast"]);
pub(crate) const HUBSTOW_DEDUP: Client =
    Client::Hubstow("hubstow dedup", &["--placement", "dedup"]);

pub(crate) const LINKED: Client = Client::Decided("linked core", "native");
pub(crate) const COMPONENT: Client = Client::Decided("component", "wasmtime");

/// What a client is to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) repo: &'static str,
    /// The revision in the hub's folder.
    pub(crate) revision: &'static str,
    pub(crate) by: By,
    /// One file; the whole snapshot where there is none.
    pub(crate) file: Option<&'static str>,
    pub(crate) links: Links,
    pub(crate) network: Network,
}

/// A file or a snapshot by branch, on a disk with links, online.
pub(crate) const fn online(repo: &'static str, file: Option<&'static str>) -> Job {
    let (by, links, network) = (By::Branch, Links::Work, Network::Online);
    Job { repo, revision: "main", by, file, links, network }
}

/// What the client is told of the revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Branch,
    Commit,
}

/// Whether symlinks can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Links {
    Work,
    Refused,
}

/// Whether the client may ask the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Online,
    Offline,
}

/// A job with everything that its command line needs.
pub(crate) struct Order<'a> {
    pub(crate) job: Job,
    pub(crate) endpoint: &'a str,
    pub(crate) commit: &'a str,
    pub(crate) files: &'a [Expected],
    /// The cache root, or the folder of a client that has no cache.
    pub(crate) dest: &'a Path,
}

impl Client {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hubstow(name, _) | Self::Decided(name, _) => name,
            Self::Earlier => "hubstow, earlier",
            Self::Python => "huggingface_hub",
            Self::HfHub => "hf-hub",
            Self::Curl => "curl",
            Self::CurlThenHash => "curl, sha256sum",
            Self::Aria2 => "aria2c -x16",
            Self::Limit { sync: false } => "limit",
            Self::Limit { sync: true } => "limit, fdatasync",
        }
    }

    pub(crate) fn is_hubstow(self) -> bool {
        matches!(self, Self::Hubstow(..) | Self::Decided(..))
    }

    /// Tells whether files end up in the cache's layout.
    pub(crate) fn has_cache(self) -> bool {
        self.is_hubstow() || matches!(self, Self::Earlier | Self::Python | Self::HfHub)
    }

    /// Makes the command for an order, which is killed when it takes longer than it may; `None` where the client is not on
    /// this machine.
    pub(crate) fn command(
        self,
        tools: &Tools,
        order: &Order<'_>,
        patience_s: Option<u32>,
    ) -> Result<Option<Command>> {
        let Some(mut words) = self.words(tools, order)? else {
            return Ok(None);
        };
        if order.job.links == Links::Refused {
            let Some(refuse) = &tools.refuse else {
                return Ok(None);
            };
            let filter = [refuse.into(), "symlink=EPERM".into(), "--".into()];
            words.splice(0..0, filter);
        }
        if let Some(seconds) = patience_s {
            let timeout = ["timeout", "--signal=KILL"].map(OsString::from);
            words.splice(0..0, timeout.into_iter().chain([seconds.to_string().into()]));
        }
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).env_clear().envs(environment(order));
        Ok(Some(command))
    }

    fn words(self, tools: &Tools, order: &Order<'_>) -> Result<Option<Vec<OsString>>> {
        let Order { job, dest, .. } = order;
        let revision = order.revision();
        let for_cache = [job.repo, revision].into_iter().chain(job.file).map(OsString::from);
        Ok(match self {
            Self::Hubstow(_, flags) => Some(order.hubstow(&tools.hubstow, flags)),
            Self::Earlier => tools.earlier.as_ref().map(|program| order.hubstow(program, &[])),
            Self::Decided(_, host) => {
                let program = tools.with_component.as_ref();
                program.map(|program| order.hubstow(program, &["--host", host]))
            }
            Self::Python => tools.python.as_ref().map(|python| {
                let own = [python.into(), tools.python_script.clone().into()];
                own.into_iter().chain(for_cache).collect()
            }),
            Self::HfHub => tools
                .hf_hub
                .as_ref()
                .map(|driver| std::iter::once(driver.into()).chain(for_cache).collect()),
            Self::Curl => match tools.curl.as_ref() {
                Some(curl) => Some(order.curl(curl)?),
                None => None,
            },
            Self::CurlThenHash => tools.curl.as_ref().map(|curl| {
                let script = "\"$0\" -sSf -o \"$1\" \"$2\" && sha256sum \"$1\"";
                let start = ["sh".into(), "-c".into(), script.into(), curl.into()];
                start.into_iter().chain([order.path(), order.url().into()]).collect()
            }),
            Self::Aria2 => match tools.aria2.as_ref() {
                Some(aria2) => Some(order.aria2(aria2)?),
                None => None,
            },
            Self::Limit { sync } => {
                let start = [std::env::current_exe()?.into(), "receive".into()];
                let sync = sync.then(|| "--sync".into());
                let pair = |file: &str| [order.url_of(file).into(), dest.join(file).into()];
                let files = order.names().flat_map(pair);
                Some(start.into_iter().chain(files).chain(sync).collect())
            }
        })
    }
}

impl Order<'_> {
    fn revision(&self) -> &str {
        match self.job.by {
            By::Branch => self.job.revision,
            By::Commit => self.commit,
        }
    }

    fn hubstow(&self, program: &Path, flags: &[&str]) -> Vec<OsString> {
        let mut words = vec![OsString::from(program)];
        words.extend(["download", "--quiet", "--revision", self.revision()].map(OsString::from));
        words.extend(flags.iter().map(OsString::from));
        words.extend([self.job.repo].into_iter().chain(self.job.file).map(OsString::from));
        words
    }

    fn url_of(&self, file: &str) -> String {
        format!("{}/{}/resolve/{}/{file}", self.endpoint, self.job.repo, self.revision())
    }

    fn url(&self) -> String {
        self.url_of(self.job.file.unwrap_or_default())
    }

    fn path(&self) -> OsString {
        self.dest.join(self.job.file.unwrap_or_default()).into()
    }

    /// The files that are asked for.
    fn names(&self) -> impl Iterator<Item = &str> {
        let wanted = |name: &&str| self.job.file.is_none_or(|it| it == *name);
        self.files.iter().map(|file| file.name.as_str()).filter(wanted)
    }

    /// One file by its address; several by a list, which is written here.
    fn aria2(&self, aria2: &Path) -> Result<Vec<OsString>> {
        let flags = ["-x16", "-s16", "-k1M", "--quiet", "--no-conf", "-d"];
        let mut words: Vec<OsString> = vec![aria2.into()];
        words.extend(flags.map(OsString::from));
        words.push(self.dest.into());
        if let Some(name) = self.job.file {
            words.extend(["-o".into(), name.into(), self.url().into()]);
            return Ok(words);
        }
        let line = |name: &str| format!("{}\n  out={name}\n", self.url_of(name));
        let list = self.dest.with_extension("aria2");
        fs::write(&list, self.names().map(line).collect::<String>())?;
        words.extend(["-i".into(), list.into()]);
        Ok(words)
    }

    /// One file by its address; many by a list, which is written here, before any clock runs.
    fn curl(&self, curl: &Path) -> Result<Vec<OsString>> {
        let mut words: Vec<OsString> = vec![curl.into(), "-sSfL".into()];
        if self.job.file.is_some() {
            words.extend(["-o".into(), self.path(), self.url().into()]);
            return Ok(words);
        }
        let line = |file: &Expected| {
            let path = self.dest.join(&file.name);
            format!("url = \"{}\"\noutput = \"{}\"\n", self.url_of(&file.name), path.display())
        };
        let list = self.dest.with_extension("curl");
        fs::write(&list, self.files.iter().map(line).collect::<String>())?;
        words.extend(["--create-dirs", "--parallel", "--parallel-max", "50", "-K"].map(Into::into));
        words.push(list.into());
        Ok(words)
    }
}

/// What every client finds in its environment, and nothing else.
fn environment(order: &Order<'_>) -> Vec<(&'static str, OsString)> {
    let dest = order.dest;
    let mut vars: Vec<(&str, OsString)> = vec![
        ("PATH", std::env::var_os("PATH").unwrap_or_default()),
        ("HOME", dest.with_extension("home").into()),
        ("HF_ENDPOINT", order.endpoint.into()),
        ("HF_HOME", dest.with_extension("home").into()),
        ("HF_HUB_CACHE", dest.into()),
    ];
    let quiet = [
        "HF_HUB_DISABLE_XET",
        "HF_HUB_DISABLE_TELEMETRY",
        "HF_HUB_DISABLE_PROGRESS_BARS",
        "HF_HUB_DISABLE_SYMLINKS_WARNING",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    ];
    vars.extend(quiet.map(|name| (name, "1".into())));
    if order.job.network == Network::Offline {
        vars.push(("HF_HUB_OFFLINE", "1".into()));
    }
    vars
}
