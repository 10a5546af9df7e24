//! The hub: hubstow's own endpoint behind a layer that delays, limits and counts.
//!
//! `/__bench` answers what was counted since it was last asked; what is posted there says how the hub behaves to
//! connections from then on.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    net::SocketAddr,
    path::Path,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use anyhow::Result;
use axum::{
    body::{Body, HttpBody},
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    serve::Listener,
};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
};

use crate::{
    control::{Behaviour, Breaks, Counts, PATH, SmallFiles},
    fated::{Fated, throttled},
    line::Line,
    redirect,
    throttle::Throttled,
};

/// The most that a description of a behaviour takes.
const CONTROL_BYTES: usize = 4096;
/// How many answers may be under way at once on a line that allows so many.
const ANSWERS_AT_ONCE: usize = 4;

/// A listener whose connections are throttled.
struct Throttling {
    listener: TcpListener,
    line: Arc<Line>,
}

impl Listener for Throttling {
    type Io = Throttled<Fated>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Throttled<Fated>, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (throttled(stream, Arc::clone(&self.line)), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// What the layer knows.
#[derive(Debug)]
struct Layer {
    line: Arc<Line>,
    requests: Mutex<BTreeMap<String, u64>>,
    /// Answers that may be under way at once, where that is limited.
    answers: Arc<Semaphore>,
}

/// Serves a folder until stdin ends, and prints the endpoint first.
pub(crate) fn run(dir: &Path) -> Result<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        // Whether it ends or fails, nobody is there any more.
        drop(io::stdin().read_to_end(&mut Vec::new()));
        drop(stop);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("http://{}", listener.local_addr()?);
        tokio::select! {
            result = serve(dir, listener) => result?,
            _ = stopped => {}
        }
        anyhow::Ok(())
    })?;
    runtime.shutdown_background();
    Ok(())
}

async fn serve(dir: &Path, listener: TcpListener) -> Result<()> {
    let line = Arc::new(Line::default());
    let layer = Arc::new(Layer {
        line: Arc::clone(&line),
        requests: Mutex::default(),
        answers: Arc::new(Semaphore::new(ANSWERS_AT_ONCE)),
    });
    let router = hubstow_serve::Server::builder(dir).frozen().build().router();
    let router = router.layer(middleware::from_fn_with_state(layer, answer));
    axum::serve(Throttling { listener, line }, router).await?;
    Ok(())
}

async fn answer(State(layer): State<Arc<Layer>>, request: Request, next: Next) -> Response {
    if request.uri().path() == PATH {
        return layer.told(request).await;
    }
    let path = request.uri().path();
    let is_file = path.contains("/resolve/") || path.contains("/resolve-cache/");
    let name = format!("{} {}", request.method(), if is_file { "file" } else { "api" });
    *layer.requests.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
    let Behaviour { latency_ms, breaks, small_files, .. } = layer.line.behaviour();
    let answering = match breaks {
        Breaks::FourAnswersAtOnce => Arc::clone(&layer.answers).try_acquire_owned().map(Some),
        Breaks::Never | Breaks::DiesAfter { .. } | Breaks::OneInEightStalls => Ok(None),
    };
    if latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(latency_ms)).await;
    }
    let Ok(answering) = answering else {
        return (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "1")]).into_response();
    };
    let answer = match small_files {
        SmallFiles::Direct => next.run(request).await,
        SmallFiles::Redirected => redirect::answer(request, next).await,
    };
    match answering {
        Some(permit) => answer.map(|body| Body::new(Held { body, _permit: permit })),
        None => answer,
    }
}

/// A body that holds one of the answers that may be under way.
struct Held {
    body: Body,
    _permit: OwnedSemaphorePermit,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Layer {
    /// Takes what was counted, and a new behaviour where one is sent.
    async fn told(&self, request: Request) -> Response {
        let Ok(body) = axum::body::to_bytes(request.into_body(), CONTROL_BYTES).await else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        if !body.is_empty() {
            let Ok(behaviour) = serde_json::from_slice(&body) else {
                return StatusCode::BAD_REQUEST.into_response();
            };
            self.line.set(behaviour);
        }
        let requests =
            std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner));
        let counts = Counts { requests, sent_bytes: self.line.take_sent() };
        serde_json::to_string(&counts).unwrap_or_default().into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
    };

    use super::*;

    /// Asks a hub that holds `bench/small` with two files, on a connection of its own.
    struct Asked(SocketAddr);

    impl Asked {
        async fn send(&self, head: &str, body: &str) -> TcpStream {
            let mut stream = TcpStream::connect(self.0).await.unwrap();
            let length = body.len();
            let rest = format!("host: hub\r\nconnection: close\r\ncontent-length: {length}");
            let request = format!("{head} HTTP/1.1\r\n{rest}\r\n\r\n{body}");
            stream.write_all(request.as_bytes()).await.unwrap();
            stream
        }

        async fn answer(&self, head: &str, body: &str) -> String {
            let mut answer = Vec::new();
            self.send(head, body).await.read_to_end(&mut answer).await.unwrap();
            String::from_utf8_lossy(&answer).into_owned()
        }

        async fn set(&self, behaviour: Behaviour) {
            let body = serde_json::to_string(&behaviour).unwrap();
            let answer = self.answer(&format!("POST {PATH}"), &body).await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }

    fn with_hub(test: impl AsyncFnOnce(Asked)) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("bench/small/a b")).unwrap();
        fs::write(dir.path().join("bench/small/a b/small.json"), "small").unwrap();
        fs::write(dir.path().join("bench/small/long"), vec![7; 9 << 20]).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let asked = Asked(listener.local_addr().unwrap());
            tokio::select! {
                result = serve(dir.path(), listener) => result.unwrap(),
                () = test(asked) => {}
            }
        });
    }

    #[test]
    fn a_small_file_is_redirected_to_an_address_that_answers_it() {
        with_hub(async |hub| {
            hub.set(Behaviour { small_files: SmallFiles::Redirected, ..Behaviour::default() })
                .await;
            let path = "/bench/small/resolve/main/a%20b/small.json";
            let answer = hub.answer(&format!("GET {path}"), "").await;
            assert!(answer.starts_with("HTTP/1.1 307"), "{answer}");
            let (_, location) = answer.split_once("location: ").unwrap();
            let location = location.lines().next().unwrap();
            assert!(location.starts_with("/api/resolve-cache/models/bench/small/"), "{location}");
            let answer = hub.answer(&format!("GET {location}"), "").await;
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert!(answer.ends_with("\r\n\r\nsmall"), "{answer}");
            let told = hub.answer(&format!("GET {PATH}"), "").await;
            assert!(told.contains("\"GET file\":2"), "{told}");
        });
    }

    #[test]
    fn a_fifth_answer_is_refused_until_one_has_ended() {
        with_hub(async |hub| {
            // At this rate no answer ends while this test runs.
            let breaks = Breaks::FourAnswersAtOnce;
            hub.set(Behaviour { rate: 100_000, breaks, ..Behaviour::default() }).await;
            let get = "GET /bench/small/resolve/main/long";
            let begun = async || {
                let (mut stream, mut status) = (hub.send(get, "").await, [0; 12]);
                stream.read_exact(&mut status).await.unwrap();
                (stream, String::from_utf8_lossy(&status).into_owned())
            };
            // A held answer says its length as any other.
            let told = hub.answer("GET /api/models/bench/small/revision/main", "").await;
            assert!(told.contains("content-length: "), "{told}");
            let mut under_way = Vec::new();
            for _ in 0..ANSWERS_AT_ONCE {
                let (stream, status) = begun().await;
                assert_eq!(status, "HTTP/1.1 200");
                under_way.push(stream);
            }
            let refused = hub.answer(get, "").await;
            assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
            assert!(refused.contains("retry-after: 1"), "{refused}");
            under_way.pop();
            for _ in 0..100 {
                if begun().await.1 == "HTTP/1.1 200" {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            panic!("it is still refused");
        });
    }
}
