//! What an error of the engine is to a client: upstream's own refusal where it has refused, and else a sentence. What the error says
//! of this machine goes to the log only.

use std::time::Duration;

use hubstow_client::{Error, ErrorKind, HubAnswer, Unfound, with_causes};
use hubstow_serve::Refusal;

use crate::limits::COME_AGAIN;

/// Refuses what may be had in a moment.
pub(crate) fn come_again(status: u16, message: &str) -> Refusal {
    let mut refusal = Refusal::new(status, message);
    refusal.retry_after = Some(COME_AGAIN);
    refusal
}

/// Turns an error into what is answered.
pub(crate) fn refusal_of(error: &Error) -> Refusal {
    if let Some(said) = error.hub_answer() {
        return repeated(said);
    }
    let (status, message, retry_after) = match error.kind() {
        ErrorKind::HubUnreachable => (504, "Upstream can't be reached", Some(COME_AGAIN)),
        ErrorKind::HubFailing => (502, "Upstream's answer is of no use", None),
        ErrorKind::Throttled { retry_after } => {
            (429, "Upstream limits the rate", Some(retry_after.unwrap_or(COME_AGAIN)))
        }
        ErrorKind::ContentMismatch => {
            (502, "What upstream sent is not what it had promised; try again", Some(COME_AGAIN))
        }
        ErrorKind::NoSpace => (507, "The disk of this server is full", None),
        ErrorKind::RepoNotFound => (404, "Repository not found", None),
        ErrorKind::RevisionNotFound => (404, "Revision not found", None),
        ErrorKind::EntryNotFound => (404, "Entry not found", None),
        ErrorKind::Usage
        | ErrorKind::NotCached
        | ErrorKind::AccessRefused
        | ErrorKind::Unauthorized
        | ErrorKind::Gated
        | ErrorKind::Disabled
        | ErrorKind::NotPermitted
        | ErrorKind::ReadOnly
        | ErrorKind::CacheObstructed
        | ErrorKind::NoMethodLeft
        | ErrorKind::Undecided
        | ErrorKind::Other
        | _ => (500, "The file could not be fetched; the log of this server says why", None),
    };
    if status >= 500 {
        tracing::warn!(error = %with_causes(error), "upstream was asked in vain");
    }
    let mut refusal = Refusal::new(status, message);
    refusal.retry_after = retry_after;
    refusal.code = code_of(error.kind()).map(str::to_owned);
    refusal
}

/// Turns what came instead of a file into what is answered.
pub(crate) fn refusal_of_unfound(unfound: &Unfound) -> Refusal {
    let mut refusal = refusal_of(&unfound.error);
    refusal.commit.clone_from(&unfound.commit);
    refusal
}

/// Tells whether a refusal may be another for somebody else: it is about access, or about how often somebody asks.
pub(crate) fn is_about_whoever_asked(refusal: &Refusal) -> bool {
    matches!(refusal.status, 401 | 403 | 404 | 429)
}

/// Repeats what upstream has said.
fn repeated(said: &HubAnswer) -> Refusal {
    let message = said.message.clone().unwrap_or_else(|| match said.status {
        401 => "Invalid username or password.".to_owned(),
        403 => "Upstream refuses access".to_owned(),
        404 => "Not found".to_owned(),
        429 => "Upstream limits the rate".to_owned(),
        status => format!("Upstream answered {status}"),
    });
    let mut refusal = Refusal::new(said.status, message);
    refusal.code.clone_from(&said.code);
    refusal.retry_after = said.retry_after.map(|wait| wait.max(Duration::from_secs(1)));
    refusal
}

fn code_of(kind: ErrorKind) -> Option<&'static str> {
    let codes = [
        (ErrorKind::RepoNotFound, "RepoNotFound"),
        (ErrorKind::RevisionNotFound, "RevisionNotFound"),
        (ErrorKind::EntryNotFound, "EntryNotFound"),
    ];
    codes.into_iter().find(|(of, _)| *of == kind).map(|(_, code)| code)
}
