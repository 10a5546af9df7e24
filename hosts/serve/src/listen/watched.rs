//! A connection under deadlines: a head must come within its time, and what is sent must be taken.
//!
//! A client that sends nothing in time is treated as one that has closed its side; one that takes nothing is broken off.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::activity::Activity;
use crate::limits::Limits;

/// A connection under deadlines.
pub(super) struct Watched<I> {
    io: I,
    activity: Arc<Activity>,
    limits: Limits,
    reading: Alarm,
    writing: Alarm,
    /// Since when nothing of what waits was taken.
    stalled_since: Option<Instant>,
}

impl<I> Watched<I> {
    pub(super) fn new(io: I, activity: Arc<Activity>, limits: Limits) -> Self {
        let (reading, writing) = (Alarm::default(), Alarm::default());
        Self { io, activity, limits, reading, writing, stalled_since: None }
    }

    /// Passes on what writing has come to, unless it has come to nothing for too long.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled_since = None;
            return polled;
        }
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        let deadline = since.checked_add(self.limits.stall_time);
        if deadline.is_some_and(|deadline| self.writing.rings(cx, deadline)) {
            let why = "the client takes nothing of its answer";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)));
        }
        Poll::Pending
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = into.filled().len();
        let polled = Pin::new(&mut this.io).poll_read(cx, into);
        if polled.is_ready() {
            if into.filled().len() > before {
                this.activity.received();
            }
            return polled;
        }
        let deadline = this.activity.deadline(&this.limits);
        if deadline.is_some_and(|deadline| this.reading.rings(cx, deadline)) {
            return Poll::Ready(Ok(()));
        }
        Poll::Pending
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.written(cx, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bytes);
        self.written(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_flush(cx);
        self.written(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.io).poll_shutdown(cx);
        self.written(cx, polled)
    }
}

/// A timer that is made when first needed. It is moved only when it has rung, since deadlines mostly move away.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Tells whether the deadline is over; if not, the task is woken then.
    fn rings(&mut self, cx: &mut Context<'_>, deadline: Instant) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline() >= deadline {
                return true;
            }
            sleep.as_mut().reset(deadline);
        }
        false
    }
}
