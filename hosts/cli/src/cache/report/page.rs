//! The report as one page that needs nothing else: no script of others, no style, no picture, no network.

use hubstow_client::{Error, ErrorKind};
use minijinja::{Environment, value::Serde};
use serde::Serialize;

use super::{
    facts::{Facts, RepoFacts},
    treemap::{Rect, lay_out},
};
use crate::output::{self, plain};

const TEMPLATE: &str = include_str!("page.html");
/// The page's file name, by the end of which the templates know how to escape.
const NAME: &str = "page.html";
const MAP: Rect = Rect { x: 0.0, y: 0.0, width: 1200.0, height: 640.0 };
/// The least area of a box that is drawn for itself, and the most boxes: what is smaller is one box together.
const LEAST_AREA: f64 = 30.0;
const BOX_LIMIT: usize = 1500;
/// How wide a letter is, at most, in the letters of the map.
const LETTER_WIDTH: f64 = 7.0;
const LABEL_HEIGHT: f64 = 16.0;

/// What the page shows.
#[derive(Serialize)]
struct Content<'a> {
    facts: &'a Facts,
    needs: Vec<(u64, &'static str)>,
    /// For each repo.
    notes: Vec<String>,
    used: Vec<&'a str>,
    map: Rect,
    boxes: Vec<Tile>,
    version: &'static str,
}

/// A box of the map.
#[derive(Serialize)]
struct Tile {
    rect: Rect,
    /// What it stands for, as its color says it.
    class: &'static str,
    /// What is said of it.
    title: String,
    /// What is written into it, if there is room.
    label: Option<String>,
    /// The row that tells more.
    anchor: Option<usize>,
}

/// Makes the page.
///
/// # Errors
/// None that a cache could bring about.
pub(super) fn of(facts: &Facts) -> Result<String, Error> {
    let failed = |error: minijinja::Error| {
        Error::new(ErrorKind::Other, "the page can't be made").caused_by(error)
    };
    let mut templates = Environment::new();
    templates.add_filter("size", output::size);
    templates.add_filter("plain", |text: String| plain(&text));
    templates.add_filter("share", |bytes: u64, of: u64| {
        format!("{:.1}", if of == 0 { 0.0 } else { bytes as f64 * 100.0 / of as f64 })
    });
    templates.add_template(NAME, TEMPLATE).map_err(failed)?;
    let page = templates.get_template(NAME).map_err(failed)?;
    let content = Content {
        facts,
        needs: facts.needs().into_iter().filter(|(bytes, _)| *bytes > 0).collect(),
        notes: facts.repos.iter().map(RepoFacts::notes).collect(),
        used: facts.repos.iter().map(|repo| repo.used.as_str()).collect(),
        map: MAP,
        boxes: boxes(facts),
        version: env!("CARGO_PKG_VERSION"),
    };
    page.render(Serde(content)).map_err(failed)
}

/// Draws every repo that is large enough, each with its portions in it, and the rest as one.
fn boxes(facts: &Facts) -> Vec<Tile> {
    let total = facts.bytes.max(1);
    let area = |bytes: u64| bytes as f64 / total as f64 * MAP.width * MAP.height;
    let is_large =
        |(place, repo): &(usize, &RepoFacts)| *place < BOX_LIMIT && area(repo.bytes) >= LEAST_AREA;
    let large: Vec<(usize, &RepoFacts)> = facts.repos.iter().enumerate().filter(is_large).collect();
    let small: Vec<&RepoFacts> = facts.repos.iter().skip(large.len()).collect();
    let small_bytes: u64 = small.iter().map(|repo| repo.bytes).sum();
    let mut sizes: Vec<u64> = large.iter().map(|(_, repo)| repo.bytes).collect();
    sizes.extend([facts.store, small_bytes]);
    let laid = lay_out(&sizes, MAP);
    let mut boxes = Vec::new();
    for ((place, repo), rect) in large.iter().zip(&laid) {
        boxes.extend(boxes_of(*place, repo, *rect));
    }
    let rest = [
        (facts.store, "store", "the store that repos share".to_owned()),
        (small_bytes, "small", format!("{} smaller repos", small.len())),
    ];
    for ((bytes, class, what), rect) in rest.into_iter().zip(laid.iter().skip(large.len())) {
        if bytes > 0 {
            boxes.push(Tile {
                rect: *rect,
                class,
                title: format!("{what}: {}", output::size(bytes)),
                label: fitting(&what, *rect),
                anchor: None,
            });
        }
    }
    boxes
}

/// Draws a repo and, where there is room, what is in it.
fn boxes_of(place: usize, repo: &RepoFacts, rect: Rect) -> Vec<Tile> {
    // Its kind is told by the color.
    let name = repo.id.split_once('/').map_or(repo.id.as_str(), |(_, name)| name);
    let label = fitting(&plain(name), rect);
    let top = if label.is_some() { LABEL_HEIGHT } else { 1.0 };
    let mut boxes = vec![Tile {
        rect,
        class: repo.repo_type,
        title: format!("{}: {}, used {}", plain(&repo.id), output::size(repo.bytes), repo.used),
        label,
        anchor: Some(place),
    }];
    let parts: Vec<(u64, &'static str, String)> = portions(repo);
    let sizes: Vec<u64> = parts.iter().map(|(bytes, ..)| *bytes).collect();
    let laid = lay_out(&sizes, rect.inside(2.0, top));
    for ((bytes, class, what), rect) in parts.into_iter().zip(laid) {
        if rect.width * rect.height >= LEAST_AREA {
            boxes.push(Tile {
                rect,
                class,
                title: format!("{}: {what}, {}", plain(&repo.id), output::size(bytes)),
                label: None,
                anchor: Some(place),
            });
        }
    }
    boxes
}

/// Returns what lies in a repo by what needs it, the largest first.
fn portions(repo: &RepoFacts) -> Vec<(u64, &'static str, String)> {
    let revisions = repo.revisions.iter().map(|revision| {
        let name = revision.refs.first().unwrap_or(&revision.commit);
        (revision.alone, "revision", format!("only of {}", plain(name)))
    });
    let needs = repo.by_need;
    let rest = [
        (needs.revisions, "revisions", "of several revisions".to_owned()),
        (needs.repos, "repos", "of several repos".to_owned()),
        (needs.nobody, "nobody", "of no snapshot".to_owned()),
        (needs.unfinished, "unfinished", "not finished".to_owned()),
        (needs.upkeep, "upkeep", "refs and listings".to_owned()),
    ];
    let mut parts: Vec<_> = revisions.chain(rest).filter(|(bytes, ..)| *bytes > 0).collect();
    parts.sort_by_key(|(bytes, ..)| std::cmp::Reverse(*bytes));
    parts
}

/// Returns as much of a name as there is room for; nothing where that is too little to be read.
fn fitting(name: &str, rect: Rect) -> Option<String> {
    const LEAST_LETTERS: usize = 4;
    let room = ((rect.width - 8.0) / LETTER_WIDTH).max(0.0) as usize;
    if rect.height < LABEL_HEIGHT + 2.0 || room < LEAST_LETTERS {
        return None;
    }
    if name.chars().count() <= room {
        return Some(name.to_owned());
    }
    let short: String = name.chars().take(room.saturating_sub(1)).collect();
    Some(format!("{short}…"))
}
