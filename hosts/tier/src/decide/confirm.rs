//! Which confirmation of a ref is the newest: by the order of its versions, and by no clock.
//!
//! INVARIANT (order): whoever confirms a ref reads it, then asks upstream, then writes over exactly the version that he has
//! read. So every version was asked for after the one it replaces had been written, and a newer confirmation is never
//! replaced by an older one. Sequence and writer make every version's bytes its own, so an ETag that is a hash of them never
//! comes back.

use hubstow_core::name::Commit;

/// What upstream says of a revision.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// It means this commit.
    At(Commit),
    /// There is no such revision.
    Gone,
}

/// The version of a ref that a confirmation is made over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    /// There was none.
    Nothing,
    /// The one with this sequence.
    Version(u64),
}

/// What came of a write over a version that is no longer the one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Settled {
    /// What stands there is ours: it was written, and only the answer was lost.
    Ours,
    /// Somebody else has written meanwhile. Which confirmation of a ref is newer nobody can tell, so upstream is asked again,
    /// over what stands there now; a claim is his.
    AskAgain,
}

/// Returns the sequence of the version that is written over a base.
#[must_use]
pub fn next_sequence(base: Base) -> u64 {
    match base {
        Base::Nothing => 1,
        Base::Version(sequence) => sequence.saturating_add(1),
    }
}

/// Says what came of a write, of a ref or a claim, that the store refused because the version had changed. `standing` is what
/// was read afterwards, `ours` what was to be written, each as its sequence and writer.
#[must_use]
pub fn settle<W: PartialEq>(standing: Option<(u64, W)>, ours: (u64, W)) -> Settled {
    match standing {
        Some(standing) if standing == ours => Settled::Ours,
        Some(_) | None => Settled::AskAgain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_ours_to_the_writer_is_ours() {
        let rows = [
            (Some((3, "a")), Settled::Ours),
            (Some((3, "b")), Settled::AskAgain),
            (Some((4, "a")), Settled::AskAgain),
            (None, Settled::AskAgain),
        ];
        for (standing, expected) in rows {
            assert_eq!(settle(standing, (3, "a")), expected, "{standing:?}");
        }
    }

    #[test]
    fn sequences_go_up() {
        assert_eq!(next_sequence(Base::Nothing), 1);
        assert_eq!(next_sequence(Base::Version(1)), 2);
        assert_eq!(next_sequence(Base::Version(u64::MAX)), u64::MAX);
    }
}
