//! Logs to stderr: for `-v` and `-vv`, and of a server what goes wrong.
//!
//! Only our own crates and the connection layer are heard. Layers that log headers or whole URLs are not, so that
//! neither a token nor a signed address can get into a log (invariant I23).

use tracing_subscriber::{
    Layer as _, filter::LevelFilter, filter::Targets, fmt, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// What is logged where nobody asks for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// Nothing: the command tells what it comes to by itself.
    Nothing,
    /// What goes wrong: it is told to nobody else.
    #[cfg(not(target_family = "wasm"))]
    Problems(Lines),
}

/// How the lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    Text,
    #[cfg(not(target_family = "wasm"))]
    Json,
}

impl Unasked {
    fn lines(self) -> Lines {
        match self {
            Self::Nothing => Lines::Text,
            #[cfg(not(target_family = "wasm"))]
            Self::Problems(lines) => lines,
        }
    }
}

/// Starts logging, if there is anything to be logged.
pub(crate) fn start(verbose: u8, unasked: Unasked) {
    let (ours, connections) = match (verbose, unasked) {
        (0, Unasked::Nothing) => return,
        #[cfg(not(target_family = "wasm"))]
        (0, Unasked::Problems(_)) => (LevelFilter::WARN, LevelFilter::OFF),
        (1, _) => (LevelFilter::DEBUG, LevelFilter::OFF),
        _ => (LevelFilter::TRACE, LevelFilter::DEBUG),
    };
    let heard =
        Targets::new().with_target("hubstow", ours).with_target("hyper_util::client", connections);
    let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(color);
    match unasked.lines() {
        Lines::Text => tracing_subscriber::registry().with(lines.with_filter(heard)).init(),
        #[cfg(not(target_family = "wasm"))]
        Lines::Json => {
            let lines = lines.with_ansi(false).json().flatten_event(true);
            tracing_subscriber::registry().with(lines.with_filter(heard)).init();
        }
    }
}
