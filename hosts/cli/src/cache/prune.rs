//! `hubstow cache prune`: removing what nothing needs.

use clap::Args;
use hubstow_client::{Error, care::Rules};

use super::{WhichCache, ask::Consent, filter, plan, table};
use crate::{global::Global, hub_args::PartsOf};

/// Remove from the cache what nothing needs any more
///
/// That is: revisions that no branch or tag leads to, blobs that no snapshot leads to, downloads that were given up, content of
/// the shared store that no repo uses, and empty folders. The options take more. What is pinned stays, and so does what another
/// process works with right now. Where a ref or the list of pins can't be read or understood, nobody knows what its repo needs: what it
/// may keep stays, and the plan names it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubstow cache prune --dry-run
  hubstow cache prune --unused-for 30d
  hubstow cache prune --max-size 200G --yes
  hubstow cache prune --keep-last 2")]
pub(super) struct PruneArgs {
    /// Also revisions that nobody has used for so long: 30d, 8w, 6mo, 1y; where the system keeps no times of reading, that
    /// nobody has changed
    #[arg(long, value_name = "TIME")]
    unused_for: Option<String>,
    /// Also as many revisions as it takes until no more than this is left, those first that were not used for longest
    #[arg(long, value_name = "SIZE")]
    max_size: Option<String>,
    /// Keep so many revisions of each repo, those that were changed last
    #[arg(long, value_name = "N")]
    keep_last: Option<usize>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    which: WhichCache,
}

/// Plans, shows, asks and removes.
pub(super) fn run(args: &PruneArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let unused_for = args.unused_for.as_deref().map(filter::duration).transpose()?;
    let rules = Rules {
        unused_since: unused_for.map(|time| table::now().saturating_sub(time)),
        keep_last: args.keep_last,
        max_bytes: args.max_size.as_deref().map(filter::size).transpose()?,
    };
    let cache = args.which.open(parts)?;
    let inventory = cache.inventory()?;
    let plan = cache.plan_prune(&inventory, &rules);
    plan::settle(&cache, &inventory, &plan, &args.consent, global.format())
}
