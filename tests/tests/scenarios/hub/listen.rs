//! Listens on loopback, and hands every request to a function that may also give no answer at all.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use anyhow::Result;
use axum::{body::Body, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket};

use super::line::{Line, throttled};

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(crate) struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection is dropped")
    }
}

impl std::error::Error for Dropped {}

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A port that belongs to a hub for as long as this is held: when nothing listens there any more, no other program that
/// asks for a free port gets it and answers in the hub's place.
pub(crate) struct Port {
    pub(crate) address: SocketAddr,
    _kept: TcpSocket,
}

/// Opens a port of its own for a hub.
pub(crate) fn bind() -> Result<(TcpListener, Port)> {
    let bound = |address| {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseport(true)?;
        socket.bind(address)?;
        std::io::Result::Ok(socket)
    };
    let socket = bound((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = socket.local_addr()?;
    let kept = bound(address)?;
    Ok((socket.listen(BACKLOG)?, Port { address, _kept: kept }))
}

/// Serves until the task is aborted.
pub(crate) async fn serve<F, R>(listener: TcpListener, line: Arc<Line>, answer: F) -> Infallible
where
    F: Fn(Request) -> R + Clone + Send + 'static,
    R: Future<Output = Result<Response, Dropped>> + Send + 'static,
{
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (answer, stream) = (answer.clone(), throttled(stream, Arc::clone(&line)));
        tokio::spawn(async move {
            let service =
                service_fn(move |request: hyper::Request<Incoming>| answer(request.map(Body::new)));
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}
