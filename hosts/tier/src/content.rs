//! Reading an object, as it comes in, however often the line breaks.

use std::{
    fmt,
    ops::Range,
    sync::{Arc, PoisonError},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream::BoxStream};
use hubstow_cache::disk::content::Hasher;
use object_store::{GetOptions, GetRange, GetResult, path::Path};
use tokio::time::{Instant, timeout};

use crate::{
    error::{Error, ErrorKind, sort, too_slow},
    name::{OBJECTS, ObjectId, USED},
    store::{Seen, Store, Tag},
    tier::Tier,
};

/// How many notes of uses are written at once, and how many may wait for that; one more is left out, and made at the next use.
pub(crate) const NOTES_AT_ONCE: usize = 4;
pub(crate) const NOTES_WAITING: usize = 1_024;
/// How many objects' uses are remembered; an older one is noted once more than it need be.
const NOTED: usize = 100_000;

/// An object that the tier has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Object {
    /// How large it is.
    pub size_bytes: u64,
    tag: Tag,
}

impl Object {
    fn of(seen: Seen) -> Self {
        Self { size_bytes: seen.size_bytes, tag: seen.tag }
    }
}

/// What reading a whole object has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It is what its name says.
    Right,
    /// It was something else, and is taken away.
    Wrong,
}

/// The bytes of an object, or of a range of it. Who receives them proves the hash: a store can be wrong.
pub struct Content {
    object: Object,
    range: Range<u64>,
    tier: Tier,
    key: Path,
    body: BoxStream<'static, object_store::Result<Bytes>>,
    next: u64,
    failed: u32,
}

impl Tier {
    /// Looks whether the tier has an object. That it has says nothing of the next moment.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked.
    pub async fn head(&self, id: &ObjectId) -> Result<Option<Object>, Error> {
        Ok(self.0.store.head(&id.key(OBJECTS)).await?.map(Object::of))
    }

    /// Reads an object, or a range of it in bytes; `None` where the tier has it not. The range must begin inside.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked.
    pub async fn get(
        &self,
        id: &ObjectId,
        range: Option<Range<u64>>,
    ) -> Result<Option<Content>, Error> {
        let key = id.key(OBJECTS);
        let Some(got) = open(&self.0.store, &key, range).await? else { return Ok(None) };
        self.note_use(id);
        let object = Object::of(Seen::of(&got.meta));
        let (range, next) = (got.range.clone(), got.range.start);
        let body = got.into_stream();
        Ok(Some(Content { object, range, tier: self.clone(), key, body, next, failed: 0 }))
    }

    /// Takes away an object whose bytes someone has found to be wrong, if it is still the version that he has read.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked.
    pub async fn discard(&self, id: &ObjectId, object: &Object) -> Result<(), Error> {
        let key = id.key(OBJECTS);
        match self.0.store.head(&key).await? {
            Some(seen) if seen.tag.is(&object.tag) => {
                tracing::warn!(object = %id, "the tier has wrong bytes for an object; it is removed");
                self.0.store.delete(&key).await
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Reads an object whole and proves it. One that is wrong is taken away; `None` where there is none.
    ///
    /// # Errors
    /// Whatever keeps the store from being asked.
    pub async fn prove(&self, id: &ObjectId) -> Result<Option<Proof>, Error> {
        let Some(mut content) = self.get(id, None).await? else { return Ok(None) };
        let object = content.object().clone();
        let mut hasher = Hasher::new(id.etag(), Some(object.size_bytes));
        while let Some(bytes) = content.chunk().await? {
            let work = tokio::task::spawn_blocking(move || {
                hasher.update(&bytes);
                hasher
            });
            hasher = work.await.map_err(|error| {
                let what = format!("`{}` can't be proved", content.key);
                Error::new(ErrorKind::Unavailable, what, error.to_string())
            })?;
        }
        if hasher.finish().is_ok() {
            return Ok(Some(Proof::Right));
        }
        self.discard(id, &object).await?;
        Ok(Some(Proof::Wrong))
    }

    /// Notes in the background that an object is used, so that a sweep spares it. Once in a while is enough.
    pub(crate) fn note_use(&self, id: &ObjectId) {
        let every = self.0.store.limits.note_every;
        let mut noted = self.0.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.get(id).is_some_and(|at| at.elapsed() < every) {
            return;
        }
        if noted.len() >= NOTED {
            noted.retain(|_, at| at.elapsed() < every);
            if noted.len() >= NOTED {
                noted.clear();
            }
        }
        let Ok(waiting) = Arc::clone(&self.0.notes_waiting).try_acquire_owned() else { return };
        noted.insert(id.clone(), Instant::now());
        drop(noted);
        let (tier, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            let _waiting = waiting;
            let _one_of_few = tier.0.notes.acquire().await;
            if let Err(error) = tier.0.store.overwrite(&id.key(USED), Bytes::new()).await {
                tracing::debug!(object = %id, %error, "the use of an object could not be noted");
                tier.0.noted.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            }
        });
    }
}

async fn open(
    store: &Store,
    key: &Path,
    range: Option<Range<u64>>,
) -> Result<Option<GetResult>, Error> {
    let what = format!("`{key}` can't be read from the tier");
    let get = || {
        let range = range.clone().map(GetRange::Bounded);
        store.inner().get_opts(key, GetOptions { range, ..GetOptions::default() })
    };
    store.ask(&what, store.limits.try_time, get).await
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, range, next, .. } = self;
        f.debug_struct("Content")
            .field("object", object)
            .field("range", range)
            .field("next", next)
            .finish_non_exhaustive()
    }
}

impl Content {
    /// Returns what the store says of the whole object.
    #[must_use]
    pub fn object(&self) -> &Object {
        &self.object
    }

    /// Returns which bytes of the object come, after the store has cut what was asked for to what there is.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// Returns the next bytes in order; `None` at the end.
    ///
    /// # Errors
    /// A line that breaks too often without bringing anything, an object that is taken away meanwhile
    /// ([`ErrorKind::Unavailable`]), and a store that sends something else than it has promised.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        let store = &self.tier.0.store;
        let what = format!("`{}` can't be read further from the tier", self.key);
        loop {
            let left = self.range.end.saturating_sub(self.next);
            if left == 0 {
                return Ok(None);
            }
            let idle = store.limits.idle_time;
            let error = match timeout(idle, self.body.next()).await {
                Ok(Some(Ok(bytes))) if bytes.is_empty() => continue,
                Ok(Some(Ok(bytes))) if bytes.len() as u64 > left => {
                    let why = "more bytes come than the range has";
                    return Err(Error::new(ErrorKind::Corrupt, what, why));
                }
                Ok(Some(Ok(bytes))) => {
                    self.next += bytes.len() as u64;
                    self.failed = 0;
                    return Ok(Some(bytes));
                }
                Ok(Some(Err(error))) => sort(&what, &error),
                Ok(None) => Error::new(ErrorKind::Unavailable, &what, "it ends too early"),
                Err(_) => too_slow(&what, idle),
            };
            self.failed += 1;
            store.pause_or_give_up(error, self.failed).await?;
            let rest = Some(self.next..self.range.end);
            let Some(got) = open(store, &self.key, rest).await? else {
                let why = "it was taken away while it was read";
                return Err(Error::new(ErrorKind::Unavailable, what, why));
            };
            // Under one name there is one content, whoever has put it again meanwhile.
            if got.meta.size != self.object.size_bytes || got.range.start != self.next {
                let why = "it has another size than before";
                return Err(Error::new(ErrorKind::Corrupt, what, why));
            }
            self.body = got.into_stream();
        }
    }

    /// Returns the same as a stream, which ends after the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, Error>> + Send {
        futures_util::stream::unfold(Some(self), |content| async {
            let mut content = content?;
            match content.chunk().await {
                Ok(Some(bytes)) => Some((Ok(bytes), Some(content))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}
