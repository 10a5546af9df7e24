//! One connection: requests in, answers of a router out.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{
        HeaderValue, Request, Uri, header,
        uri::{Authority, Scheme},
    },
    response::{IntoResponse as _, Response},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service as _;

use super::{Connection, activity::Activity, strict, watched::Watched};
use crate::{counted::Counted, limits::Limits};

/// How many bytes of answers a connection may hold back, at least.
const BUFFER_BYTES: usize = 64 * 1024;
/// The least that hyper takes as the size of a head.
const HEAD_LEAST_BYTES: usize = 8 * 1024;

/// Serves a connection until its client is done with it, breaks a rule, or has to go.
pub(super) async fn serve<I>(
    io: I,
    scheme: Scheme,
    limits: &Limits,
    connection: Connection,
    router: Router,
) where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Connection { place, client, mut stopping } = connection;
    let activity = place.activity();
    let io = TokioIo::new(Watched::new(io, Arc::clone(activity), limits.clone()));
    let service = service_fn(|request| {
        activity.requested();
        answer(router.clone(), with_scheme(request, &scheme), client, Arc::clone(activity))
    });
    let head_bytes = limits.head_bytes.max(HEAD_LEAST_BYTES);
    let mut http = http1::Builder::new();
    // The deadlines are those of `Watched`. This one makes hyper read on after an answer, so that they are kept.
    http.timer(TokioTimer::new()).header_read_timeout(limits.idle_time + limits.head_time);
    http.max_header_size(head_bytes).max_buf_size(head_bytes.max(BUFFER_BYTES));
    let mut served = pin!(http.serve_connection(io, service));
    loop {
        tokio::select! {
            result = served.as_mut() => {
                if let Err(error) = result {
                    tracing::debug!(%client, %error, "a connection was broken off");
                }
                return;
            }
            () = activity.dismissed() => served.as_mut().graceful_shutdown(),
            heard = stopping.changed() => match heard {
                Ok(()) => served.as_mut().graceful_shutdown(),
                Err(_) => return,
            },
        }
    }
}

/// Makes the address of a request absolute where its scheme is not the one that is taken for granted: addresses in answers
/// begin with it.
fn with_scheme(mut request: Request<Incoming>, scheme: &Scheme) -> Request<Incoming> {
    let host = request.headers().get(header::HOST);
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    if *scheme == Scheme::HTTP || request.uri().scheme().is_some() {
        return request;
    }
    let mut parts = request.uri().clone().into_parts();
    parts.scheme = Some(scheme.clone());
    parts.authority = authority;
    // What has no path or no host stays as it is.
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    request
}

async fn answer(
    mut router: Router,
    request: Request<Incoming>,
    client: SocketAddr,
    activity: Arc<Activity>,
) -> Result<Response, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(ConnectInfo(client));
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let checked = strict::check(&request);
    let is_last = is_chunked || checked.is_err();
    let mut response = match checked {
        Ok(()) => router.call(request).await?,
        Err(fault) => fault.into_response(),
    };
    // Behind a body whose length is not said, a proxy may see another request than this server does.
    if is_last {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| Body::new(Counted::new(body, move |_| activity.answered()))))
}
