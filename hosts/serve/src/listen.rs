//! How connections are accepted, by a server of any kind.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::connect_info::IntoMakeServiceWithConnectInfo,
    serve::{ListenerExt as _, TapIo},
};
use tokio::net::{TcpListener, TcpStream};

/// Makes connections send at once what they have: otherwise the body of a small file waits until the client has
/// acknowledged its headers, some 40 ms a file.
pub(crate) fn without_delay(listener: TcpListener) -> TapIo<TcpListener, fn(&mut TcpStream)> {
    listener.tap_io(|stream| drop(stream.set_nodelay(true)))
}

/// Lets requests know the address that they came from.
pub(crate) fn with_clients(router: Router) -> IntoMakeServiceWithConnectInfo<Router, SocketAddr> {
    router.into_make_service_with_connect_info::<SocketAddr>()
}
