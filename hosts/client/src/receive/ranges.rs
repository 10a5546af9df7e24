//! Ranges of one file on several connections.

pub(crate) mod climb;
pub(crate) mod outage;
pub(crate) mod run;
pub(crate) mod window;
