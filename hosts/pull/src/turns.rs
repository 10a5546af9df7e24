//! One question at a time of those that are the same, so that many who ask at once cost one request.

use std::hash::{BuildHasher as _, Hash, RandomState};

use tokio::sync::{Mutex, MutexGuard};

/// How many questions can be on their way at once where no two are the same.
const STRIPES: usize = 1024;

/// Turns to ask. Now and then two questions share one although they differ, which costs time and nothing else.
#[derive(Debug)]
pub(crate) struct Turns {
    stripes: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Default for Turns {
    fn default() -> Self {
        let stripes = std::iter::repeat_with(Mutex::default).take(STRIPES).collect();
        Self { stripes, hasher: RandomState::new() }
    }
}

impl Turns {
    /// Waits for the turn of a question.
    pub(crate) async fn of(&self, question: &impl Hash) -> Option<MutexGuard<'_, ()>> {
        let at = usize::try_from(self.hasher.hash_one(question) % STRIPES as u64).unwrap_or(0);
        Some(self.stripes.get(at)?.lock().await)
    }
}
