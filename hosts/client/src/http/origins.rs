//! What answers have shown of the origin that they came from. It is kept where requests to that origin go in (`gate.rs`).

use std::time::Duration;

/// What is known of an origin by its answers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown {
    /// How long an answer takes to begin; `None` where none has come.
    pub(crate) delay: Option<Duration>,
    pub(crate) ranges: Ranges,
}

/// Whether an origin gives ranges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ranges {
    /// It has not been seen to give none.
    #[default]
    Possible,
    Refused,
}

impl Shown {
    /// An answer has begun after so long.
    pub(crate) fn answered(&mut self, took: Duration) {
        self.delay = Some(self.delay.map_or(took, |known| (known * 3 + took) / 4));
    }
}
