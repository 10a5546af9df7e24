//! What a decision may cost. A component is hostile until proven otherwise.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::engine::{MEMORY_BYTES, STACK_BYTES};

/// The bounds of one call. Whatever breaks one ends as a typed error; the process and the cache are as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many instructions may run, roughly: a decision of the core's takes 30,000.
    pub fuel: u64,
    /// How many more for each further question of a batch.
    pub fuel_each: u64,
    /// How long a call may take, whatever it runs.
    pub deadline: Duration,
    /// How much memory an instance may have, in bytes. At most 64 MiB where instances are pooled.
    pub memory_bytes: usize,
    /// How much a call may answer, in bytes.
    pub answer_bytes: usize,
    /// How much more for each further question of a batch.
    pub answer_bytes_each: usize,
}

impl Bounds {
    /// The stack of a call, in bytes. It belongs to the engine and is the same for every component.
    pub const STACK_BYTES: usize = STACK_BYTES;
    /// A thousand times what the core's own needs for a decision: about ten milliseconds until a loop is found out.
    pub const DEFAULT: Self = Self {
        fuel: 50_000_000,
        fuel_each: 1_000_000,
        deadline: Duration::from_secs(1),
        memory_bytes: MEMORY_BYTES,
        answer_bytes: 1 << 20,
        answer_bytes_each: 1 << 10,
    };

    pub(crate) fn fuel_for(&self, questions: usize) -> u64 {
        let more = u64::try_from(questions.saturating_sub(1)).unwrap_or(u64::MAX);
        self.fuel.saturating_add(self.fuel_each.saturating_mul(more))
    }

    pub(crate) fn answer_bytes_for(&self, questions: usize) -> usize {
        let more = self.answer_bytes_each.saturating_mul(questions.saturating_sub(1));
        self.answer_bytes.saturating_add(more)
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// More memory or more tables were wanted than a call may have.
#[derive(Debug, thiserror::Error)]
#[error("more than {limit_bytes} bytes of memory are not to be had")]
pub(crate) struct TooMuchMemory {
    pub(crate) limit_bytes: usize,
}

/// The most entries of a table; the core's own has one of a few dozen.
const TABLE_ENTRIES: usize = 10_000;

/// The memory that the instance of one call may have: what a call's store holds.
#[derive(Debug)]
pub struct Limits {
    pub(crate) memory_bytes: usize,
}

impl ResourceLimiter for Limits {
    fn memory_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired <= self.memory_bytes {
            return Ok(true);
        }
        Err(TooMuchMemory { limit_bytes: self.memory_bytes }.into())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired <= TABLE_ENTRIES {
            return Ok(true);
        }
        Err(TooMuchMemory { limit_bytes: self.memory_bytes }.into())
    }
}
