//! Looking at all wanted files, and what the core decides about each.

use std::{
    num::NonZero,
    sync::{Mutex, PoisonError},
    thread,
};

use hubstow_cache::{
    FsError, Target,
    drive::Outcome,
    observe::{Attempt, many::Seen},
};
use hubstow_core::{
    action::{Action, Decision},
    facts::{PlaceFacts, Staged},
    why::Reason,
};

use super::bulk::{Bulk, Ends};
use crate::{
    api::{error::Error, report::FileReport},
    file::place::report,
};

/// How many decisions are asked for at once.
pub(crate) const DECISIONS: usize = 512;
/// From how many bytes on several threads look: where nothing is proved yet, all of it is hashed.
pub(crate) const PARALLEL_FROM_BYTES: u64 = 256 << 20;
/// From how many files on they do, even where all is proved: most of a look is waiting for the system, or for a server.
pub(crate) const PARALLEL_FROM_FILES: usize = 512;
/// How many threads look where nothing is to be hashed, and at how many files at a time each.
pub(crate) const LOOKING_THREADS: usize = 4;
pub(crate) const FILES_AT_A_TIME: usize = 64;

/// What was seen and decided.
pub(crate) struct Looked {
    /// What has ended: files that serve as they are, and files that can't be looked at.
    pub(crate) ends: Ends,
    /// What is to be placed, or asked about singly.
    pub(crate) place: Vec<(usize, Option<Seen>)>,
    /// What is to be fetched.
    pub(crate) fetch: Vec<usize>,
}

impl Looked {
    /// Tells whether every file serves as it is.
    pub(crate) fn all_serve(&self) -> bool {
        self.place.is_empty()
            && self.fetch.is_empty()
            && self.ends.0.iter().all(|end| matches!(end, Some(Ok(_))))
    }
}

impl Bulk {
    /// Looks at all targets, with what earlier runs have proved, and has the core decide. It blocks.
    pub(crate) fn look(&self) -> Looked {
        if let Some(Target { layout, commit, .. }) = self.targets.first() {
            self.cache.recall_proofs(layout, commit);
        }
        let mut looked =
            Looked { ends: Ends::of(self.targets.len()), place: Vec::new(), fetch: Vec::new() };
        let mut seen = self.observe().into_iter().enumerate();
        loop {
            let batch: Vec<_> = seen.by_ref().take(DECISIONS).collect();
            if batch.is_empty() {
                return looked;
            }
            self.decide(batch, &mut looked);
        }
    }

    /// Tells of the files that serve.
    pub(crate) fn tell(&self, looked: &Looked) {
        looked.ends.0.iter().flatten().flatten().for_each(|report| self.finished(report));
    }

    /// Looks, and says what would be reported of each. It blocks.
    pub(crate) fn foretell(&self) -> Ends {
        let Looked { mut ends, place, fetch } = self.look();
        for at in place.into_iter().map(|(at, _)| at).chain(fetch) {
            let content = self.content(at);
            let foretold =
                content.and_then(|content| self.hub.foretell(&self.cache, &content, self.force));
            ends.set((at, foretold));
        }
        ends
    }

    fn observe(&self) -> Vec<Result<Seen, FsError>> {
        let demand = self.force.into();
        let attempt =
            Attempt { demand, staged: Staged::Absent, ref_unwritable: false, twin_failed: false };
        let bytes =
            self.targets.iter().filter_map(|target| target.size).fold(0, u64::saturating_add);
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        if threads > 1 && bytes >= PARALLEL_FROM_BYTES {
            self.observe_in_parallel(attempt, threads, 1)
        } else if threads > 1 && self.targets.len() >= PARALLEL_FROM_FILES {
            self.observe_in_parallel(attempt, threads.min(LOOKING_THREADS), FILES_AT_A_TIME)
        } else {
            self.cache.observe_many(&self.targets, attempt).collect()
        }
    }

    /// Looks on several threads, at so many files at a time.
    fn observe_in_parallel(
        &self,
        attempt: Attempt,
        threads: usize,
        at_a_time: usize,
    ) -> Vec<Result<Seen, FsError>> {
        let look = self.cache.look_at_many(&self.targets, attempt);
        let next = Mutex::new(self.targets.chunks(at_a_time).enumerate());
        let looker = || {
            let mut seen = Vec::new();
            let next = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
            while let Some((number, targets)) = next() {
                seen.push((number, targets.iter().map(|target| look.at(target)).collect()));
            }
            seen
        };
        let mut all: Vec<(usize, Vec<_>)> = thread::scope(|scope| {
            let others: Vec<_> =
                (1..threads.min(self.targets.len())).map(|_| scope.spawn(looker)).collect();
            let mut all = looker();
            for other in others {
                match other.join() {
                    Ok(seen) => all.extend(seen),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            all
        });
        all.sort_unstable_by_key(|(number, _)| *number);
        all.into_iter().flat_map(|(_, seen)| seen).collect()
    }

    fn decide(&self, batch: Vec<(usize, Result<Seen, FsError>)>, looked: &mut Looked) {
        let facts: Vec<PlaceFacts> =
            batch.iter().filter_map(|(_, seen)| Some(seen.as_ref().ok()?.facts)).collect();
        // Where the decider fails, each file asks for itself, and says what is wrong.
        let decisions = self.hub.engine.decider.place_many(&facts).unwrap_or_default();
        let mut decisions = decisions.into_iter();
        for (at, seen) in batch {
            let seen = match seen {
                Ok(seen) => seen,
                Err(error) => {
                    looked.ends.set((at, Err(self.place_error_at(at, error))));
                    continue;
                }
            };
            match decisions.next().and_then(Result::ok) {
                Some(Decision::Reuse(reason)) => {
                    looked.ends.set((at, self.reused(at, &seen, reason)));
                }
                Some(Decision::Act(Action::Fetch, _)) => looked.fetch.push(at),
                Some(Decision::Refuse(refusal)) => {
                    let refused = FsError::Refused { refusal };
                    looked.ends.set((at, Err(self.place_error_at(at, refused))));
                }
                Some(Decision::Act(..)) | None => {
                    looked.place.push((at, Some(seen)));
                }
            }
        }
    }

    fn place_error_at(&self, at: usize, error: FsError) -> Error {
        match self.target(at) {
            Ok(target) => self.place_error(target, error),
            Err(missing) => missing,
        }
    }

    fn reused(&self, at: usize, seen: &Seen, reason: Reason) -> Result<FileReport, Error> {
        let target = self.target(at)?;
        if target.layout.is_local() && !self.cache.is_looking_only() {
            self.cache.record_local(target)?;
        }
        let outcome = Outcome { placed: None, sealed: false, reason };
        let mut report = report(&self.cache, target, &outcome, false);
        report.size = report.size.or(seen.size);
        Ok(report)
    }
}
