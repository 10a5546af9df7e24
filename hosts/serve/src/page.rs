//! The page for people: what is here, how to use it, and who fetches what.
//!
//! Every name is escaped by the templates, and the page may load nothing and run nothing.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{HeaderMap, Uri, header},
    response::Response,
};
use hubstow_core::name::Revision;
use minijinja::{Environment, value::Serde};
use serde::Serialize;
use unit_prefix::NumberPrefix;

use crate::{
    fault::Fault, origin, repos::Held, shared::Shared, stats::Stats, upstream::UpstreamCounts,
};

const TEMPLATE: &str = include_str!("page.html");
/// The page's file name, by the end of which the templates know how to escape.
const NAME: &str = "page.html";
/// What a browser may do with the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; \
                      base-uri 'none'; form-action 'none'";
/// The most repos and rows that are shown.
const ROW_LIMIT: usize = 500;

#[derive(Serialize)]
struct Content {
    origin: String,
    version: &'static str,
    needs_token: bool,
    uptime: String,
    requests: u64,
    sent: String,
    open_files: u64,
    hashing_files: u64,
    hashing: String,
    repos: Vec<Repo>,
    more_repos: usize,
    total: String,
    example: Option<String>,
    fetches: Vec<Fetch>,
    pull: Option<Pull>,
}

#[derive(Serialize)]
struct Pull {
    running: u64,
    done: u64,
    failed: u64,
    requests: u64,
    received: String,
    waits: u64,
    stale: u64,
    vias: Vec<(&'static str, u64)>,
}

impl Pull {
    fn of(stats: &Stats, counts: UpstreamCounts) -> Self {
        Self {
            running: counts.fills_running,
            done: counts.fills_done,
            failed: counts.fills_failed,
            requests: counts.requests,
            received: size(counts.received_bytes),
            waits: counts.waits,
            stale: counts.stale,
            vias: stats.vias().map(|(via, count)| (via.code(), count)).collect(),
        }
    }
}

#[derive(Serialize)]
struct Repo {
    kind: &'static str,
    id: String,
    revisions: String,
    files: usize,
    size: String,
}

#[derive(Serialize)]
struct Fetch {
    client: String,
    repo: String,
    requests: u64,
    sent: String,
    ago: String,
}

/// Answers the page.
pub(crate) async fn page(
    shared: &Arc<Shared>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, Fault> {
    let repos = shared.overview().await?;
    let content = content(shared, &repos, origin::of(uri, headers).unwrap_or_default());
    let page = rendered(content).map_err(std::io::Error::other)?;
    Ok(Response::builder()
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::CONTENT_SECURITY_POLICY, POLICY)
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::REFERRER_POLICY, "no-referrer")
        .header(header::CACHE_CONTROL, "no-store")
        .body(Body::from(page))?)
}

fn rendered(content: Content) -> Result<String, minijinja::Error> {
    let mut templates = Environment::new();
    templates.add_template(NAME, TEMPLATE)?;
    templates.get_template(NAME)?.render(Serde(content))
}

fn content(shared: &Shared, held: &[Held], origin: String) -> Content {
    let stats: &Stats = &shared.stats;
    let backlog = shared.backlog();
    let rows = if shared.hides_kept() { Vec::new() } else { stats.rows() };
    let rows = rows.into_iter().take(ROW_LIMIT);
    let pull = shared.upstream.as_ref().map(|upstream| Pull::of(stats, upstream.counts()));
    Content {
        origin,
        version: env!("CARGO_PKG_VERSION"),
        needs_token: shared.token.is_some(),
        uptime: span(stats.started().elapsed()),
        requests: stats.requests().map(|(_, _, count)| count).sum(),
        sent: size(stats.sent_bytes()),
        open_files: stats.open_files(),
        hashing_files: backlog.files,
        hashing: size(backlog.len_bytes),
        total: size(held.iter().map(|held| held.len_bytes).sum()),
        example: held.first().map(|held| held.repo.id.to_string()),
        more_repos: held.len().saturating_sub(ROW_LIMIT),
        repos: held.iter().take(ROW_LIMIT).map(Repo::of).collect(),
        pull,
        fetches: rows
            .map(|row| Fetch {
                client: row.client.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string()),
                repo: row.repo.to_string(),
                requests: row.requests,
                sent: size(row.sent_bytes),
                ago: span(row.seen.elapsed()),
            })
            .collect(),
    }
}

impl Repo {
    fn of(held: &Held) -> Self {
        let revisions: Vec<&str> = held.revisions.iter().map(Revision::as_str).collect();
        Self {
            kind: held.repo.kind.singular(),
            id: held.repo.id.to_string(),
            revisions: revisions.join(", "),
            files: held.files,
            size: size(held.len_bytes),
        }
    }
}

/// Writes a size for people, in powers of ten.
fn size(bytes: u64) -> String {
    match NumberPrefix::decimal(bytes as f64) {
        NumberPrefix::Standalone(bytes) => format!("{bytes:.0} B"),
        NumberPrefix::Prefixed(prefix, number) => format!("{number:.2} {prefix}B"),
    }
}

/// Writes a time for people, in whole seconds.
fn span(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}
