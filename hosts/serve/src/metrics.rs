//! What is counted, in the text format of Prometheus.

use std::fmt::Write as _;

use axum::{body::Body, http::header, response::Response};

use crate::{fault::Fault, hash::Backlog, listen::Places, stats::Stats};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers what is counted.
pub(crate) fn metrics(stats: &Stats, places: &Places, backlog: Backlog) -> Result<Response, Fault> {
    let body = Body::from(shown(stats, places, backlog));
    Ok(Response::builder().header(header::CONTENT_TYPE, CONTENT_TYPE).body(body)?)
}

fn shown(stats: &Stats, places: &Places, backlog: Backlog) -> String {
    let mut text = String::new();
    let requests = stats.requests().map(|(method, class, count)| {
        (format!("{{method=\"{method}\",status=\"{class}\"}}"), count)
    });
    family(&mut text, ("hubstow_requests_total", "counter", "Requests answered."), requests);
    let single = |value: u64| std::iter::once((String::new(), value));
    family(
        &mut text,
        ("hubstow_sent_bytes_total", "counter", "Bytes of bodies sent."),
        single(stats.sent_bytes()),
    );
    family(
        &mut text,
        ("hubstow_open_files", "gauge", "Files that are being sent."),
        single(stats.open_files()),
    );
    family(
        &mut text,
        ("hubstow_connections", "gauge", "Connections of clients."),
        single(places.taken() as u64),
    );
    family(
        &mut text,
        ("hubstow_connections_limit", "gauge", "The most connections at once."),
        single(places.of() as u64),
    );
    family(
        &mut text,
        ("hubstow_hashing_files", "gauge", "Files that are not hashed yet, as far as known."),
        single(backlog.files),
    );
    family(
        &mut text,
        ("hubstow_hashing_bytes", "gauge", "Bytes that are not hashed yet, as far as known."),
        single(backlog.len_bytes),
    );
    family(
        &mut text,
        ("hubstow_uptime_seconds", "gauge", "Time since the start."),
        single(stats.started().elapsed().as_secs()),
    );
    text
}

/// Writes one family. Writing to a string can't fail.
fn family(
    text: &mut String,
    (name, kind, help): (&str, &str, &str),
    samples: impl Iterator<Item = (String, u64)>,
) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    for (labels, value) in samples {
        let _ = writeln!(text, "{name}{labels} {value}");
    }
}
