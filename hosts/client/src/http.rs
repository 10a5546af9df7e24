//! Requests: where they go, what goes along, and on which connections.

pub(crate) mod address;
pub(crate) mod body;
pub(crate) mod connections;
pub(crate) mod decode;
pub(crate) mod endpoints;
pub(crate) mod gate;
pub(crate) mod origins;
pub(crate) mod pace;
mod redirects;
pub(crate) mod retry;
pub(crate) mod session;
pub(crate) mod throttle;
mod transient;
pub(crate) mod transport;
pub(crate) mod xet;
