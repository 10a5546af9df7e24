//! An in-memory cache entry that actions can be applied to.
//!
//! It is used for forecasts (dry runs, `explain`, docs) and by tests. A forecast is never executed as a list: a list is
//! where stale facts hide.

use alloc::vec::Vec;

use crate::{
    action::{Action, Decision, Source},
    cases,
    facts::{Blob, PlaceFacts, Pointer, RefFile, Staged, Twin},
    learn::{Failure, Lesson, learn, learn_done},
    place::{ROUND_LIMIT, place},
    policy::{Method, Support},
    why::{Reason, Refusal},
};

cases! {
    /// How a disk answers to a link method.
    pub enum Answers {
        /// It does it.
        Yes = "yes",
        /// It refuses, always.
        No = "no",
        /// It does it for a probe and refuses when it matters (row D39).
        OnlyProbe = "only-probe",
    }
}

/// A kind of disk: its answer to each link method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DiskKind {
    /// Symlinks.
    pub symlink: Answers,
    /// Hard links.
    pub hardlink: Answers,
    /// Reflinks.
    pub reflink: Answers,
}

impl DiskKind {
    /// A disk that does everything.
    pub const ALL_LINKS: Self =
        Self { symlink: Answers::Yes, hardlink: Answers::Yes, reflink: Answers::Yes };
    /// A disk that has no links at all, such as exFAT.
    pub const NO_LINKS: Self =
        Self { symlink: Answers::No, hardlink: Answers::No, reflink: Answers::No };

    fn answers(self, method: Method) -> Answers {
        match method {
            Method::Symlink => self.symlink,
            Method::Hardlink => self.hardlink,
            Method::Reflink => self.reflink,
            Method::Move | Method::Copy => Answers::Yes,
        }
    }
}

/// One file's place in a cache, on one kind of disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Model {
    /// What a host would see.
    pub facts: PlaceFacts,
    /// How the disk answers.
    pub disk: DiskKind,
}

/// One round of a forecast.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Round {
    /// The action.
    pub action: Action,
    /// Why it was chosen.
    pub reason: Reason,
}

/// How a forecast ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum End {
    /// The pointer serves.
    Reuse(Reason),
    /// Nothing right can be done.
    Refuse(Refusal),
    /// The bound was reached; the exhaustive test shows that this can't happen.
    Unfinished,
}

impl Model {
    /// Makes the model that a forecast starts from: what is already known of the disk goes before what is assumed of it.
    #[must_use]
    pub fn foreseen(facts: &PlaceFacts, assumed: DiskKind) -> Self {
        Self { facts: *facts, disk: known(facts, assumed) }
    }

    /// Applies one action and what its failure teaches; tells whether there is a way on.
    pub fn go_on(&mut self, action: Action) -> bool {
        let Err(failure) = self.apply(action) else { return true };
        match learn(self.facts.methods, action, failure) {
            Lesson::Again(methods) => {
                self.facts.methods = methods;
                true
            }
            Lesson::GiveUp => false,
        }
    }

    /// Applies one action, or says how it fails; a failed action changes nothing.
    ///
    /// # Errors
    /// [`Failure::Unsupported`] where this kind of disk refuses the method, [`Failure::Raced`] where what the action was
    /// decided over is not what is there.
    pub fn apply(&mut self, action: Action) -> Result<(), Failure> {
        let facts = &mut self.facts;
        match action {
            Action::Lookup(_) | Action::Mark => {}
            Action::Probe(method) => match self.disk.answers(method) {
                Answers::Yes | Answers::OnlyProbe => {}
                Answers::No => return Err(Failure::Unsupported),
            },
            Action::Fetch => facts.staged = Staged::Complete,
            Action::Seal { from, over } => {
                if over != facts.blob || !has(facts, from) {
                    return Err(Failure::Raced);
                }
                facts.blob = Blob::Existing;
                consume(facts, from);
            }
            Action::Place { by, from, over } => {
                if over != facts.pointer || !has(facts, from) {
                    return Err(Failure::Raced);
                }
                match self.disk.answers(by) {
                    Answers::Yes => {}
                    Answers::No | Answers::OnlyProbe => return Err(Failure::Unsupported),
                }
                facts.pointer = match by {
                    Method::Symlink => Pointer::Linked,
                    Method::Hardlink | Method::Reflink | Method::Move | Method::Copy => {
                        Pointer::Holds
                    }
                };
                consume(facts, from);
            }
            Action::Point => facts.ref_file = RefFile::Current,
        }
        facts.demand = action.demand_after(facts.demand);
        facts.methods = learn_done(facts.methods, action);
        Ok(())
    }
}

fn has(facts: &PlaceFacts, source: Source) -> bool {
    match source {
        Source::Blob => match facts.blob {
            Blob::Existing | Blob::Borrowed => true,
            Blob::Absent | Blob::Torn | Blob::Directory => false,
        },
        Source::Staged => facts.staged.is_complete(),
        Source::Twin => facts.twin == Twin::Present,
    }
}

fn consume(facts: &mut PlaceFacts, source: Source) {
    match source {
        Source::Staged => facts.staged = Staged::Absent,
        Source::Blob | Source::Twin => {}
    }
}

/// Returns what would be done from these facts on this kind of disk if nobody interfered.
#[must_use]
pub fn forecast(facts: &PlaceFacts, disk: DiskKind) -> (Vec<Round>, End) {
    let mut model = Model::foreseen(facts, disk);
    let mut rounds = Vec::new();
    for _ in 0..=ROUND_LIMIT {
        match place(&model.facts) {
            Decision::Reuse(reason) => return (rounds, End::Reuse(reason)),
            Decision::Refuse(refusal) => return (rounds, End::Refuse(refusal)),
            Decision::Act(action, reason) => {
                rounds.push(Round { action, reason });
                if !model.go_on(action) {
                    break;
                }
            }
        }
    }
    (rounds, End::Unfinished)
}

fn known(facts: &PlaceFacts, assumed: DiskKind) -> DiskKind {
    let answer = |support, assumed| match support {
        Support::Untried => assumed,
        Support::Works => Answers::Yes,
        Support::Refused => Answers::No,
    };
    DiskKind {
        symlink: answer(facts.methods.symlink, assumed.symlink),
        hardlink: answer(facts.methods.hardlink, assumed.hardlink),
        reflink: answer(facts.methods.reflink, assumed.reflink),
    }
}
