//! What all transfers of a program share: how many connections there are.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Where there may be so many connections, some more for a moment are no matter.
const SUCCESSORS_FROM: usize = 16;
/// With more files at once than this, what one leaves of a fast line between two ranges the others use.
const SUCCESSORS_OF: usize = 4;
/// A connection that brings less than this is slow.
const SLOW_RATE: f64 = 16e6;

/// The connections of one program that large files are received on.
#[derive(Debug)]
pub(crate) struct Connections {
    /// The most for one file.
    of_one: usize,
    /// The most for all files together.
    of_all: usize,
    /// The same where each brings little.
    of_slow: usize,
    transfers: AtomicUsize,
    permits: AtomicUsize,
}

/// What a connection brings. One that brings much holds much: what was read of it and waits to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Each {
    Slow,
    /// Much, or nobody knows yet.
    Fast,
}

impl Each {
    /// Judges by the bytes per second of one connection.
    pub(crate) fn of_rate(rate: f64) -> Self {
        if rate < SLOW_RATE { Self::Slow } else { Self::Fast }
    }
}

/// A large transfer's share; it has one connection, whoever else has any.
#[derive(Debug)]
pub(crate) struct Share(Arc<Connections>);

/// One more connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPermit(Arc<Connections>);

impl Connections {
    /// Makes the connections of a program that has so many at most for one file, for all, and for all where each brings little,
    /// and one for each file in any case.
    pub(crate) fn at_most(of_one: usize, of_all: usize, of_slow: usize) -> Self {
        let (transfers, permits) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let of_one = of_one.max(1);
        let of_all = of_all.max(of_one);
        let of_slow = of_slow.max(of_all);
        Self { of_one, of_all, of_slow, transfers, permits }
    }

    fn of_all(&self, each: Each) -> usize {
        match each {
            Each::Slow => self.of_slow,
            Each::Fast => self.of_all,
        }
    }

    /// Returns how many one file may be received on.
    pub(crate) fn of_one(&self) -> usize {
        self.of_one
    }

    /// Joins with a large transfer. The others get less from now on.
    pub(crate) fn join(self: &Arc<Self>) -> Share {
        self.transfers.fetch_add(1, Ordering::Relaxed);
        self.permits.fetch_add(1, Ordering::Relaxed);
        Share(Arc::clone(self))
    }
}

impl Share {
    fn transfers(&self) -> usize {
        self.0.transfers.load(Ordering::Relaxed).max(1)
    }

    /// Returns with how many connections this transfer begins: its share of what one file may have.
    pub(crate) fn connections(&self) -> usize {
        (self.0.of_one / self.transfers()).max(1)
    }

    /// Returns how many it may come to, where more bring more.
    pub(crate) fn limit(&self, each: Each) -> usize {
        (self.0.of_all(each) / self.transfers()).clamp(1, self.0.of_one)
    }

    /// Returns how many more may be asked for while as many others are about to end. None where the program says that there
    /// are to be few.
    pub(crate) fn successors(&self, each: Each) -> usize {
        match self.transfers() {
            _ if self.0.of_one < SUCCESSORS_FROM => 0,
            1 => self.connections(),
            // Together they would be as many again as there may be.
            files if each == Each::Slow || files <= SUCCESSORS_OF => self.connections() / 2,
            _ => 0,
        }
    }

    /// Takes one more connection, if there is one.
    pub(crate) fn take(&self, each: Each) -> Option<ConnectionPermit> {
        let most = self.0.of_all(each);
        let more = |held| (held < most).then_some(held + 1);
        self.0.permits.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(ConnectionPermit(Arc::clone(&self.0)))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.transfers.fetch_sub(1, Ordering::Relaxed);
        self.0.permits.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.0.permits.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    #[test]
    fn transfers_share_connections_and_give_them_back() {
        let connections = Arc::new(Connections::at_most(16, 16, 16));
        let first = connections.join();
        assert_eq!(first.connections(), 16);
        let held: Vec<_> = iter::from_fn(|| first.take(Each::Slow)).collect();
        assert_eq!(held.len(), 15, "the transfer itself has one");
        let second = connections.join();
        assert_eq!((first.connections(), second.connections()), (8, 8));
        assert!(second.take(Each::Slow).is_none(), "until the first gives some back");
        drop(held);
        assert!(second.take(Each::Slow).is_some());
        drop(second);
        assert_eq!(first.connections(), 16);
    }

    #[test]
    fn as_many_are_asked_for_early_as_are_no_matter_together() {
        let (fast, slow) = (Each::Fast, Each::Slow);
        for (of_one, files, each, expected) in [
            (16, 1, fast, 16),
            (16, 2, fast, 4),
            (16, 4, fast, 2),
            (16, 5, fast, 0),
            (16, 5, slow, 1),
            (32, 4, fast, 4),
            (8, 1, slow, 0),
        ] {
            let connections = Arc::new(Connections::at_most(of_one, 24, 56));
            let shares: Vec<_> = (0..files).map(|_| connections.join()).collect();
            let early: Vec<_> = shares.iter().map(|share| share.successors(each)).collect();
            assert_eq!(early, vec![expected; files], "{files} files on {of_one} connections each");
        }
    }

    #[test]
    fn several_files_begin_with_a_share_and_may_come_to_more_together_than_one_may() {
        let connections = Arc::new(Connections::at_most(16, 24, 64));
        for (each, limit, most) in [(Each::Slow, 10, 64), (Each::Fast, 4, 24)] {
            let shares: Vec<_> = (0..6).map(|_| connections.join()).collect();
            assert!(
                shares.iter().all(|share| (share.connections(), share.limit(each)) == (2, limit))
            );
            let taken = |share| iter::from_fn(move || Share::take(share, each));
            let held: Vec<_> = shares.iter().flat_map(taken).collect();
            assert_eq!(held.len(), most - shares.len());
            drop((held, shares));
            let alone = connections.join();
            assert_eq!((alone.connections(), alone.limit(each)), (16, 16));
        }
    }
}
