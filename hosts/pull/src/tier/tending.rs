//! Looking after the tier: whether it is one, and from time to time what is too much of it.

use std::{sync::atomic::Ordering, time::Duration};

use hubstow_client::{Hub, care::room::PinList, with_causes};
use hubstow_core::name::{Repo, Revision};
use hubstow_tier::{Error, ErrorKind, Pin, Sweep};

use super::Member;
use crate::counting::count;

/// How often a tier that could not be reached at the start is looked for.
const LOOKED_FOR_EVERY: Duration = Duration::from_secs(5);
/// How often the tier is swept, by whichever node comes first.
const SWEPT_EVERY: Duration = Duration::from_secs(60 * 60);
/// How often a node looks whether it is time, at most and at least.
const DUE_EVERY: [Duration; 2] = [Duration::from_secs(5 * 60), Duration::from_secs(15 * 60)];

impl Member {
    /// Looks whether the tier is one, before the node relies on it.
    ///
    /// # Errors
    /// What a person has to mend. A tier that can't be reached is none: the node goes on without it until it is there.
    pub(crate) async fn check(&self) -> Result<(), Error> {
        match self.tier.check().await {
            Ok(()) => {
                self.is_fit.store(true, Ordering::Release);
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                tracing::warn!(%error, "the node begins without the tier, and uses it when it is there");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Looks after the tier for as long as it is awaited. `hub` says what pins mean.
    pub(crate) async fn tend(&self, hub: &Hub) {
        while !self.is_fit() {
            tokio::time::sleep(LOOKED_FOR_EVERY).await;
            if let Err(error) = self.check().await {
                tracing::error!(%error, "the tier is not used");
                return;
            }
        }
        loop {
            let [least, most] = DUE_EVERY;
            tokio::time::sleep(least + (most - least).mul_f64(chance())).await;
            self.sweep(hub).await;
        }
    }

    async fn sweep(&self, hub: &Hub) {
        let pins = pins(&self.rules.pins);
        if self.rules.max_bytes.is_some() {
            self.know(hub, &pins).await;
        }
        let mut sweep = Sweep::default();
        sweep.max_bytes = self.rules.max_bytes;
        sweep.pins = pins;
        match self.tier.sweep_if_due(&sweep, SWEPT_EVERY).await {
            Ok(Some(swept)) => {
                self.counts.evicted_bytes.fetch_add(swept.freed_bytes, Ordering::Relaxed);
                tracing::info!(?swept, "the tier was swept");
            }
            Ok(None) => {}
            Err(error) if error.kind() == ErrorKind::Unavailable => {
                tracing::info!(%error, "the tier could not be swept");
            }
            Err(error) => {
                count(&self.counts.sweep_failures);
                tracing::error!(%error, "the tier could not be swept");
            }
        }
    }

    /// Makes sure that the tier knows what the pins of this node hold. What upstream does not tell this node, who may read it has
    /// to have asked for.
    async fn know(&self, hub: &Hub, pins: &[Pin]) {
        for Pin { repo, revision } in pins {
            let Some(revision) = revision else { continue };
            let known = async {
                let commit = match revision.as_commit() {
                    Some(commit) => commit,
                    None => self.confirm(hub, repo, revision).await?,
                };
                self.keep_listing(hub, repo, &commit).await
            };
            if let Err(error) = known.await {
                tracing::debug!(%repo, %revision, error = %with_causes(&error), "a pin was not followed");
            }
        }
    }
}

fn pins(list: &PinList) -> Vec<Pin> {
    let revisions = |(repo, pins): (&Repo, &hubstow_client::care::Pins)| {
        let named = pins.revisions.iter().filter_map(|text| Revision::parse(text).ok());
        let all = pins.whole.then_some(None).into_iter().chain(named.map(Some));
        all.map(|revision| Pin { repo: repo.clone(), revision }).collect::<Vec<_>>()
    };
    list.iter().flat_map(revisions).collect()
}

/// A number from 0 to 1, so that nodes which were started together do not look together.
fn chance() -> f64 {
    getrandom::u32().map_or(0.5, |random| f64::from(random) / f64::from(u32::MAX))
}
