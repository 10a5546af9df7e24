//! What a failed action teaches.
//!
//! A host reports a failure as one of three kinds; this is the only place that says what follows from it.

use crate::{
    action::{Action, Source},
    cases,
    policy::{Method, Methods, Support},
};

cases! {
    /// How an action failed.
    pub enum Failure {
        /// This method is not to be had in this cache directory.
        Unsupported = "unsupported",
        /// The facts were stale: somebody else acted between look and act.
        Raced = "raced",
        /// Nothing better is possible: no space, no permission, a failing disk.
        Fatal = "fatal",
    }
}

/// What is to be done after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Lesson {
    /// Look again, with this knowledge.
    Again(Methods),
    /// Report the failure.
    GiveUp,
}

/// Says what a failed action teaches about the methods of this cache directory.
#[must_use]
pub fn learn(methods: Methods, action: Action, failure: Failure) -> Lesson {
    match (action, failure) {
        (_, Failure::Raced) => Lesson::Again(methods),
        (Action::Probe(method), Failure::Unsupported)
        | (Action::Place { by: method, .. }, Failure::Unsupported) => match method {
            Method::Symlink | Method::Hardlink | Method::Reflink => {
                Lesson::Again(methods.with(method, Support::Refused))
            }
            Method::Move | Method::Copy => Lesson::GiveUp,
        },
        (
            Action::Lookup(_) | Action::Mark | Action::Fetch | Action::Seal { .. } | Action::Point,
            Failure::Unsupported,
        )
        | (_, Failure::Fatal) => Lesson::GiveUp,
    }
}

/// Says what a done action teaches: a method that has placed or probed, works.
#[must_use]
pub fn learn_done(methods: Methods, action: Action) -> Methods {
    match action {
        Action::Probe(method) => methods.with(method, Support::Works),
        Action::Place { by, from: Source::Blob | Source::Twin, .. } => {
            methods.with(by, Support::Works)
        }
        Action::Place { from: Source::Staged, .. }
        | Action::Lookup(_)
        | Action::Mark
        | Action::Fetch
        | Action::Seal { .. }
        | Action::Point => methods,
    }
}
