//! Runs the loop from every start, with every single misfortune, and checks the invariants in every state.

use std::collections::BTreeMap;

use hubstow_core::{
    action::{Action, Decision},
    facts::{Demand, PlaceFacts},
    learn::{Failure, Lesson, learn_done},
    model::{Answers, DiskKind},
    policy::{Method, Methods, Policy, Support},
    why::Refusal,
};

use crate::{
    peer::Deed,
    state::{Luck, STATES, Setup, State, knowledge, likely, worlds},
    world::{BlobAt, PointerAt, RefAt, Shown, StagedAt, World, answers},
};

/// What decides, learns and acts: the core with a right host, or one with a seeded fault.
pub(crate) struct Mind {
    pub(crate) place: fn(&PlaceFacts) -> Decision,
    pub(crate) learn: fn(Methods, Action, Failure) -> Lesson,
    pub(crate) execute: fn(&mut World, DiskKind, Action) -> Result<(), Failure>,
}

/// What must hold. The numbers are those of the invariants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// I1: what an action puts at a visible name holds the content; what is reused does too.
    ShowsTheContent,
    /// I2: an action takes the content from no pointer that had it, ours or another's.
    KeepsWhatWasGood,
    /// I3: a published name is never moved away.
    MovesOnlyPrivateNames,
    /// I4: the ref is written when all that it promises is in place.
    WritesTheRefLast,
    /// I5: a second run does nothing.
    SecondRunRests,
    /// I6: nothing is fetched that is here and may serve.
    FetchesOnlyWhatIsMissing,
    /// I16: what has another name's place is left alone.
    TakesNobodysName,
    /// Force ends with what this run has brought.
    ForceBringsAnew,
    /// A refusal is right.
    RefusesOnlyWhatMustBe,
    /// What is learned is how the disk is.
    LearnsTheTruth,
    /// The run neither gives up nor asks for what is no matter of placing.
    GoesOn,
    /// The run ends.
    Ends,
}

/// The longest runs found, in actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Longest {
    /// When nobody interferes.
    pub(crate) calm: usize,
    /// When a peer interferes once.
    pub(crate) disturbed: usize,
    /// The run after a crash.
    pub(crate) after_crash: usize,
}

/// What an exploration found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) starts: usize,
    pub(crate) states: usize,
    pub(crate) acts: usize,
    pub(crate) longest: Longest,
    /// The broken rules, each with how often and a first example.
    pub(crate) broken: BTreeMap<Rule, (usize, String)>,
}

impl Found {
    pub(crate) fn join(mut self, other: Self) -> Self {
        self.starts += other.starts;
        self.states += other.states;
        self.acts += other.acts;
        self.longest.calm = self.longest.calm.max(other.longest.calm);
        self.longest.disturbed = self.longest.disturbed.max(other.longest.disturbed);
        self.longest.after_crash = self.longest.after_crash.max(other.longest.after_crash);
        for (rule, (times, example)) in other.broken {
            self.broken.entry(rule).or_insert((0, example)).0 += times;
        }
        self
    }
}

const UNKNOWN: u8 = 0;
const OPEN: u8 = u8::MAX;

struct Explorer<'a> {
    mind: &'a Mind,
    setup: Setup,
    /// One more than the actions that are left from a state in the worst case.
    left: Vec<u8>,
    found: Found,
}

/// Explores one policy on one kind of disk from every start: in calm with any knowledge, right or wrong; with misfortunes
/// where nothing is known, and where all is.
pub(crate) fn explore(mind: &Mind, setup: Setup) -> Found {
    let found = Found::default();
    let mut explorer = Explorer { mind, setup, left: vec![UNKNOWN; STATES], found };
    for methods in knowledge(setup.policy) {
        let likely = likely(setup, methods);
        for world in worlds() {
            for wanted in [Demand::Any, Demand::Fresh] {
                let calm = State { world, methods, demand: wanted, wanted, luck: Luck::Calm };
                explorer.start(calm, likely);
            }
        }
    }
    explorer.found
}

impl Explorer<'_> {
    fn start(&mut self, calm: State, likely: bool) {
        self.found.starts += 1;
        let longest = self.actions_left(calm);
        self.found.longest.calm = self.found.longest.calm.max(longest);
        if likely {
            let longest = self.actions_left(State { luck: Luck::Pending, ..calm });
            self.found.longest.disturbed = self.found.longest.disturbed.max(longest);
        }
    }

    fn break_rule(&mut self, rule: Rule, state: &State, action: Option<Action>) {
        let setup = self.setup;
        let (times, _) = self
            .found
            .broken
            .entry(rule)
            .or_insert_with(|| (0, format!("{setup:?}\n{state:?}\n{action:?}")));
        *times += 1;
    }

    /// The most actions that a run takes from this state, itself not counted where it has ended.
    fn actions_left(&mut self, state: State) -> usize {
        let index = state.index();
        match self.left[index] {
            UNKNOWN => {}
            OPEN => {
                self.break_rule(Rule::Ends, &state, None);
                return 0;
            }
            known => return usize::from(known) - 1,
        }
        self.left[index] = OPEN;
        self.found.states += 1;
        let left = self.look(state);
        self.left[index] = u8::try_from(left + 1).unwrap();
        left
    }

    fn look(&mut self, state: State) -> usize {
        match (self.mind.place)(&state.facts(self.setup.policy)) {
            Decision::Reuse(_) => {
                self.check_reuse(state);
                0
            }
            Decision::Refuse(refusal) => {
                if !refused_rightly(&state, self.setup.policy, refusal) {
                    self.break_rule(Rule::RefusesOnlyWhatMustBe, &state, None);
                }
                0
            }
            Decision::Act(action, _) => {
                self.check_action(&state, action);
                let calm = self.act(state, action);
                if state.luck == Luck::Pending {
                    self.crash(state, action);
                    calm.max(self.interfere(state, action))
                } else {
                    calm
                }
            }
        }
    }

    fn act(&mut self, state: State, action: Action) -> usize {
        match self.next(state, action) {
            Some(next) => 1 + self.actions_left(next),
            None => 1,
        }
    }

    /// A peer interferes before the look, or between look and act.
    fn interfere(&mut self, state: State, action: Action) -> usize {
        let mut longest = 0;
        for deed in Deed::ALL {
            if let Some(world) = deed.done_to(state.world) {
                let disturbed = State { world, luck: Luck::Disturbed, ..state };
                longest = longest.max(self.actions_left(disturbed));
                longest = longest.max(self.act(disturbed, action));
            }
        }
        longest
    }

    /// The run dies before the act, or after it. An act itself is atomic: what it leaves half done is private.
    fn crash(&mut self, state: State, action: Action) {
        let mut done = state;
        // What the act answered died with the run.
        let _ = (self.mind.execute)(&mut done.world, self.setup.disk, action);
        for moment in [state, done] {
            let longest = self.actions_left(moment.after_crash());
            self.found.longest.after_crash = self.found.longest.after_crash.max(longest);
        }
    }

    /// The state after an action and what it taught; none where the run gives up.
    fn next(&mut self, state: State, action: Action) -> Option<State> {
        self.found.acts += 1;
        let mut next = state;
        match (self.mind.execute)(&mut next.world, self.setup.disk, action) {
            Ok(()) => {
                next.demand = action.demand_after(state.demand);
                next.methods = learn_done(state.methods, action);
            }
            Err(failure) => match (self.mind.learn)(state.methods, action, failure) {
                Lesson::Again(methods) => next.methods = methods,
                Lesson::GiveUp => {
                    self.break_rule(Rule::GoesOn, &state, Some(action));
                    return None;
                }
            },
        }
        self.check_change(&state, &next, action);
        Some(next)
    }

    /// Checks an action in the moment in which it was decided.
    fn check_action(&mut self, state: &State, action: Action) {
        let world = state.world;
        let [ours, ..] = world.shown();
        let right = match action {
            Action::Lookup(_) | Action::Mark => Err(Rule::GoesOn),
            Action::Point if !ours.good() => Err(Rule::WritesTheRefLast),
            Action::Fetch => {
                let staged = matches!(world.staged, StagedAt::Complete | StagedAt::Elsewhere);
                let here = match state.demand {
                    Demand::Any => staged || world.blob_good() || world.twin_good() || ours.good(),
                    Demand::Fresh => staged,
                    Demand::FreshPointer => staged || world.blob_good(),
                };
                if here { Err(Rule::FetchesOnlyWhatIsMissing) } else { Ok(()) }
            }
            Action::Probe(_) | Action::Seal { .. } | Action::Place { .. } | Action::Point => Ok(()),
        };
        if let Err(rule) = right {
            self.break_rule(rule, state, Some(action));
        }
    }

    /// Checks what an action of ours has changed, and nothing but that: what peers do is not our doing.
    fn check_change(&mut self, before: &State, after: &State, action: Action) {
        let (was, is) = (before.world, after.world);
        let keeps_all =
            was.shown().iter().zip(is.shown()).all(|(was, is)| !was.good() || is.good());
        let [ours, ..] = is.shown();
        let shows_well = (was.pointer == is.pointer || ours.good())
            && (was.blob == is.blob || is.blob == BlobAt::Absent || is.blob_good());
        let unmoved = (was.blob == BlobAt::Absent || is.blob != BlobAt::Absent)
            && (was.other == is.other && was.peer == is.peer)
            && (was.pointer == PointerAt::Absent || is.pointer != PointerAt::Absent);
        let kept_off = [PointerAt::Folder, PointerAt::Alias]
            .into_iter()
            .all(|kind| was.pointer != kind || is.pointer == kind);
        let truth =
            [Method::Symlink, Method::Hardlink, Method::Reflink].into_iter().all(|method| {
                let (knew, knows) = (before.methods.support(method), after.methods.support(method));
                match (knows, answers(self.setup.disk, method)) {
                    _ if knew == knows => true,
                    (Support::Works, Answers::No) | (Support::Refused, Answers::Yes) => false,
                    (Support::Works | Support::Refused | Support::Untried, _) => true,
                }
            });
        for (holds, rule) in [
            (shows_well, Rule::ShowsTheContent),
            (keeps_all, Rule::KeepsWhatWasGood),
            (unmoved, Rule::MovesOnlyPrivateNames),
            (kept_off, Rule::TakesNobodysName),
            (truth, Rule::LearnsTheTruth),
        ] {
            if !holds {
                self.break_rule(rule, before, Some(action));
            }
        }
    }

    fn check_reuse(&mut self, state: State) {
        let [ours, ..] = state.world.shown();
        if !ours.good() {
            self.break_rule(Rule::ShowsTheContent, &state, None);
        }
        if state.world.ref_file == RefAt::Elsewhere {
            self.break_rule(Rule::WritesTheRefLast, &state, None);
        }
        // A peer that puts its own file in the place of ours may do so.
        let anew = ours == Shown::Fresh || state.luck == Luck::Disturbed;
        if state.wanted == Demand::Fresh && !anew {
            self.break_rule(Rule::ForceBringsAnew, &state, None);
        }
        for methods in [state.methods, Methods::UNTRIED] {
            let again = State { methods, demand: Demand::Any, ..state };
            let decision = (self.mind.place)(&again.facts(self.setup.policy));
            if !matches!(decision, Decision::Reuse(_)) {
                self.break_rule(Rule::SecondRunRests, &state, None);
            }
        }
    }
}

/// Tells whether nothing right could be done but to refuse.
fn refused_rightly(state: &State, policy: Policy, refusal: Refusal) -> bool {
    let [ours, ..] = state.world.shown();
    let refused = |method| state.methods.support(method) == Support::Refused;
    let links = [Method::Symlink, Method::Hardlink, Method::Reflink];
    let could_link = policy.ladder().iter().any(|m| links.contains(m) && !refused(*m));
    let served = ours.good() && state.demand == Demand::Any;
    match refusal {
        Refusal::PointerIsDirectory => state.world.pointer == PointerAt::Folder,
        Refusal::NameTaken => state.world.pointer == PointerAt::Alias,
        // A folder is nobody's to remove, and a link needs a blob.
        Refusal::BlobIsDirectory => state.world.blob == BlobAt::Folder && could_link && !served,
        // Only strict has no last resort.
        Refusal::NoMethodLeft => policy == Policy::Strict && refused(Method::Symlink) && !served,
        Refusal::ForceOffline
        | Refusal::NotCached
        | Refusal::CacheDamaged
        | Refusal::EntryNotFound
        | Refusal::RevisionNotFound
        | Refusal::RepoNotFound
        | Refusal::Unauthorized
        | Refusal::Forbidden
        | Refusal::Throttled
        | Refusal::HubFailing
        | Refusal::HubUnreachable
        | Refusal::AnswerIncomplete
        | Refusal::AnswerHostile
        | Refusal::OtherCommit
        | Refusal::AnswerUnexpected => false,
    }
}
