//! The bounded loop: look, ask, act, look again.
//!
//! The loop has no colour: it does the local actions itself and hands fetching back to the host, which does it async on
//! tokio, blocking under WASI, or from a script. Who decides is not its affair, and is asked through the guard only.

use hubstow_core::{
    action::{Action, Decision, Source},
    decide::Guarded,
    facts::{Demand, Force, PlaceFacts, RefFile, Staged},
    layout::CachePath,
    learn::{Failure, Lesson, learn_done},
    place::ROUND_LIMIT,
    policy::Method,
    why::Reason,
};

use crate::{
    cache::target::Target,
    disk::{
        cancel::Cancel,
        failure::{FsError, as_unsupported, failure_of, with_causes},
    },
    execute::Bytes,
    observe::{Observed, OwnFacts, many::Observation, view::View},
    staged::{Keep, StagedFile},
};

/// How many rounds may be lost to others who change the cache at the same time.
const RACE_ALLOWANCE: usize = 20;

/// What the loop wants next.
#[derive(Debug)]
pub enum Next {
    /// The host must fetch into the staged file, and then go on. It is worth taking the lock first.
    Fetch,
    /// The pointer serves.
    Done(Outcome),
}

/// How a target got to its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The method and source of the placing; `None` where the pointer served as it was.
    pub placed: Option<(Method, Source)>,
    /// Whether the blob was made by this run; where an old pointer leads to it, nothing had to be placed.
    pub sealed: bool,
    /// The core's reason for the placing, or for the reuse.
    pub reason: Reason,
}

/// One target on its way to its place.
pub struct Placing {
    cache: View,
    decider: Guarded,
    target: Target,
    demand: Demand,
    staged: Option<StagedFile>,
    /// What was observed before, to be acted on once.
    observed: Option<Observed>,
    twin_failed: bool,
    ref_error: Option<FsError>,
    ref_file: RefFile,
    rounds: usize,
    placed: Option<(Method, Source, Reason)>,
    /// Why the blob was sealed, where that alone made an old pointer good.
    sealed: Option<Reason>,
}

impl Placing {
    /// Starts to place a target.
    #[must_use]
    pub fn new(cache: View, decider: Guarded, target: Target, force: Force) -> Self {
        Self {
            cache,
            decider,
            target,
            demand: force.into(),
            staged: None,
            observed: None,
            twin_failed: false,
            ref_error: None,
            ref_file: RefFile::Unwanted,
            rounds: 0,
            placed: None,
            sealed: None,
        }
    }

    /// Takes what [`View::observe_many`] says of the target, so that it is not looked at again before the first action.
    #[must_use]
    pub fn with_observation(mut self, observation: Observation) -> Self {
        let Observation { facts, twin, size: _ } = observation;
        self.observed = Some(Observed { facts, twin });
        self
    }

    /// Sets what ends copying and hashing in what follows.
    pub fn stopped_by(&mut self, cancel: Cancel) {
        if let Some(staged) = &mut self.staged {
            staged.stopped_by(cancel.clone());
        }
        self.cache = self.cache.stopped_by(cancel);
    }

    /// Returns the target.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Returns why the ref could not be written, in words, if it could not.
    #[must_use]
    pub fn ref_error(&self) -> Option<String> {
        match (&self.ref_error, self.ref_file) {
            (Some(error), _) => Some(with_causes(error)),
            (None, RefFile::Unwritable) => Some("a folder has its name".to_owned()),
            (None, RefFile::Unwanted | RefFile::Current | RefFile::Behind) => None,
        }
    }

    /// Takes the staged file that the host has filled, complete or not.
    pub fn fetched(&mut self, staged: StagedFile) {
        self.staged = Some(staged);
    }

    /// Hands out the staged file to be filled, opening it first if there is none.
    ///
    /// # Errors
    /// A file that can't be made.
    pub fn take_staged(&mut self) -> Result<StagedFile, FsError> {
        match self.staged.take() {
            Some(staged) => Ok(staged),
            None => self.cache.stage(&self.target),
        }
    }

    /// Does local actions until there is something to fetch or nothing left to do.
    ///
    /// # Errors
    /// A refusal of the core, a fatal failure of the disk, or a bound that was reached.
    pub fn advance(&mut self) -> Result<Next, FsError> {
        loop {
            self.rounds += 1;
            if self.rounds > ROUND_LIMIT + RACE_ALLOWANCE {
                let path = self.target.pointer().as_str().to_owned();
                return Err(FsError::Unsettled { path, rounds: self.rounds });
            }
            self.cache.check_wanted(&self.target)?;
            let Observed { facts, twin } = self.observe()?;
            self.ref_file = facts.ref_file;
            let decision = self.decider.place(&facts)?;
            tracing::debug!(file = %self.target.file, ?facts, ?decision, "decided");
            match decision {
                Decision::Refuse(refusal) => return Err(FsError::Refused { refusal }),
                Decision::Reuse(reason) => {
                    self.drop_unused();
                    let placed = self.placed.map(|(by, from, _)| (by, from));
                    let reason = match (self.placed, self.sealed) {
                        (Some((_, _, reason)), _) | (None, Some(reason)) => reason,
                        (None, None) => reason,
                    };
                    let sealed = self.sealed.is_some();
                    return Ok(Next::Done(Outcome { placed, sealed, reason }));
                }
                Decision::Act(Action::Fetch, _) => return Ok(Next::Fetch),
                Decision::Act(action, reason) => self.act(action, reason, twin.as_ref())?,
            }
        }
    }

    fn observe(&mut self) -> Result<Observed, FsError> {
        let own = self.own_facts();
        match self.observed.take() {
            Some(Observed { facts, twin })
                if (facts.demand, facts.staged) == (own.demand, own.staged) =>
            {
                Ok(Observed { facts: PlaceFacts { methods: self.cache.methods(), ..facts }, twin })
            }
            Some(_) | None => self.cache.observe(&self.target, own),
        }
    }

    fn own_facts(&self) -> OwnFacts {
        OwnFacts {
            demand: self.demand,
            staged: self.staged.as_ref().map_or(Staged::Absent, StagedFile::state),
            ref_unwritable: self.ref_error.is_some(),
            twin_failed: self.twin_failed,
        }
    }

    /// Another process may have placed the file while this one was fetching it.
    fn drop_unused(&mut self) {
        if let Some(staged) = self.staged.take() {
            self.cache.abandon(staged, Keep::Nothing);
        }
    }

    fn act(
        &mut self,
        action: Action,
        reason: Reason,
        twin: Option<&CachePath>,
    ) -> Result<(), FsError> {
        let (cache, target) = (&self.cache, &self.target);
        cache.remove_leftovers(&target.layout);
        let done = match action {
            Action::Probe(method) => cache.probe(target, method).and_then(|result| {
                result
                    .map_err(|e| FsError::method(method, &target.layout.repo(), as_unsupported(e)))
            }),
            Action::Seal { from, over } => {
                let bytes = bytes(&mut self.staged, from, twin)?;
                cache.seal(target, bytes, over)
            }
            Action::Place { by, from, over } => {
                let bytes = bytes(&mut self.staged, from, twin)?;
                cache.place(target, by, bytes, over)
            }
            Action::Point => cache.point(&target.layout, &target.revision, &target.commit),
            Action::Fetch | Action::Lookup(_) | Action::Mark => {
                return Err(FsError::ImpossibleAction { action: format!("{action:?}") });
            }
        };
        match done {
            Ok(()) => {
                self.demand = action.demand_after(self.demand);
                cache.learned(|methods| learn_done(methods, action));
                match action {
                    Action::Place { by, from, .. } => self.placed = Some((by, from, reason)),
                    Action::Seal { .. } => self.sealed = Some(reason),
                    Action::Lookup(_)
                    | Action::Mark
                    | Action::Probe(_)
                    | Action::Fetch
                    | Action::Point => {}
                }
                Ok(())
            }
            Err(error) if action == Action::Point => {
                tracing::debug!(error = %with_causes(&error), "the ref could not be written");
                self.ref_error = Some(error);
                Ok(())
            }
            Err(error) => self.learn_from(action, error),
        }
    }

    fn learn_from(&mut self, action: Action, error: FsError) -> Result<(), FsError> {
        let failure = match &error {
            FsError::Method { method, source, .. } => failure_of(Some(*method), source),
            FsError::Io { source, .. } | FsError::Closed { source, .. } => failure_of(None, source),
            FsError::Other { .. }
            | FsError::FolderIsLink { .. }
            | FsError::NoFolder { .. }
            | FsError::Refused { .. }
            | FsError::ImpossibleAction { .. }
            | FsError::Undecided(_)
            | FsError::NotAdmitted(_)
            | FsError::Unsettled { .. } => Failure::Fatal,
        };
        tracing::debug!(?action, %failure, error = %with_causes(&error), "failed");
        if failure == Failure::Raced {
            self.cache.forget_folders();
        }
        if failure == Failure::Raced && from_twin(action) {
            self.twin_failed = true;
        }
        let asked = self.cache.methods();
        match self.decider.learn(asked, action, failure)? {
            Lesson::Again(learnt) => {
                // Others may have learned of other methods meanwhile.
                self.cache.learned(|known| known.updated(asked, learnt));
                Ok(())
            }
            Lesson::GiveUp => Err(error),
        }
    }
}

impl Drop for Placing {
    fn drop(&mut self) {
        if let Some(staged) = self.staged.take() {
            self.cache.abandon(staged, Keep::IfWorth);
        }
    }
}

fn from_twin(action: Action) -> bool {
    matches!(
        action,
        Action::Seal { from: Source::Twin, .. } | Action::Place { from: Source::Twin, .. }
    )
}

fn bytes<'a>(
    staged: &'a mut Option<StagedFile>,
    from: Source,
    twin: Option<&'a CachePath>,
) -> Result<Bytes<'a>, FsError> {
    match (from, twin) {
        (Source::Blob, _) => Ok(Bytes::Blob),
        (Source::Staged, _) => Ok(Bytes::Staged(staged)),
        (Source::Twin, Some(twin)) => Ok(Bytes::Twin(twin)),
        (Source::Twin, None) => Err(FsError::ImpossibleAction { action: "use a twin".to_owned() }),
    }
}
