//! The core as a component: lift, ask the core, lower. It decides nothing and knows nothing of its own.
//!
//! Built for `wasm32-unknown-unknown` and linked as a component, it imports nothing: the standard library of that target
//! has no system to ask. Names come in as text and are parsed before anything else, as at every edge.

mod care;
#[macro_use]
#[path = "../../../hosts/wasmtime/src/convert.rs"]
mod convert;
#[path = "../../../hosts/wasmtime/src/convert_care.rs"]
mod convert_care;
mod hub;
mod layout;
mod names;

#[cfg_attr(
    target_arch = "wasm32",
    expect(unsafe_code, reason = "generated: the canonical ABI is written in it")
)]
mod generated {
    wit_bindgen::generate!({ path: "../../wit", world: "core" });

    // The names of a component's exports are no symbols that a native linker takes.
    #[cfg(target_arch = "wasm32")]
    export!(Core with_types_in self);
    #[cfg(target_arch = "wasm32")]
    use super::Core;
}
use generated::exports::hubstow::placement::{care as wit_care, decisions as wit};

use hubstow_core::{learn, model, place, resolve};

/// The component.
struct Core;

impl wit::Guest for Core {
    fn resolve(facts: wit::ResolveFacts) -> wit::Resolution {
        resolve::resolve(&facts.into()).into()
    }

    fn place(facts: wit::PlaceFacts) -> wit::Decision {
        place::place(&facts.into()).into()
    }

    fn place_many(facts: Vec<wit::PlaceFacts>) -> Vec<wit::Decision> {
        facts.into_iter().map(Self::place).collect()
    }

    fn why(facts: wit::PlaceFacts) -> Option<wit::Reason> {
        place::why(&facts.into()).map(Into::into)
    }

    fn sentence_of_reason(reason: wit::Reason) -> String {
        hubstow_core::why::Reason::from(reason).sentence().to_owned()
    }

    fn learn(methods: wit::Methods, action: wit::Action, failure: wit::Failure) -> wit::Lesson {
        learn::learn(methods.into(), action.into(), failure.into()).into()
    }

    fn learn_done(methods: wit::Methods, action: wit::Action) -> wit::Methods {
        learn::learn_done(methods.into(), action.into()).into()
    }

    fn forecast(facts: wit::PlaceFacts, disk: wit::DiskKind) -> wit::Course {
        let (rounds, end) = model::forecast(&facts.into(), disk.into());
        wit::Course { rounds: rounds.into_iter().map(Into::into).collect(), end: end.into() }
    }

    fn parse_name(kind: wit::NameKind, text: String) -> Result<String, wit::NameError> {
        names::parse(kind, &text)
    }

    fn check_file_name(file: String, naming: wit::Naming) -> Result<(), wit::NameError> {
        Ok(names::file(&file)?.check(naming.into())?)
    }

    fn content_hash_of(etag: String) -> Result<wit::ContentHash, wit::NameError> {
        Ok(names::etag(&etag)?.content_hash().into())
    }

    fn path(tree: wit::Tree, item: wit::Item) -> Result<String, wit::NameError> {
        layout::path(&tree, &item)
    }

    fn is_reserved(tree: wit::Tree, file: String) -> Result<bool, wit::NameError> {
        Ok(layout::of(&tree)?.is_reserved(&names::file(&file)?))
    }

    fn pointer_steps(tree: wit::Tree, at: wit::FileAt) -> Result<Vec<wit::Step>, wit::NameError> {
        layout::pointer_steps(&tree, &at)
    }

    fn link_text(file: String, etag: String) -> Result<String, wit::NameError> {
        layout::link_text(&file, &etag)
    }

    fn etag_of_link(file: String, text: String) -> Result<Option<String>, wit::NameError> {
        layout::etag_of_link(&file, &text)
    }

    fn staged_of_base(base: String) -> Option<wit::StagedName> {
        layout::staged_of_base(&base)
    }

    fn read_head(
        status: u16,
        headers: wit::Headers,
        asked: String,
        lookup: wit::Lookup,
    ) -> Result<wit::Reply, wit::NameError> {
        hub::read_head(status, &headers, &asked, lookup)
    }

    fn refusal_of_status(status: u16, headers: wit::Headers) -> wit::Refusal {
        hubstow_core::hub::refusal_of_status(status, &(&headers).into()).into()
    }

    fn same_content(
        promised: wit::Metadata,
        headers: wit::Headers,
    ) -> Result<bool, wit::NameError> {
        hub::same_content(promised, &headers)
    }

    fn redirect(hop: wit::Hop) -> Result<wit::RedirectRule, wit::NameError> {
        hub::redirect(&hop)
    }

    fn retry(status: u16) -> wit::RetryRule {
        hubstow_core::hub::retry(status).into()
    }

    fn retry_after_s(retry_after: Option<String>, rate_limit: Option<String>) -> Option<u64> {
        hubstow_core::hub::retry_after_s(retry_after.as_deref(), rate_limit.as_deref())
    }

    fn backoff_ms(retry: u32) -> Option<u64> {
        hubstow_core::hub::Backoff::DEFAULT.wait_ms(retry)
    }

    fn url(
        endpoint: String,
        repo: wit::Repo,
        revision: String,
        page: wit::Page,
    ) -> Result<String, wit::NameError> {
        hub::url(&endpoint, &repo, &revision, &page)
    }
}
