//! What clients of the server are allowed, as it is said on the command line.

use std::time::Duration;

use clap::Args;
use hubstow_client::Error;
use hubstow_serve::Limits;

use crate::cache::duration;

/// What clients are allowed.
#[derive(Args, Debug)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// The most connections at once; as many as there are file descriptors for if not said, and 4096 at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: Option<u32>,
    /// How long a connection may wait for its next request
    #[arg(long, value_name = "TIME", default_value = "75s")]
    idle_timeout: String,
    /// How long a client may take nothing of an answer before it is broken off
    #[arg(long, value_name = "TIME", default_value = "60s")]
    stall_timeout: String,
    /// How long answers that are on their way may take after Ctrl-C or SIGTERM
    #[arg(long, value_name = "TIME", default_value = "5s")]
    stop_timeout: String,
}

impl LimitArgs {
    /// Returns the limits.
    ///
    /// # Errors
    /// What stands for a time is none.
    pub(super) fn limits(&self) -> Result<Limits, Error> {
        let time = |text: &str| duration(text).map(Duration::from_secs);
        let descriptors = hubstow_native::descriptor_limit();
        let mut limits = descriptors.map_or_else(Limits::default, Limits::for_descriptors);
        if let Some(connections) = self.max_connections {
            limits.connections = usize::try_from(connections).unwrap_or(usize::MAX);
        }
        limits.idle_time = time(&self.idle_timeout)?;
        limits.stall_time = time(&self.stall_timeout)?;
        limits.grace = time(&self.stop_timeout)?;
        Ok(limits)
    }
}
