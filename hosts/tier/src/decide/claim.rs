//! Whether a claim still holds.

/// The longest that any claim is believed without a renewal, whatever it says of itself: 5 minutes.
pub const LIVES_AT_MOST_MS: u64 = 5 * 60 * 1000;

/// What was seen of somebody's claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimFacts {
    /// How long it holds from each renewal on, in milliseconds, as it says itself.
    pub lives_ms: u64,
    /// How long ago it was renewed by the store's own clock, in milliseconds; `None` where that clock is not known.
    pub age_ms: Option<u64>,
    /// For how long the one who looks has seen it unchanged, in milliseconds of his own clock.
    pub unchanged_ms: u64,
}

/// Whether a claim still holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Somebody is filling.
    Live,
    /// Whoever it was has stopped renewing it.
    Lapsed,
}

/// Says whether a claim still holds. Two clocks of nodes are never compared: its age is the store's to tell, and whoever
/// watches it for as long as it lives needs no clock but his own.
#[must_use]
pub fn standing(facts: ClaimFacts) -> Standing {
    let lives = facts.lives_ms.min(LIVES_AT_MOST_MS);
    let is_over = |ms: u64| ms > lives;
    if is_over(facts.unchanged_ms) || facts.age_ms.is_some_and(is_over) {
        Standing::Lapsed
    } else {
        Standing::Live
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_lapses_by_either_clock_and_never_lives_for_ever() {
        let rows = [
            (30_000, None, 0, Standing::Live),
            (30_000, None, 30_000, Standing::Live),
            (30_000, None, 30_001, Standing::Lapsed),
            (30_000, Some(10), 0, Standing::Live),
            (30_000, Some(30_001), 0, Standing::Lapsed),
            (u64::MAX, Some(LIVES_AT_MOST_MS + 1), 0, Standing::Lapsed),
            (0, Some(0), 0, Standing::Live),
            (0, Some(1), 0, Standing::Lapsed),
        ];
        for (lives_ms, age_ms, unchanged_ms, expected) in rows {
            let facts = ClaimFacts { lives_ms, age_ms, unchanged_ms };
            assert_eq!(standing(facts), expected, "{facts:?}");
        }
    }
}
