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
    Problems,
    /// The same, and all that is logged as one JSON object a line.
    #[cfg(not(target_family = "wasm"))]
    ProblemsAsJson,
}

/// Starts logging, if there is anything to be logged.
pub(crate) fn start(verbose: u8, unasked: Unasked) {
    let (ours, connections) = match (verbose, unasked) {
        (0, Unasked::Nothing) => return,
        #[cfg(not(target_family = "wasm"))]
        (0, Unasked::Problems | Unasked::ProblemsAsJson) => (LevelFilter::WARN, LevelFilter::OFF),
        (1, _) => (LevelFilter::DEBUG, LevelFilter::OFF),
        _ => (LevelFilter::TRACE, LevelFilter::DEBUG),
    };
    let heard =
        Targets::new().with_target("hubstow", ours).with_target("hyper_util::client", connections);
    let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(color);
    #[cfg(not(target_family = "wasm"))]
    if unasked == Unasked::ProblemsAsJson {
        let lines = lines.with_ansi(false).json().flatten_event(true);
        return tracing_subscriber::registry().with(lines.with_filter(heard)).init();
    }
    tracing_subscriber::registry().with(lines.with_filter(heard)).init();
}
