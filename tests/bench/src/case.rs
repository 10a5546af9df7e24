//! What a case is.

use crate::{
    client::{Client, Job},
    control::Behaviour,
    matrix::Cell,
    target::Target,
};

/// Some work, how the hub behaves meanwhile, and who does it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) behaviour: Behaviour,
    /// What each client does before, unmeasured, with nothing that slows it down.
    pub(crate) before: Option<Job>,
    pub(crate) job: Job,
    pub(crate) state: State,
    pub(crate) clients: Vec<Client>,
    pub(crate) targets: Vec<Target>,
    /// Its place in the matrix of lines, where it has one.
    pub(crate) cell: Option<Cell>,
}

impl Case {
    /// Tells whether its folders stay until the end: ext4 passes over every inode that was deleted within the last
    /// minutes, which makes each new file up to ten times as dear, for every client. The few files of a cell may go.
    pub(crate) fn makes_many_files(&self) -> bool {
        self.job.file.is_none() && self.cell.is_none()
    }
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
