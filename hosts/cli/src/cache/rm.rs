//! `hubstow cache rm`: removing what the user names.

use clap::Args;
use hubstow_client::Error;

use super::{WhichCache, ask::Consent, plan, target};
use crate::{global::Global, hub_args::PartsOf};

/// Remove repos, revisions or files from the cache
///
/// With them goes what only they have needed: their blobs, refs and listings. What another snapshot still links to stays, and
/// so does what is pinned or what another process works with right now.
#[derive(Args)]
#[command(after_help = "\
Examples:
  hubstow cache rm openai-community/gpt2
  hubstow cache rm dataset/org/rows hf://spaces/org/app
  hubstow cache rm 11c5a3d5811f50298f278a704980280950aedb10
  hubstow cache rm hf://org/name@v1.0 --dry-run
  hubstow cache rm hf://org/name/pytorch_model.bin --yes")]
pub(super) struct RmArgs {
    /// A repo (org/name, dataset/org/name, hf://…), a commit, or a file (hf://org/name[@REVISION]/FILE)
    #[arg(value_name = "TARGET", required = true)]
    targets: Vec<String>,
    #[command(flatten)]
    consent: Consent,
    #[command(flatten)]
    which: WhichCache,
}

/// Plans, shows, asks and removes.
pub(super) fn run(args: &RmArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let cache = args.which.open(parts)?;
    let inventory = cache.inventory()?;
    let sums = inventory.sums();
    let mut asked = Vec::new();
    for text in &args.targets {
        asked.extend(target::find(text, &sums)?.ids());
    }
    let plan = cache.plan_remove(&inventory, &asked);
    plan::settle(&cache, &inventory, &plan, &args.consent, global.format())
}
