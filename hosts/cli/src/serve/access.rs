//! The access log: one line a request to stderr.
//!
//! Lines are written by a thread of their own, and dropped where whoever reads them can't keep up: a log must not hold up what
//! it speaks of. How many were dropped is said in their place.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use clap::ValueEnum;
use hubstow_client::{Error, ErrorKind};
use hubstow_serve::{Answered, Freshness};
use serde_json::json;

use crate::output::{self, plain};

/// The most lines that wait to be written.
const WAITING_LIMIT: usize = 4096;

/// How the lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// METHOD PATH STATUS BYTES MILLISECONDS CLIENT, and with --upstream how the answer was had
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Where lines are handed in.
pub(super) struct AccessLog {
    format: LogFormat,
    lines: SyncSender<String>,
    dropped: Arc<AtomicU64>,
}

impl AccessLog {
    /// Starts to write.
    ///
    /// # Errors
    /// No thread is to be had.
    pub(super) fn start(format: LogFormat) -> Result<Self, Error> {
        let (sender, receiver) = sync_channel::<String>(WAITING_LIMIT);
        let dropped = Arc::new(AtomicU64::default());
        let counted = Arc::clone(&dropped);
        let write = move || {
            for line in receiver {
                let dropped = counted.swap(0, Ordering::Relaxed);
                if dropped > 0 {
                    output::say(lost(format, dropped));
                }
                output::say(line);
            }
        };
        let thread = thread::Builder::new().name("hubstow-access-log".to_owned()).spawn(write);
        thread.map_err(|error| {
            Error::new(ErrorKind::Other, "the access log can't be started").caused_by(error)
        })?;
        Ok(Self { format, lines: sender, dropped })
    }

    /// Writes a line of an answered request, soon.
    pub(super) fn tell(&self, answered: &Answered) {
        match self.lines.try_send(line(self.format, answered)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn lost(format: LogFormat, lines: u64) -> String {
    match format {
        LogFormat::Text => format!("{lines} lines of the access log were dropped here"),
        LogFormat::Json => json!({ "dropped": lines }).to_string(),
    }
}

fn line(format: LogFormat, answered: &Answered) -> String {
    let Answered { method, path, status, sent_bytes, elapsed, client, via, freshness, .. } =
        answered;
    let is_stale = *freshness == Freshness::Stale;
    let ms = elapsed.as_millis();
    match format {
        LogFormat::Text => {
            let client = client.map_or_else(|| "-".to_owned(), |client| client.to_string());
            let (method, path) = (plain(method), plain(path));
            let via = via.map_or_else(String::new, |via| format!(" {}", via.code()));
            let stale = if is_stale { " stale" } else { "" };
            format!("{method} {path} {status} {sent_bytes} B {ms} ms {client}{via}{stale}")
        }
        LogFormat::Json => {
            let mut line = json!({
                "method": method,
                "path": path,
                "status": status,
                "bytes": sent_bytes,
                "ms": u64::try_from(ms).unwrap_or(u64::MAX),
                "client": client.map(|client| client.to_string()),
            });
            if let (Some(via), Some(members)) = (via, line.as_object_mut()) {
                members.insert("via".to_owned(), json!(via.code()));
                members.insert("stale".to_owned(), json!(is_stale));
            }
            line.to_string()
        }
    }
}
