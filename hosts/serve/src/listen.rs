//! How connections are accepted and served, by a server of any kind, within its limits.
//!
//! INVARIANT (bounded): a connection that waits for its client is under a deadline at every moment, whatever it waits for,
//! and there are never more connections than there are places.

mod activity;
mod http;
mod places;
mod strict;
mod watched;

use std::{
    convert::Infallible, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};

use axum::{Router, http::uri::Scheme};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};

use self::places::Place;
pub(crate) use self::places::Places;
#[cfg(feature = "tls")]
use crate::certificate::Certificate;
use crate::limits::Limits;

/// How long accepting pauses after a failure that the next attempt would meet again, such as no descriptor to be had.
const PAUSE: Duration = Duration::from_millis(100);

/// How a server listens.
#[derive(Clone, Debug)]
pub(crate) struct Listening {
    pub(crate) limits: Limits,
    pub(crate) places: Arc<Places>,
    #[cfg(feature = "tls")]
    pub(crate) certificate: Option<Certificate>,
}

impl Listening {
    pub(crate) fn within(limits: Limits) -> Self {
        let places = Arc::new(Places::new(limits.connections));
        Self {
            limits,
            places,
            #[cfg(feature = "tls")]
            certificate: None,
        }
    }

    /// Returns how addresses of the server begin.
    pub(crate) fn scheme(&self) -> Scheme {
        #[cfg(feature = "tls")]
        if self.certificate.is_some() {
            return Scheme::HTTPS;
        }
        Scheme::HTTP
    }

    /// Serves until `shutdown` ends, then gives the answers on their way their time. All connections end with the future.
    pub(crate) async fn serve(
        self,
        listener: TcpListener,
        router: Router,
        shutdown: impl Future<Output = ()>,
    ) {
        let (stop, stopping) = watch::channel(false);
        let mut shutdown = pin!(shutdown);
        let mut watched = pin!(self.watched());
        loop {
            let next = async {
                let free = self.places.free().await;
                (free, accept(&listener, &self.places).await)
            };
            let (free, (stream, client)) = tokio::select! {
                () = &mut shutdown => break,
                never = &mut watched => match never {},
                next = next => next,
            };
            let place = self.places.give(free);
            let connection = Connection { place, client, stopping: stopping.clone() };
            tokio::spawn(self.clone().connected(stream, connection, router.clone()));
        }
        drop(listener);
        drop(stopping);
        // Whoever has not heard of it has ended already.
        let _ = stop.send(true);
        // What is not done by then ends with `stop`.
        let _ = tokio::time::timeout(self.limits.grace, stop.closed()).await;
    }

    async fn connected(self, stream: TcpStream, connection: Connection, router: Router) {
        // Otherwise the body of a small file waits until the client has acknowledged its headers, some 40 ms a file.
        drop(stream.set_nodelay(true));
        #[cfg(feature = "tls")]
        if let Some(certificate) = &self.certificate {
            let shaken = tokio::time::timeout(self.limits.head_time, certificate.accept(stream));
            let mut stopping = connection.stopping.clone();
            let shaken = tokio::select! {
                shaken = shaken => shaken,
                // Who has not asked anything yet may as well ask somebody else.
                _ = stopping.changed() => return,
            };
            match shaken {
                Ok(Ok(stream)) => {
                    http::serve(stream, self.scheme(), &self.limits, connection, router).await;
                }
                Ok(Err(error)) => {
                    tracing::debug!(client = %connection.client, %error, "no TLS came of a connection");
                }
                Err(_) => {}
            }
            return;
        }
        http::serve(stream, self.scheme(), &self.limits, connection, router).await;
    }

    /// Keeps an eye on what may change while it is served; it never ends.
    async fn watched(&self) -> Infallible {
        #[cfg(feature = "tls")]
        if let Some(certificate) = self.certificate.clone() {
            certificate.watch().await;
        }
        std::future::pending().await
    }
}

/// An accepted connection.
struct Connection {
    place: Place,
    client: SocketAddr,
    /// Becomes true when no further requests are taken, and closed when there is no more time.
    stopping: watch::Receiver<bool>,
}

/// Accepts the next connection, however often that fails.
async fn accept(listener: &TcpListener, places: &Places) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                tracing::error!(%error, "a connection could not be accepted");
                places.dismiss_the_idlest();
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    [ConnectionAborted, ConnectionRefused, ConnectionReset].contains(&error.kind())
}
