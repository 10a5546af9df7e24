//! Verifying the files of a local folder.

use std::{ops::ControlFlow, path::Path, sync::Arc};

use hubstow_client::{Error, ErrorKind};

use super::{Found, VerifyArgs, show, told};
use crate::{
    folder, global::Format, hub_args::PartsOf, progress::Progress, repo_arg::RepoArgs, runtime,
};

/// Verifies the files of a local folder: against the records of their downloads, or against what the hub lists.
///
/// # Errors
/// A folder that is none, a hub that does not say what it should hold, and what is wrong in it.
pub(super) fn run(
    args: &VerifyArgs,
    dir: &Path,
    format: Format,
    parts: PartsOf,
    progress: &Arc<Progress>,
) -> Result<(), Error> {
    let [target] = &args.targets[..] else {
        let what = "--local-dir is a folder of one repo, and several are named";
        return Err(Error::new(ErrorKind::Usage, what).hint("name one REPO"));
    };
    let mut config = args.hub.config()?;
    let dir = folder::named("--local-dir", dir)?;
    if !dir.is_dir() {
        let what = format!("`{}` is no folder", dir.display());
        return Err(Error::new(ErrorKind::Usage, what)
            .hint("it is what `hubstow download REPO --local-dir DIR` was given"));
    }
    config.local_dir = Some(dir);
    let asks = args.asks(config.reach)?;
    let repo = RepoArgs::named(target.clone(), args.repo_type, args.revision.clone());
    let place = repo.place(&config.endpoint)?;
    let shown = Arc::clone(progress);
    let hub = args.hub.hub(config, parts)?.on_event(move |event| shown.show(event));
    let cache = hub.cache();
    let inventory = cache.local_inventory()?;
    let listings = if asks {
        runtime::block_on(cache.ask_local_listing(&place.repo, &place.revision))?
    } else {
        cache.kept_local_listing(&inventory)
    };
    let verified = cache.verify_local(&inventory, &listings, |reading| {
        show(progress, reading);
        ControlFlow::Continue(())
    });
    progress.stop();
    let found = Found { inventory, verified: verified? };
    told::report(&found, args, format).map_err(|error| {
        if error.kind() == ErrorKind::ContentMismatch {
            error.hint("`hubstow download REPO --local-dir DIR` brings the folder in order")
        } else {
            error
        }
    })
}
