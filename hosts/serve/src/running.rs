//! A server that runs beside synchronous code: in a thread of its own, until its handle is dropped.
//!
//! It does not wait for requests under way when it stops; whoever needs that calls `Server::serve`. Any router can be
//! run, so a server wrapped in layers that fail on purpose is started in the same way.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    thread::{self, JoinHandle},
};

use axum::{Router, middleware};
use tokio::{runtime, sync::oneshot};

use crate::{
    error::Error,
    limits::Limits,
    listen::Listening,
    log::{Log, RecordedRequest, record},
};

/// A server that runs until this value is dropped.
#[derive(Debug)]
pub struct RunningServer {
    url: String,
    address: SocketAddr,
    log: Log,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl RunningServer {
    /// Runs a router on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// No port or thread is to be had.
    pub fn start_on_loopback(router: Router) -> Result<Self, Error> {
        Self::start(router, Self::loopback()?)
    }

    pub(crate) fn loopback() -> Result<TcpListener, Error> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::Bind)
    }

    /// Runs a router on a port that is open already.
    ///
    /// # Errors
    /// The port is of no use, or no thread is to be had.
    pub fn start(router: Router, listener: TcpListener) -> Result<Self, Error> {
        Self::start_listening(router, listener, Listening::within(Limits::default()))
    }

    pub(crate) fn start_listening(
        router: Router,
        listener: TcpListener,
        listening: Listening,
    ) -> Result<Self, Error> {
        listener.set_nonblocking(true).map_err(Error::Bind)?;
        let address = listener.local_addr().map_err(Error::Bind)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .thread_name("hubstow-serve-disk")
            .build()
            .map_err(Error::Start)?;
        let listener = {
            let _context = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(Error::Bind)?
        };
        let url = format!("{}://{address}", listening.scheme());
        let log = Log::default();
        let router = router.layer(middleware::from_fn_with_state(log.clone(), record));
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = listening.serve(listener, router, std::future::pending()) => {}
                    _ = stopped => {}
                }
            });
            // A file that is being hashed need not be finished.
            runtime.shutdown_background();
        };
        let thread = thread::Builder::new()
            .name("hubstow-serve".to_owned())
            .spawn(run)
            .map_err(Error::Start)?;
        Ok(Self { url, address, log, stop: Some(stop), thread: Some(thread) })
    }

    /// Returns the endpoint, such as `http://127.0.0.1:4000`, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the address that the server listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the requests received so far, oldest first; of very many only the latest 10 000.
    #[must_use]
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.log.requests()
    }

    /// Forgets the requests received so far.
    pub fn clear_requests(&self) {
        self.log.clear();
    }
}

impl Drop for RunningServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has stopped as well.
            drop(thread.join());
        }
    }
}
