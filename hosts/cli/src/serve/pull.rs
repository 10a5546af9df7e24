//! The flags of a pull-through, and the node that they make.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use clap::{ArgGroup, Args};
use hubstow_client::{
    Config, Error, ErrorKind, Token,
    care::room::{PinList, RoomRules},
    env_var,
};
use hubstow_core::{facts::Reach, hub::Endpoint};
use hubstow_pull::Node;

use super::{hashing, tier::TierArgs, warm};
use crate::{cache::filter, folder, hub_args::PartsOf};

/// The variable that holds the token for upstream.
const TOKEN_VARIABLE: &str = "HUBSTOW_UPSTREAM_TOKEN";

/// The flags of a pull-through.
#[derive(Args)]
#[command(next_help_heading = "Pull-through")]
#[command(group = ArgGroup::new("bounded").args(["disk_size", "tier_size"]).multiple(true))]
pub(crate) struct PullArgs {
    /// Answer from this hub, and keep what was asked for; everybody's own token decides what they get. Named several times, each
    /// is asked when those before it can't be reached or fail, and gets the same tokens
    #[arg(long, value_name = "URL")]
    pub(super) upstream: Vec<String>,
    /// The cache directory of the pull-through; it may be lost at any time [default: a folder below the user's caches]
    #[arg(long, value_name = "DIR", requires = "upstream")]
    disk: Option<PathBuf>,
    /// Send the token in this file upstream whoever asks, so that whoever may ask here has its access; --token says who may [env:
    /// HUBSTOW_UPSTREAM_TOKEN holds the token itself]
    #[arg(long, value_name = "FILE", requires = "upstream")]
    upstream_token_file: Option<PathBuf>,
    /// Keep so much on the disk at most, such as 500G: what was used least recently makes room
    #[arg(long, value_name = "SIZE", requires = "upstream")]
    disk_size: Option<String>,
    /// Never let that make room, on the disk or in the tier, which a file names: type/org/name[@REVISION] a line, # before comments
    #[arg(long, value_name = "FILE", requires = "bounded")]
    pins: Option<PathBuf>,
    #[command(flatten)]
    tier: TierArgs,
}

/// A pull-through that is to be served.
pub(super) struct Pull {
    pub(super) node: Node,
    /// The cache directory.
    pub(super) disk: PathBuf,
    /// What it is, for people.
    pub(super) shown: String,
    /// What should be said of it.
    pub(super) warnings: Vec<&'static str>,
}

impl PullArgs {
    /// Makes the node, where there is to be one. `is_guarded` says whether a token is asked for here.
    ///
    /// # Errors
    /// What can't be a hub, a token or a cache directory.
    pub(super) fn pull(&self, parts: PartsOf, is_guarded: bool) -> Result<Option<Pull>, Error> {
        if self.upstream.is_empty() {
            return Ok(None);
        }
        let config = self.config()?;
        let disk = config.cache_dir.clone();
        fs::create_dir_all(&disk).map_err(|error| {
            let kind = kind_of(&error);
            let what = format!("`{}` can't be the cache directory", disk.display());
            Error::new(kind, what).hint("--disk names another one").caused_by(error)
        })?;
        writable(&disk)?;
        let mut warnings = Vec::new();
        if config.token.is_some() && !is_guarded {
            warnings.push(
                "whoever can reach this address can read what the token for upstream can; --token asks for a token of its own",
            );
        }
        let upstreams: Vec<&str> = config.endpoints().map(Endpoint::as_str).collect();
        let mut shown = format!("{} through `{}`", upstreams.join(", else "), disk.display());
        let parts = parts(&config);
        let node = Node::new(config, parts)?;
        let pins = self.pins.as_deref().map(warm::pins).transpose()?.unwrap_or_default();
        if let Some(rules) = self.room(&pins)? {
            node.keep_within(rules);
        }
        if let Some((tier, rules)) = self.tier.tier(pins)? {
            shown = format!("{shown} and {tier}");
            node.share(tier, rules);
        }
        Ok(Some(Pull { node, disk, shown, warnings }))
    }

    fn room(&self, pins: &PinList) -> Result<Option<RoomRules>, Error> {
        let Some(size) = &self.disk_size else { return Ok(None) };
        let bytes = filter::size(size)?;
        if bytes == 0 {
            return Err(Error::new(ErrorKind::Usage, "--disk-size has no room for anything")
                .hint("name what the disk may hold, such as 500G"));
        }
        let mut rules = RoomRules::new(bytes);
        rules.pins = pins.clone();
        Ok(Some(rules))
    }

    fn config(&self) -> Result<Config, Error> {
        // The token of whoever starts the node is nobody's who asks it; it is not even looked for.
        let mut config = Config::from_vars(|name| match name {
            "HF_ENDPOINT" | "HF_TOKEN" | "HF_TOKEN_PATH" | "HF_HUB_OFFLINE" => None,
            "HF_HUB_DISABLE_IMPLICIT_TOKEN" => Some("1".to_owned()),
            _ => env_var(name),
        })?;
        config.set_endpoints(&self.upstream.join(" ")).map_err(|error| {
            error.hint("--upstream is the address of a hub, such as https://huggingface.co")
        })?;
        config.reach = Reach::Online;
        config.token = self.token()?;
        config.cache_dir = match &self.disk {
            Some(disk) => folder::named("--disk", disk)?,
            None => default_disk(&config.endpoint)?,
        };
        config.check()?;
        Ok(config)
    }

    fn token(&self) -> Result<Option<Token>, Error> {
        let text = match &self.upstream_token_file {
            Some(path) => Some(fs::read_to_string(path).map_err(|error| {
                let what = format!("the token file `{}` can't be read", path.display());
                Error::new(ErrorKind::Usage, what).caused_by(error)
            })?),
            None => env::var(TOKEN_VARIABLE).ok().filter(|text| !text.trim().is_empty()),
        };
        text.as_deref().map(Token::new).transpose()
    }
}

/// Makes sure that something can be kept: otherwise every file would fail, one by one.
fn writable(disk: &Path) -> Result<(), Error> {
    let probe = disk.join(format!(".hubstow-probe-{}", std::process::id()));
    let written = fs::write(&probe, "").and_then(|()| fs::remove_file(&probe));
    written.map_err(|error| {
        let what = format!("nothing can be written to the cache directory `{}`", disk.display());
        let kind = kind_of(&error);
        Error::new(kind, what).hint("--disk names another one").caused_by(error)
    })
}

/// As the exit codes tell them apart.
fn kind_of(error: &io::Error) -> ErrorKind {
    let kinds = [
        (io::ErrorKind::PermissionDenied, ErrorKind::NotPermitted),
        (io::ErrorKind::ReadOnlyFilesystem, ErrorKind::ReadOnly),
        (io::ErrorKind::StorageFull, ErrorKind::NoSpace),
    ];
    kinds.into_iter().find(|(of, _)| *of == error.kind()).map_or(ErrorKind::Usage, |(_, kind)| kind)
}

/// Two hubs may have different repos of one name, so each has a directory of its own.
fn default_disk(endpoint: &Endpoint) -> Result<PathBuf, Error> {
    let caches = hashing::folder_of_caches().ok_or_else(|| {
        let what = "nothing says where this user's caches are";
        Error::new(ErrorKind::Usage, what).hint("--disk names the cache directory")
    })?;
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' };
    let url = endpoint.as_str();
    let of: String =
        url.split_once("://").map_or(url, |(_, rest)| rest).chars().map(plain).collect();
    Ok(caches.join("pull").join(of))
}
