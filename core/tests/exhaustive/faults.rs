//! Seeded faults: each is a mistake that a peer has made or that a hasty change could make. The exploration must catch
//! every one of them, or it proves nothing about the core.

use hubstow_core::{
    action::{Action, Decision, Source},
    facts::{Blob, Demand, PlaceFacts, Pointer, RefFile, Staged, Twin},
    learn::{Failure, Lesson, learn},
    model::DiskKind,
    place::place,
    policy::{Method, Methods, Support},
    why::Reason,
};

use crate::{
    explore::{Mind, Rule},
    world::{World, execute, execute_unchecked},
};

/// The core as it is, with a host that does what hosts must.
pub(crate) const CORE: Mind = Mind { place, learn, execute };

/// A fault, and the rules that it breaks for certain.
pub(crate) struct Fault {
    pub(crate) name: &'static str,
    pub(crate) mind: Mind,
    pub(crate) breaks: &'static [Rule],
}

pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "an existing blob is moved, as the degraded Python client does under force",
        mind: Mind { place: moves_existing_blob, ..CORE },
        breaks: &[Rule::KeepsWhatWasGood, Rule::MovesOnlyPrivateNames],
    },
    Fault {
        name: "a borrowed blob is moved",
        mind: Mind { place: moves_borrowed_blob, ..CORE },
        breaks: &[Rule::ShowsTheContent, Rule::KeepsWhatWasGood, Rule::MovesOnlyPrivateNames],
    },
    Fault {
        name: "a name that exists is trusted",
        mind: Mind { place: trusts_what_exists, ..CORE },
        breaks: &[Rule::ShowsTheContent],
    },
    Fault {
        name: "nothing is learned from a refused method",
        mind: Mind { learn: learns_nothing, ..CORE },
        breaks: &[Rule::Ends],
    },
    Fault {
        name: "a race is taken for a refusal",
        mind: Mind { learn: takes_races_for_refusals, ..CORE },
        breaks: &[Rule::LearnsTheTruth],
    },
    Fault {
        name: "the download is sealed before links are probed, and then moved as our own",
        mind: Mind { place: seals_before_probing, ..CORE },
        breaks: &[Rule::KeepsWhatWasGood, Rule::MovesOnlyPrivateNames],
    },
    Fault {
        name: "the ref is written first, as the Python client does",
        mind: Mind { place: writes_the_ref_first, ..CORE },
        breaks: &[Rule::WritesTheRefLast],
    },
    Fault {
        name: "neither `over` nor the source is checked in the act",
        mind: Mind { execute: execute_unchecked, ..CORE },
        breaks: &[Rule::ShowsTheContent, Rule::KeepsWhatWasGood],
    },
    Fault {
        name: "`over` is not checked in the act",
        mind: Mind { execute: ignores_over, ..CORE },
        breaks: &[Rule::TakesNobodysName],
    },
    Fault {
        name: "a hard link is made of whatever is at the blob's path",
        mind: Mind { execute: hardlinks_anything, ..CORE },
        breaks: &[Rule::ShowsTheContent],
    },
    Fault {
        name: "force counts what was here before",
        mind: Mind { place: forgets_force, ..CORE },
        breaks: &[Rule::ForceBringsAnew],
    },
    Fault {
        name: "the twin is overlooked",
        mind: Mind { place: overlooks_the_twin, ..CORE },
        breaks: &[Rule::FetchesOnlyWhatIsMissing],
    },
];

fn moves_blob(facts: &PlaceFacts, which: Blob) -> Decision {
    let decision = place(facts);
    if facts.blob == which
        && let Decision::Act(Action::Place { by: Method::Copy, from: Source::Blob, over }, why) =
            decision
    {
        return Decision::Act(Action::Place { by: Method::Move, from: Source::Blob, over }, why);
    }
    decision
}

fn moves_existing_blob(facts: &PlaceFacts) -> Decision {
    moves_blob(facts, Blob::Existing)
}

fn moves_borrowed_blob(facts: &PlaceFacts) -> Decision {
    moves_blob(facts, Blob::Borrowed)
}

fn trusts_what_exists(facts: &PlaceFacts) -> Decision {
    let mut trusted = *facts;
    if facts.pointer == Pointer::Torn {
        trusted.pointer = Pointer::Holds;
    }
    if facts.blob == Blob::Torn {
        trusted.blob = Blob::Existing;
    }
    place(&trusted)
}

fn learns_nothing(methods: Methods, action: Action, failure: Failure) -> Lesson {
    match learn(methods, action, failure) {
        Lesson::Again(_) => Lesson::Again(methods),
        Lesson::GiveUp => Lesson::GiveUp,
    }
}

fn takes_races_for_refusals(methods: Methods, action: Action, failure: Failure) -> Lesson {
    if let (Action::Place { by, .. }, Failure::Raced) = (action, failure) {
        return Lesson::Again(methods.with(by, Support::Refused));
    }
    learn(methods, action, failure)
}

fn seals_before_probing(facts: &PlaceFacts) -> Decision {
    let Decision::Act(Action::Probe(_), why) = place(facts) else {
        return moves_existing_blob(facts);
    };
    let hasty = match facts.staged {
        Staged::Complete | Staged::Elsewhere => {
            Action::Seal { from: Source::Staged, over: facts.blob }
        }
        Staged::Absent | Staged::Partial => Action::Fetch,
    };
    Decision::Act(hasty, why)
}

fn writes_the_ref_first(facts: &PlaceFacts) -> Decision {
    match facts.ref_file {
        RefFile::Behind => Decision::Act(Action::Point, Reason::RefBehind),
        RefFile::Current | RefFile::Unwanted | RefFile::Unwritable => place(facts),
    }
}

fn ignores_over(world: &mut World, disk: DiskKind, mut action: Action) -> Result<(), Failure> {
    if let Action::Place { over, .. } = &mut action {
        *over = world.seen_pointer();
    }
    if let Action::Seal { over, .. } = &mut action {
        *over = world.seen_blob();
    }
    execute(world, disk, action)
}

fn hardlinks_anything(world: &mut World, disk: DiskKind, action: Action) -> Result<(), Failure> {
    if let Action::Place { by: Method::Hardlink, from: Source::Blob, over } = action
        && over == world.seen_pointer()
        && world.blob_good()
    {
        return execute_unchecked(world, disk, action);
    }
    execute(world, disk, action)
}

fn forgets_force(facts: &PlaceFacts) -> Decision {
    place(&PlaceFacts { demand: Demand::Any, ..*facts })
}

fn overlooks_the_twin(facts: &PlaceFacts) -> Decision {
    place(&PlaceFacts { twin: Twin::Absent, ..*facts })
}
