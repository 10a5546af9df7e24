//! `hubstow serve warm`: what is going to be asked for is fetched before anybody waits for it.
//!
//! A node's disk is filled as any cache is, by a download into it. A node elsewhere is asked for every byte, as a client asks
//! it, and what it sends is thrown away: when the last piece is here, it has the file whole and proved.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use hubstow_client::{
    Config, Error, ErrorKind, Hub, ListedFile, RepoHandle, Token, care::room::PinList, env_var,
    with_causes,
};
use hubstow_core::name::Repo;
use serde::Serialize;
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    folder,
    global::{Format, Global},
    hints,
    hub_args::PartsOf,
    output, runtime,
};

/// How much a node is asked for at a time.
const PIECE_BYTES: u64 = 16 << 20;
/// How many files a node is asked for at once.
const FILES_AT_ONCE: usize = 4;

/// Fetch repos before anybody asks for them: into a node's disk, or by asking a node that runs
///
/// A folder that is called `warm` is served as `hubstow serve ./warm`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubstow serve warm org/name dataset/org/rows@v1 --disk /var/cache/hubstow
  hubstow serve warm --pins pins.txt --endpoint http://node:8080")]
pub(super) struct WarmArgs {
    /// What to fetch: org/name, or dataset/org/name, with @REVISION for another than main
    #[arg(value_name = "REPO[@REVISION]", required_unless_present = "pins")]
    repos: Vec<String>,
    /// Also what a file names, one a line, # before comments: the pins that are never evicted
    #[arg(long, value_name = "FILE")]
    pins: Option<PathBuf>,
    /// Fetch into this cache directory, which a node has as its disk
    #[arg(long, value_name = "DIR")]
    disk: Option<PathBuf>,
    /// Without --disk the node to be asked, else the hub; named several times, each is asked when those before it can't be
    /// reached or fail [env: HF_ENDPOINT]
    #[arg(long = "endpoint", value_name = "URL")]
    endpoints: Vec<String>,
    /// The access token; other users of this machine can see it here, so prefer HF_TOKEN or the token file
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
}

/// What was done for a revision.
#[derive(Serialize)]
struct Warmed {
    repo: String,
    revision: String,
    files: usize,
    bytes: u64,
}

/// Fetches all that was named; what fails stops nothing else.
pub(super) fn run(args: &WarmArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let format = global.format();
    let wanted = args.wanted()?;
    // Nothing is read from there and nothing is written: what this machine has cached, the node need not have.
    let nowhere = tempfile::tempdir().map_err(|error| {
        Error::new(ErrorKind::Other, "there is no temporary folder").caused_by(error)
    })?;
    let config = args.config(nowhere.path())?;
    let parts = parts(&config);
    let hub = Hub::with_parts(config, parts)?;
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for (repo, revision) in &wanted {
        let asked = hub.repo(repo.clone()).revision(revision.as_str());
        let warmed = runtime::block_on(async {
            match &args.disk {
                Some(_) => into_disk(asked).await,
                None => through_node(asked).await,
            }
        });
        match warmed {
            Ok((files, bytes)) => {
                let (repo, revision) = (repo.to_string(), revision.clone());
                done.push(Warmed { repo, revision, files, bytes });
                tell(done.last(), format)?;
            }
            Err(error) => {
                // Of one alone the error of the command tells it.
                if wanted.len() > 1 {
                    let what =
                        format!("{repo} at `{revision}` is not warm: {}", with_causes(&error));
                    output::say(output::warning(format, &what));
                }
                failed.push(error);
            }
        }
    }
    if format == Format::Json {
        output::json(&done)?;
    }
    let count = failed.len();
    match failed.into_iter().next() {
        None => Ok(()),
        Some(first) if wanted.len() == 1 => Err(first),
        Some(first) => {
            let what = format!("{count} of {} could not be fetched", wanted.len());
            let error = Error::new(first.kind(), what);
            Err(match hints::way_out(&first) {
                Some(way_out) => error.hint(way_out),
                None => error,
            })
        }
    }
}

impl WarmArgs {
    /// Returns the repos and revisions that are meant.
    fn wanted(&self) -> Result<Vec<(Repo, String)>, Error> {
        let mut list = match &self.pins {
            Some(file) => pins(file)?,
            None => PinList::default(),
        };
        for said in &self.repos {
            list.add(said)
                .map_err(|error| error.hint("write org/name or dataset/org/name@REVISION"))?;
        }
        let revisions = list.iter().flat_map(|(repo, pins)| {
            let main = pins.whole.then(|| "main".to_owned());
            let all = main.into_iter().chain(pins.revisions.iter().cloned());
            all.map(|revision| (repo.clone(), revision))
        });
        let mut wanted: Vec<_> = revisions.collect();
        wanted.dedup();
        Ok(wanted)
    }

    fn config(&self, nowhere: &Path) -> Result<Config, Error> {
        let cache = match &self.disk {
            Some(disk) => folder::named("--disk", disk)?,
            None => nowhere.to_owned(),
        };
        let mut config = Config::from_vars(|name| match name {
            "HF_HUB_CACHE" => Some(cache.display().to_string()),
            "HF_ENDPOINT" | "HUGGINGFACE_CO_STAGING" if !self.endpoints.is_empty() => None,
            "HF_HUB_OFFLINE" | "TRANSFORMERS_OFFLINE" => None,
            _ => env_var(name),
        })?;
        config.cache_dir = cache;
        if !self.endpoints.is_empty() {
            config.set_endpoints(&self.endpoints.join(" "))?;
        } else if self.disk.is_none() && env_var("HF_ENDPOINT").is_none_or(|it| it.is_empty()) {
            let what = "which node is to be asked?";
            return Err(Error::new(ErrorKind::Usage, what)
                .hint("--endpoint names it, or --disk a cache directory to be filled"));
        }
        if let Some(token) = &self.token {
            config.token = Some(Token::new(token)?);
        }
        Ok(config)
    }
}

/// Reads a file of pins.
pub(super) fn pins(file: &Path) -> Result<PinList, Error> {
    let text = fs::read_to_string(file).map_err(|error| {
        let what = format!("the pins in `{}` can't be read", file.display());
        Error::new(ErrorKind::Usage, what).caused_by(error)
    })?;
    PinList::parse(&text)
}

/// Downloads a revision; returns how many files it has, and how many bytes those are.
async fn into_disk(asked: RepoHandle) -> Result<(usize, u64), Error> {
    let report = asked.snapshot().await?;
    let bytes = report.files.iter().filter_map(|file| file.size).sum();
    Ok((report.files.len(), bytes))
}

/// Asks a node for all of a revision.
async fn through_node(asked: RepoHandle) -> Result<(usize, u64), Error> {
    let files = asked.list_files().await?;
    let (count, permits) = (files.len(), Arc::new(Semaphore::new(FILES_AT_ONCE)));
    let mut tasks = JoinSet::new();
    for file in files {
        let (asked, permits) = (asked.clone(), Arc::clone(&permits));
        tasks.spawn(async move {
            // It is never closed.
            let _permit = permits.acquire_owned().await;
            read_all(&asked, &file).await
        });
    }
    let mut bytes = 0;
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.map_err(|error| {
            Error::new(ErrorKind::Other, "a file was not read to its end").caused_by(error)
        })?;
        bytes += ended?;
    }
    Ok((count, bytes))
}

async fn read_all(asked: &RepoHandle, file: &ListedFile) -> Result<u64, Error> {
    let name = file.file.as_str();
    let Some(size) = file.size else {
        return Ok(asked.file(name).read().await?.len() as u64);
    };
    for from in (0..size).step_by(usize::try_from(PIECE_BYTES).unwrap_or(usize::MAX)) {
        let piece = Range { start: from, end: size.min(from + PIECE_BYTES) };
        asked.file(name).read_range(piece).await?;
    }
    Ok(size)
}

fn tell(warmed: Option<&Warmed>, format: Format) -> Result<(), Error> {
    let Some(Warmed { repo, revision, files, bytes }) = warmed else { return Ok(()) };
    match format {
        Format::Human => output::line(format_args!(
            "{repo} at {revision}: {}, {}",
            output::counted(*files, "file"),
            output::size(*bytes)
        )),
        Format::Json | Format::Quiet => Ok(()),
    }
}
