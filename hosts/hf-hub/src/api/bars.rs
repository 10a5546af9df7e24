//! Events as progress.

use std::sync::{Mutex, PoisonError};

use hubstow_native::Event;
use indicatif::{ProgressBar, ProgressStyle};

use super::Progress;

/// What shows the progress of one file.
pub(super) struct Bars<P>(Mutex<P>);

impl Bars<ProgressBar> {
    /// Makes the bar that is shown where a program has none of its own.
    pub(super) fn bar() -> ProgressBar {
        let bar = ProgressBar::no_length();
        let template =
            "{msg} [{elapsed_precise}] [{wide_bar}] {bytes}/{total_bytes} {bytes_per_sec} ({eta})";
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }
}

impl<P: Progress> Bars<P> {
    pub(super) fn new(progress: P) -> Self {
        Self(Mutex::new(progress))
    }

    /// Shows an event.
    pub(super) fn show(&self, event: &Event) {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let len = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        if let Event::Started { file, size, already } = event {
            progress.init(len(size.unwrap_or(0)), file.as_str());
            if *already > 0 {
                progress.update(len(*already));
            }
        } else if let Event::Received { bytes, .. } = event {
            progress.update(len(*bytes));
        } else if let Event::Finished { .. } = event {
            progress.finish();
        }
    }
}
