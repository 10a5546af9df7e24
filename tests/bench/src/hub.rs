//! The hub: hubstow's own endpoint behind a layer that delays, limits and counts.
//!
//! `/__bench` answers what was counted since it was last asked; its parameters say how the hub behaves from then on.

use std::{
    collections::BTreeMap,
    io::{self, Read as _},
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use anyhow::Result;
use axum::{
    extract::{Request, State},
    http::Uri,
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    serve::Listener,
};
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    control::{Counts, PATH},
    throttle::{Line, Throttled},
};

/// A listener whose connections are throttled.
struct Throttling {
    listener: TcpListener,
    line: Arc<Line>,
}

impl Listener for Throttling {
    type Io = Throttled;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Throttled, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.listener).await;
        (Throttled::new(stream, Arc::clone(&self.line)), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// What the layer knows.
#[derive(Debug, Default)]
struct Layer {
    line: Arc<Line>,
    latency_ms: AtomicU64,
    requests: Mutex<BTreeMap<String, u64>>,
}

/// Serves a folder until stdin ends, and prints the endpoint first.
pub(crate) fn run(dir: &Path) -> Result<()> {
    let layer = Arc::new(Layer::default());
    let router = hubstow_serve::Server::builder(dir).frozen().build().router();
    let router = router.layer(middleware::from_fn_with_state(Arc::clone(&layer), answer));
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
        let listener = Throttling { listener, line: Arc::clone(&layer.line) };
        tokio::select! {
            result = axum::serve(listener, router).into_future() => result?,
            _ = stopped => {}
        }
        anyhow::Ok(())
    })?;
    runtime.shutdown_background();
    Ok(())
}

async fn answer(State(layer): State<Arc<Layer>>, request: Request, next: Next) -> Response {
    if request.uri().path() == PATH {
        return layer.told(request.uri());
    }
    let kind = if request.uri().path().contains("/resolve/") { "file" } else { "api" };
    let name = format!("{} {kind}", request.method());
    *layer.requests.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default() += 1;
    let latency = layer.latency_ms.load(Relaxed);
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
    next.run(request).await
}

impl Layer {
    fn told(&self, uri: &Uri) -> Response {
        let number = |name: &str| {
            let pairs = uri.query().unwrap_or_default().split('&');
            pairs
                .filter_map(|pair| pair.split_once('='))
                .find(|(at, _)| *at == name)?
                .1
                .parse()
                .ok()
        };
        if let Some(latency) = number("latency_ms") {
            self.latency_ms.store(latency, Relaxed);
        }
        if let Some(rate) = number("rate") {
            self.line.rate.store(rate, Relaxed);
        }
        let requests =
            std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner));
        let counts = Counts { requests, sent_bytes: self.line.sent.swap(0, Relaxed) };
        serde_json::to_string(&counts).unwrap_or_default().into_response()
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpStream,
        time::Instant,
    };

    use super::*;

    #[test]
    fn a_connection_keeps_its_rate_over_all_that_it_sends() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (spent, sent) = runtime.block_on(async {
            let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let line = Arc::new(Line::default());
            line.rate.store(4_000_000, Relaxed);
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            let mut server = Throttled::new(stream, Arc::clone(&line));
            let begin = Instant::now();
            let send = async move {
                for _ in 0..8 {
                    server.write_all(&[7; 100_000]).await.unwrap();
                }
            };
            let mut received = Vec::new();
            let receive = async { client.read_to_end(&mut received).await.unwrap() };
            tokio::join!(send, receive);
            assert_eq!(received, [7; 800_000]);
            (begin.elapsed(), line.sent.load(Relaxed))
        });
        assert_eq!(sent, 800_000);
        // The last piece is sent before it is paid for, and the first ones from what was saved up.
        assert!(spent >= Duration::from_millis(170), "800 kB at 4 MB/s in {spent:?}");
    }
}
