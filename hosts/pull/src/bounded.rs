//! A table of what was learned when, with a bound on how much there is of it.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A table of what was learned when. The oldest goes where there is too much.
#[derive(Debug)]
pub(crate) struct Bounded<K, V> {
    known: Mutex<Known<K, V>>,
    most: usize,
    /// How long anything is of use to anybody.
    keep_for: Duration,
}

#[derive(Debug)]
struct Known<K, V> {
    learned: HashMap<K, (V, Instant)>,
    /// When what is of no use any more went the last time.
    swept: Instant,
}

impl<K: Eq + Hash + Clone, V: Clone> Bounded<K, V> {
    pub(crate) fn new(most: usize, keep_for: Duration) -> Self {
        let known = Known { learned: HashMap::new(), swept: Instant::now() };
        Self { known: Mutex::new(known), most, keep_for }
    }

    /// Learns something, now; returns whether it was not known.
    pub(crate) fn learn(&self, key: K, value: V) -> bool {
        let known = &mut self.known().learned;
        if known.len() >= self.most && !known.contains_key(&key) {
            known.retain(|_, (_, at)| at.elapsed() < self.keep_for);
            if known.len() >= self.most {
                let oldest =
                    known.iter().min_by_key(|(_, (_, at))| *at).map(|(key, _)| key.clone());
                oldest.map(|key| known.remove(&key));
            }
        }
        known.insert(key, (value, Instant::now())).is_none()
    }

    /// Returns what was learned no longer ago than this.
    pub(crate) fn recall(&self, key: &K, within: Duration) -> Option<V> {
        let known = self.known();
        let (value, at) = known.learned.get(key)?;
        (at.elapsed() < within.min(self.keep_for)).then(|| value.clone())
    }

    pub(crate) fn forget(&self, key: &K) {
        self.known().learned.remove(key);
    }

    /// Forgets all of a kind.
    pub(crate) fn forget_all(&self, is_meant: impl Fn(&K) -> bool) {
        self.known().learned.retain(|key, _| !is_meant(key));
    }

    /// What is too old goes whenever anything is asked for, so that nothing is held because nobody needs its place.
    fn known(&self) -> MutexGuard<'_, Known<K, V>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.swept.elapsed() >= self.keep_for {
            known.learned.retain(|_, (_, at)| at.elapsed() < self.keep_for);
            known.swept = Instant::now();
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_where_there_is_too_much() {
        let table = Bounded::new(2, Duration::from_secs(60));
        for key in ["a", "b", "c"] {
            table.learn(key, ());
            std::thread::sleep(Duration::from_millis(2));
        }
        let minute = Duration::from_secs(60);
        let known = ["a", "b", "c"].map(|key| table.recall(&key, minute).is_some());
        assert_eq!(known, [false, true, true]);
        assert!(table.recall(&"c", Duration::ZERO).is_none(), "it is too old for that");
        table.forget(&"c");
        assert!(table.recall(&"c", minute).is_none());
    }
}
