//! What a case is.

use crate::{
    client::{Client, Job},
    control::Behaviour,
    target::Target,
};

/// Some work, how the hub behaves meanwhile, and who does it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) behaviour: Behaviour,
    /// What each client does before, unmeasured, with nothing that slows it down.
    pub(crate) before: Option<Job>,
    pub(crate) job: Job,
    pub(crate) state: State,
    pub(crate) clients: Vec<Client>,
    pub(crate) targets: Vec<Target>,
}

/// What a repetition starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// An empty folder, in which what comes before is done anew.
    Fresh,
    /// What the repetition before it left. These are short, so there are more of them.
    Kept,
}

impl State {
    /// Returns how often the work is done where `repeat` is asked for.
    pub(crate) fn repetitions(self, repeat: usize) -> usize {
        match self {
            Self::Fresh => repeat,
            Self::Kept => repeat * 3,
        }
    }
}
