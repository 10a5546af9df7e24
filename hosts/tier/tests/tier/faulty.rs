//! A store in memory that fails as it is told, where it is told, as often as it is told.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
    UploadPart, memory::InMemory, path::Path,
};

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Head,
    Get,
    Put,
    Delete,
    List,
    Begin,
    Part,
    Complete,
}

/// What goes wrong with it.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing is done, and the store says that it is busy.
    Busy,
    /// It is done, and the answer does not come.
    LostAnswer,
    /// Nothing is done, and no answer comes.
    Silence,
    /// It is done after this time.
    Late(Duration),
    /// It is done, and the answer comes after this time.
    SlowAnswer(Duration),
    /// The store does not allow it.
    Denied,
    /// The body breaks off after so many bytes.
    BreaksOff(usize),
    /// One bit of the body is another.
    Flipped,
    /// No whole answer comes, and it is done after this time. The store does not hear of it a second time.
    Overheard(Duration),
    /// The list is that of a moment ago.
    Stale(Vec<ObjectMeta>),
}

struct Rule {
    op: Op,
    key: String,
    fault: Fault,
    times: usize,
}

/// A store in memory that fails by rules.
#[derive(Default)]
pub(crate) struct Faulty {
    pub(crate) inner: Arc<InMemory>,
    rules: Arc<Mutex<Vec<Rule>>>,
    log: Arc<Mutex<Vec<(Op, String)>>>,
    skew_ms: Mutex<i64>,
    /// How far it was ahead when a key was written.
    written: Arc<Mutex<HashMap<Path, i64>>>,
}

impl Faulty {
    /// Has the next requests of this kind fail whose key has this in it.
    pub(crate) fn fail(&self, op: Op, key: &str, fault: Fault, times: usize) {
        let rule = Rule { op, key: key.to_owned(), fault, times };
        lock(&self.rules).push(rule);
    }

    /// Ends all faults.
    pub(crate) fn heal(&self) {
        lock(&self.rules).clear();
    }

    /// Has the store's clock go ahead of this machine's, or behind it, from now on. What was written before is so much older.
    pub(crate) fn skew(&self, by_ms: i64) {
        *lock(&self.skew_ms) += by_ms;
    }

    /// Counts the requests of a kind so far whose key has this in it.
    pub(crate) fn count(&self, op: Op, key: &str) -> usize {
        let log = lock(&self.log);
        log.iter().filter(|(known, at)| *known == op && at.contains(key)).count()
    }

    /// Lists every key that there is.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let all = self.inner.list(None).map_ok(|meta| meta.location.to_string());
        all.try_collect().await.unwrap()
    }

    /// Lists below a folder as it is now.
    pub(crate) async fn snapshot(&self, folder: &str) -> Vec<ObjectMeta> {
        let folder = Path::from(folder);
        self.inner.list(Some(&folder)).map_ok(self.by_its_clock()).try_collect().await.unwrap()
    }

    fn by_its_clock(&self) -> impl Fn(ObjectMeta) -> ObjectMeta + use<> {
        let written = Arc::clone(&self.written);
        move |mut meta| {
            let ahead_ms = lock(&written).get(&meta.location).copied().unwrap_or_default();
            let by = Duration::from_millis(ahead_ms.unsigned_abs());
            if ahead_ms < 0 {
                meta.last_modified -= by;
            } else {
                meta.last_modified += by;
            }
            meta
        }
    }

    fn hit(&self, op: Op, key: &str) -> Option<Fault> {
        hit(&self.rules, &self.log, op, key)
    }
}

fn lock<T>(held: &Mutex<T>) -> MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

type Rules = Mutex<Vec<Rule>>;
type Log = Mutex<Vec<(Op, String)>>;

fn hit(rules: &Rules, log: &Log, op: Op, key: &str) -> Option<Fault> {
    lock(log).push((op, key.to_owned()));
    let mut rules = lock(rules);
    let is_it = |rule: &Rule| rule.op == op && key.contains(&rule.key) && rule.times > 0;
    let rule = rules.iter_mut().find(|rule| is_it(rule))?;
    rule.times -= 1;
    Some(rule.fault.clone())
}

fn busy() -> Error {
    Error::Generic { store: "faulty", source: "503 Service Unavailable".into() }
}

/// Does a request under a fault.
async fn under<T>(
    fault: Option<Fault>,
    key: &str,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    match fault {
        Some(Fault::Busy) => Err(busy()),
        Some(Fault::LostAnswer) => {
            work.await?;
            Err(Error::Generic { store: "faulty", source: "connection reset".into() })
        }
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::Late(time)) => {
            tokio::time::sleep(time).await;
            work.await
        }
        Some(Fault::SlowAnswer(time)) => {
            let done = work.await;
            tokio::time::sleep(time).await;
            done
        }
        Some(Fault::Denied) => {
            Err(Error::PermissionDenied { path: key.to_owned(), source: "403 s3cret".into() })
        }
        Some(Fault::BreaksOff(_) | Fault::Flipped | Fault::Stale(_) | Fault::Overheard(_))
        | None => work.await,
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a store that fails")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        key: &Path,
        payload: PutPayload,
        how: PutOptions,
    ) -> Result<PutResult> {
        let fault = self.hit(Op::Put, key.as_ref());
        let put = async {
            let done = self.inner.put_opts(key, payload, how).await?;
            let ahead_ms = *lock(&self.skew_ms);
            lock(&self.written).insert(key.clone(), ahead_ms);
            Ok(done)
        };
        under(fault, key.as_ref(), put).await
    }

    async fn put_multipart_opts(
        &self,
        key: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let fault = self.hit(Op::Begin, key.as_ref());
        let inner = under(fault, key.as_ref(), self.inner.put_multipart_opts(key, how)).await?;
        let (rules, log) = (Arc::clone(&self.rules), Arc::clone(&self.log));
        Ok(Box::new(FaultyUpload { inner: Some(inner), key: key.to_string(), rules, log }))
    }

    async fn get_opts(&self, key: &Path, how: GetOptions) -> Result<GetResult> {
        let op = if how.head { Op::Head } else { Op::Get };
        let fault = self.hit(op, key.as_ref());
        let body_fault = fault.clone();
        let mut got = under(fault, key.as_ref(), self.inner.get_opts(key, how)).await?;
        got.meta = self.by_its_clock()(got.meta);
        if let Some(Fault::BreaksOff(_) | Fault::Flipped) = body_fault {
            let (meta, range, attributes) =
                (got.meta.clone(), got.range.clone(), got.attributes.clone());
            let extensions = got.extensions.clone();
            let bytes = got.bytes().await?;
            let parts = match body_fault {
                Some(Fault::BreaksOff(after)) => {
                    vec![Ok(bytes.slice(..after.min(bytes.len()))), Err(busy())]
                }
                _ => {
                    let mut wrong = bytes.to_vec();
                    wrong[0] ^= 1;
                    vec![Ok(Bytes::from(wrong))]
                }
            };
            let payload = GetResultPayload::Stream(stream::iter(parts).boxed());
            return Ok(GetResult { payload, meta, range, attributes, extensions });
        }
        Ok(got)
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (rules, log) = (Arc::clone(&self.rules), Arc::clone(&self.log));
        let inner = Arc::clone(&self.inner);
        keys.then(move |key| {
            let (rules, log, inner) = (Arc::clone(&rules), Arc::clone(&log), Arc::clone(&inner));
            async move {
                let key = key?;
                let fault = hit(&rules, &log, Op::Delete, key.as_ref());
                let one = stream::once(std::future::ready(Ok(key.clone()))).boxed();
                let work = async { inner.delete_stream(one).try_collect::<Vec<_>>().await };
                under(fault, key.as_ref(), work).await.map(|_| key)
            }
        })
        .boxed()
    }

    fn list(&self, folder: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let name = folder.map(ToString::to_string).unwrap_or_default();
        let listed = self.inner.list(folder).map_ok(self.by_its_clock()).boxed();
        match self.hit(Op::List, &name) {
            Some(Fault::Busy) => stream::iter([Err(busy())]).boxed(),
            Some(Fault::Silence) => stream::pending().boxed(),
            // The first comes, and then the line breaks.
            Some(Fault::BreaksOff(after)) => {
                listed.take(after).chain(stream::iter([Err(busy())])).boxed()
            }
            Some(Fault::Stale(before)) => stream::iter(before.into_iter().map(Ok)).boxed(),
            Some(
                Fault::LostAnswer
                | Fault::Late(_)
                | Fault::SlowAnswer(_)
                | Fault::Denied
                | Fault::Flipped
                | Fault::Overheard(_),
            )
            | None => listed,
        }
    }

    async fn list_with_delimiter(&self, folder: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(folder).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, how).await
    }
}

/// As that of S3: its parts go with the first request to complete it, and whoever asks again hears that there is no upload.
struct FaultyUpload {
    inner: Option<Box<dyn MultipartUpload>>,
    key: String,
    rules: Arc<Rules>,
    log: Arc<Log>,
}

impl FaultyUpload {
    fn gone(&self) -> Error {
        Error::NotFound { path: self.key.clone(), source: "404 NoSuchUpload".into() }
    }
}

impl fmt::Debug for FaultyUpload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyUpload")
    }
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let fault = hit(&self.rules, &self.log, Op::Part, &self.key);
        let key = self.key.clone();
        let Some(inner) = &mut self.inner else { return Box::pin(std::future::ready(Ok(()))) };
        let sent = inner.put_part(data);
        Box::pin(async move { under(fault, &key, sent).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let Some(mut inner) = self.inner.take() else { return Err(self.gone()) };
        match hit(&self.rules, &self.log, Op::Complete, &self.key) {
            Some(Fault::Overheard(after)) => {
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    inner.complete().await
                });
                Err(busy())
            }
            fault => under(fault, &self.key, inner.complete()).await,
        }
    }

    async fn abort(&mut self) -> Result<()> {
        match &mut self.inner {
            Some(inner) => inner.abort().await,
            None => Err(self.gone()),
        }
    }
}
