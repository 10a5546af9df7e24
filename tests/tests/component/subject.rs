//! What the rows are about: the component. Each question is one call of what it exports, in an instance of its own, and
//! what comes back is its bare word. `core/tests/tables` has the same functions over the crate.

use std::{sync::LazyLock, time::Duration};

use hubstow_core::{
    action::{Action, Decision, Lookup},
    facts::{PlaceFacts, ResolveFacts},
    hub::{Headers, Redirect, Retry},
    learn::{Failure, Lesson},
    model::{DiskKind, End, Round},
    name::{Commit, ContentHash, Etag, FileName, Naming, Repo, Revision},
    policy::Methods,
    resolve::Resolution,
    why::{Reason, Refusal},
};
use hubstow_wasmtime::{Bounds, ComponentCore, Limits, Options, Pool, wit};
use wasmtime::Store;

use crate::rows::{NameKind, Page, Place, Read, ReadFile, Refused};

/// The component that is part of the host, loaded once. A busy machine may take longer than a host would wait.
pub(crate) static CORE: LazyLock<ComponentCore> = LazyLock::new(|| {
    let bounds = Bounds { deadline: Duration::from_secs(60), ..Bounds::DEFAULT };
    let options = Options { bounds, pool: Pool::Of(16) };
    ComponentCore::embedded_with(options).unwrap()
});

/// An answer, unless a name is none.
type Answered<T> = Result<T, Refused>;

fn ask<T>(call: impl FnOnce(&wit::Guest, &mut Store<Limits>) -> wasmtime::Result<T>) -> T {
    CORE.ask(1, call).unwrap()
}

fn answered<T>(answer: Result<T, wit::NameError>) -> Answered<T> {
    let refused = |wit::NameError { what, rule, message }| Refused { what, rule, message };
    answer.map_err(refused)
}

pub(crate) fn resolve(facts: &ResolveFacts) -> Resolution {
    ask(|core, store| core.call_resolve(store, (*facts).into())).into()
}

pub(crate) fn place(facts: &PlaceFacts) -> Decision {
    ask(|core, store| core.call_place(store, (*facts).into())).into()
}

pub(crate) fn why(facts: &PlaceFacts) -> Option<Reason> {
    ask(|core, store| core.call_why(store, (*facts).into())).map(Into::into)
}

pub(crate) fn learn(methods: Methods, action: Action, failure: Failure) -> Lesson {
    let (methods, action, failure) = (methods.into(), action.into(), failure.into());
    ask(|core, store| core.call_learn(store, methods, action, failure)).into()
}

pub(crate) fn learn_done(methods: Methods, action: Action) -> Methods {
    ask(|core, store| core.call_learn_done(store, methods.into(), action.into())).into()
}

pub(crate) fn forecast(facts: &PlaceFacts, disk: DiskKind) -> (Vec<Round>, End) {
    let course = ask(|core, store| core.call_forecast(store, (*facts).into(), disk.into()));
    (course.rounds.into_iter().map(Into::into).collect(), course.end.into())
}

impl From<NameKind> for wit::NameKind {
    fn from(kind: NameKind) -> Self {
        match kind {
            NameKind::RepoId => Self::RepoId,
            NameKind::RepoKind => Self::RepoKind,
            NameKind::Revision => Self::Revision,
            NameKind::Commit => Self::Commit,
            NameKind::Etag => Self::Etag,
            NameKind::EtagHeader => Self::EtagHeader,
            NameKind::RefFile => Self::RefFile,
            NameKind::FileName => Self::FileName,
            NameKind::Nonce => Self::Nonce,
            NameKind::Endpoint => Self::Endpoint,
        }
    }
}

pub(crate) fn parse_name(kind: NameKind, text: &str) -> Answered<String> {
    answered(ask(|core, store| core.call_parse_name(store, kind.into(), text)))
}

pub(crate) fn check_file_name(file: &str, naming: Naming) -> Answered<()> {
    answered(ask(|core, store| core.call_check_file_name(store, file, naming.into())))
}

pub(crate) fn content_hash_of(etag: &str) -> Answered<ContentHash> {
    answered(ask(|core, store| core.call_content_hash_of(store, etag))).map(Into::into)
}

fn tree(place: &Place) -> wit::Tree {
    if place.local {
        return wit::Tree::Local;
    }
    wit::Tree::Shared(wit::Repo { kind: place.kind.into(), id: place.repo.to_string() })
}

fn at(place: &Place) -> wit::FileAt {
    wit::FileAt { commit: place.commit.to_string(), file: place.file.to_string() }
}

/// Returns the path of a thing by its word in the table.
pub(crate) fn path(what: &str, place: &Place) -> Result<String, String> {
    let (etag, nonce) = (|| place.etag.to_string(), || place.nonce.to_string());
    let (commit, file) = (|| place.commit.to_string(), || place.file.to_string());
    let trial = || wit::Trial { file: file(), nonce: nonce() };
    let item = match what {
        "root" => wit::Item::Root,
        "cache-tag" => wit::Item::CacheTag,
        "repo" => wit::Item::Repo,
        "blobs" => wit::Item::Blobs,
        "blob" => wit::Item::Blob(etag()),
        "staged" => wit::Item::Staged(wit::StagedName { etag: etag(), nonce: nonce() }),
        "snapshots" => wit::Item::Snapshots,
        "folded-snapshots" => wit::Item::FoldedSnapshots,
        "snapshot" => wit::Item::Snapshot(commit()),
        "pointer" => wit::Item::Pointer(at(place)),
        "ref-file" => wit::Item::RefFile(place.revision.to_string()),
        "no-exist" => wit::Item::NoExist(at(place)),
        "listing" => wit::Item::Listing(commit()),
        "lock" => wit::Item::Lock(etag()),
        "private" => wit::Item::Private,
        "scratch" => wit::Item::Scratch(nonce()),
        "link-scratch" => wit::Item::LinkScratch(trial()),
        "name-trial" => wit::Item::NameTrial(trial()),
        "proof" => wit::Item::Proof(etag()),
        "probe-folder" => wit::Item::ProbeFolder,
        "probe-file" => wit::Item::ProbeFile(nonce()),
        "local-metadata" => wit::Item::LocalMetadata(file()),
        other => return Err(format!("  no such item: {other}")),
    };
    Ok(answered(ask(|core, store| core.call_path(store, &tree(place), &item)))?)
}

pub(crate) fn is_reserved(place: &Place) -> bool {
    let (tree, file) = (tree(place), place.file.as_str());
    ask(|core, store| core.call_is_reserved(store, &tree, file)).unwrap()
}

/// Each folder on the way to the pointer, with the name that is looked for in it.
pub(crate) fn pointer_steps(place: &Place) -> Vec<[String; 2]> {
    let steps = ask(|core, store| core.call_pointer_steps(store, &tree(place), &at(place)));
    steps.unwrap().into_iter().map(|step| [step.folder, step.name]).collect()
}

pub(crate) fn link_text(file: &FileName, etag: &Etag) -> String {
    ask(|core, store| core.call_link_text(store, file.as_str(), etag.as_str())).unwrap()
}

pub(crate) fn etag_of_link(file: &FileName, text: &str) -> Option<String> {
    ask(|core, store| core.call_etag_of_link(store, file.as_str(), text)).unwrap()
}

/// Etag and nonce of a staged file.
pub(crate) fn staged_of_base(base: &str) -> Option<[String; 2]> {
    let staged = ask(|core, store| core.call_staged_of_base(store, base));
    staged.map(|name| [name.etag, name.nonce])
}

pub(crate) fn read_head(
    status: u16,
    headers: &Headers<'_>,
    asked: &Revision,
    lookup: Lookup,
) -> Read {
    let (headers, asked) = (headers.into(), asked.as_str());
    let reply =
        ask(|core, store| core.call_read_head(store, status, &headers, asked, lookup.into()));
    let reply = reply.unwrap();
    Read {
        answer: reply.answer.into(),
        commit: reply.commit,
        file: reply.metadata.map(|known| ReadFile {
            commit: known.commit,
            etag: known.etag,
            size: known.size,
            xet_hash: known.xet_hash,
        }),
        broken: reply.broken.map(|error| error.what),
    }
}

pub(crate) fn refusal_of_status(status: u16, headers: &Headers<'_>) -> Refusal {
    ask(|core, store| core.call_refusal_of_status(store, status, &headers.into())).into()
}

pub(crate) fn same_content(commit: &Commit, etag: &Etag, headers: &Headers<'_>) -> bool {
    let (commit, etag) = (commit.to_string(), etag.to_string());
    let promised = wit::Metadata { commit, etag, size: None, xet_hash: None };
    ask(|core, store| core.call_same_content(store, &promised, &headers.into())).unwrap()
}

pub(crate) fn redirect(endpoint: &str, from: &str, to: &str, followed: u32) -> Answered<Redirect> {
    let [from, to, endpoint] = [from, to, endpoint].map(str::to_owned);
    let hop = wit::Hop { from, to, endpoint, followed };
    answered(ask(|core, store| core.call_redirect(store, &hop))).map(Into::into)
}

pub(crate) fn retry(status: u16) -> Retry {
    ask(|core, store| core.call_retry(store, status)).into()
}

pub(crate) fn retry_after_s(retry_after: Option<&str>, rate_limit: Option<&str>) -> Option<u64> {
    ask(|core, store| core.call_retry_after_s(store, retry_after, rate_limit))
}

pub(crate) fn backoff_ms(retry: u32) -> Option<u64> {
    ask(|core, store| core.call_backoff_ms(store, retry))
}

pub(crate) fn url(
    endpoint: &str,
    repo: &Repo,
    revision: &Revision,
    page: Page<'_>,
) -> Answered<String> {
    let page = match page {
        Page::File(file) => wit::Page::File(file.to_string()),
        Page::Revision => wit::Page::Revision,
        Page::Listing => wit::Page::Listing,
        Page::PathsInfo => wit::Page::PathsInfo,
    };
    let repo = wit::Repo { kind: repo.kind.into(), id: repo.id.to_string() };
    answered(ask(|core, store| core.call_url(store, endpoint, &repo, revision.as_str(), &page)))
}
