//! What is counted, in the text format of Prometheus.

use std::fmt::Write as _;

use axum::{body::Body, http::header, response::Response};

use crate::{
    fault::Fault,
    hash::Backlog,
    listen::Places,
    stats::Stats,
    upstream::{DiskCounts, TierCounts, UpstreamCounts},
};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Answers what is counted.
pub(crate) fn metrics(
    stats: &Stats,
    places: &Places,
    backlog: Backlog,
    upstream: Option<UpstreamCounts>,
) -> Result<Response, Fault> {
    let mut text = shown(stats, places, backlog);
    if let Some(counts) = upstream {
        show_upstream(&mut text, stats, counts);
    }
    let body = Body::from(text);
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

fn show_upstream(text: &mut String, stats: &Stats, counts: UpstreamCounts) {
    let answers = stats.vias().map(|(via, count)| (format!("{{via=\"{}\"}}", via.code()), count));
    let what = "Answers by how they were had: here, fetched first, sent while arriving, handed on.";
    family(text, ("hubstow_pull_answers_total", "counter", what), answers);
    for (name, kind, help, value) in [
        ("fills_running", "gauge", "Files that are being fetched.", counts.fills_running),
        ("fills_total", "counter", "Files that were fetched and proved.", counts.fills_done),
        ("failed_fills_total", "counter", "Files that could not be fetched.", counts.fills_failed),
        ("upstream_requests_total", "counter", "Requests sent upstream.", counts.requests),
        (
            "upstream_received_bytes_total",
            "counter",
            "Bytes of bodies received from upstream.",
            counts.received_bytes,
        ),
        ("waits_total", "counter", "Answers that waited for bytes to arrive.", counts.waits),
        ("stale_total", "counter", "Answers that upstream could not confirm.", counts.stale),
    ] {
        let name = format!("hubstow_pull_{name}");
        family(text, (&name, kind, help), std::iter::once((String::new(), value)));
    }
    counts.disk.into_iter().for_each(|disk| show_disk(text, disk));
    counts.tier.into_iter().for_each(|tier| show_tier(text, tier));
}

fn show_disk(text: &mut String, counts: DiskCounts) {
    let DiskCounts { held_bytes, evicted_bytes, refused } = counts;
    for (name, kind, help, value) in [
        ("held_bytes", "gauge", "Bytes on the disk or on their way to it.", held_bytes),
        ("evicted_bytes_total", "counter", "Bytes that have gone to make room.", evicted_bytes),
        ("refused_total", "counter", "Files for which there was no room.", refused),
    ] {
        let name = format!("hubstow_pull_disk_{name}");
        family(text, (&name, kind, help), std::iter::once((String::new(), value)));
    }
}

fn show_tier(text: &mut String, counts: TierCounts) {
    let TierCounts { hits, misses, unasked, waited, received_bytes, .. } = counts;
    let TierCounts { puts, put_bytes, put_failures, wrong, .. } = counts;
    let TierCounts { evicted_bytes, sweep_failures, is_away, .. } = counts;
    for (name, kind, help, value) in [
        ("hits_total", "counter", "Files that came from the tier.", hits),
        ("misses_total", "counter", "Files that this node brought for all.", misses),
        ("unasked_total", "counter", "Files fetched without the tier, which was away.", unasked),
        ("waited_total", "counter", "Files that another node took too long to bring.", waited),
        ("received_bytes_total", "counter", "Bytes that came from the tier.", received_bytes),
        ("puts_total", "counter", "Files put into the tier.", puts),
        ("put_bytes_total", "counter", "Bytes of files put into the tier.", put_bytes),
        ("put_failures_total", "counter", "Files that could not be put there.", put_failures),
        ("wrong_total", "counter", "Wrong objects that were taken away.", wrong),
        ("evicted_bytes_total", "counter", "Bytes that this node swept away.", evicted_bytes),
        ("sweep_failures_total", "counter", "Sweeps that somebody must see to.", sweep_failures),
        ("away", "gauge", "Whether the tier can't be reached.", u64::from(is_away)),
    ] {
        let name = format!("hubstow_pull_tier_{name}");
        family(text, (&name, kind, help), std::iter::once((String::new(), value)));
    }
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
