//! The progress bars of the command: one for each file in flight, one for all of them.

use std::{
    collections::HashMap,
    env, fmt,
    io::{self, IsTerminal as _},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hubstow_client::Event;
use hubstow_core::name::FileName;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Bars are drawn this often; more is not seen, and costs.
const DRAWS_PER_SECOND: u8 = 15;
/// The most bars of files that are shown at once; of small files far more are in flight, and no terminal is that high.
const SHOWN_LIMIT: usize = 12;
/// The columns for a name: enough for most, and room for a bar on 80 columns.
const NAME_WIDTH: usize = 26;

/// The bars of a download on stderr; where that is no terminal, nothing is drawn. Clones are the same bars.
///
/// ```
/// # async fn run(hub: hubstow_native::Hub) -> Result<(), hubstow_native::Error> {
/// let bars = hubstow_native::Bars::on_stderr();
/// let shown = bars.clone();
/// hub.model("org/model").snapshot().on_event(move |event| shown.update(event)).await?;
/// bars.clear();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Bars(Arc<Drawn>);

struct Drawn {
    multi: MultiProgress,
    is_colored: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The bar of a snapshot; one file alone needs none.
    total: Option<ProgressBar>,
    wanted: usize,
    done: usize,
    files: HashMap<FileName, ProgressBar>,
}

impl Bars {
    /// Makes bars, with colors on a terminal unless `NO_COLOR` is set.
    ///
    /// ```
    /// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/here/hub.rs")); }
    /// # here::ask(async |hub| {
    /// let bars = hubstow_native::Bars::on_stderr();
    /// let shown = bars.clone();
    /// hub.model("org/model").file("config.json").on_event(move |event| shown.update(event)).await?;
    /// bars.above(|| println!("it is here"));
    /// bars.clear();
    /// # Ok(())
    /// # });
    /// ```
    #[must_use]
    pub fn on_stderr() -> Self {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self::colored(io::stderr().is_terminal() && !refused)
    }

    /// Makes bars with colors or without.
    ///
    /// ```
    /// use hubstow_native::Bars;
    ///
    /// let plain = Bars::colored(false);
    /// plain.clear();
    /// ```
    #[must_use]
    pub fn colored(is_colored: bool) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
        let multi = MultiProgress::with_draw_target(target);
        Self(Arc::new(Drawn { multi, is_colored, state: Mutex::default() }))
    }

    /// Runs what prints something, above the bars.
    pub fn above(&self, say: impl FnOnce()) {
        self.0.multi.suspend(say);
    }

    /// Removes the bars.
    pub fn clear(&self) {
        // A terminal that is gone needs no clearing.
        let _ = self.0.multi.clear();
    }

    /// Shows an event.
    pub fn update(&self, event: &Event) {
        self.0.update(event);
    }
}

impl fmt::Debug for Bars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bars")
    }
}

impl Drawn {
    fn update(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Listed { files, bytes } if *files > 1 => {
                state.wanted = *files;
                let bar = self.multi.add(self.bar(*bytes, Line::Total));
                bar.enable_steady_tick(Duration::from_millis(500));
                state.total = Some(bar);
                state.count();
            }
            Event::Started { file, size, already } => {
                let bar = self.bar(*size, Line::File).with_prefix(shortened(file.as_str()));
                let shown = state.files.values().filter(|bar| !bar.is_hidden()).count();
                let bar = if shown < SHOWN_LIMIT { self.multi.insert(0, bar) } else { bar };
                bar.set_position(*already);
                bar.reset_eta();
                state.advance(*already);
                if let Some(old) = state.files.insert(file.clone(), bar) {
                    state.retract(old.position());
                    self.remove(&old);
                }
            }
            Event::Received { file, bytes } => {
                if let Some(bar) = state.files.get(file) {
                    bar.inc(*bytes);
                    state.advance(*bytes);
                }
            }
            Event::StartedOver { file } => {
                if let Some(bar) = state.files.get(file) {
                    state.retract(bar.position());
                    bar.set_position(0);
                    bar.reset_eta();
                }
            }
            Event::Finished { report } => {
                let bar = state.files.remove(&report.file);
                let seen = bar.as_ref().map_or(0, ProgressBar::position);
                state.advance(report.size.unwrap_or(seen).saturating_sub(seen));
                state.done += 1;
                state.count();
                if let Some(bar) = bar {
                    self.remove(&bar);
                }
            }
            Event::Listed { .. }
            | Event::Retrying { .. }
            | Event::Throttled { .. }
            | Event::EndpointLeft { .. }
            | Event::Waiting { .. }
            | Event::Warned { .. }
            | _ => {}
        }
    }

    fn bar(&self, bytes: Option<u64>, line: Line) -> ProgressBar {
        let style = style(&template(bytes, line, self.is_colored));
        ProgressBar::with_draw_target(bytes, ProgressDrawTarget::hidden()).with_style(style)
    }

    fn remove(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        self.multi.remove(bar);
    }
}

impl State {
    fn advance(&self, bytes: u64) {
        if let Some(total) = &self.total {
            total.inc(bytes);
        }
    }

    fn retract(&self, bytes: u64) {
        if let Some(total) = &self.total {
            total.dec(bytes);
        }
    }

    fn count(&self) {
        if let Some(total) = &self.total {
            total.set_prefix(format!("{} of {} files", self.done, self.wanted));
        }
    }
}

/// What a bar is for.
#[derive(Clone, Copy)]
enum Line {
    File,
    Total,
}

fn template(bytes: Option<u64>, line: Line, color: bool) -> String {
    let paint = match (line, color) {
        (Line::File, true) => ":.cyan/dim",
        (Line::Total, true) => ":.green/dim",
        (Line::File | Line::Total, false) => "",
    };
    let name = format!("{{prefix:{NAME_WIDTH}!}}");
    let speed = "{decimal_bytes_per_sec:>11}";
    match bytes {
        Some(_) => format!(
            "{name} {{wide_bar{paint}}} {{decimal_bytes:>9}} of {{decimal_total_bytes:9}} {speed} {{eta:>4}}"
        ),
        None => format!("{name} {{spinner}} {{decimal_bytes:>9}} {speed}"),
    }
}

/// Makes a style of a template. A template that is wrong shows in the first test; a plain bar is better than none.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸━")
}

/// Cuts a name from the left: the end tells files apart.
fn shortened(name: &str) -> String {
    let length = name.chars().count();
    if length <= NAME_WIDTH {
        return name.to_owned();
    }
    let tail: String = name.chars().skip(length - NAME_WIDTH + 1).collect();
    format!("…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_one() {
        for color in [true, false] {
            for line in [Line::File, Line::Total] {
                for bytes in [None, Some(1)] {
                    assert!(ProgressStyle::with_template(&template(bytes, line, color)).is_ok());
                }
            }
        }
    }

    #[test]
    fn a_long_name_keeps_its_end() {
        assert_eq!(shortened("config.json"), "config.json");
        let short = shortened("checkpoints/model-00001-of-00030.safetensors");
        assert_eq!(short, "…0001-of-00030.safetensors");
        assert_eq!(short.chars().count(), NAME_WIDTH);
    }
}
