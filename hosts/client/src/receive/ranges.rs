//! Ranges of one file on several connections.

pub(crate) mod climb;
pub(crate) mod crew;
pub(crate) mod early;
pub(crate) mod listen;
pub(crate) mod lost;
pub(crate) mod outage;
pub(crate) mod plan;
pub(crate) mod pulse;
pub(crate) mod reading;
pub(crate) mod run;
#[cfg(test)]
mod simulation;
