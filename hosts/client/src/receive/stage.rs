//! What tests receive on: a hub that answers by a script, and a staged file on a real disk.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::RANGE};
use hubstow_cache::{Cache, Durability, StdDisk, Target, drive::Placing, staged::StagedFile};
use hubstow_core::{
    decide::{Guarded, LinkedCore},
    facts::Force,
    hub::{Backoff, Endpoint, Metadata},
    layout::RepoLayout,
    name::{Commit, Etag, FileName, Repo, RepoId, RepoKind, Revision},
    policy::Policy,
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use url::Url;

use super::fetch::{Failed, Fetch};
use crate::{
    api::{config::Config, event::Event},
    handle::CacheHandle,
    http::{
        address::{Address, TokenUse},
        session::Http,
        transport::{
            Body, BoxFuture, Request, Response, Transport, TransportError, TransportErrorKind,
        },
        xet::XetStore,
    },
    lookup::complete::Word,
    offload::Offload,
    open::Open,
    parts::{Beside, Workers},
    receive::{custody::Custody, memory::Unfinished, receiver::Receiver},
};

pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const BACKOFF: Backoff = Backoff { first_ms: 1, limit_ms: 2, retries: 3 };

/// An answer.
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pieces: VecDeque<Result<Bytes, TransportError>>,
    /// How long it takes to begin.
    delay: Duration,
    /// How long each piece takes.
    pace: Duration,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        let (delay, pace) = (Duration::ZERO, Duration::ZERO);
        Self { status, headers: Vec::new(), pieces: VecDeque::new(), delay, pace }
    }

    /// The whole content, as a hub sends it.
    pub(crate) fn whole(content: &[u8]) -> Self {
        let length = content.len().to_string();
        Self::status(200).with("content-length", length).piece(content)
    }

    /// The bytes of the content from here on, up to this one.
    pub(crate) fn range(content: &[u8], from: usize, to: usize) -> Self {
        let span = format!("bytes {from}-{}/{}", to - 1, content.len());
        Self::status(206).with("content-range", span).piece(&content[from..to])
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn piece(mut self, bytes: &[u8]) -> Self {
        self.pieces.push_back(Ok(Bytes::copy_from_slice(bytes)));
        self
    }

    /// After so many bytes the body ends, and does not say that it is too early.
    pub(crate) fn ends_after(mut self, bytes: usize) -> Self {
        for piece in self.pieces.iter_mut().flatten() {
            piece.truncate(bytes);
        }
        self
    }

    /// After so many bytes the body breaks.
    pub(crate) fn breaks_after(self, bytes: usize) -> Self {
        let mut cut = self.ends_after(bytes);
        cut.pieces.push_back(Err(broken()));
        cut
    }

    /// Comes in small pieces, each of which takes so long.
    pub(crate) fn slowly(mut self, len: usize, pace: Duration) -> Self {
        let pieces = std::mem::take(&mut self.pieces).into_iter().flatten();
        for mut piece in pieces {
            while !piece.is_empty() {
                self.pieces.push_back(Ok(piece.split_to(len.min(piece.len()))));
            }
        }
        Self { pace, ..self }
    }

    /// Begins after so long.
    pub(crate) fn late(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    async fn answer(self) -> Response {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
        }
        let body = Box::new(Pieces { pieces: self.pieces, pace: self.pace });
        Response { status: StatusCode::from_u16(self.status).unwrap(), headers, body }
    }
}

struct Pieces {
    pieces: VecDeque<Result<Bytes, TransportError>>,
    pace: Duration,
}

impl Body for Pieces {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
        Box::pin(async {
            if !self.pace.is_zero() {
                tokio::time::sleep(self.pace).await;
            }
            self.pieces.pop_front().transpose()
        })
    }
}

pub(crate) fn broken() -> TransportError {
    TransportError::new(TransportErrorKind::Broken, "the line is cut")
}

/// The blocking pool of the test's runtime, which keeps a clock that is paused from running on while it works.
struct Pool;

impl Workers for Pool {
    fn start(&self, work: Box<dyn FnOnce() + Send>) {
        drop(tokio::task::spawn_blocking(work));
    }

    fn beside(&self) -> Beside {
        Beside::Threads
    }
}

/// What a request is answered with.
type Script = dyn FnMut(&str) -> Result<Reply, TransportError> + Send;

/// Answers by a script, and writes down what it is asked.
pub(crate) struct Scripted {
    script: Mutex<Box<Script>>,
    asked: Mutex<Vec<String>>,
    connections: usize,
}

impl Transport for Scripted {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        let place = match request.url.path() {
            path if path.contains("xet-read-token") => "grant",
            _ if request.url.host_str() == Some("hub.test") => "pinned",
            _ => "named",
        };
        let asked = match request.headers.get(RANGE) {
            Some(range) => format!("{place} {}", range.to_str().unwrap().replace("bytes=", "")),
            None => place.to_owned(),
        };
        let reply = (self.script.lock().unwrap())(&asked);
        self.asked.lock().unwrap().push(asked);
        Box::pin(async { Ok(reply?.answer().await) })
    }

    fn connections(&self) -> usize {
        self.connections
    }
}

/// A file of a hub, and a disk to put it on.
pub(crate) struct Stage {
    pub(crate) http: Http,
    pub(crate) content: Vec<u8>,
    scripted: Arc<Scripted>,
    cache: Cache,
    target: Target,
    repo: Repo,
    metadata: Metadata,
    word: Word,
    named: Address,
    pinned: Address,
    events: Mutex<Vec<Event>>,
    _folder: TempDir,
}

/// How a fetch has ended, and what it left.
pub(crate) struct Ended {
    pub(crate) result: Result<(), Failed>,
    pub(crate) staged: StagedFile,
    /// What was asked, in order.
    pub(crate) asked: Vec<String>,
    pub(crate) events: Vec<Event>,
}

impl Stage {
    /// Sets a stage for this content, whose requests are answered by a script.
    pub(crate) fn new(
        content: &[u8],
        script: impl FnMut(&str) -> Result<Reply, TransportError> + Send + 'static,
    ) -> Self {
        Self::with_store(content, 1, None, script)
    }

    /// Answers with one reply after the other, and then with nothing more.
    pub(crate) fn replying(content: &[u8], replies: Vec<Result<Reply, TransportError>>) -> Self {
        let mut replies = VecDeque::from(replies);
        Self::new(content, move |_| replies.pop_front().unwrap_or_else(|| Err(broken())))
    }

    pub(crate) fn with_store(
        content: &[u8],
        connections: usize,
        store: Option<Arc<dyn XetStore>>,
        script: impl FnMut(&str) -> Result<Reply, TransportError> + Send + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(folder.path());
        config.endpoint = Endpoint::parse("https://hub.test").unwrap();
        let script: Box<Script> = Box::new(script);
        let asked = Mutex::default();
        let scripted = Arc::new(Scripted { script: Mutex::new(script), asked, connections });
        let decider = Guarded::new(Arc::new(LinkedCore));
        let http = Http::new(&config, scripted.clone(), decider, store);
        let repo = Repo::new(RepoKind::Model, RepoId::parse("org/name").unwrap());
        let hash: String = Sha256::digest(content).iter().map(|b| format!("{b:02x}")).collect();
        let metadata = Metadata {
            commit: Commit::parse(COMMIT).unwrap(),
            etag: Etag::from_header(&format!("\"{hash}\"")).unwrap(),
            size: Some(content.len() as u64),
            xet_hash: Some("ab".repeat(32)),
        };
        let target = Target {
            layout: RepoLayout::new(&repo),
            revision: Revision::parse("main").unwrap(),
            commit: metadata.commit.clone(),
            file: FileName::parse("config.json").unwrap(),
            etag: metadata.etag.clone(),
            size: metadata.size,
        };
        let address = |url, token| Address { url: Url::parse(url).unwrap(), token };
        Self {
            http,
            content: content.to_vec(),
            scripted,
            cache: Cache::new(
                Arc::new(StdDisk::new(folder.path())),
                Policy::Compat,
                Durability::Fast,
            ),
            target,
            repo,
            metadata,
            word: Word::First,
            named: address("https://cdn.test/content?signature=x", TokenUse::Withhold),
            pinned: address("https://hub.test/org/name/resolve/main/config.json", TokenUse::Send),
            events: Mutex::default(),
            _folder: folder,
        }
    }

    /// The content's etag is no hash.
    pub(crate) fn opaque(mut self) -> Self {
        self.metadata.etag = Etag::from_header("\"opaque-1\"").unwrap();
        self.target.etag = self.metadata.etag.clone();
        self
    }

    /// The listing has said what the content is.
    pub(crate) fn listed(self) -> Self {
        Self { word: Word::Final, ..self }
    }

    /// The hub names its own address.
    pub(crate) fn at_hub(self) -> Self {
        Self { named: self.pinned.clone(), ..self }
    }

    pub(crate) fn fetch(&self) -> Fetch<'_> {
        Fetch {
            repo: &self.repo,
            file: &self.target.file,
            metadata: &self.metadata,
            word: self.word,
            content: &self.named,
            pinned: &self.pinned,
            backoff: BACKOFF,
        }
    }

    /// Opens a staged file that holds the first so many bytes.
    pub(crate) fn staged(&self, have: usize) -> StagedFile {
        let mut staged = self.cache.stage(&self.target).unwrap();
        staged.append(&self.content[..have]).unwrap();
        staged
    }

    pub(crate) async fn receive(&self, staged: StagedFile) -> Ended {
        self.receive_after(staged, None).await
    }

    /// Fetches the file, and sees that the staged file comes back.
    pub(crate) async fn receive_after(
        &self,
        staged: StagedFile,
        unfinished: Option<Unfinished>,
    ) -> Ended {
        let (fetch, at) = (self.fetch(), staged.at().clone());

        let tell = |event| self.events.lock().unwrap().push(event);
        let handle = CacheHandle::new(self.cache.clone(), Offload::new(Arc::new(Pool)));
        let received_bytes = staged.received_bytes();
        let decider = Guarded::new(Arc::new(LinkedCore));
        let mut placing =
            Placing::new(self.cache.clone(), decider, self.target.clone(), Force::Off);
        placing.fetched(staged);
        let custody = Custody::of(handle.clone(), handle.keep(placing.into()), received_bytes);
        let mut receiver = Receiver::new(&self.http, &fetch, custody, &tell).after(unfinished);
        let result = receiver.run().await;
        let open = receiver.into_staged().into_open().expect("the staged file comes back");
        let taken = handle.run(|_, worker| Open::of(open, worker).placing.take_staged());
        let staged = taken.await.unwrap().unwrap();
        assert_eq!(staged.at(), &at);
        let asked = std::mem::take(&mut *self.scripted.asked.lock().unwrap());
        let events = std::mem::take(&mut *self.events.lock().unwrap());
        Ended { result, staged, asked, events }
    }
}

/// Returns bytes that repeat nothing, the same for the same seed.
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}
