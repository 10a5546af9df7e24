//! Sweeps beside readers, beside a node that pins, and beside each other.

use hubstow_tier::decide::{
    Bounds, Candidate, Fresh, Held, Leftover, Recheck, is_leftover, plan, recheck,
};

use crate::explore::{Label, World, all_right, found};

/// The store's time at every sweep: all that is there is old by then.
const NOW: i64 = 1_000;

/// What is done wrong, if anything is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Seeded {
    Nothing,
    /// What was planned goes without a second look.
    Unchecked,
    /// The roots are not read a second time.
    OldRoots,
    /// The notes of uses are not read a second time.
    OldNotes,
    /// An object that has gone is an error to who reads it.
    GoneIsAnError,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    // Who reads:
    Open,
    NoteUse,
    // Who finds nothing:
    Fill,
    // Who pins, and then has the object brought if it is not there:
    WritePin,
    LookAtPinned,
    // Who sweeps:
    ListNotes,
    ListObjects { note: Option<i64> },
    ReadRoots { note: Option<i64>, object: i64 },
    ReadRootsAgain { planned: i64 },
    LookAtObject { planned: i64, held: Held },
    LookAtNote { planned: i64, held: Held, object: Option<i64> },
    DeleteObject,
    DeleteNote,
    Done,
    Failed,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Sweeps {
    seeded: Seeded,
    /// When the object was put.
    object: Option<i64>,
    /// When its use was last noted.
    note: Option<i64>,
    pinned: bool,
    /// The store's time of the last write.
    time: i64,
    actors: Vec<Step>,
    /// A sweep has read the roots before the pin was written, and deletes after: that is a miss, and no more.
    may_be_gone: bool,
    wrong: Option<&'static str>,
}

impl Sweeps {
    fn new(actors: &[Step], seeded: Seeded) -> Self {
        Self {
            seeded,
            object: Some(1),
            note: None,
            pinned: false,
            time: 1,
            actors: actors.to_vec(),
            may_be_gone: false,
            wrong: None,
        }
    }

    fn with(&self, at: usize, step: Step) -> Self {
        let mut next = self.clone();
        if let Some(actor) = next.actors.get_mut(at) {
            *actor = step;
        }
        next
    }

    fn held(&self) -> Held {
        if self.pinned { Held::Pinned } else { Held::Free }
    }

    fn put(&self, at: usize, step: Step) -> Self {
        let mut next = self.with(at, step);
        next.time += 1;
        next.object = Some(next.time);
        next
    }

    fn plan(&self, at: usize, note: Option<i64>, object: i64) -> Self {
        let used_at_ms = object.max(note.unwrap_or(i64::MIN));
        let candidate = Candidate { name: (), size_bytes: 1, used_at_ms, held: self.held() };
        let bounds = Bounds { max_bytes: Some(0), min_age_ms: 0, unused_for_ms: None };
        let goes = !plan(&[candidate], bounds, NOW).is_empty();
        let step = match (goes, self.seeded) {
            (false, _) => Step::Done,
            (true, Seeded::Unchecked) => return self.delete(at, used_at_ms, Held::Free),
            (true, Seeded::OldRoots) => {
                Step::LookAtObject { planned: used_at_ms, held: Held::Free }
            }
            (true, Seeded::Nothing | Seeded::OldNotes | Seeded::GoneIsAnError) => {
                Step::ReadRootsAgain { planned: used_at_ms }
            }
        };
        self.with(at, step)
    }

    /// A sweep is sure. Whether it may be is asked of what it must have seen by now: the pin, if it had been there when the
    /// roots were to be read again, and every use before this moment.
    fn delete(&self, at: usize, planned: i64, seen: Held) -> Self {
        let mut next = self.with(at, Step::DeleteObject);
        if self.note.is_some_and(|used| used > planned) {
            next.wrong = Some("what was used since the plan goes");
        }
        if self.pinned && seen == Held::Free && !self.may_be_gone {
            next.wrong = Some("what was pinned before the second look goes");
        }
        next
    }

    fn look(&self, at: usize, planned: i64, held: Held, object: Option<i64>) -> Self {
        let note = match self.seeded {
            Seeded::OldNotes => None,
            Seeded::Nothing | Seeded::Unchecked | Seeded::OldRoots | Seeded::GoneIsAnError => {
                self.note
            }
        };
        let used_at_ms = object.map(|at| at.max(note.unwrap_or(i64::MIN)));
        match recheck(planned, Fresh { used_at_ms, held }) {
            Recheck::Delete => self.delete(at, planned, held),
            Recheck::Gone | Recheck::Used | Recheck::Pinned => self.with(at, Step::Done),
        }
    }

    fn step(&self, at: usize, step: Step) -> Option<(Label, Self)> {
        let (name, next) = match step {
            Step::Done | Step::Failed => return None,
            Step::Open if self.object.is_some() => ("open", self.with(at, Step::NoteUse)),
            Step::Open if self.seeded == Seeded::GoneIsAnError => {
                ("open, gone", self.with(at, Step::Failed))
            }
            Step::Open => ("open, gone", self.with(at, Step::Fill)),
            Step::NoteUse => {
                let mut next = self.with(at, Step::Done);
                next.time += 1;
                next.note = Some(next.time);
                ("note the use", next)
            }
            Step::Fill => ("fill", self.put(at, Step::Done)),
            Step::WritePin => {
                let mut next = self.with(at, Step::LookAtPinned);
                next.pinned = true;
                // Those that have read the roots by now do not know of it.
                let late = |step: &Step| {
                    matches!(step, Step::LookAtObject { .. } | Step::LookAtNote { .. })
                        || matches!(step, Step::DeleteObject)
                };
                let checks = !matches!(self.seeded, Seeded::Unchecked | Seeded::OldRoots);
                next.may_be_gone = checks && self.actors.iter().any(late);
                ("pin", next)
            }
            Step::LookAtPinned if self.object.is_some() => ("look", self.with(at, Step::Done)),
            Step::LookAtPinned => ("look", self.with(at, Step::Fill)),
            Step::ListNotes => {
                ("list the notes", self.with(at, Step::ListObjects { note: self.note }))
            }
            Step::ListObjects { note } => {
                let step =
                    self.object.map_or(Step::Done, |object| Step::ReadRoots { note, object });
                ("list the objects", self.with(at, step))
            }
            Step::ReadRoots { note, object } => ("read the roots", self.plan(at, note, object)),
            Step::ReadRootsAgain { planned } => {
                let held = self.held();
                ("read the roots again", self.with(at, Step::LookAtObject { planned, held }))
            }
            Step::LookAtObject { planned, held } => {
                let object = self.object;
                ("look at it", self.with(at, Step::LookAtNote { planned, held, object }))
            }
            Step::LookAtNote { planned, held, object } => {
                ("look at its note", self.look(at, planned, held, object))
            }
            Step::DeleteObject => {
                let mut next = self.with(at, Step::DeleteNote);
                next.object = None;
                ("delete it", next)
            }
            Step::DeleteNote => {
                let mut next = self.with(at, Step::Done);
                next.note = None;
                ("delete its note", next)
            }
        };
        Some(((at, name), next))
    }
}

impl World for Sweeps {
    fn next(&self) -> Vec<(Label, Self)> {
        let actors = self.actors.iter().enumerate();
        actors.filter_map(|(at, step)| self.step(at, *step)).collect()
    }

    fn wrong(&self) -> Option<String> {
        let failed = self.actors.contains(&Step::Failed).then_some("a reader has got an error");
        self.wrong.or(failed).map(str::to_owned)
    }

    fn wrong_at_end(&self) -> Option<String> {
        if self.pinned && self.object.is_none() && !self.may_be_gone {
            return Some("a pinned object is gone".to_owned());
        }
        let note = Leftover::Note { patience_ms: 10 };
        let is_left = self.note.is_some_and(|at| !is_leftover(note, at, NOW));
        (self.object.is_none() && is_left).then(|| "a sweep leaves a note of nothing".to_owned())
    }
}

#[test]
fn sweeps_beside_all_others_take_nothing_that_was_used_or_pinned_and_cost_a_miss_at_most() {
    const SWEEP: Step = Step::ListNotes;
    let rows: [&[Step]; 5] = [
        &[SWEEP, Step::Open],
        &[SWEEP, Step::WritePin],
        &[SWEEP, SWEEP, Step::Open],
        &[SWEEP, SWEEP, Step::WritePin],
        &[SWEEP, SWEEP, Step::Open, Step::WritePin],
    ];
    for actors in rows {
        let seen = all_right(&format!("{actors:?}"), Sweeps::new(actors, Seeded::Nothing));
        assert!(seen.states > 20 && seen.ends > 1, "{seen:?}");
    }
}

#[test]
fn what_breaks_sweeping_is_found() {
    const SWEEP: Step = Step::ListNotes;
    let rows = [
        (Seeded::Unchecked, Step::Open, "used since the plan"),
        (Seeded::OldRoots, Step::WritePin, "pinned before the second look"),
        (Seeded::OldNotes, Step::Open, "used since the plan"),
        (Seeded::GoneIsAnError, Step::Open, "a reader has got an error"),
    ];
    for (seeded, other, reason) in rows {
        found(&format!("{seeded:?}"), Sweeps::new(&[SWEEP, other], seeded), reason);
    }
}
