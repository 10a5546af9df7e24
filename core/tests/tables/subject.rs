//! What the rows are about: the crate itself. `tests/tests/component` has the same functions over the component.

use hubstow_core::{
    action::{Action, Decision, Lookup},
    facts::{PlaceFacts, ResolveFacts},
    hub::{Backoff, Endpoint, Headers, Hop, Metadata, Redirect, Retry},
    layout::{CachePath, RepoLayout},
    learn::{Failure, Lesson},
    model::{DiskKind, End, Round},
    name::{
        Commit, ContentHash, Etag, FileName, NameError, Naming, Nonce, Repo, RepoId, RepoKind,
        Revision,
    },
    policy::Methods,
    resolve::Resolution,
    why::{Reason, Refusal},
};

use crate::rows::{NameKind, Page, Place, Read, ReadFile, Refused};

/// An answer, unless a name is none.
type Answered<T> = Result<T, Refused>;

impl From<NameError> for Refused {
    fn from(error: NameError) -> Self {
        let message = error.to_string();
        Self { what: error.what().to_owned(), rule: error.rule().to_owned(), message }
    }
}

fn no_ref_file() -> Refused {
    let [what, rule] = ["ref file", "it holds no commit"].map(str::to_owned);
    let message = format!("what was read is not a {what}: {rule}");
    Refused { what, rule, message }
}

pub(crate) fn resolve(facts: &ResolveFacts) -> Resolution {
    hubstow_core::resolve::resolve(facts)
}

pub(crate) fn place(facts: &PlaceFacts) -> Decision {
    hubstow_core::place::place(facts)
}

pub(crate) fn why(facts: &PlaceFacts) -> Option<Reason> {
    hubstow_core::place::why(facts)
}

pub(crate) fn learn(methods: Methods, action: Action, failure: Failure) -> Lesson {
    hubstow_core::learn::learn(methods, action, failure)
}

pub(crate) fn learn_done(methods: Methods, action: Action) -> Methods {
    hubstow_core::learn::learn_done(methods, action)
}

pub(crate) fn forecast(facts: &PlaceFacts, disk: DiskKind) -> (Vec<Round>, End) {
    hubstow_core::model::forecast(facts, disk)
}

pub(crate) fn parse_name(kind: NameKind, text: &str) -> Answered<String> {
    let parsed = match kind {
        NameKind::RepoId => RepoId::parse(text).map(|name| name.to_string()),
        NameKind::RepoKind => RepoKind::parse(text).map(|name| name.to_string()),
        NameKind::Revision => Revision::parse(text).map(|name| name.to_string()),
        NameKind::Commit => Commit::parse(text).map(|name| name.to_string()),
        NameKind::Etag => Etag::parse(text).map(|name| name.to_string()),
        NameKind::EtagHeader => Etag::from_header(text).map(|name| name.to_string()),
        NameKind::RefFile => {
            let commit = Commit::from_ref_file(text.as_bytes());
            return commit.map(|commit| commit.to_string()).ok_or_else(no_ref_file);
        }
        NameKind::FileName => FileName::parse(text).map(|name| name.to_string()),
        NameKind::Nonce => Nonce::parse(text).map(|name| name.to_string()),
        NameKind::Endpoint => Endpoint::parse(text).map(|name| name.as_str().to_owned()),
    };
    Ok(parsed?)
}

pub(crate) fn check_file_name(file: &str, naming: Naming) -> Answered<()> {
    Ok(FileName::parse(file)?.check(naming)?)
}

pub(crate) fn content_hash_of(etag: &str) -> Answered<ContentHash> {
    Ok(Etag::parse(etag)?.content_hash())
}

fn layout(place: &Place) -> RepoLayout {
    if place.local {
        RepoLayout::local()
    } else {
        RepoLayout::new(&Repo::new(place.kind, place.repo.clone()))
    }
}

/// Returns the path of a thing by its word in the table.
pub(crate) fn path(what: &str, place: &Place) -> Result<String, String> {
    let layout = layout(place);
    let Place { revision, commit, file, etag, nonce, .. } = place;
    let path = match what {
        "repo" => layout.repo(),
        "blobs" => layout.blobs(),
        "blob" => layout.blob(etag),
        "staged" => layout.staged(etag, nonce),
        "snapshots" => layout.snapshots(),
        "snapshot" => layout.snapshot(commit),
        "pointer" => layout.pointer(commit, file),
        "ref-file" => layout.ref_file(revision),
        "link-scratch" => layout.link_scratch(file, nonce),
        "name-trial" => {
            let first = layout.name_trial(file, nonce).next();
            first.map(|(folder, _)| folder).ok_or("  a file name has no parts")?
        }
        "folded-snapshots" => layout.folded_snapshots(),
        "probe-folder" => RepoLayout::probe_folder(),
        "probe-file" => RepoLayout::probe_file(nonce),
        "no-exist" => layout.no_exist(commit, file),
        "listing" => layout.tree(commit),
        "lock" => layout.lock(etag),
        "private" => layout.private(),
        "scratch" => layout.scratch(nonce),
        "proof" => layout.proof(etag),
        "proofs" => layout.proofs(),
        "snapshot-proofs" => layout.snapshot_proofs(commit),
        "local-metadata" => RepoLayout::local_metadata(file),
        "cache-tag" => CachePath::cache_tag(),
        "root" => CachePath::root(),
        other => return Err(format!("  no such path: {other}")),
    };
    let joined = format!("{}/{}", path.parent(), path.base());
    if joined.strip_prefix('/').unwrap_or(&joined) != path.as_str() {
        return Err(format!("  parent and base of {path} together are {joined}"));
    }
    Ok(path.to_string())
}

pub(crate) fn is_reserved(place: &Place) -> bool {
    layout(place).is_reserved(&place.file)
}

/// Each folder on the way to the pointer, with the name that is looked for in it.
pub(crate) fn pointer_steps(place: &Place) -> Vec<[String; 2]> {
    let layout = layout(place);
    let steps = layout.pointer_steps(&place.commit, &place.file);
    steps.map(|(folder, name)| [folder.to_string(), name.to_owned()]).collect()
}

pub(crate) fn link_text(file: &FileName, etag: &Etag) -> String {
    RepoLayout::link_text(file, etag)
}

pub(crate) fn etag_of_link(file: &FileName, text: &str) -> Option<String> {
    RepoLayout::etag_of_link(file, text).map(|etag| etag.to_string())
}

/// Etag and nonce of a staged file.
pub(crate) fn staged_of_base(base: &str) -> Option<[String; 2]> {
    RepoLayout::parse_staged(base).map(|(etag, nonce)| [etag.to_string(), nonce.to_string()])
}

pub(crate) fn read_head(
    status: u16,
    headers: &Headers<'_>,
    asked: &Revision,
    lookup: Lookup,
) -> Read {
    let reply = hubstow_core::hub::read_head(status, headers, asked, lookup);
    Read {
        answer: reply.answer,
        commit: reply.commit.map(|commit| commit.to_string()),
        file: reply.metadata.map(|known| ReadFile {
            commit: known.commit.to_string(),
            etag: known.etag.to_string(),
            size: known.size,
            xet_hash: known.xet_hash,
        }),
        broken: reply.broken.map(|error| error.what().to_owned()),
    }
}

pub(crate) fn refusal_of_status(status: u16, headers: &Headers<'_>) -> Refusal {
    hubstow_core::hub::refusal_of_status(status, headers)
}

pub(crate) fn same_content(commit: &Commit, etag: &Etag, headers: &Headers<'_>) -> bool {
    let (commit, etag) = (commit.clone(), etag.clone());
    let promised = Metadata { commit, etag, size: None, xet_hash: None };
    hubstow_core::hub::same_content(&promised, headers)
}

pub(crate) fn redirect(endpoint: &str, from: &str, to: &str, followed: u32) -> Answered<Redirect> {
    let endpoint = Endpoint::parse(endpoint)?;
    let followed = usize::try_from(followed).unwrap_or(usize::MAX);
    let hop = Hop { from, to, endpoint: endpoint.origin(), followed };
    Ok(hubstow_core::hub::redirect(&hop))
}

pub(crate) fn retry(status: u16) -> Retry {
    hubstow_core::hub::retry(status)
}

pub(crate) fn retry_after_s(retry_after: Option<&str>, rate_limit: Option<&str>) -> Option<u64> {
    hubstow_core::hub::retry_after_s(retry_after, rate_limit)
}

pub(crate) fn backoff_ms(retry: u32) -> Option<u64> {
    Backoff::DEFAULT.wait_ms(retry)
}

pub(crate) fn url(
    endpoint: &str,
    repo: &Repo,
    revision: &Revision,
    page: Page<'_>,
) -> Answered<String> {
    let endpoint = Endpoint::parse(endpoint)?;
    Ok(match page {
        Page::File(file) => endpoint.file(repo, revision, file),
        Page::Revision => endpoint.revision(repo, revision),
        Page::Listing => endpoint.tree(repo, revision),
        Page::PathsInfo => endpoint.paths_info(repo, revision),
    })
}
