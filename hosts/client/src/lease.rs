//! Relying on what a repo holds while files are brought to their places.

use std::time::Duration;

use hubstow_cache::cache::lease::{Lease, Leased};
use hubstow_core::layout::RepoLayout;
use tokio::time::Instant;

use crate::{
    api::error::Error,
    engine::Engine,
    handle::{CacheHandle, DiskBound},
};

/// How often a lease is asked for again that somebody's cleaning excludes.
const POLL: Duration = Duration::from_millis(50);

impl Engine {
    /// Keeps cleaning away from a repo for as long as what is returned lives. Cleaning that is under way is waited for, but not
    /// without end; where leases are not to be had, or nobody cleans, there is none.
    pub(crate) async fn lease(
        &self,
        cache: &CacheHandle,
        layout: &RepoLayout,
    ) -> Result<Option<DiskBound<Lease>>, Error> {
        if layout.is_local() || cache.is_looking_only() {
            return Ok(None);
        }
        let since = Instant::now();
        loop {
            let (layout, handle) = (layout.clone(), cache.clone());
            let tried = cache.run(move |cache, _| match cache.try_lease(&layout) {
                Leased::Held(lease) => Some(Some(handle.keep(lease))),
                Leased::Unavailable => Some(None),
                Leased::Busy => None,
            });
            if let Some(lease) = tried.await? {
                return Ok(lease);
            }
            if since.elapsed() >= self.config.lock_patience {
                tracing::warn!("somebody has been cleaning this repo for long; going on");
                return Ok(None);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}
