//! What answers have shown of the origins that they came from.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use url::{Origin, Url};

/// No more origins are kept: a program that meets so many gains nothing by it.
const ORIGINS: usize = 64;

/// What is known of each origin that has answered.
#[derive(Debug, Default)]
pub(crate) struct Origins(Mutex<HashMap<Origin, Known>>);

#[derive(Clone, Copy, Debug)]
struct Known {
    /// How long an answer takes to begin.
    delay: Duration,
    ranges: Ranges,
}

/// Whether an origin gives ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ranges {
    /// It has not been seen to give none.
    Possible,
    Refused,
}

impl Origins {
    fn known(&self) -> MutexGuard<'_, HashMap<Origin, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An answer has begun after so long.
    pub(crate) fn answered(&self, at: &Url, took: Duration) {
        let (mut origins, origin) = (self.known(), at.origin());
        if let Some(known) = origins.get_mut(&origin) {
            known.delay = (known.delay * 3 + took) / 4;
        } else if origins.len() < ORIGINS {
            origins.insert(origin, Known { delay: took, ranges: Ranges::Possible });
        }
    }

    /// An origin has answered something else where a range was asked for.
    pub(crate) fn refused_range(&self, at: &Url) {
        if let Some(known) = self.known().get_mut(&at.origin()) {
            known.ranges = Ranges::Refused;
        }
    }

    /// Returns how long an origin takes to answer; `None` where it has never answered.
    pub(crate) fn delay(&self, of: &Url) -> Option<Duration> {
        self.known().get(&of.origin()).map(|known| known.delay)
    }

    /// Tells whether it gives ranges.
    pub(crate) fn ranges(&self, of: &Url) -> Ranges {
        self.known().get(&of.origin()).map_or(Ranges::Possible, |known| known.ranges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_origin_is_known_by_its_own_answers() {
        let (origins, ms) = (Origins::default(), Duration::from_millis);
        let url = |text: &str| Url::parse(text).unwrap();
        let (hub, store) = (url("https://hub.test/a/b"), url("https://store.test/x"));
        assert_eq!(origins.delay(&hub), None);
        for took in [80, 80, 40] {
            origins.answered(&hub, ms(took));
        }
        origins.answered(&store, ms(5));
        origins.refused_range(&store);
        assert_eq!(origins.delay(&url("https://hub.test/c")), Some(ms(70)));
        assert_eq!(origins.delay(&url("http://hub.test/c")), None, "another origin");
        assert_eq!(origins.delay(&store), Some(ms(5)));
        let found = [&hub, &store].map(|of| origins.ranges(of));
        assert_eq!(found, [Ranges::Possible, Ranges::Refused]);
    }
}
