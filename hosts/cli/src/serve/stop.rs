//! When the server is to stop: at Ctrl-C, and where whoever runs it sends SIGTERM.

use std::io;

use crate::{global::Format, output};

/// Waits until the server is to stop.
pub(super) async fn asked(format: Format) {
    if let Err(error) = signalled().await {
        let text = format!("signals can't be heard, so the process must be ended: {error}");
        output::say(output::warning(format, &text));
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn signalled() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        heard = tokio::signal::ctrl_c() => heard,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn signalled() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
