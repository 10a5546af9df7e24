//! How connections are accepted, by a server of any kind.

use std::net::SocketAddr;

use axum::serve::{Listener, ListenerExt as _};
use tokio::net::TcpListener;

/// Makes connections send at once what they have: otherwise the body of a small file waits until the client has
/// acknowledged its headers, some 40 ms a file.
pub(crate) fn without_delay(listener: TcpListener) -> impl Listener<Addr = SocketAddr> {
    listener.tap_io(|stream| drop(stream.set_nodelay(true)))
}
