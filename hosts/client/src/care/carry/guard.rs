//! What content may be placed over, and who is kept away meanwhile.

use std::{thread, time::Duration};

use hubstow_cache::{
    Cache, Target,
    cache::lease::{Lease, Leased},
    care::alone::NotAlone,
    observe::{OwnFacts, cached::Promised},
};
use hubstow_core::{
    facts::{Cached, Demand, Pointer, Staged},
    layout::RepoLayout,
    name::{ContentHash, Etag, Repo},
};

use crate::{
    api::error::{Error, ErrorKind},
    lookup::listing::Listing,
};

/// How long somebody who cleans a repo is waited for, and how often it is looked.
const LEASE_PATIENCE: Duration = Duration::from_secs(30);
const LEASE_POLL: Duration = Duration::from_millis(50);

/// Tells whether a pointer is there that serves other content than this.
pub(super) fn stands_in_the_way(cache: &Cache, target: &Target) -> Result<bool, Error> {
    let Target { layout, commit, file, .. } = target;
    let own = OwnFacts::at_first(Demand::Any, Staged::Absent);
    let facts = cache.observe(target, own)?.facts;
    match facts.pointer {
        Pointer::Absent | Pointer::Linked | Pointer::Holds => Ok(false),
        Pointer::Stray | Pointer::Torn => {
            // What a kept listing speaks against may be replaced.
            let found = cache.observe_cached(layout, commit, file, || promised(cache, target))?;
            let named = found.etag.as_ref() == Some(&target.etag);
            Ok(matches!(found.cached, Cached::Linked | Cached::Holds) && !named)
        }
        // Placing says what is wrong with it.
        Pointer::Directory | Pointer::Alias => Ok(false),
    }
}

/// Says what the kept listing promises of a file.
fn promised(cache: &Cache, target: &Target) -> Option<Promised> {
    let listing = Listing::of_cache(cache, &target.layout, &target.commit)?;
    let listed = listing.files.into_iter().find(|listed| listed.file == target.file)?;
    let (etag, size) = listed.content?;
    Some(Promised { etag, size: Some(size) })
}

/// Keeps cleaning away from a repo, or goes on without where that is not to be had.
///
/// # Errors
/// Somebody has been cleaning it for long.
pub(super) fn lease(cache: &Cache, repo: &Repo) -> Result<Option<Lease>, Error> {
    let layout = RepoLayout::new(repo);
    let mut waited = Duration::ZERO;
    loop {
        match cache.try_lease(&layout) {
            Leased::Held(lease) => return Ok(Some(lease)),
            Leased::Unavailable => return Ok(None),
            Leased::Busy if waited >= LEASE_PATIENCE => {
                let what = format!("another process has been cleaning {} for long", repo.id);
                return Err(Error::new(ErrorKind::Other, what).hint("end it, and run it again"));
            }
            Leased::Busy => {
                thread::sleep(LEASE_POLL);
                waited += LEASE_POLL;
            }
        }
    }
}

/// Tells whether an etag is a hash, which proves its content by itself.
pub(super) fn is_hash(etag: &Etag) -> bool {
    etag.content_hash() != ContentHash::Opaque
}

/// Says why a cache that has others in it, or has changed, is not moved.
pub(super) fn not_alone(why: NotAlone) -> Error {
    let (what, way_out) = match why {
        NotAlone::Busy(repo) => {
            (format!("another process works in `{repo}`"), "end it, and run it again")
        }
        NotAlone::Changed => (
            "the cache is not what it was when this was planned: another process has moved or removed \
             some of it, or added to it"
                .to_owned(),
            "look at both places, and run it again where something is left",
        ),
    };
    Error::new(ErrorKind::Other, what).hint(way_out)
}
