//! Which hub, which cache and which ladder: the flags that become a [`Config`].
//!
//! A flag wins over its variable, and a variable that a flag replaces may hold anything.

use std::{env, path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};
use hubstow_client::{Config, Error, ErrorKind, Hub, Parts, Token, env_var};
use hubstow_core::{
    decide::Decider,
    facts::{Reach, Stale},
    policy::Policy,
};

use crate::folder;

/// Makes the parts of a host for the settings in force.
pub type PartsOf = fn(&Config) -> Parts;

/// The flags that say which hub, cache and ladder are meant.
#[derive(Args)]
#[command(next_help_heading = "Hub and cache")]
pub(crate) struct HubArgs {
    /// The cache that all tools share [env: HF_HUB_CACHE, or HF_HOME and /hub]
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// The hub; named several times, each is asked when those before it can't be reached or fail [env: HF_ENDPOINT, with
    /// spaces between several] [default: https://huggingface.co]
    #[arg(long = "endpoint", value_name = "URL")]
    endpoints: Vec<String>,
    /// The access token; other users of this machine can see it here, so prefer HF_TOKEN or the token file
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Ask no hub; use what is in the cache [env: HF_HUB_OFFLINE=1]
    #[arg(long)]
    offline: bool,
    /// How files are put in their places [default: compat; portable if HF_HUB_DISABLE_SYMLINKS=1]
    #[arg(long, value_enum, value_name = "POLICY")]
    placement: Option<Placement>,
    /// When a cached file may serve although the hub did not confirm it
    #[arg(long, value_enum, value_name = "WHEN", default_value = "unreachable")]
    stale: StaleArg,
    /// Who decides: the linked core, or the same core as a component
    #[arg(long, value_enum, value_name = "HOST", default_value = "native")]
    host: HostArg,
}

/// The ladders of methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Placement {
    /// symlink, else move, else copy: what the Python client does
    Compat,
    /// symlink, else hard link, else reflink, else move or copy: no byte twice
    Dedup,
    /// hard link, else reflink, else move or copy: for disks shared between systems
    Nas,
    /// move, else copy: for disks without links
    Portable,
    /// symlink, else fail
    Strict,
}

impl From<Placement> for Policy {
    fn from(placement: Placement) -> Self {
        match placement {
            Placement::Compat => Self::Compat,
            Placement::Dedup => Self::Dedup,
            Placement::Nas => Self::Nas,
            Placement::Portable => Self::Portable,
            Placement::Strict => Self::Strict,
        }
    }
}

/// When a cached file may serve unconfirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StaleArg {
    /// When the hub can't be reached or fails
    Unreachable,
    /// Also when it refuses access or does not know the repo
    Always,
    /// Never
    Never,
}

impl From<StaleArg> for Stale {
    fn from(stale: StaleArg) -> Self {
        match stale {
            StaleArg::Unreachable => Self::Unreachable,
            StaleArg::Always => Self::Always,
            StaleArg::Never => Self::Never,
        }
    }
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum HostArg {
    /// The core that is linked into this program
    Native,
    /// The core as a WebAssembly component
    Wasmtime,
}

impl HubArgs {
    /// Makes the settings from the environment and these flags.
    ///
    /// # Errors
    /// A value that is not what its flag or variable takes.
    pub(crate) fn config(&self) -> Result<Config, Error> {
        let mut config = Config::from_vars(|name| self.var(name))?;
        if let Some(dir) = &self.cache_dir {
            config.cache_dir = folder::named("--cache-dir", dir)?;
        }
        folder::check(&config.cache_dir)?;
        if !self.endpoints.is_empty() {
            config
                .set_endpoints(&self.endpoints.join(" "))
                .map_err(|error| error.hint("an endpoint looks like https://huggingface.co"))?;
        }
        if let Some(token) = &self.token {
            config.token = Some(Token::new(token)?);
        }
        if self.offline {
            config.reach = Reach::Offline;
        }
        if let Some(placement) = self.placement {
            config.policy = placement.into();
        }
        config.stale = self.stale.into();
        Ok(config)
    }

    /// Tells whether the cache was named.
    pub(crate) fn names_cache(&self) -> bool {
        self.cache_dir.is_some()
    }

    /// Makes the hub of these settings, on the parts of the host; the component decides where that was asked for.
    ///
    /// # Errors
    /// A build that has no component; a component that can't be loaded.
    pub(crate) fn hub(&self, config: Config, parts: PartsOf) -> Result<Hub, Error> {
        let mut parts = parts(&config);
        match self.host {
            HostArg::Native => {}
            HostArg::Wasmtime => parts.decider = component()?,
        }
        Hub::with_parts(config, parts)
    }

    /// Reads a variable, unless a flag replaces it.
    fn var(&self, name: &str) -> Option<String> {
        let replaced = match name {
            "HF_ENDPOINT" | "HUGGINGFACE_CO_STAGING" => !self.endpoints.is_empty(),
            "HF_TOKEN" | "HUGGING_FACE_HUB_TOKEN" => self.token.is_some(),
            "HF_HUB_CACHE" | "HUGGINGFACE_HUB_CACHE" => self.cache_dir.is_some(),
            _ => false,
        };
        if replaced { None } else { env_var(name) }
    }
}

#[cfg(feature = "wasmtime")]
fn component() -> Result<Arc<dyn Decider>, Error> {
    match hubstow_wasmtime::ComponentCore::embedded() {
        Ok(core) => Ok(Arc::new(core)),
        Err(error) => {
            let what = "the component that decides can't be loaded";
            Err(Error::new(ErrorKind::Other, what).hint("leave --host out").caused_by(error))
        }
    }
}

#[cfg(not(feature = "wasmtime"))]
fn component() -> Result<Arc<dyn Decider>, Error> {
    Err(Error::new(ErrorKind::Usage, "this build has no wasmtime host").hint(
        "build it with `cargo install --path hosts/cli --features wasmtime`, or leave --host out",
    ))
}

/// Tells whether a variable is set to a word for yes.
pub(crate) fn is_set(name: &str) -> bool {
    env::var(name).is_ok_and(|value| {
        ["1", "ON", "YES", "TRUE"].iter().any(|yes| value.eq_ignore_ascii_case(yes))
    })
}
