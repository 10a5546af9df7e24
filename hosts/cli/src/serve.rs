//! `hubstow serve`: a hub-compatible endpoint over folders and caches, until Ctrl-C or SIGTERM.

mod access;
mod hashing;
mod limits;
mod pull;
mod stop;
mod tier;
mod tls;
mod warm;

use std::{
    fs, io,
    net::{SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::{Args, Subcommand, ValueEnum};
use hubstow_client::{Error, ErrorKind};
use hubstow_core::name::RepoKind;
use hubstow_serve::{Builder, Server, SourceKind};
use tokio::net::TcpListener;

use self::{
    access::{AccessLog, LogFormat},
    limits::LimitArgs,
    pull::{Pull, PullArgs},
    tls::TlsArgs,
};
use crate::{
    global::{Format, Global},
    hub_args::PartsOf,
    output, runtime,
    trace::Unasked,
};

/// Serve folders, caches or another hub as a hub; its URL is the first line on stdout
///
/// In a plain folder, DIR/org/name is a model at main, DIR/org/name@v1 the same model at v1, DIR/datasets/org/name a
/// dataset. In a cache directory of any tool, repos and revisions are what they are there. Of several DIRs, the first that
/// has something answers. With --upstream it stands between a hub and its clients: what is in no DIR is asked for there, kept,
/// and sent while it arrives. Every tool that takes HF_ENDPOINT can download from it, and a browser shows what is here. Ctrl-C or
/// SIGTERM stops it, once answers that are on their way are sent.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_long_help = "\
Examples:
  hubstow serve ~/models --bind 127.0.0.1:8080
  hubstow serve ~/.cache/huggingface/hub --bind 0.0.0.0:8080 --token \"$TOKEN\"
  hubstow serve --upstream https://huggingface.co --disk /srv/hub --bind 0.0.0.0:8080
  hubstow serve --upstream https://huggingface.co --disk /srv/hub --tier s3://bucket/hub --bind 0.0.0.0:8080
  HF_ENDPOINT=http://127.0.0.1:8080 hubstow download org/name
  HF_ENDPOINT=http://127.0.0.1:8080 hf download org/name")]
pub(crate) struct ServeArgs {
    /// The folders: plain ones, or cache directories
    #[arg(value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// What the folders are, where they don't look like it
    #[arg(long, value_enum, value_name = "KIND", default_value = "auto")]
    source: SourceArg,
    /// Where to listen; port 0 takes a free one
    #[arg(
        long,
        aliases = ["port", "listen"],
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:0",
        value_parser = address
    )]
    bind: SocketAddr,
    /// Answer only requests that carry this token
    #[arg(long, value_name = "TOKEN", env = "HUBSTOW_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Let web pages of another origin read the answers; of every origin where none is named
    #[arg(long, value_name = "ORIGIN", num_args = 0..=1, require_equals = true, default_missing_value = "*")]
    cors: Option<String>,
    /// How the access log on stderr looks, one line a request; -q switches it off
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "text")]
    log_format: LogFormat,
    /// The size from which a file is an LFS file
    #[arg(long, value_name = "BYTES", default_value_t = 10 * 1024 * 1024)]
    lfs_threshold: u64,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    pull: PullArgs,
    #[command(subcommand)]
    command: Option<ServeCommand>,
}

/// What is done besides serving.
#[derive(Subcommand)]
enum ServeCommand {
    Warm(warm::WarmArgs),
}

/// What a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SourceArg {
    /// What it looks like
    Auto,
    /// A folder of plain folders
    Folder,
    /// A cache directory
    Cache,
}

impl From<SourceArg> for SourceKind {
    fn from(arg: SourceArg) -> Self {
        match arg {
            SourceArg::Auto => Self::Auto,
            SourceArg::Folder => Self::Folder,
            SourceArg::Cache => Self::Cache,
        }
    }
}

impl ServeArgs {
    /// Returns what is logged where nobody asks for more: clients are told that the log says why something failed.
    pub(crate) fn logs_unasked(&self) -> Unasked {
        match (&self.command, self.log_format) {
            (Some(_), _) => Unasked::Nothing,
            (None, LogFormat::Text) => Unasked::Problems,
            (None, LogFormat::Json) => Unasked::ProblemsAsJson,
        }
    }
}

/// Serves until it is asked to stop, or does what is done besides.
pub(crate) fn run(args: &ServeArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    match &args.command {
        Some(ServeCommand::Warm(warm)) => warm::run(warm, global, parts),
        None => serve(args, global, parts),
    }
}

fn serve(args: &ServeArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let format = global.format();
    if args.dirs.is_empty() && args.pull.upstream.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "there is nothing to serve")
            .hint("name a folder, as in `hubstow serve ~/models`, or a hub with --upstream URL"));
    }
    let pull = args.pull.pull(parts, args.token.is_some())?;
    let shown = shown(&args.dirs, pull.as_ref());
    let node = pull.as_ref().map(|pull| pull.node.clone());
    if node.is_some() {
        hubstow_native::raise_descriptor_limit();
    }
    let grace = args.limits.limits()?.grace;
    let server = builder(args, pull, format)?.build();
    runtime::block_on(async {
        let listener = TcpListener::bind(args.bind).await.map_err(|e| bind_error(args.bind, e))?;
        let address = listener.local_addr().map_err(|e| bind_error(args.bind, e))?;
        if let Some(node) = &node {
            node.check_tier().await.map_err(tier::told)?;
        }
        announce(args, address, &shown, format)?;
        if let Some(node) = &node {
            let (disk, tier) = (node.clone(), node.clone());
            tokio::spawn(async move { disk.tend().await });
            tokio::spawn(async move { tier.tend_tier().await });
        }
        if !args.dirs.is_empty() {
            hashing::start(&server, format)?;
        }
        let served = server.serve(listener, stop::asked(format)).await;
        if let Some(node) = node {
            node.tend_once().await;
            node.leave_tier(grace).await;
        }
        served.map_err(|error| {
            Error::new(ErrorKind::Other, "nothing is served any more").caused_by(error)
        })
    })
}

fn shown(dirs: &[PathBuf], pull: Option<&Pull>) -> String {
    let dirs = dirs.iter().map(|dir| dir.display().to_string());
    dirs.chain(pull.map(|pull| pull.shown.clone())).collect::<Vec<_>>().join(", ")
}

/// Describes a server over folders, an upstream, or both.
fn over(args: &ServeArgs, pull: Option<Pull>, format: Format) -> Result<Builder, Error> {
    let upstream = pull.map(|Pull { node, disk, .. }| (Arc::new(node), disk));
    Ok(match (upstream, args.dirs.is_empty()) {
        (Some((node, disk)), true) => Server::pulling(node, disk),
        (Some((node, disk)), false) => over_folders(args, format)?.upstream(node, disk),
        (None, _) => over_folders(args, format)?,
    })
}

/// Finds the cache below a folder that is what `HF_HOME` names.
fn cache_inside(dir: &Path) -> Option<PathBuf> {
    let inner = dir.join("hub");
    let is_repo = |entry: fs::DirEntry| {
        entry.file_name().to_str().is_some_and(|name| RepoKind::of_folder(name).is_some())
    };
    fs::read_dir(&inner).ok()?.flatten().any(is_repo).then_some(inner)
}

fn over_folders(args: &ServeArgs, format: Format) -> Result<Builder, Error> {
    for dir in &args.dirs {
        if let Some(inner) = cache_inside(dir) {
            let what = format!(
                "`{}` holds a cache directory and is served as plain folders; \
                 `hubstow serve {}` serves the cache",
                dir.display(),
                inner.display(),
            );
            output::say(output::warning(format, &what));
        }
        fs::read_dir(dir).map_err(|error| {
            let message = format!("`{}` can't be served", dir.display());
            Error::new(ErrorKind::Usage, message)
                .hint("DIR is an existing folder that holds org/name folders, or a cache directory")
                .caused_by(error)
        })?;
    }
    let mut dirs = args.dirs.iter();
    // There is one at least: the arguments are parsed so.
    let mut builder = Server::builder(dirs.next().cloned().unwrap_or_default())
        .source(args.source.into())
        .lfs_from_bytes(args.lfs_threshold);
    for dir in dirs {
        builder = builder.and(dir);
    }
    if let Some(folder) = hashing::folder_of_digests() {
        builder = builder.keep_digests_in(folder);
    }
    Ok(builder)
}

fn builder(args: &ServeArgs, pull: Option<Pull>, format: Format) -> Result<Builder, Error> {
    for warning in pull.iter().flat_map(|pull| &pull.warnings) {
        output::say(output::warning(format, warning));
    }
    let mut builder = over(args, pull, format)?.limits(args.limits.limits()?);
    if let Some(token) = args.token.as_deref().map(str::trim) {
        if token.is_empty() {
            return Err(Error::new(ErrorKind::Usage, "the token that is to be asked for is empty")
                .hint("set --token or HUBSTOW_TOKEN to a secret, or leave both out"));
        }
        builder = builder.token(token);
    }
    if let Some(origin) = &args.cors {
        builder = builder.cors(origin).map_err(|error| {
            let hint = "--cors=https://app.example names one; --cors alone means all";
            Error::new(ErrorKind::Usage, error.to_string()).hint(hint)
        })?;
    }
    if let Some(certificate) = args.tls.certificate(format)? {
        builder = builder.certificate(certificate);
    }
    if format != Format::Quiet {
        let log = AccessLog::start(args.log_format)?;
        builder = builder.on_answered(move |answered| log.tell(answered));
    }
    Ok(builder.on_left_out(move |left_out| {
        output::say(output::warning(format, &format!("it is not served: {}", left_out.why)));
    }))
}

fn announce(
    args: &ServeArgs,
    address: SocketAddr,
    shown: &str,
    format: Format,
) -> Result<(), Error> {
    let url = format!("{}://{address}", args.tls.scheme());
    match format {
        Format::Json => output::json(&serde_json::json!({ "url": url }))?,
        Format::Human | Format::Quiet => output::line(&url)?,
    }
    if format == Format::Human {
        output::say(format_args!(
            "serving {shown}; other tools find it with HF_ENDPOINT={url}; Ctrl-C stops it",
        ));
    }
    if !address.ip().is_loopback() && args.token.is_none() && !args.dirs.is_empty() {
        output::say(output::warning(
            format,
            "everybody who can reach this address can read the folders; --token asks for a token",
        ));
    }
    Ok(())
}

/// Understands where to listen.
fn address(text: &str) -> Result<SocketAddr, String> {
    let how = "name an address and a port, as in 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080";
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
            let found = text.to_socket_addrs().map_err(|error| format!("{error}; {how}"))?;
            found.into_iter().next().ok_or_else(|| format!("`{host}` has no address; {how}"))
        }
        Some(_) | None => Err(how.to_owned()),
    }
}

fn bind_error(address: SocketAddr, error: io::Error) -> Error {
    let kind = if error.kind() == io::ErrorKind::PermissionDenied {
        ErrorKind::NotPermitted
    } else {
        ErrorKind::Other
    };
    Error::new(kind, format!("{address} can't be listened on"))
        .hint("--bind 127.0.0.1:0 takes a free port")
        .caused_by(error)
}
