//! The body of a request, read within bounds.

use std::{future::poll_fn, pin::Pin};

use axum::body::Body;
use http_body::Body as _;

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All of it was read.
    Whole,
    /// It is longer than what may be read.
    TooLarge,
    /// The client went away, or what it sent is no body.
    Broken,
}

/// Reads a body of at most so many bytes, piece by piece.
pub(crate) async fn read(mut body: Body, most_bytes: usize, mut take: impl FnMut(&[u8])) -> End {
    let mut left = most_bytes;
    while !body.is_end_stream() {
        let frame = match poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            Some(Ok(frame)) => frame,
            Some(Err(_)) => return End::Broken,
            None => return End::Whole,
        };
        let Some(data) = frame.data_ref() else { continue };
        left = match left.checked_sub(data.len()) {
            Some(left) => left,
            None => return End::TooLarge,
        };
        take(data);
    }
    End::Whole
}
