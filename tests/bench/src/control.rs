//! The hub as the one that measures sees it: a process, its behaviour and what it has counted.

use std::{
    collections::BTreeMap,
    env,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::process;

/// Where the hub tells what it counted.
pub(crate) const PATH: &str = "/__bench";

/// What the hub has counted.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Counts {
    /// Requests by method and whether they were for a file: `GET file`, `HEAD file`, `GET api`.
    pub(crate) requests: BTreeMap<String, u64>,
    pub(crate) sent_bytes: u64,
}

/// How the hub behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Behaviour {
    /// What every request waits before it is looked at: the time to the first byte of its answer.
    pub(crate) latency_ms: u64,
    /// Bytes per second and connection; 0 where nothing limits them.
    pub(crate) rate: u64,
    /// Bytes per second of all connections together; 0 where nothing limits them.
    pub(crate) rate_of_all: u64,
    pub(crate) breaks: Breaks,
    pub(crate) small_files: SmallFiles,
}

/// What goes wrong on the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Breaks {
    #[default]
    Never,
    /// Each connection breaks off when it has sent so many bytes.
    DiesAfter { bytes: u64 },
    /// One connection in eight sends 1 MiB, stays open, and sends nothing any more.
    OneInEightStalls,
    /// A request while four answers are under way is answered 429, to be asked again after a second.
    FourAnswersAtOnce,
}

/// How small files are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum SmallFiles {
    #[default]
    Direct,
    /// By a redirect on the hub's own origin, as the public hub does.
    Redirected,
}

/// A running hub. It ends when this value is dropped.
pub(crate) struct Hub {
    process: Child,
    /// The hub ends when this is closed.
    stdin: Option<ChildStdin>,
    pub(crate) url: String,
}

impl Hub {
    /// Starts the hub over a folder.
    pub(crate) fn start(dir: &Path) -> Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .arg("hub")
            .arg(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = process.stdin.take();
        let mut url = String::new();
        BufReader::new(process.stdout.take().context("stdout is a pipe")?).read_line(&mut url)?;
        Ok(Self { process, stdin, url: url.trim().to_owned() })
    }

    /// Sets how the hub behaves, and forgets what it counted.
    pub(crate) fn set(&self, behaviour: Behaviour) -> Result<()> {
        self.ask("POST", PATH, &serde_json::to_string(&behaviour)?).map(drop)
    }

    /// Takes what the hub has counted.
    pub(crate) fn counts(&self) -> Result<Counts> {
        Ok(serde_json::from_str(&self.get(PATH)?)?)
    }

    /// Asks for the commit of a revision; the hub hashes all its files for that, once.
    pub(crate) fn commit(&self, repo: &str, revision: &str) -> Result<String> {
        let told = self.get(&format!("/api/models/{repo}/revision/{revision}"))?;
        let told: serde_json::Value = serde_json::from_str(&told)?;
        let sha = told.get("sha").and_then(serde_json::Value::as_str);
        Ok(sha.with_context(|| format!("no commit of {repo}@{revision}: {told}"))?.to_owned())
    }

    /// Returns the seconds of CPU that the hub has used so far, where the system tells.
    pub(crate) fn cpu_s(&self) -> Option<f64> {
        process::cpu_s(self.number())
    }

    /// Returns the number of its process.
    pub(crate) fn number(&self) -> u32 {
        self.process.id()
    }

    fn get(&self, path: &str) -> Result<String> {
        self.ask("GET", path, "")
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Result<String> {
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address)?;
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
        write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("the hub broke off")?;
        ensure!(head.contains(" 200 "), "the hub answers {path} with {head}");
        Ok(body.to_owned())
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        drop(self.stdin.take());
        drop(self.process.wait());
    }
}
