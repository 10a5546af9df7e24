//! Logs for `-v` and `-vv`, to stderr.
//!
//! Only our own crates and the connection layer are heard. Layers that log headers or whole URLs are not, so that
//! neither a token nor a signed address can get into a log (invariant I23).

use tracing_subscriber::{
    Layer as _, filter::LevelFilter, filter::Targets, fmt, layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// Starts logging, if it was asked for.
pub(crate) fn start(verbose: u8) {
    let (ours, connections) = match verbose {
        0 => return,
        1 => (LevelFilter::DEBUG, LevelFilter::OFF),
        _ => (LevelFilter::TRACE, LevelFilter::DEBUG),
    };
    let heard =
        Targets::new().with_target("hubstow", ours).with_target("hyper_util::client", connections);
    let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(color).with_filter(heard);
    tracing_subscriber::registry().with(lines).init();
}
