//! What a server leaves out of its listings, and who hears of it.

use std::{
    collections::HashSet,
    fmt,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// The most paths of which it is remembered that they were told.
const TOLD_LIMIT: usize = 10_000;

/// A file or folder that is not served: no repo can hold its name, it is a link that leads nowhere or outside, or it is
/// damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// Where it is.
    pub path: PathBuf,
    /// What it is and what is wrong with it, in words; control characters are escaped.
    pub why: String,
}

type Tell = Box<dyn Fn(&LeftOut) + Send + Sync>;

/// Tells of each path once, although folders are looked at for every request.
#[derive(Default)]
pub(crate) struct Teller {
    tell: Option<Tell>,
    told: Mutex<HashSet<PathBuf>>,
}

impl Teller {
    pub(crate) fn to(tell: impl Fn(&LeftOut) + Send + Sync + 'static) -> Self {
        Self { tell: Some(Box::new(tell)), told: Mutex::default() }
    }

    pub(crate) fn tell(&self, left_out: &LeftOut) {
        tracing::debug!(path = %left_out.path.display(), "passed over: {}", left_out.why);
        let Some(tell) = &self.tell else { return };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < TOLD_LIMIT && told.insert(left_out.path.clone()) {
            drop(told);
            tell(left_out);
        }
    }
}

impl fmt::Debug for Teller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teller").finish_non_exhaustive()
    }
}
