//! The flags of a tier, and how its errors are told.

use std::time::Duration;

use clap::Args;
use hubstow_client::{Error, ErrorKind, care::room::PinList};
use hubstow_pull::{
    TierRules,
    hubstow_tier::{self, Limits, Tier},
};

use crate::cache::{duration, filter};

/// How long a small request to the tier may take, and how often it is tried: somebody waits for a file meanwhile.
const TRY_TIME: Duration = Duration::from_secs(3);
const TRIES: u32 = 2;

/// The flags of a tier.
#[derive(Args)]
pub(super) struct TierArgs {
    /// Share what is fetched with other nodes: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER, with
    /// the login in the environment (AWS_ACCESS_KEY_ID and so on)
    #[arg(long, value_name = "URL", requires = "upstream")]
    tier: Option<String>,
    /// How long a file may take that another node is bringing, before this one brings it as well; who asks for it waits so long
    #[arg(long, value_name = "TIME", default_value = "8s", requires = "tier")]
    tier_wait: String,
    /// Keep so much in the tier at most, such as 2T: once an hour the least recently used goes, by whichever node comes first
    #[arg(long, value_name = "SIZE", requires = "tier")]
    tier_size: Option<String>,
}

impl TierArgs {
    /// Opens the tier, where there is to be one. Nothing is asked of it yet.
    ///
    /// # Errors
    /// What can't be the address of a tier.
    pub(super) fn tier(&self, pins: PinList) -> Result<Option<(Tier, TierRules)>, Error> {
        let Some(address) = &self.tier else { return Ok(None) };
        let mut limits = Limits::default();
        (limits.try_time, limits.tries) = (TRY_TIME, TRIES);
        let tier = Tier::open(address, limits).map_err(told)?;
        let mut rules = TierRules::default();
        rules.wait = Duration::from_secs(duration(&self.tier_wait)?);
        rules.max_bytes = self.tier_size.as_deref().map(filter::size).transpose()?;
        rules.pins = pins;
        Ok(Some((tier, rules)))
    }
}

/// Says what is wrong with a tier, with the way out.
pub(super) fn told(error: hubstow_tier::Error) -> Error {
    use hubstow_tier::ErrorKind as Kind;
    let (kind, hint) = match error.kind() {
        Kind::Denied => (
            ErrorKind::AccessRefused,
            "the login comes from the environment (AWS_ACCESS_KEY_ID, GOOGLE_…, AZURE_…); docs/tier.md says what it must be allowed",
        ),
        Kind::Refused => (
            ErrorKind::Usage,
            "--tier names a bucket that is there, and AWS_REGION or AWS_ENDPOINT_URL where",
        ),
        Kind::Unfit => {
            (ErrorKind::Usage, "docs/tier.md says what a store must do, and which were tried")
        }
        Kind::Usage => (ErrorKind::Usage, "--tier s3://BUCKET/PREFIX or --tier file:///FOLDER"),
        Kind::Unavailable | Kind::Corrupt | Kind::Mismatch | Kind::Source | Kind::Closed | _ => {
            (ErrorKind::Other, "without --tier the node serves by itself")
        }
    };
    Error::new(kind, "the tier can't be used").hint(hint).caused_by(error)
}
