//! One request to the store at a time: bounded, tried again, and with its errors sorted. Nothing above waits or retries.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::{
    GetOptions, ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
    UpdateVersion, path::Path,
};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::{
    error::{Error, ErrorKind, sort, too_slow},
    health::Health,
    limits::Limits,
    record::RECORD_LIMIT_BYTES,
};

/// What makes a version of something another than every version before: the store's ETag, and its number where it has one.
/// Some stores compare the one, some the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tag {
    etag: Option<String>,
    number: Option<String>,
}

impl Tag {
    /// A version that nothing ever has.
    pub(crate) fn of_nothing() -> Self {
        let etag = format!("\"{}\"", "0".repeat(32));
        Self { etag: Some(etag), number: Some("1".to_owned()) }
    }

    /// Tells whether both are of one version. Not every answer of a store has both parts.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (&self.etag, &other.etag) {
            (Some(one), Some(other)) => one == other,
            (None, _) | (_, None) => self.number.is_some() && self.number == other.number,
        }
    }
}

/// What the store says of something that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) size_bytes: u64,
    pub(crate) tag: Tag,
    /// When it was written, in milliseconds by the store's clock.
    pub(crate) at_ms: i64,
}

impl Seen {
    pub(crate) fn of(meta: &ObjectMeta) -> Self {
        Self {
            size_bytes: meta.size,
            tag: Tag { etag: meta.e_tag.clone(), number: meta.version.clone() },
            at_ms: meta.last_modified.timestamp_millis(),
        }
    }
}

/// How a write under a condition has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// With what it is known by now.
    Done(Tag),
    /// The condition did not hold. After a lost answer it may be our own write that stands there.
    Refused,
}

/// The store behind its limits.
pub(crate) struct Store {
    inner: Arc<dyn ObjectStore>,
    pub(crate) limits: Limits,
    pub(crate) health: Health,
    requests: Semaphore,
}

impl Store {
    pub(crate) fn new(inner: Arc<dyn ObjectStore>, limits: Limits) -> Self {
        let health = Health::new(&limits);
        let requests = Semaphore::new(limits.requests.max(1));
        Self { inner, limits, health, requests }
    }

    /// Returns the store itself, for what is no single small request.
    pub(crate) fn inner(&self) -> &dyn ObjectStore {
        self.inner.as_ref()
    }

    pub(crate) async fn permit(&self, what: &str) -> Result<SemaphorePermit<'_>, Error> {
        let closed = |_| Error::new(ErrorKind::Unavailable, what, "the tier is being closed");
        self.requests.acquire().await.map_err(closed)
    }

    pub(crate) async fn head(&self, key: &Path) -> Result<Option<Seen>, Error> {
        let what = format!("the tier can't be asked for `{key}`");
        let found = self.ask(&what, self.limits.try_time, || self.inner.head(key)).await?;
        Ok(found.map(|meta| Seen::of(&meta)))
    }

    /// Reads something small, whole; without bytes where it is larger than the limit.
    pub(crate) async fn read(
        &self,
        key: &Path,
        limit_bytes: u64,
    ) -> Result<Option<(Option<Bytes>, Seen)>, Error> {
        let what = format!("`{key}` can't be read from the tier");
        let read = || async {
            let got = self.inner.get_opts(key, GetOptions::default()).await?;
            let seen = Seen::of(&got.meta);
            let small = seen.size_bytes <= limit_bytes;
            let bytes = if small { Some(got.bytes().await?) } else { None };
            Ok((bytes, seen))
        };
        self.ask(&what, self.limits.part_time, read).await
    }

    /// Writes what must not be there yet.
    pub(crate) async fn create(&self, key: &Path, bytes: Bytes) -> Result<Written, Error> {
        self.write(key, bytes, PutMode::Create).await
    }

    /// Writes over exactly this version.
    pub(crate) async fn update(
        &self,
        key: &Path,
        over: &Tag,
        bytes: Bytes,
    ) -> Result<Written, Error> {
        let version = UpdateVersion { e_tag: over.etag.clone(), version: over.number.clone() };
        self.write(key, bytes, PutMode::Update(version)).await
    }

    /// Writes over whatever is there.
    pub(crate) async fn overwrite(&self, key: &Path, bytes: Bytes) -> Result<(), Error> {
        self.write(key, bytes, PutMode::Overwrite).await.map(drop)
    }

    async fn write(&self, key: &Path, bytes: Bytes, mode: PutMode) -> Result<Written, Error> {
        use object_store::Error as E;
        let what = format!("`{key}` can't be written into the tier");
        let put = || async {
            let options = PutOptions { mode: mode.clone(), ..PutOptions::default() };
            match self.inner.put_opts(key, PutPayload::from(bytes.clone()), options).await {
                Ok(result) => Ok(Written::Done(Tag { etag: result.e_tag, number: result.version })),
                Err(E::AlreadyExists { .. } | E::Precondition { .. } | E::NotModified { .. }) => {
                    Ok(Written::Refused)
                }
                Err(error) => Err(error),
            }
        };
        let no_place = || {
            let why =
                "there is no such bucket or folder; it has to be there before the tier is used";
            Error::new(ErrorKind::Refused, &what, why)
        };
        // Whoever waits for a claim or a ref waits for nothing large.
        let is_small = bytes.len() as u64 <= RECORD_LIMIT_BYTES;
        let limit = if is_small { self.limits.try_time } else { self.limits.part_time };
        self.ask(&what, limit, put).await?.ok_or_else(no_place)
    }

    /// Removes what is there, if it is there.
    pub(crate) async fn delete(&self, key: &Path) -> Result<(), Error> {
        let what = format!("`{key}` can't be removed from the tier");
        self.ask(&what, self.limits.try_time, || self.inner.delete(key)).await.map(drop)
    }

    /// Lists all below a folder, page by page, going on behind the last that came after a failure.
    pub(crate) async fn list(&self, folder: &Path) -> Result<Vec<ObjectMeta>, Error> {
        let what = format!("`{folder}` can't be listed in the tier");
        self.health.admit(&what)?;
        let mut all: Vec<ObjectMeta> = Vec::new();
        let mut failed = 0;
        loop {
            let (before, end) = (all.len(), self.list_on(folder, &what, &mut all).await);
            let Err(error) = end else {
                self.health.note(None);
                return Ok(all);
            };
            failed = if all.len() > before { 1 } else { failed + 1 };
            self.pause_or_give_up(error, failed).await?;
        }
    }

    async fn list_on(
        &self,
        folder: &Path,
        what: &str,
        all: &mut Vec<ObjectMeta>,
    ) -> Result<(), Error> {
        let _permit = self.permit(what).await?;
        let mut listing = match all.last() {
            None => self.inner.list(Some(folder)),
            Some(last) => self.inner.list_with_offset(Some(folder), &last.location),
        };
        loop {
            let next = tokio::time::timeout(self.limits.idle_time, listing.try_next()).await;
            match next.map_err(|_| too_slow(what, self.limits.idle_time))? {
                Ok(Some(meta)) => all.push(meta),
                // A folder that is not there has nothing in it.
                Ok(None) | Err(object_store::Error::NotFound { .. }) => return Ok(()),
                Err(error) => return Err(sort(what, &error)),
            }
        }
    }

    /// Sends a request, as often as the limits allow. `None` means that nothing is there.
    pub(crate) async fn ask<T, F>(
        &self,
        what: &str,
        limit: Duration,
        send: impl Fn() -> F,
    ) -> Result<Option<T>, Error>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        self.health.admit(what)?;
        let mut failed = 0;
        loop {
            let permit = self.permit(what).await?;
            let end = tokio::time::timeout(limit, send()).await;
            drop(permit);
            let error = match end {
                Ok(Ok(got)) => {
                    self.health.note(None);
                    return Ok(Some(got));
                }
                Ok(Err(object_store::Error::NotFound { .. })) => {
                    self.health.note(None);
                    return Ok(None);
                }
                Ok(Err(error)) => sort(what, &error),
                Err(_) => too_slow(what, limit),
            };
            failed += 1;
            self.pause_or_give_up(error, failed).await?;
        }
    }

    /// Waits before the next try, or hands the error on.
    pub(crate) async fn pause_or_give_up(&self, error: Error, failed: u32) -> Result<(), Error> {
        let may_pass = error.kind() == ErrorKind::Unavailable;
        if !may_pass || failed >= self.limits.tries {
            self.health.note(Some(error.kind()));
            return Err(error);
        }
        tracing::debug!(%error, failed, "asking the tier again");
        tokio::time::sleep(self.limits.wait(failed, error.retry_after())).await;
        Ok(())
    }
}

/// Removes many things, each by itself: not every store takes them together.
pub(crate) async fn delete_all(store: &Store, keys: Vec<Path>) -> Result<u64, Error> {
    const AT_ONCE: usize = 8;
    let ends = futures_util::stream::iter(keys).map(|key| async move { store.delete(&key).await });
    ends.buffer_unordered(AT_ONCE).try_fold(0, |count, ()| async move { Ok(count + 1) }).await
}
