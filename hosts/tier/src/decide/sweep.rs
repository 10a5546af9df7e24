//! What a sweep may take. All moments are the store's own, in milliseconds, so no node's clock is in it.

/// What stands over a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many bytes of objects may stay; `None` sets no limit.
    pub max_bytes: Option<u64>,
    /// What was used within this many milliseconds is never taken.
    pub min_age_ms: u64,
    /// What was not used for this many milliseconds is taken even where there is room; `None` keeps it.
    pub unused_for_ms: Option<u64>,
}

/// Whether something else than its age keeps an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Held {
    /// Nothing does.
    Free,
    /// A pinned root has it.
    Pinned,
}

/// One object as a sweep sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<N> {
    /// Its name.
    pub name: N,
    /// How large it is.
    pub size_bytes: u64,
    /// When it was put, or last read, as far as was noted.
    pub used_at_ms: i64,
    /// What keeps it.
    pub held: Held,
}

/// Says which objects go, the least recently used first, and equal ones by name.
#[must_use]
pub fn plan<N: Ord + Clone>(objects: &[Candidate<N>], bounds: Bounds, now_ms: i64) -> Vec<N> {
    let mut total: u64 = objects.iter().map(|it| it.size_bytes).sum();
    let mut order: Vec<&Candidate<N>> = objects.iter().collect();
    order.sort_by(|a, b| (a.used_at_ms, &a.name).cmp(&(b.used_at_ms, &b.name)));
    let mut going = Vec::new();
    for object in order {
        let age = age_ms(object.used_at_ms, now_ms);
        let crowded = bounds.max_bytes.is_some_and(|limit| total > limit);
        let unused = bounds.unused_for_ms.is_some_and(|limit| age > limit);
        let may_go = object.held == Held::Free && age > bounds.min_age_ms;
        if may_go && (crowded || unused) {
            total -= object.size_bytes;
            going.push(object.name.clone());
        }
    }
    going
}

/// What was seen of an object right before it would go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// When it was put, or last read; `None` if it is gone.
    pub used_at_ms: Option<i64>,
    /// What keeps it.
    pub held: Held,
}

/// What becomes of an object that was planned to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Recheck {
    /// It goes.
    Delete,
    /// It is gone.
    Gone,
    /// It was used, or put again, since the plan was made.
    Used,
    /// A pinned root has it now.
    Pinned,
}

/// Says whether an object still goes. `planned_ms` is when it was last used as far as the plan knew.
#[must_use]
pub fn recheck(planned_ms: i64, fresh: Fresh) -> Recheck {
    match (fresh.used_at_ms, fresh.held) {
        (None, Held::Free | Held::Pinned) => Recheck::Gone,
        (Some(_), Held::Pinned) => Recheck::Pinned,
        (Some(now), Held::Free) if now > planned_ms => Recheck::Used,
        (Some(_), Held::Free) => Recheck::Delete,
    }
}

/// Something that an interrupted run may have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftover {
    /// A claim, which holds for so many milliseconds from each renewal on.
    Claim {
        /// As it says itself.
        lives_ms: u64,
    },
    /// An upload that is not complete.
    Upload {
        /// How long the longest upload may take.
        patience_ms: u64,
    },
    /// The note of when an object was last used, of an object that is not there.
    Note {
        /// How long an upload may take: the object of a note may be on its way.
        patience_ms: u64,
    },
    /// What a check of the store has written.
    Probe,
}

/// How much later than it lapses a claim is swept, and how old a probe must be: clocks of stores have whole seconds.
const SLACK_MS: u64 = 60_000;

/// Says whether something of this age is a leftover, which a sweep clears away.
#[must_use]
pub fn is_leftover(what: Leftover, at_ms: i64, now_ms: i64) -> bool {
    let age = age_ms(at_ms, now_ms);
    match what {
        Leftover::Claim { lives_ms } => {
            age > lives_ms.min(super::LIVES_AT_MOST_MS).saturating_add(SLACK_MS)
        }
        Leftover::Upload { patience_ms } | Leftover::Note { patience_ms } => age > patience_ms,
        Leftover::Probe => age > SLACK_MS,
    }
}

fn age_ms(at_ms: i64, now_ms: i64) -> u64 {
    u64::try_from(now_ms.saturating_sub(at_ms)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn object(name: &str, size_bytes: u64, age: i64, held: Held) -> Candidate<&str> {
        Candidate { name, size_bytes, used_at_ms: NOW - age, held }
    }

    #[track_caller]
    fn check(objects: &[Candidate<&str>], bounds: (Option<u64>, u64, Option<u64>), going: &[&str]) {
        let (max_bytes, min_age_ms, unused_for_ms) = bounds;
        let bounds = Bounds { max_bytes, min_age_ms, unused_for_ms };
        assert_eq!(plan(objects, bounds, NOW), going, "{bounds:?}");
    }

    #[test]
    fn the_least_recently_used_go_until_there_is_room() {
        use Held::{Free, Pinned};
        let all = [
            object("young", 40, 5, Free),
            object("old", 30, 500, Free),
            object("older", 30, 900, Free),
            object("pinned", 30, 999, Pinned),
        ];
        check(&all, (None, 10, None), &[]);
        check(&all, (Some(130), 10, None), &[]);
        check(&all, (Some(129), 10, None), &["older"]);
        check(&all, (Some(99), 10, None), &["older", "old"]);
        // What was just used and what is pinned stay, however crowded it is.
        check(&all, (Some(0), 10, None), &["older", "old"]);
        check(&all, (Some(0), 0, None), &["older", "old", "young"]);
        check(&all, (None, 10, Some(600)), &["older"]);
        // A store whose clock went back makes nothing old.
        check(&[object("future", 10, -50, Free)], (Some(0), 0, Some(0)), &[]);
    }

    #[test]
    fn what_was_used_or_pinned_meanwhile_stays() {
        let rows = [
            (Some(10), Held::Free, Recheck::Delete),
            (Some(9), Held::Free, Recheck::Delete),
            (Some(11), Held::Free, Recheck::Used),
            (Some(10), Held::Pinned, Recheck::Pinned),
            (None, Held::Free, Recheck::Gone),
            (None, Held::Pinned, Recheck::Gone),
        ];
        for (used_at_ms, held, expected) in rows {
            let fresh = Fresh { used_at_ms, held };
            assert_eq!(recheck(10, fresh), expected, "{fresh:?}");
        }
    }

    #[test]
    fn leftovers_are_old_enough_not_to_be_anybodys() {
        let rows = [
            (Leftover::Claim { lives_ms: 30_000 }, 90_000, false),
            (Leftover::Claim { lives_ms: 30_000 }, 90_001, true),
            (Leftover::Claim { lives_ms: u64::MAX }, 360_001, true),
            (Leftover::Upload { patience_ms: 100 }, 100, false),
            (Leftover::Upload { patience_ms: 100 }, 101, true),
            (Leftover::Note { patience_ms: 100 }, 101, true),
            (Leftover::Probe, 60_000, false),
            (Leftover::Probe, 60_001, true),
        ];
        for (what, age, expected) in rows {
            assert_eq!(is_leftover(what, NOW - age, NOW), expected, "{what:?} {age}");
        }
    }
}
