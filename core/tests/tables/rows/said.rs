//! Decisions in words, as the tables write them.

use hubstow_core::{
    action::{Action, Decision, Lookup, Source},
    facts::{Blob, Pointer},
    policy::Method,
    resolve::{Resolution, Served},
    why::{Reason, Refusal},
};
use serde::Deserialize;

use super::row::{Checked, same};

/// What a row expects of a decision: exactly one of `act`, `reuse`, `serve`, `proceed` and `refuse`.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    act: Option<String>,
    serve: Option<Served>,
    because: Option<Reason>,
    reuse: Option<Reason>,
    proceed: Option<Reason>,
    refuse: Option<Refusal>,
}

impl Said {
    pub(crate) fn check(&self, came: &Self) -> Checked {
        same("the decision", self, came)
    }

    fn acts(action: Action, because: Reason) -> Self {
        Self { act: Some(words(action)), because: Some(because), ..Self::default() }
    }
}

impl From<Decision> for Said {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Reuse(reason) => Self { reuse: Some(reason), ..Self::default() },
            Decision::Act(action, because) => Self::acts(action, because),
            Decision::Refuse(refusal) => Self { refuse: Some(refusal), ..Self::default() },
        }
    }
}

impl From<Resolution> for Said {
    fn from(resolution: Resolution) -> Self {
        match resolution {
            Resolution::Serve(served, because) => {
                Self { serve: Some(served), because: Some(because), ..Self::default() }
            }
            Resolution::Act(action, because) => Self::acts(action, because),
            Resolution::Proceed(reason) => Self { proceed: Some(reason), ..Self::default() },
            Resolution::Refuse(refusal) => Self { refuse: Some(refusal), ..Self::default() },
        }
    }
}

/// Writes an action in words.
pub(crate) fn words(action: Action) -> String {
    match action {
        Action::Lookup(how) => format!("lookup {how}"),
        Action::Mark => "mark".to_owned(),
        Action::Probe(method) => format!("probe {method}"),
        Action::Fetch => "fetch".to_owned(),
        Action::Seal { from, over } => format!("seal from {from} over {over}"),
        Action::Place { by, from, over } => format!("place by {by} from {from} over {over}"),
        Action::Point => "point".to_owned(),
    }
}

/// Reads an action from words.
pub(crate) fn action(text: &str) -> Option<Action> {
    let words: Vec<_> = text.split(' ').collect();
    Some(match words.as_slice() {
        ["lookup", how] => Action::Lookup(Lookup::from_code(how)?),
        ["mark"] => Action::Mark,
        ["probe", method] => Action::Probe(Method::from_code(method)?),
        ["fetch"] => Action::Fetch,
        ["seal", "from", from, "over", over] => {
            Action::Seal { from: Source::from_code(from)?, over: Blob::from_code(over)? }
        }
        ["place", "by", by, "from", from, "over", over] => Action::Place {
            by: Method::from_code(by)?,
            from: Source::from_code(from)?,
            over: Pointer::from_code(over)?,
        },
        ["point"] => Action::Point,
        _ => return None,
    })
}
