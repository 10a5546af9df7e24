//! Putting an object: hashed once more on the way, and visible whole and right or not at all.
//!
//! INVARIANT (content): under `objects/` nothing becomes visible whose bytes have not gone through [`Hasher`] here. A small
//! file is hashed before it is sent; of a large one the parts become an object only by the request that follows the proof.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path as FilePath, PathBuf},
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use hubstow_cache::disk::content::Hasher;
use object_store::{MultipartUpload, PutMultipartOptions, PutPayload, UploadPart, path::Path};
use tokio::{sync::watch, time::timeout};

use crate::{
    error::{Error, ErrorKind, sort, too_slow},
    limits::Limits,
    name::{OBJECTS, ObjectId},
    store::{Store, Written},
    tier::Tier,
};

/// How putting an object has ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// It was put.
    Done,
    /// It was there.
    Already,
}

impl Tier {
    /// Puts the content of a file, which whoever calls has proved to be this object. It is hashed once more on the way.
    ///
    /// # Errors
    /// A file that is not what the hash says ([`ErrorKind::Mismatch`]) or can't be read ([`ErrorKind::Source`]), and whatever
    /// keeps the store from being asked. Nothing of it is visible then.
    pub async fn put(&self, id: &ObjectId, size_bytes: u64, file: &FilePath) -> Result<Put, Error> {
        let (store, key) = (&self.0.store, id.key(OBJECTS));
        let what = format!("`{key}` can't be put into the tier");
        let _upload = self.0.uploads.acquire().await.map_err(|_| being_closed(&what))?;
        let standing = store.head(&key).await?;
        match &standing {
            Some(seen) if seen.size_bytes == size_bytes => {
                self.note_use(id);
                return Ok(Put::Already);
            }
            Some(seen) => tracing::warn!(
                object = %id, found = seen.size_bytes, expected = size_bytes,
                "the tier has an object of the wrong size; it is written over"
            ),
            None => {}
        }
        let part_bytes = store.limits.part_bytes_of(size_bytes);
        let file = file.to_owned();
        let source = Source::open(what.clone(), file, id.clone(), size_bytes, part_bytes).await?;
        if size_bytes <= part_bytes as u64 {
            put_small(store, &key, &what, source, size_bytes, standing.is_some()).await
        } else {
            let mut closing = self.0.closing.subscribe();
            let closed = async { closing.wait_for(|is_closed| *is_closed).await.map(drop) };
            put_large(store, &key, &what, source, size_bytes, closed).await
        }
    }
}

fn being_closed(what: &str) -> Error {
    Error::new(ErrorKind::Closed, what, "the tier is being closed")
}

async fn put_small(
    store: &Store,
    key: &Path,
    what: &str,
    source: Source,
    size_bytes: u64,
    over: bool,
) -> Result<Put, Error> {
    let (source, bytes) = source.part().await?;
    // A file that goes on is another one; this is counted with what has passed.
    let (source, _) = source.part().await?;
    source.proved()?;
    if over {
        return store.overwrite(key, bytes).await.map(|()| Put::Done);
    }
    // What stands there when the store refuses may be ours, after a lost answer, or another node's, and may be gone by the
    // time that it is looked at.
    for _ in 0..store.limits.tries.max(1) {
        if let Written::Done(_) = store.create(key, bytes.clone()).await? {
            return Ok(Put::Done);
        }
        if store.head(key).await?.is_some_and(|seen| seen.size_bytes == size_bytes) {
            return Ok(Put::Already);
        }
    }
    Err(Error::new(ErrorKind::Unavailable, what, "it is put and taken away by others all the time"))
}

async fn put_large(
    store: &Store,
    key: &Path,
    what: &str,
    source: Source,
    size_bytes: u64,
    closed: impl Future<Output = Result<(), watch::error::RecvError>>,
) -> Result<Put, Error> {
    let begin = || store.inner().put_multipart_opts(key, upload_options(&store.limits));
    let begun = store.ask(what, store.limits.try_time, begin).await?;
    let mut upload = begun
        .ok_or_else(|| Error::new(ErrorKind::Refused, what, "there is no such bucket or folder"))?;
    let sent = tokio::select! {
        sent = send_parts(store, what, &mut upload, source) => sent.and_then(Source::proved),
        _ = closed => Err(being_closed(what)),
    };
    let end = match sent {
        Ok(()) => complete(store, key, what, &mut upload, size_bytes).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &end {
        store.health.note(Some(error.kind()));
        // What can't be ended now, a sweep ends.
        let aborted = timeout(store.limits.try_time, upload.abort()).await;
        if !matches!(aborted, Ok(Ok(()))) {
            tracing::debug!(%key, "an upload could not be ended; a sweep does that later");
        }
    }
    end
}

/// Reads the file part by part, and has as many parts on their way as the limits allow.
async fn send_parts(
    store: &Store,
    what: &str,
    upload: &mut Box<dyn MultipartUpload>,
    mut source: Source,
) -> Result<Source, Error> {
    let limit = store.limits.part_time.saturating_mul(store.limits.tries.max(1));
    let mut underway = FuturesUnordered::new();
    loop {
        let (rest, part) = source.part().await?;
        source = rest;
        if part.is_empty() {
            break;
        }
        // One byte too many tells that it is another file.
        if source.hasher.passed_bytes() > source.size_bytes {
            break;
        }
        let sent: UploadPart = upload.put_part(PutPayload::from(part));
        underway.push(async move {
            // Waited for in here: those that have one must go on meanwhile.
            let permit = store.permit(what).await?;
            let end = timeout(limit, sent).await;
            drop(permit);
            end.map_err(|_| too_slow(what, limit))?.map_err(|error| sort(what, &error))
        });
        if underway.len() >= store.limits.parts.max(1) {
            underway.next().await.transpose()?;
        }
    }
    while let Some(end) = underway.next().await {
        end?;
    }
    Ok(source)
}

/// Makes the object of the parts, which is asked for once: the store's library gives the parts away with the request, and a
/// store that has heard it knows the upload no more. After an answer that is lost or late, what stands there counts.
async fn complete(
    store: &Store,
    key: &Path,
    what: &str,
    upload: &mut Box<dyn MultipartUpload>,
    size_bytes: u64,
) -> Result<Put, Error> {
    let error = match timeout(store.limits.part_time, upload.complete()).await {
        Ok(Ok(_)) => return Ok(Put::Done),
        Ok(Err(error)) => sort(what, &error),
        Err(_) => too_slow(what, store.limits.part_time),
    };
    let mut looked = 0;
    loop {
        let seen = store.head(key).await;
        if matches!(&seen, Ok(Some(seen)) if seen.size_bytes == size_bytes) {
            return Ok(Put::Done);
        }
        // What was heard is done within a while: a store puts large files together for as long as that.
        looked += 1;
        store.pause_or_give_up(error.clone(), looked).await?;
    }
}

/// A file that is read part by part, and hashed as it is read.
struct Source {
    what: String,
    file: File,
    hasher: Hasher,
    id: ObjectId,
    size_bytes: u64,
    part_bytes: usize,
}

impl Source {
    async fn open(
        what: String,
        path: PathBuf,
        id: ObjectId,
        size_bytes: u64,
        part_bytes: usize,
    ) -> Result<Self, Error> {
        on_worker(what.clone(), move || {
            let file = File::open(path)?;
            let hasher = Hasher::new(id.etag(), Some(size_bytes));
            Ok(Self { what, file, hasher, id, size_bytes, part_bytes })
        })
        .await
    }

    /// Reads and hashes the next part; it is empty at the end.
    async fn part(mut self) -> Result<(Self, Bytes), Error> {
        on_worker(self.what.clone(), move || {
            let left = self.size_bytes.saturating_sub(self.hasher.passed_bytes());
            // One byte more than there should be is enough to tell that the file is another.
            let room = (self.part_bytes as u64).min(left.max(1));
            let mut part = Vec::with_capacity(usize::try_from(room).unwrap_or_default());
            (&mut self.file).take(room).read_to_end(&mut part)?;
            self.hasher.update(&part);
            Ok((self, Bytes::from(part)))
        })
        .await
    }

    fn proved(self) -> Result<(), Error> {
        let mismatch = |why: String| Err(Error::new(ErrorKind::Mismatch, &self.what, why));
        let passed = self.hasher.passed_bytes();
        if passed != self.size_bytes {
            return mismatch(format!("the file has {passed} bytes, not {}", self.size_bytes));
        }
        match self.hasher.finish() {
            Ok(()) => Ok(()),
            Err(found) => mismatch(format!("the file is {found}, not {}", self.id)),
        }
    }
}

async fn on_worker<T: Send + 'static>(
    what: String,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let failed = |why: String| Error::new(ErrorKind::Source, what, format!("the file: {why}"));
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Of HTTP, a part that was lost is sent again by itself.
#[cfg(feature = "http")]
fn upload_options(limits: &Limits) -> PutMultipartOptions {
    PutMultipartOptions::default().with_retry_policy(std::sync::Arc::new(PartRetry(limits.clone())))
}

#[cfg(not(feature = "http"))]
fn upload_options(_: &Limits) -> PutMultipartOptions {
    PutMultipartOptions::default()
}

#[cfg(feature = "http")]
#[derive(Debug)]
struct PartRetry(Limits);

#[cfg(feature = "http")]
#[async_trait::async_trait]
impl object_store::retry::RetryPolicy for PartRetry {
    async fn retry(&self, context: object_store::retry::RetryContext) -> bool {
        let failed = u32::try_from(context.attempt).unwrap_or(u32::MAX);
        let again = failed < self.0.tries;
        if again {
            tokio::time::sleep(self.0.wait(failed, None)).await;
        }
        again
    }
}
