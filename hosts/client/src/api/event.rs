//! Progress, as events. A program shows them as it likes; the library prints nothing.

use std::{sync::Arc, time::Duration};

use hubstow_core::name::FileName;

use crate::api::report::{FileReport, Warning};

/// Something that happened during a download. Byte counts are bytes of content.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// use hubstow_client::Event;
///
/// let hub = hub.on_event(|event| match event {
///     Event::Listed { files, bytes } => println!("{files} files, {bytes:?} bytes"),
///     Event::Received { file, bytes } => println!("{bytes} more bytes of {file}"),
///     Event::Retrying { subject, wait, .. } => println!("{subject} is asked again in {wait:?}"),
///     Event::Warned { warning } => eprintln!("{warning:?}"),
///     _ => {}
/// });
/// hub.model("org/model").snapshot().await?;
/// # Ok(())
/// # });
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A snapshot's files are known.
    Listed {
        /// How many files are wanted.
        files: usize,
        /// Their size together, where the hub says it.
        bytes: Option<u64>,
    },
    /// A transfer starts, or goes on where an earlier one ended.
    Started {
        /// The file.
        file: FileName,
        /// Its size, where known.
        size: Option<u64>,
        /// How much of it is already here.
        already: u64,
    },
    /// Some bytes of a file arrived.
    Received {
        /// The file.
        file: FileName,
        /// How many.
        bytes: u64,
    },
    /// What had arrived of a file can't be used; it starts over.
    StartedOver {
        /// The file.
        file: FileName,
    },
    /// A request is sent again after a wait.
    Retrying {
        /// The file, or what else is asked for.
        subject: String,
        /// Which retry this is, from 1.
        retry: u32,
        /// How long the wait is.
        wait: Duration,
        /// What went wrong.
        cause: String,
    },
    /// A server refuses requests for now; all that go there wait. It is told from time to time, not for each request.
    Throttled {
        /// Its scheme, host and port.
        origin: String,
        /// How long the wait is.
        wait: Duration,
    },
    /// An endpoint of the hub is away or fails, and the next one is asked from now on.
    EndpointLeft {
        /// The one that was left.
        from: String,
        /// The next one.
        to: String,
        /// What went wrong.
        cause: String,
    },
    /// Another process downloads the same content; this one waits for it.
    Waiting {
        /// The file.
        file: FileName,
    },
    /// A file is in its place.
    Finished {
        /// What was done.
        report: FileReport,
    },
    /// Something a user should know, although the download goes on.
    Warned {
        /// What.
        warning: Warning,
    },
}

/// A function that is told of every event; it is called from several threads and must not block.
pub type Observer = Arc<dyn Fn(&Event) + Send + Sync>;
