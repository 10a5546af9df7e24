//! Rows about placing: one decision, or the whole way to the end.

use hubstow_core::{
    action::Decision,
    facts::PlaceFacts,
    learn::Lesson,
    model::{DiskKind, End, Model},
    why::{Reason, Refusal},
};
use serde::Deserialize;

use super::{
    row::{Checked, Row, same},
    said::{Said, words},
};
use crate::subject;

/// One row of `place.toml`.
pub(crate) fn one_decision(row: &Row) -> Checked {
    let facts: PlaceFacts = row.given()?;
    let expected: Said = row.expect()?;
    let decision = subject::place(&facts);
    expected.check(&decision.into())?;
    let reason = match decision {
        Decision::Reuse(reason) | Decision::Act(_, reason) => Some(reason),
        Decision::Refuse(_) => None,
    };
    same("the reason alone", &reason, &subject::why(&facts))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Start {
    facts: PlaceFacts,
    disk: DiskKind,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Course {
    actions: Vec<String>,
    reuse: Option<Reason>,
    refuse: Option<Refusal>,
    #[serde(default)]
    leaves: toml::Table,
}

/// One row of `forecast.toml`.
pub(crate) fn whole_forecast(row: &Row) -> Checked {
    let Start { facts, disk } = row.given()?;
    let expected: Course = row.expect()?;
    let (rounds, end) = subject::forecast(&facts, disk);
    let actions: Vec<_> = rounds.iter().map(|round| words(round.action)).collect();
    same("the actions", &expected.actions, &actions)?;
    let (reuse, refuse) = match end {
        End::Reuse(reason) => (Some(reason), None),
        End::Refuse(refusal) => (None, Some(refusal)),
        End::Unfinished => return Err("  it does not end".to_owned()),
    };
    same("the end", &(expected.reuse, expected.refuse), &(reuse, refuse))?;
    let last = toml::Table::try_from(follow(facts, disk)?).map_err(|error| error.to_string())?;
    for (key, value) in &expected.leaves {
        same(&format!("`{key}` in the end"), &Some(value), &last.get(key))?;
    }
    Ok(())
}

/// Goes the way of the forecast step by step and returns what is there in the end.
fn follow(facts: PlaceFacts, disk: DiskKind) -> Result<PlaceFacts, String> {
    let mut model = Model { facts, disk };
    while let Decision::Act(action, _) = subject::place(&model.facts) {
        if let Err(failure) = model.apply(action) {
            match subject::learn(model.facts.methods, action, failure) {
                Lesson::Again(methods) => model.facts.methods = methods,
                Lesson::GiveUp => return Err(format!("  {} gives up", words(action))),
            }
        }
    }
    Ok(model.facts)
}
