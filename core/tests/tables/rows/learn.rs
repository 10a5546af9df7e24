//! Rows about what an outcome teaches.

use hubstow_core::{
    learn::{Failure, Lesson},
    policy::{Method, Methods, Support},
};
use serde::Deserialize;

use super::{
    row::{Checked, Row, same},
    said::action,
};
use crate::subject;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outcome {
    methods: Methods,
    action: String,
    outcome: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Taught {
    #[serde(default)]
    give_up: bool,
    #[serde(default)]
    methods: Changed,
}

/// What is known afterwards and was not before.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    symlink: Option<Support>,
    hardlink: Option<Support>,
    reflink: Option<Support>,
}

impl Changed {
    fn after(&self, before: Methods) -> Methods {
        [
            (Method::Symlink, self.symlink),
            (Method::Hardlink, self.hardlink),
            (Method::Reflink, self.reflink),
        ]
        .into_iter()
        .fold(before, |known, (method, support)| {
            support.map_or(known, |support| known.with(method, support))
        })
    }
}

/// One row of `learn.toml`.
pub(crate) fn one_lesson(row: &Row) -> Checked {
    let given: Outcome = row.given()?;
    let expected: Taught = row.expect()?;
    let done = action(&given.action).ok_or_else(|| format!("  no action: {}", given.action))?;
    let lesson = if given.outcome == "done" {
        Lesson::Again(subject::learn_done(given.methods, done))
    } else {
        let failure = Failure::from_code(&given.outcome)
            .ok_or_else(|| format!("  no outcome: {}", given.outcome))?;
        subject::learn(given.methods, done, failure)
    };
    let expected = if expected.give_up {
        Lesson::GiveUp
    } else {
        Lesson::Again(expected.methods.after(given.methods))
    };
    same("the lesson", &expected, &lesson)
}
