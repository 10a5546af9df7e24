//! The stage that a scenario is played on: a folder of its own with a disk, a hub, a home, and a watch on everything
//! outside the cache.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{
    check,
    disk::{self, Disk, DiskKind},
    host::Host,
    hub::Hub,
    names::Names,
    process::{Ended, Prepared, Running},
    scenario::Scenario,
    step::Run,
    tree, wine,
};

/// The token that every command is given. It must be seen by nobody but the hub.
const TOKEN: &str = "hf_canaryThatMustNeverBeSeen";
/// The password in the address of the hub, for hosts that log in by one. It must be seen by nobody at all.
const PASSWORD: &str = "canaryPasswordThatMustNeverBeSeen";
/// The login as it is sent: base64 of `user:` and the password.
const LOGIN: &str = "dXNlcjpjYW5hcnlQYXNzd29yZFRoYXRNdXN0TmV2ZXJCZVNlZW4=";
/// What must be in nothing that is printed or stored.
const SECRETS: [&str; 3] = [TOKEN, PASSWORD, LOGIN];
/// Where the real client is: set by `cargo verify`.
pub(crate) const PYTHON: &str = "HUBSTOW_PYTHON";

/// One stage. What it made is gone when it is dropped.
pub(crate) struct Stage {
    // Dropped in this order: nothing may be mounted below a folder that is removed.
    pub(crate) hub: Hub,
    pub(crate) disk: Disk,
    pub(crate) names: Names,
    kind: DiskKind,
    pub(crate) host: Host,
    /// The cache root.
    cache: PathBuf,
    outside: BTreeMap<String, String>,
    /// Everything that any command has printed.
    printed: RefCell<Vec<String>>,
    folder: TempDir,
}

impl Stage {
    /// Sets a stage up.
    pub(crate) fn open(scenario: &Scenario, kind: DiskKind, host: Host) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("hubstow-scenario-").tempdir()?;
        let below = |name: &str| folder.path().join(name);
        for name in ["home", "logs", "peer", "temporary"] {
            fs::create_dir(below(name))?;
        }
        let hub = Hub::start(scenario, &below("hub"))?;
        let mut disk_folder = below("disks");
        fs::create_dir(&disk_folder)?;
        let disk = Disk::open(kind, &disk_folder)?;
        disk_folder = disk.folder().to_owned();
        let cache = disk_folder.join(disk::CACHE);
        fs::create_dir_all(&cache)?;
        fs::write(disk_folder.join("victim"), "untouched")?;
        fs::write(below("home/victim"), "untouched")?;
        let mut names = Names::new(scenario, hub.commits());
        let told = match host {
            Host::Windows => wine::windows_path(&cache),
            Host::Native | Host::Wasmtime | Host::Wasi => cache.clone().into(),
        };
        names.define("cache", told.to_string_lossy());
        names.define("outside", disk_folder.to_string_lossy());
        names.define("hub", hub.url());
        names.define("second", hub.second_url());
        names.define("nobody", hub.nobodys_url());
        names.define("5000-characters", "x".repeat(5000));
        let mut stage = Self {
            hub,
            disk,
            names,
            kind,
            host,
            cache,
            outside: BTreeMap::new(),
            printed: RefCell::default(),
            folder,
        };
        stage.outside = stage.look_outside()?;
        Ok(stage)
    }

    /// Returns the cache root.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// Returns the path of what the scenario calls so. A `*` in its last part stands for what nobody can know
    /// beforehand, such as a private name; exactly one entry must match.
    pub(crate) fn path(&self, said: &str) -> Result<PathBuf> {
        let Some((folder, pattern)) = said.rsplit_once('/').filter(|(_, last)| last.contains('*'))
        else {
            return Ok(self.cache.join(self.names.path(said)?));
        };
        let folder = self.cache.join(self.names.path(folder)?);
        let (before, after) = pattern.split_once('*').unwrap_or_default();
        let mut matching = tree::files_below(&folder)?;
        matching.retain(|name| name.starts_with(before) && name.ends_with(after));
        match matching.as_slice() {
            [one] => Ok(folder.join(one)),
            other => bail!("{said} matches {other:?}"),
        }
    }

    /// Makes a command of the scenario ready to run.
    pub(crate) fn prepare(&self, run: &Run) -> Result<Prepared> {
        let (line, mut env) = match (&run.run, &run.python) {
            (Some(words), None) => (self.host_line(words)?, self.host_env()),
            (None, Some(words)) => (self.peer_line(words)?, self.peer_env()),
            _ => bail!("a command is either `run` or `python`"),
        };
        for (name, value) in &run.env {
            env.insert(name.clone(), self.names.text(value)?.into());
        }
        let mut under = run.under.unwrap_or(self.kind);
        if self.host == Host::Windows && run.run.is_some() {
            wine::translate(&mut env);
            // It has none anyway.
            under = DiskKind::Plain;
        }
        let folder = self.folder.path().join("home");
        Ok(Prepared { line, env, folder, before: Vec::new(), under })
    }

    /// Starts a command. `number` keeps the output of commands apart that run at the same time.
    pub(crate) fn start(&self, prepared: Prepared, number: usize) -> Result<Running> {
        prepared.start(&self.folder.path().join("logs").join(number.to_string()))
    }

    /// Keeps what a command printed, for the search at the end.
    pub(crate) fn remember(&self, ended: &Ended) {
        self.printed.borrow_mut().extend([ended.stdout.clone(), ended.stderr.clone()]);
    }

    fn words(&self, line: &str) -> Result<Vec<String>> {
        crate::process::words(line).iter().map(|word| self.names.text(word)).collect()
    }

    /// JSON is asked for unless the scenario says how the result is printed.
    fn host_line(&self, line: &str) -> Result<Vec<OsString>> {
        let mut words = self.words(line)?;
        let says_format = ["--json", "--quiet", "-q", "--format", "--help", "--version"];
        if !words.iter().any(|word| says_format.contains(&word.as_str())) {
            words.insert(0, "--json".to_owned());
        }
        self.host.command_line(&words, &self.cache)
    }

    fn peer_line(&self, line: &str) -> Result<Vec<OsString>> {
        let python = std::env::var_os(PYTHON).context(PYTHON)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/peer.py");
        let words = self.words(line)?.into_iter().map(OsString::from);
        Ok([python, script.into_os_string()].into_iter().chain(words).collect())
    }

    fn host_env(&self) -> BTreeMap<String, OsString> {
        let folder = self.folder.path();
        let mut env: BTreeMap<String, OsString> = BTreeMap::new();
        let mut set = |name: &str, value: OsString| env.insert(name.to_owned(), value);
        set("PATH", std::env::var_os("PATH").unwrap_or_default());
        set("HOME", folder.join("home").into());
        // What is proved of files on a disk where everybody may write is kept there.
        set("XDG_STATE_HOME", folder.join("state").into());
        set("TMPDIR", folder.join("temporary").into());
        set("HF_HUB_CACHE", self.cache.clone().into());
        set("HF_ENDPOINT", self.endpoint().into());
        set("HF_TOKEN", TOKEN.into());
        env
    }

    /// Returns the address of the hub as a command is given it. A login in it is sent in place of the token, so one host goes
    /// through everything with the token, and the others with a password.
    fn endpoint(&self) -> String {
        match self.host {
            Host::Native | Host::Windows => self.hub.url(),
            Host::Wasmtime | Host::Wasi => {
                self.hub.url().replacen("//", &format!("//user:{PASSWORD}@"), 1)
            }
        }
    }

    /// The Python client keeps things of its own in its home, which is no part of what is watched.
    fn peer_env(&self) -> BTreeMap<String, OsString> {
        let mut env = self.host_env();
        let peer = self.folder.path().join("peer");
        env.insert("HF_ENDPOINT".to_owned(), self.hub.url().into());
        for (name, value) in [
            ("HOME", peer.as_os_str()),
            ("HF_HOME", peer.as_os_str()),
            ("HF_HUB_DISABLE_TELEMETRY", "1".as_ref()),
            ("HF_HUB_DISABLE_UPDATE_CHECK", "1".as_ref()),
            ("HF_HUB_DISABLE_XET", "1".as_ref()),
            ("HF_HUB_DISABLE_PROGRESS_BARS", "1".as_ref()),
            ("HF_HUB_DISABLE_SYMLINKS_WARNING", "1".as_ref()),
            ("PYTHONDONTWRITEBYTECODE", "1".as_ref()),
        ] {
            env.insert(name.to_owned(), value.to_owned());
        }
        env
    }

    /// Everything that no command may change: the home, and the disk around the cache.
    fn look_outside(&self) -> Result<BTreeMap<String, String>> {
        let mut all = check::fingerprint(self.disk.folder(), Some(&self.cache))?;
        all.extend(check::fingerprint(&self.folder.path().join("home"), None)?);
        all.extend(check::fingerprint(&self.folder.path().join("temporary"), None)?);
        Ok(all)
    }

    /// Checks what must hold after every scenario.
    pub(crate) fn check(&self, scenario: &Scenario) -> Result<()> {
        let mut complaints = check::cache(&self.cache, scenario, &self.names)?;
        if let Err(error) =
            check::unchanged("outside the cache root", &self.outside, &self.look_outside()?)
        {
            complaints.push(error.to_string());
        }
        let printed = self.printed.borrow();
        let told = printed.iter().filter(|text| SECRETS.iter().any(|secret| text.contains(secret)));
        complaints.extend(told.map(|text| format!("a secret was printed: {text}")));
        complaints.extend(check::stored(&self.cache, &SECRETS)?);
        for request in self.hub.requests_since(0) {
            if request.with_token && request.origin == crate::hub::Origin::Other {
                complaints.push(format!("a secret went to another origin: {}", request.line));
            }
            if SECRETS.iter().any(|secret| request.line.contains(secret)) {
                complaints.push(format!("a secret is in an address: {}", request.line));
            }
        }
        anyhow::ensure!(complaints.is_empty(), "afterwards:\n  {}", complaints.join("\n  "));
        Ok(())
    }
}
