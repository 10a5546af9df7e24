//! A component that fits the interface and does everything that a host must not suffer.
//!
//! A component has no way to be told what to do, so its attack is written into it: a host overwrites `ATTACK` in the
//! bytes of the file. Without one it is as honest as the core.

mod attack;
mod care;
#[macro_use]
#[path = "../../../hosts/wasmtime/src/convert.rs"]
mod convert;
#[path = "../../../hosts/wasmtime/src/convert_care.rs"]
mod convert_care;
mod lie;

#[cfg_attr(
    target_arch = "wasm32",
    expect(unsafe_code, reason = "generated: the canonical ABI is written in it")
)]
mod generated {
    wit_bindgen::generate!({ path: "../../wit", world: "core" });

    #[cfg(target_arch = "wasm32")]
    export!(Hostile with_types_in self);
    #[cfg(target_arch = "wasm32")]
    use super::Hostile;
}
use generated::exports::hubstow::placement::{care as wit_care, decisions as wit};

use hubstow_core::{learn, model, place, resolve};

use attack::attack;

/// Where a host writes the name of the attack, filled up with dots.
static ATTACK: [u8; 48] = *b"hubstow-attack:.................................";

/// The component.
struct Hostile;

impl wit::Guest for Hostile {
    fn resolve(facts: wit::ResolveFacts) -> wit::Resolution {
        attack::strike();
        lie::resolution(attack(), &facts).unwrap_or_else(|| resolve::resolve(&facts.into()).into())
    }

    fn place(facts: wit::PlaceFacts) -> wit::Decision {
        attack::strike();
        lie::decision(attack(), &facts).unwrap_or_else(|| place::place(&facts.into()).into())
    }

    fn place_many(facts: Vec<wit::PlaceFacts>) -> Vec<wit::Decision> {
        let honest = facts.into_iter().map(Self::place);
        match attack() {
            "one-decision-too-few" => honest.skip(1).collect(),
            "two-million-decisions" => honest.cycle().take(2_000_000).collect(),
            _ => honest.collect(),
        }
    }

    fn why(facts: wit::PlaceFacts) -> Option<wit::Reason> {
        place::why(&facts.into()).map(Into::into)
    }

    fn sentence_of_reason(_reason: wit::Reason) -> String {
        match attack() {
            "long-answer" => "long ".repeat(400_000),
            // More than it can have, so that it fails on the way.
            "very-long-answer" => "long ".repeat(40_000_000),
            _ => String::new(),
        }
    }

    fn learn(methods: wit::Methods, action: wit::Action, failure: wit::Failure) -> wit::Lesson {
        lie::lesson(attack(), methods)
            .unwrap_or_else(|| learn::learn(methods.into(), action.into(), failure.into()).into())
    }

    fn learn_done(methods: wit::Methods, action: wit::Action) -> wit::Methods {
        learn::learn_done(methods.into(), action.into()).into()
    }

    fn forecast(facts: wit::PlaceFacts, disk: wit::DiskKind) -> wit::Course {
        let (rounds, end) = model::forecast(&facts.into(), disk.into());
        let rounds: Vec<wit::Round> = rounds.into_iter().map(Into::into).collect();
        match attack() {
            "endless-forecast" => wit::Course {
                rounds: rounds.into_iter().cycle().take(500).collect(),
                end: end.into(),
            },
            _ => wit::Course { rounds, end: end.into() },
        }
    }

    fn parse_name(_kind: wit::NameKind, text: String) -> Result<String, wit::NameError> {
        Ok(attack().strip_prefix("name=").map_or(text, str::to_owned))
    }

    fn read_head(
        status: u16,
        headers: wit::Headers,
        asked: String,
        lookup: wit::Lookup,
    ) -> Result<wit::Reply, wit::NameError> {
        lie::reply(attack(), status, &headers, &asked, lookup)
    }

    fn redirect(hop: wit::Hop) -> Result<wit::RedirectRule, wit::NameError> {
        Ok(lie::redirect(attack(), &hop))
    }

    fn check_file_name(_file: String, _naming: wit::Naming) -> Result<(), wit::NameError> {
        Ok(())
    }

    fn content_hash_of(_etag: String) -> Result<wit::ContentHash, wit::NameError> {
        Ok(wit::ContentHash::Opaque)
    }

    fn path(_tree: wit::Tree, _item: wit::Item) -> Result<String, wit::NameError> {
        Ok("../../etc/passwd".to_owned())
    }

    fn is_reserved(_tree: wit::Tree, _file: String) -> Result<bool, wit::NameError> {
        Ok(false)
    }

    fn pointer_steps(_tree: wit::Tree, _at: wit::FileAt) -> Result<Vec<wit::Step>, wit::NameError> {
        Ok(Vec::new())
    }

    fn link_text(_file: String, _etag: String) -> Result<String, wit::NameError> {
        Ok("../../etc/passwd".to_owned())
    }

    fn etag_of_link(_file: String, text: String) -> Result<Option<String>, wit::NameError> {
        Ok(Some(text))
    }

    fn staged_of_base(_base: String) -> Option<wit::StagedName> {
        None
    }

    fn refusal_of_status(_status: u16, _headers: wit::Headers) -> wit::Refusal {
        wit::Refusal::AnswerUnexpected
    }

    fn same_content(
        _promised: wit::Metadata,
        _headers: wit::Headers,
    ) -> Result<bool, wit::NameError> {
        Ok(true)
    }

    fn retry(_status: u16) -> wit::RetryRule {
        wit::RetryRule::Yes
    }

    fn retry_after_s(_retry_after: Option<String>, _rate_limit: Option<String>) -> Option<u64> {
        Some(u64::MAX)
    }

    fn backoff_ms(_retry: u32) -> Option<u64> {
        Some(u64::MAX)
    }

    fn url(
        _endpoint: String,
        _repo: wit::Repo,
        _revision: String,
        _page: wit::Page,
    ) -> Result<String, wit::NameError> {
        Ok("file:///etc/passwd".to_owned())
    }
}
