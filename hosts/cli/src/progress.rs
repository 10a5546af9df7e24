//! Progress on stderr: one bar a file in flight and one for all of them, on a terminal only.
//!
//! Events come from several threads. What is no progress (a retry, a wait, a warning) is a line above the bars, and a
//! plain line where there are none.

use std::io::{self, IsTerminal as _};

use hubstow_client::{Event, Warning};
#[cfg(not(target_family = "wasm"))]
use hubstow_native::Bars;

use crate::{
    failures::some_of,
    global::Format,
    hub_args,
    output::{self, CAUTION, FAINT, styled},
};

/// What a user sees while a download runs.
pub(crate) struct Progress {
    format: Format,
    bars: Option<Bars>,
}

impl Progress {
    /// Makes the bars, if there is somebody to see them. Logs and bars can't share a terminal: with `-v` there are none.
    pub(crate) fn start(format: Format, verbose: u8) -> Self {
        let visible = format == Format::Human
            && verbose == 0
            && io::stderr().is_terminal()
            && !hub_args::is_set("HF_HUB_DISABLE_PROGRESS_BARS");
        let color = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        Self { format, bars: visible.then(|| Bars::colored(color)) }
    }

    /// Shows an event.
    pub(crate) fn show(&self, event: &Event) {
        if let Some(bars) = &self.bars {
            bars.update(event);
        }
        if let Some(text) = words(event, self.format) {
            self.say(&text);
        }
    }

    fn say(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.above(|| output::say(text)),
            None => output::say(text),
        }
    }

    /// Removes the bars.
    pub(crate) fn stop(&self) {
        if let Some(bars) = &self.bars {
            bars.clear();
        }
    }
}

/// Returns what is to be said about an event. Programs are told of warnings only.
fn words(event: &Event, format: Format) -> Option<String> {
    match event {
        Event::Warned { warning } => Some(output::warning(format, &warned(warning))),
        Event::Retrying { subject, retry, wait, cause } if format == Format::Human => {
            Some(format!(
                "{}: {subject} in {:.1} s (retry {retry}): {}",
                styled(CAUTION, "retrying"),
                wait.as_secs_f64(),
                output::plain(innermost(cause))
            ))
        }
        Event::Throttled { origin, wait } if format == Format::Human => Some(format!(
            "{}: {origin} takes no more requests for {:.1} s",
            styled(CAUTION, "throttled"),
            wait.as_secs_f64()
        )),
        Event::EndpointLeft { from, to, cause } => {
            let why = output::plain(innermost(cause));
            let what = format!("{from} is left for {to}: {why}");
            Some(output::warning(format, &what))
        }
        Event::Waiting { file } if format == Format::Human => {
            Some(format!("{}: another process downloads {file}", styled(FAINT, "waiting")))
        }
        Event::Listed { .. }
        | Event::Started { .. }
        | Event::Received { .. }
        | Event::StartedOver { .. }
        | Event::Retrying { .. }
        | Event::Throttled { .. }
        | Event::Waiting { .. }
        | Event::Finished { .. }
        | _ => None,
    }
}

/// Returns the end of a chain of causes: a line that passes by has no room for more, and a final error tells all.
fn innermost(cause: &str) -> &str {
    cause.rsplit(": ").next().unwrap_or(cause)
}

fn warned(warning: &Warning) -> String {
    match warning {
        Warning::Stale { file, refusal, cause } => {
            format!("{file} is served from the cache, unconfirmed ({refusal}): {cause}")
        }
        Warning::StaleSnapshot { repo, refusal, cause } => {
            format!("{repo} is served as it is cached, unconfirmed ({refusal}): {cause}")
        }
        Warning::LeftOut { files } => format!(
            "{} would change what belongs to the clients of the local folder, and is left out",
            some_of(files)
        ),
        Warning::RefNotWritten { revision, cause } => format!(
            "the ref `{revision}` could not be written, so offline use by that name may not find this commit: {cause}"
        ),
        other => format!("{other:?}"),
    }
}

/// A sandbox draws no bars.
#[cfg(target_family = "wasm")]
struct Bars;

#[cfg(target_family = "wasm")]
impl Bars {
    fn colored(_color: bool) -> Self {
        Self
    }

    fn update(&self, _event: &Event) {}

    fn above(&self, say: impl FnOnce()) {
        say();
    }

    fn clear(&self) {}
}
