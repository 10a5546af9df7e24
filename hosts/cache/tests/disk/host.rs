//! A host as small as can be: the loop of `hubstow_cache` with a hub that is a slice of bytes.

use std::{
    io,
    ops::Range,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use hubstow_cache::{
    Cache, Durability, FsError, Target,
    cache::lock::Locked,
    drive::{Next, Outcome, Placing},
    staged::{Mismatch, StagedFile},
};
use hubstow_core::{
    decide::{Guarded, LinkedCore},
    facts::Force,
    policy::Policy,
};

use crate::{disk::TestDisk, sample::Sample};

/// How long a lock is waited for; far more than any test holds one.
const LOCK_PATIENCE: Duration = Duration::from_secs(20);

/// The hub: what it sends, and how much of it was asked for.
pub(crate) struct Hub<'a> {
    content: &'a [u8],
    chunk: usize,
    order: Order,
    /// How many bytes were sent.
    pub(crate) sent: usize,
}

/// In which order it sends them.
#[derive(Clone, Copy, Debug)]
enum Order {
    FromTheStart,
    /// In pieces of a quarter of a chunk, in an order that follows from this seed.
    Scattered(u64),
}

/// Why a run did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Disk(#[from] FsError),
    #[error("the staged file: {0}")]
    Staged(#[from] io::Error),
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    #[error("the lock was not to be had in time")]
    Waited,
}

/// How a run ended.
pub(crate) struct Run {
    pub(crate) result: Result<Outcome, Failed>,
    /// Why the ref could not be written, if it could not.
    pub(crate) ref_trouble: Option<String>,
    /// How many bytes were fetched.
    pub(crate) fetched: usize,
}

impl Run {
    /// The end in a few words, the same for runs that ended alike.
    pub(crate) fn end(&self) -> String {
        match &self.result {
            Ok(_) => "placed".to_owned(),
            Err(error) => error.to_string(),
        }
    }
}

/// A cache as a fresh process sees it.
pub(crate) fn cache(disk: &TestDisk, policy: Policy) -> Cache {
    Cache::new(Arc::new(disk.clone()), policy, Durability::Safe)
}

/// Places the sample in a process of its own.
pub(crate) fn run(disk: &TestDisk, sample: &Sample, policy: Policy, force: Force) -> Run {
    place(&cache(disk, policy), &sample.target(), force, &mut Hub::of(sample))
}

/// Places a target.
pub(crate) fn place(cache: &Cache, target: &Target, force: Force, hub: &mut Hub<'_>) -> Run {
    let mut placing =
        Placing::new(cache.clone(), Guarded::new(Arc::new(LinkedCore)), target.clone(), force);
    let result = drive(cache, &mut placing, hub);
    Run { result, ref_trouble: placing.ref_error(), fetched: hub.sent }
}

fn drive(cache: &Cache, placing: &mut Placing, hub: &mut Hub<'_>) -> Result<Outcome, Failed> {
    let mut lock = None;
    loop {
        match placing.advance()? {
            Next::Done(outcome) => return Ok(outcome),
            Next::Fetch if lock.is_none() => lock = Some(wait_for_lock(cache, placing.target())?),
            Next::Fetch => {
                let mut staged = placing.take_staged()?;
                let filled = hub.fill(&mut staged);
                placing.fetched(staged);
                filled?;
            }
        }
    }
}

fn wait_for_lock(cache: &Cache, target: &Target) -> Result<Locked, Failed> {
    let since = Instant::now();
    while since.elapsed() < LOCK_PATIENCE {
        match cache.try_lock(target) {
            Locked::Busy => thread::sleep(Duration::from_millis(1)),
            locked @ (Locked::Held(_) | Locked::Unavailable) => return Ok(locked),
        }
    }
    Err(Failed::Waited)
}

impl<'a> Hub<'a> {
    /// A hub that has the sample.
    pub(crate) fn of(sample: &'a Sample) -> Self {
        Self { content: &sample.content, chunk: sample.chunk, order: Order::FromTheStart, sent: 0 }
    }

    /// A hub that sends its pieces in an order of its own.
    pub(crate) fn scattering(sample: &'a Sample, seed: u64) -> Self {
        Self { order: Order::Scattered(seed), ..Self::of(sample) }
    }

    /// Sends what is missing; where the whole does not match, once more from the start.
    pub(crate) fn fill(&mut self, staged: &mut StagedFile) -> Result<(), Failed> {
        self.send(staged, usize::MAX)?;
        if staged.verify()?.is_err() {
            staged.start_over()?;
            self.send(staged, usize::MAX)?;
            staged.verify()??;
        }
        Ok(())
    }

    /// Sends what is missing, at most so many chunks or pieces; each piece is recorded.
    pub(crate) fn send(&mut self, staged: &mut StagedFile, chunks: usize) -> io::Result<()> {
        if let (Order::Scattered(seed), true) = (self.order, staged.takes_positions()) {
            for piece in self.missing_pieces(staged, seed).into_iter().take(chunks) {
                staged.write_at(piece.start as u64, &self.content[piece.clone()])?;
                staged.record_now();
                self.sent += piece.len();
            }
            return Ok(());
        }
        self.send_in_order(staged, chunks)
    }

    /// The pieces that a staged file lacks, in an order of their own.
    fn missing_pieces(&self, staged: &StagedFile, seed: u64) -> Vec<Range<usize>> {
        let (whole, step) = (self.content.len(), self.chunk / 4);
        let missing = staged.intervals().missing(whole as u64);
        let pieces = missing.flat_map(|range| {
            let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
            range.clone().step_by(step).map(move |at| at..range.end.min(at + step))
        });
        let mut pieces: Vec<_> = pieces.collect();
        fastrand::Rng::with_seed(seed).shuffle(&mut pieces);
        pieces
    }

    fn send_in_order(&mut self, staged: &mut StagedFile, chunks: usize) -> io::Result<()> {
        let received = usize::try_from(staged.received_bytes()).unwrap();
        for chunk in self.content[received..].chunks(self.chunk).take(chunks) {
            staged.append(chunk)?;
            self.sent += chunk.len();
        }
        Ok(())
    }
}
