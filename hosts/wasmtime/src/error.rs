//! What a component can do wrong.

use wasmtime::Trap;

use crate::bounds::TooMuchMemory;

/// A component that can't be used, or did not answer as it must. Nothing follows from such an answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoreError {
    /// It is no component, or none for this machine and this version of the engine.
    #[error("the component can't be loaded: {cause}")]
    Load {
        /// The engine's own words.
        cause: String,
    },
    /// It wants something from its host, and gets nothing.
    #[error(
        "the component does not fit: {cause}; it must import nothing and export hubstow:placement/decisions@0.2"
    )]
    Unfit {
        /// The engine's own words.
        cause: String,
    },
    /// It ran longer than a decision may.
    #[error("the component used up its fuel of {fuel} instructions without an answer")]
    OutOfFuel {
        /// How many it had.
        fuel: u64,
    },
    /// It took longer than a decision may.
    #[error("the component had no answer within {} ms", deadline.as_millis())]
    OutOfTime {
        /// How long it had.
        deadline: std::time::Duration,
    },
    /// It wanted more memory than a decision may have.
    #[error("the component wanted more than {limit_bytes} bytes of memory")]
    OutOfMemory {
        /// How much it could have.
        limit_bytes: usize,
    },
    /// It went deeper than its stack.
    #[error("the component overflowed its stack of {} bytes", crate::Bounds::STACK_BYTES)]
    OutOfStack,
    /// Its answer is longer than any decision.
    #[error("the component's answer is longer than {limit_bytes} bytes")]
    AnswerTooLong {
        /// How long it may be.
        limit_bytes: usize,
    },
    /// It gave up.
    #[error("the component failed: {cause}")]
    Trapped {
        /// The engine's own words.
        cause: String,
    },
    /// It answered with a name that is none.
    #[error("the component answered with a name that is none: {0}")]
    Name(#[from] hubstow_core::name::NameError),
    /// It answered with something that can't be for what it was asked.
    #[error("the component's answer is not possible for what it was asked: {what}")]
    Impossible {
        /// What the answer was about.
        what: String,
    },
}

/// What a call had when it failed.
pub(crate) struct Had {
    pub(crate) fuel: u64,
    pub(crate) deadline: std::time::Duration,
    pub(crate) answer_bytes: usize,
}

impl CoreError {
    pub(crate) fn load(error: &wasmtime::Error) -> Self {
        Self::Load { cause: causes(error) }
    }

    pub(crate) fn unfit(error: &wasmtime::Error) -> Self {
        Self::Unfit { cause: causes(error) }
    }

    pub(crate) fn call(error: &wasmtime::Error, had: &Had) -> Self {
        if let Some(TooMuchMemory { limit_bytes }) = error.downcast_ref() {
            return Self::OutOfMemory { limit_bytes: *limit_bytes };
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::OutOfFuel) => Self::OutOfFuel { fuel: had.fuel },
            Some(Trap::Interrupt) => Self::OutOfTime { deadline: had.deadline },
            Some(Trap::StackOverflow) => Self::OutOfStack,
            // The engine's error for this is not public; a test fails if its words change.
            _ if format!("{error:#}").contains("too much data is being copied") => {
                Self::AnswerTooLong { limit_bytes: had.answer_bytes }
            }
            Some(_) | None => Self::Trapped { cause: causes(error) },
        }
    }
}

/// Writes the last cause; those before it are the frames of a component whose names are not known.
fn causes(error: &wasmtime::Error) -> String {
    error.root_cause().to_string()
}
