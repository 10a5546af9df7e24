//! `hubstow cache ls`: what the cache holds.

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use hubstow_client::{
    Error,
    care::{CacheDir, FileSum, Hold, Inventory, Kind, RepoSum, RevisionSum},
};
use hubstow_core::name::RepoKind;
use serde::Serialize;

use super::{
    WhichCache,
    filter::{Filter, Subject},
    nothing_found,
    sort::{Sort, Sorted},
    table::{ago, now, table},
    target::{self, id},
    tell_damage, tree,
};
use crate::{
    global::{Format, Global},
    hub_args::PartsOf,
    output,
};

/// How much of a commit is shown to people.
const SHORT: usize = 12;

/// List what the cache holds: repos, revisions or files
///
/// Sizes are those of the content, each counted once. The last column says what is worth knowing: what no snapshot leads to
/// (orphaned), what is not finished, what lies in snapshots as a copy of its own (copied) or in the store that repos share
/// (shared), and what is pinned or in use.
#[derive(Args)]
#[command(after_help = "\
Filters: size, accessed, modified with = != > < >= <=, and type, refs with =. Times are how long ago.

Examples:
  hubstow cache ls
  hubstow cache ls --filter 'size>1GB' --filter 'accessed>30d' --sort size
  hubstow cache ls --revisions --filter type=dataset
  hubstow cache ls --files --sort size --limit 20
  hubstow cache ls --tree org/name
  hubstow cache ls --json | jq 'map(.size) | add'")]
pub(super) struct LsArgs {
    /// A line for each revision
    #[arg(long, conflicts_with = "files")]
    revisions: bool,
    /// A line for each file of each revision
    #[arg(long)]
    files: bool,
    /// One repo, with every entry of its folder and the kind of each
    #[arg(long, value_name = "REPO", conflicts_with_all = ["revisions", "files", "filter", "sort", "limit"])]
    tree: Option<String>,
    /// Only what passes: 'size>1GB', 'accessed>30d', 'type=model', 'refs=main'; more than one must all hold
    #[arg(short, long, value_name = "EXPR")]
    filter: Vec<String>,
    /// The order: accessed, modified, name or size, with :asc or :desc
    #[arg(long, value_name = "KEY")]
    sort: Option<String>,
    /// No more than so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Tell all that is wrong in the cache
    #[arg(long)]
    show_warnings: bool,
    #[command(flatten)]
    which: WhichCache,
}

/// One line.
struct Row<'a> {
    repo: &'a RepoSum,
    revision: Option<&'a RevisionSum>,
    file: Option<&'a FileSum>,
    refs: Vec<String>,
    name: String,
    size: u64,
    accessed: u64,
    modified: u64,
}

#[derive(Serialize)]
struct RowJson<'a> {
    id: String,
    repo_id: &'a str,
    repo_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot_path: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    /// In bytes.
    size: Option<u64>,
    /// In seconds since 1970.
    last_accessed: u64,
    last_modified: u64,
    refs: &'a [String],
    #[serde(flatten)]
    whole: Option<WholeJson>,
    pinned: bool,
    in_use: bool,
}

/// What is said of a whole repo only; in bytes where it is no count.
#[derive(Serialize)]
struct WholeJson {
    revisions: usize,
    files: usize,
    orphaned: u64,
    incomplete: u64,
    copied: u64,
    shared: u64,
}

/// Looks, chooses and prints.
pub(super) fn run(args: &LsArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let filters = args.filter.iter().map(|text| Filter::parse(text));
    let filters: Vec<Filter> = filters.collect::<Result<_, _>>()?;
    let sort = args.sort.as_deref().map_or_else(|| Sort::parse("name"), Sort::parse)?;
    let cache = args.which.open(parts)?;
    let inventory = cache.inventory()?;
    let sums = inventory.sums();
    tell_damage(&inventory, args.show_warnings, global.format());
    if let Some(text) = &args.tree {
        return tree::run(target::find(text, &sums)?.repo, &inventory, global.format());
    }
    let now = now();
    let mut rows: Vec<Row<'_>> = sums.iter().flat_map(|repo| args.rows(repo)).collect();
    rows.retain(|row| filters.iter().all(|filter| filter.passes(&row.subject(), now)));
    rows.sort_by(|one, other| sort.compare(&one.sorted(), &other.sorted()));
    rows.truncate(args.limit.unwrap_or(usize::MAX));
    if rows.is_empty() {
        return nothing_found(global.format());
    }
    match global.format() {
        Format::Json => {
            let rows: Vec<RowJson<'_>> =
                rows.iter().map(|row| row.json(&cache, &inventory)).collect();
            output::json(&rows)
        }
        Format::Quiet => rows.iter().try_for_each(|row| output::line(row.quiet())),
        Format::Human => {
            output::line(args.table(&rows, now))?;
            output::line(format_args!("\n{}", total(&rows, &inventory)))
        }
    }
}

/// Adds up the repos that are shown, each content once, whatever leads to it.
fn total(rows: &[Row<'_>], inventory: &Inventory) -> String {
    let repos: BTreeMap<_, _> = rows.iter().map(|row| (row.repo.id, row.repo)).collect();
    let revisions = || repos.values().flat_map(|repo| &repo.revisions);
    let files = revisions().flat_map(|revision| &revision.files);
    let contents: BTreeMap<&str, u64> = files
        .filter_map(|file| Some((inventory.content_of(file.id)?.at.as_str(), file.size?)))
        .collect();
    let (repos, revisions) = (repos.len(), revisions().count());
    let size = output::size(contents.values().sum());
    format!("Found {repos} repo(s) for a total of {revisions} revision(s) and {size} on disk.")
}

impl LsArgs {
    fn rows<'a>(&self, repo: &'a RepoSum) -> Vec<Row<'a>> {
        let of_revision = |revision: &'a RevisionSum| Row {
            repo,
            revision: Some(revision),
            file: None,
            refs: revision.refs.clone(),
            name: format!("{} {}", id(repo), revision.commit),
            size: revision.size,
            accessed: revision.accessed,
            modified: revision.modified,
        };
        if self.files {
            let files = repo.revisions.iter().flat_map(move |revision| {
                revision.files.iter().map(move |file| Row {
                    file: Some(file),
                    name: format!("{} {} {}", id(repo), revision.commit, file.name),
                    size: file.size.unwrap_or(0),
                    accessed: file.accessed,
                    modified: file.modified,
                    ..of_revision(revision)
                })
            });
            return files.collect();
        }
        if self.revisions {
            return repo.revisions.iter().map(of_revision).collect();
        }
        let mut refs: Vec<String> =
            repo.revisions.iter().flat_map(|revision| revision.refs.clone()).collect();
        refs.sort();
        vec![Row {
            repo,
            revision: None,
            file: None,
            refs,
            name: id(repo),
            size: repo.size,
            accessed: repo.accessed,
            modified: repo.modified,
        }]
    }

    fn table(&self, rows: &[Row<'_>], now: u64) -> String {
        let heading: &[&str] = match (self.files, self.revisions) {
            (true, _) => &["ID", "REVISION", "SIZE", "LAST_MODIFIED", "FILE", "NOTES"],
            (_, true) => &["ID", "REVISION", "SIZE", "LAST_MODIFIED", "REFS", "NOTES"],
            (_, _) => &["ID", "SIZE", "LAST_ACCESSED", "LAST_MODIFIED", "REFS", "NOTES"],
        };
        let cells: Vec<Vec<String>> = rows.iter().map(|row| row.cells(now)).collect();
        table(heading, &cells)
    }
}

impl Row<'_> {
    fn subject(&self) -> Subject<'_> {
        Subject {
            size: self.size,
            accessed: self.accessed,
            modified: self.modified,
            kind: self.repo.kind.singular(),
            refs: &self.refs,
        }
    }

    fn sorted(&self) -> Sorted<'_> {
        Sorted {
            name: &self.name,
            size: self.size,
            accessed: self.accessed,
            modified: self.modified,
        }
    }

    fn quiet(&self) -> String {
        match (self.revision, self.file) {
            (Some(revision), Some(file)) => {
                let kind = self.repo.kind;
                let is_model = kind == RepoKind::Model;
                let kind = if is_model { String::new() } else { format!("{}/", kind.plural()) };
                format!("hf://{kind}{}@{}/{}", self.repo.name, revision.commit, file.name)
            }
            (Some(revision), None) => revision.commit.clone(),
            (None, _) => id(self.repo),
        }
    }

    fn cells(&self, now: u64) -> Vec<String> {
        let short = |commit: &str| commit.chars().take(SHORT).collect::<String>();
        let (size, modified) = (output::size(self.size), ago(self.modified, now));
        let refs = self.refs.join(" ");
        match (self.revision, self.file) {
            (Some(revision), Some(file)) => {
                let size = file.size.map_or_else(|| "-".to_owned(), output::size);
                let notes = match (file.size, file.kind) {
                    (None, _) => "leads nowhere",
                    (Some(_), Kind::Symlink) => "link",
                    (Some(_), Kind::File | Kind::Directory | Kind::Other) => "file",
                };
                let commit = short(&revision.commit);
                vec![id(self.repo), commit, size, modified, file.name.clone(), notes.to_owned()]
            }
            (Some(revision), None) => {
                let notes = held(revision.hold).unwrap_or_default().to_owned();
                vec![id(self.repo), short(&revision.commit), size, modified, refs, notes]
            }
            (None, _) => {
                let accessed = ago(self.accessed, now);
                vec![id(self.repo), size, accessed, modified, refs, notes(self.repo)]
            }
        }
    }

    fn json<'a>(&'a self, cache: &CacheDir, inventory: &Inventory) -> RowJson<'a> {
        let snapshot = match (self.revision, self.file) {
            (Some(revision), None) => inventory.get(revision.id),
            (Some(_) | None, _) => None,
        };
        let whole = self.revision.is_none().then_some(WholeJson {
            revisions: self.repo.revisions.len(),
            files: self.repo.files,
            orphaned: self.repo.orphaned,
            incomplete: self.repo.unfinished,
            copied: self.repo.copied,
            shared: self.repo.shared,
        });
        let kind = self.file.map(|file| match file.kind {
            Kind::Symlink => "link",
            Kind::File => "file",
            Kind::Directory | Kind::Other => "other",
        });
        let holds = [Some(self.repo.hold), self.revision.map(|revision| revision.hold)];
        RowJson {
            id: id(self.repo),
            repo_id: &self.repo.name,
            repo_type: self.repo.kind.singular(),
            revision: self.revision.map(|revision| revision.commit.as_str()),
            file: self.file.map(|file| file.name.as_str()),
            snapshot_path: snapshot.map(|item| cache.native(&item.at)),
            kind,
            size: self.file.map_or(Some(self.size), |file| file.size),
            last_accessed: self.accessed,
            last_modified: self.modified,
            refs: &self.refs,
            whole,
            pinned: holds.contains(&Some(Hold::Pinned)),
            in_use: holds.contains(&Some(Hold::InUse)),
        }
    }
}

fn held(hold: Hold) -> Option<&'static str> {
    match hold {
        Hold::Free => None,
        Hold::Pinned => Some("pinned"),
        Hold::InUse => Some("in use"),
        Hold::Unsure => Some("not all can be read"),
    }
}

/// Says what is worth knowing of a repo.
fn notes(repo: &RepoSum) -> String {
    let bytes =
        |bytes: u64, what: &str| (bytes > 0).then(|| format!("{} {what}", output::size(bytes)));
    let pinned = repo.revisions.iter().any(|revision| revision.hold == Hold::Pinned);
    let partly = (repo.hold == Hold::Free && pinned).then(|| "partly pinned".to_owned());
    let notes = [
        held(repo.hold).map(str::to_owned),
        partly,
        bytes(repo.orphaned, "orphaned"),
        bytes(repo.unfinished, "unfinished"),
        bytes(repo.copied, "copied"),
        bytes(repo.shared, "shared"),
    ];
    notes.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
