//! Looking at all wanted files, and what the core decides about each.

use std::{
    num::NonZero,
    sync::{Mutex, PoisonError},
    thread,
};

use hubstow_cache::{
    Cache, FsError, Target,
    disk::cancel::Cancel,
    drive::Outcome,
    observe::{OwnFacts, many::Observation},
};
use hubstow_core::{
    action::{Action, Decision},
    facts::{PlaceFacts, Staged},
    why::Reason,
};

use super::{
    batch::{Batch, Results},
    bring::ToPlace,
};
use crate::{
    api::{error::Error, report::FileReport},
    file::place::{Origin, report},
};

/// How many decisions are asked for at once.
const DECISIONS: usize = 512;
/// From how many bytes on several threads look: where nothing is proved yet, all of it is hashed.
const PARALLEL_FROM_BYTES: u64 = 256 << 20;
/// From how many files on they do, even where all is proved: most of a look is waiting for the system, or for a server.
const PARALLEL_FROM_FILES: usize = 512;
/// How many threads look where nothing is to be hashed, and at how many files at a time each.
const LOOKING_THREADS: usize = 4;
const FILES_AT_A_TIME: usize = 64;

/// What was seen and decided.
pub(crate) struct Observed {
    /// What has ended: files that serve as they are, and files that can't be looked at.
    pub(crate) results: Results,
    /// What is to be placed, or asked about one by one.
    pub(crate) place: Vec<ToPlace>,
    /// What is to be fetched.
    pub(crate) fetch: Vec<usize>,
}

/// How many threads look at files, and at how many at a time each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lookers {
    threads: usize,
    files_at_a_time: usize,
}

impl Lookers {
    /// Says how many are worth their while for so many files and bytes, where so many threads may look.
    fn of(files: usize, bytes: u64, threads: usize) -> Self {
        if threads > 1 && bytes >= PARALLEL_FROM_BYTES {
            Self { threads: threads.min(files), files_at_a_time: 1 }
        } else if threads > 1 && files >= PARALLEL_FROM_FILES {
            Self { threads: threads.min(LOOKING_THREADS), files_at_a_time: FILES_AT_A_TIME }
        } else {
            Self { threads: 1, files_at_a_time: files.max(1) }
        }
    }
}

impl Observed {
    /// Tells whether every file serves as it is.
    pub(crate) fn all_serve(&self) -> bool {
        self.place.is_empty() && self.fetch.is_empty() && self.results.all_serve()
    }
}

impl Batch {
    /// Looks at all files, with what earlier runs have proved, and has the core decide. It blocks.
    pub(crate) fn observe(&self, cache: &Cache, cancel: &Cancel) -> Observed {
        if let Ok(Target { layout, commit, .. }) = self.target(0) {
            cache.recall_proofs(layout, commit);
        }
        let results = Results::of(self.files.len());
        let mut observed = Observed { results, place: Vec::new(), fetch: Vec::new() };
        let mut seen = self.look(cache, cancel).into_iter().enumerate();
        loop {
            let some: Vec<_> = seen.by_ref().take(DECISIONS).collect();
            if some.is_empty() {
                return observed;
            }
            self.decide(cache, some, &mut observed);
        }
    }

    /// Tells of the files that serve.
    pub(crate) fn tell(&self, observed: &Observed) {
        observed.results.reports().for_each(|report| self.finished(report));
    }

    /// Looks, and says what would be reported of each. It blocks.
    pub(crate) fn foretell(&self, cache: &Cache, cancel: &Cancel) -> Results {
        let Observed { mut results, place, fetch } = self.observe(cache, cancel);
        for at in place.into_iter().map(|file| file.at).chain(fetch) {
            if cancel.is_cancelled() {
                break;
            }
            let content = self.content(at);
            let foretold =
                content.and_then(|content| self.engine.foretell(cache, &content, self.force));
            results.set(at, foretold);
        }
        results
    }

    fn look(&self, cache: &Cache, cancel: &Cancel) -> Vec<Result<Observation, FsError>> {
        let demand = self.force.into();
        let attempt = OwnFacts::at_first(demand, Staged::Absent);
        let sizes = self.files.iter().filter_map(|wanted| wanted.target.size);
        let bytes = sizes.fold(0, u64::saturating_add);
        let threads = thread::available_parallelism().map_or(1, NonZero::get);
        let lookers =
            Lookers::of(self.files.len(), bytes, threads.min(self.engine.budget.threads()));
        let many = cache.many(&self.files, attempt);
        let next = Mutex::new(self.files.chunks(lookers.files_at_a_time).enumerate());
        let looker = || {
            let mut seen = Vec::new();
            let next = || next.lock().unwrap_or_else(PoisonError::into_inner).next();
            while !cancel.is_cancelled()
                && let Some((number, files)) = next()
            {
                seen.push((number, files.iter().map(|file| many.observe(&file.target)).collect()));
            }
            seen
        };
        let mut all: Vec<(usize, Vec<_>)> = thread::scope(|scope| {
            // With fewer threads than that it takes longer.
            let begin = |_| thread::Builder::new().spawn_scoped(scope, looker).ok();
            let others: Vec<_> = (1..lookers.threads).filter_map(begin).collect();
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

    fn decide(
        &self,
        cache: &Cache,
        some: Vec<(usize, Result<Observation, FsError>)>,
        observed: &mut Observed,
    ) {
        let facts: Vec<PlaceFacts> =
            some.iter().filter_map(|(_, seen)| Some(seen.as_ref().ok()?.facts)).collect();
        // Where the decider fails, each file asks for itself, and says what is wrong.
        let decisions = self.engine.decider.place_many(&facts).unwrap_or_default();
        let mut decisions = decisions.into_iter();
        for (at, seen) in some {
            let seen = match seen {
                Ok(seen) => seen,
                Err(error) => {
                    observed.results.set(at, Err(self.place_error_at(at, error)));
                    continue;
                }
            };
            match decisions.next().and_then(Result::ok) {
                Some(Decision::Reuse(reason)) => {
                    observed.results.set(at, self.reused(cache, at, &seen, reason));
                }
                Some(Decision::Act(Action::Fetch, _)) => observed.fetch.push(at),
                Some(Decision::Refuse(refusal)) => {
                    let refused = FsError::Refused { refusal };
                    observed.results.set(at, Err(self.place_error_at(at, refused)));
                }
                Some(Decision::Act(..)) | None => {
                    observed.place.push(ToPlace { at, seen: Some(seen) });
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

    fn reused(
        &self,
        cache: &Cache,
        at: usize,
        seen: &Observation,
        reason: Reason,
    ) -> Result<FileReport, Error> {
        let target = self.target(at)?;
        if target.layout.is_local() && !cache.is_looking_only() {
            cache.record_local(target)?;
        }
        let outcome = Outcome { placed: None, sealed: false, reason };
        let mut report = report(cache, target, &outcome, Origin::Here);
        report.size = report.size.or(seen.size);
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_threads_look_where_much_is_to_be_hashed_or_there_are_many_files() {
        let lookers = |threads, files_at_a_time| Lookers { threads, files_at_a_time };
        for (files, bytes, threads, expected) in [
            (0, 0, 8, lookers(1, 1)),
            (1, 1 << 40, 8, lookers(1, 1)),
            (100, (256 << 20) - 1, 8, lookers(1, 100)),
            (100, 256 << 20, 8, lookers(8, 1)),
            (3, 256 << 20, 8, lookers(3, 1)),
            (512, 0, 8, lookers(4, 64)),
            (512, 0, 2, lookers(2, 64)),
            (512, 256 << 20, 1, lookers(1, 512)),
        ] {
            assert_eq!(Lookers::of(files, bytes, threads), expected, "{files} files, {bytes} B");
        }
    }
}
