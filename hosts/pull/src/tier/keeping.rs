//! Putting into the tier what was brought: after it was answered, a few at a time, and never waited for by anybody who asks for a
//! file.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hubstow_tier::{Begin, Error, ObjectId, Proof, Put};
use tokio::{task::spawn_blocking, time::timeout};

use super::{Held, Member};
use crate::{
    counting::count,
    limits::{PUTS_END_FOR, WAITING_PUTS},
};

impl Member {
    /// Puts a file in the background, and gives the claim back then; without one only where nobody else is bringing it. Where
    /// there is `doubt`, what the tier has is proved first.
    pub(super) fn keep(
        self: Arc<Self>,
        id: ObjectId,
        path: PathBuf,
        held: Option<Held>,
        doubt: bool,
    ) {
        if !self.is_fit() {
            return;
        }
        let Ok(permit) = Arc::clone(&self.puts).try_acquire_owned() else {
            count(&self.counts.put_failures);
            tracing::warn!(object = %id, "too much waits to be put into the tier; this is left out");
            return;
        };
        tokio::spawn(async move {
            let _one_of_those = permit;
            let end = self.put(&id, path, held, doubt).await;
            if let Err(error) = end {
                count(&self.counts.put_failures);
                self.tell(&id, &error);
            }
        });
    }

    /// Proves in the background what the tier has, which takes away what is wrong.
    pub(super) fn doubt(self: Arc<Self>, id: ObjectId) {
        let Ok(permit) = Arc::clone(&self.puts).try_acquire_owned() else { return };
        tokio::spawn(async move {
            let _one_of_those = permit;
            if let Err(error) = self.prove(&id).await {
                self.tell(&id, &error);
            }
        });
    }

    async fn put(
        self: &Arc<Self>,
        id: &ObjectId,
        path: PathBuf,
        held: Option<Held>,
        doubt: bool,
    ) -> Result<(), Error> {
        if doubt {
            self.prove(id).await?;
        }
        let held = match held {
            Some(held) => held,
            None => match self.tier.begin(id, Duration::ZERO).await? {
                Begin::Fill(claim) => self.hold(claim),
                Begin::Here(_) | Begin::Waited => return Ok(()),
            },
        };
        let end = self.put_file(id, path).await;
        held.release().await;
        end
    }

    async fn put_file(&self, id: &ObjectId, path: PathBuf) -> Result<(), Error> {
        let looked = path.clone();
        let len = spawn_blocking(move || std::fs::metadata(looked).map(|found| found.len())).await;
        let Ok(Ok(len)) = len else {
            tracing::debug!(object = %id, "it has made room before it could be put into the tier");
            count(&self.counts.put_failures);
            return Ok(());
        };
        match self.tier.put(id, len, &path).await? {
            Put::Done => {
                count(&self.counts.puts);
                self.counts.put_bytes.fetch_add(len, Ordering::Relaxed);
                tracing::debug!(object = %id, len, "put into the tier");
            }
            Put::Already => {}
        }
        Ok(())
    }

    async fn prove(&self, id: &ObjectId) -> Result<(), Error> {
        if let Some(Proof::Wrong) = self.tier.prove(id).await? {
            count(&self.counts.wrong);
        }
        Ok(())
    }

    /// Ends the node's part in the tier: what is being put has so long, and is given up then; claims are given back.
    pub(crate) async fn finish(&self, grace: Duration) {
        let all = u32::try_from(WAITING_PUTS).unwrap_or(u32::MAX);
        let waited = timeout(grace, self.puts.acquire_many(all)).await;
        if waited.is_err() {
            tracing::info!("what is not in the tier yet is given up");
            self.tier.close();
            let _ = timeout(PUTS_END_FOR, self.puts.acquire_many(all)).await;
        }
        let claims: Vec<_> = self.claims().drain().map(|(_, claim)| claim).collect();
        let released = async {
            for claim in claims {
                claim.release().await;
            }
        };
        let _ = timeout(PUTS_END_FOR, released).await;
    }
}
