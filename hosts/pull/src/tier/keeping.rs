//! Putting into the tier what was brought: after it was answered, a few at a time, and never waited for by anybody who asks for a
//! file.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use hubstow_tier::{Begin, Error, ErrorKind, ObjectId, Proof, Put};
use tokio::{task::spawn_blocking, time::timeout};

use super::{Member, share::Held};
use crate::{
    counting::count,
    limits::{PUT_AGAIN_AFTER, PUT_TURN_FOR, PUTS_END_FOR, WAITING_PUTS},
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
            if let Err(error) = self.put_in_the_end(&id, &path, held, doubt).await {
                count(&self.counts.put_failures);
                self.tell(&id, &error);
            }
        });
    }

    /// Puts a file, and tries again for a while where the tier can't be reached.
    async fn put_in_the_end(
        self: &Arc<Self>,
        id: &ObjectId,
        path: &Path,
        mut held: Option<Held>,
        doubt: bool,
    ) -> Result<(), Error> {
        let mut leaving = self.leaving.subscribe();
        for wait in PUT_AGAIN_AFTER {
            match self.put(id, path, held.take(), doubt).await {
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    tracing::debug!(object = %id, %error, ?wait, "it is put again later");
                }
                ended => return ended,
            }
            let left = leaving.wait_for(|is_leaving| *is_leaving);
            if timeout(wait, left).await.is_ok() {
                break;
            }
        }
        self.put(id, path, None, doubt).await
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
        path: &Path,
        held: Option<Held>,
        doubt: bool,
    ) -> Result<(), Error> {
        if doubt {
            self.prove(id).await?;
        }
        let held = match held {
            Some(held) => held,
            None => match self.turn(id).await? {
                Some(held) => held,
                None => return Ok(()),
            },
        };
        let end = self.put_file(id, path).await;
        held.release().await;
        end
    }

    /// Waits until it is this node's turn to put what it has; `None` where another node does so, or the node leaves.
    async fn turn(self: &Arc<Self>, id: &ObjectId) -> Result<Option<Held>, Error> {
        let mut leaving = self.leaving.subscribe();
        let begun = tokio::select! {
            begun = self.tier.begin(id, PUT_TURN_FOR) => begun?,
            _ = leaving.wait_for(|is_leaving| *is_leaving) => return Ok(None),
        };
        match begun {
            Begin::Fill(claim) => Ok(Some(self.hold(claim))),
            Begin::Here(_) | Begin::Waited => Ok(None),
        }
    }

    async fn put_file(&self, id: &ObjectId, path: &Path) -> Result<(), Error> {
        let looked = path.to_owned();
        let len = spawn_blocking(move || std::fs::metadata(looked).map(|found| found.len())).await;
        let Ok(Ok(len)) = len else {
            tracing::debug!(object = %id, "it has made room before it could be put into the tier");
            count(&self.counts.put_failures);
            return Ok(());
        };
        match self.tier.put(id, len, path).await? {
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
        self.leaving.send_replace(true);
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
