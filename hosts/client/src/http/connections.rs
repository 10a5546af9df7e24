//! What all transfers of a program share: how many connections there are.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Where there may be so many connections, some more for a moment are no matter.
const SUCCESSORS_FROM: usize = 16;

/// The connections of one program that large files are received on.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    transfers: AtomicUsize,
    permits: AtomicUsize,
}

/// A large transfer's share; it has one connection, whoever else has any.
#[derive(Debug)]
pub(crate) struct Share(Arc<Connections>);

/// One more connection, until it is dropped.
#[derive(Debug)]
pub(crate) struct ConnectionPermit(Arc<Connections>);

impl Connections {
    /// Makes the connections of a program that has so many at most, and one for each file in any case.
    pub(crate) fn at_most(most: usize) -> Self {
        Self { most: most.max(1), transfers: AtomicUsize::new(0), permits: AtomicUsize::new(0) }
    }

    /// Returns how many there are at most.
    pub(crate) fn most(&self) -> usize {
        self.most
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

    /// Returns how many connections this transfer may have.
    pub(crate) fn connections(&self) -> usize {
        (self.0.most / self.transfers()).max(1)
    }

    /// Returns how many more may be asked for while as many others are about to end. None where the program says that there
    /// are to be few.
    pub(crate) fn successors(&self) -> usize {
        if self.0.most < SUCCESSORS_FROM { 0 } else { self.connections() }
    }

    /// Takes one more connection, if there is one.
    pub(crate) fn take(&self) -> Option<ConnectionPermit> {
        let more = |held| (held < self.0.most).then_some(held + 1);
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
    use super::*;

    #[test]
    fn transfers_share_connections_and_give_them_back() {
        let connections = Arc::new(Connections::at_most(16));
        let first = connections.join();
        assert_eq!(first.connections(), 16);
        let held: Vec<_> = std::iter::from_fn(|| first.take()).collect();
        assert_eq!(held.len(), 15, "the transfer itself has one");
        let second = connections.join();
        assert_eq!((first.connections(), second.connections()), (8, 8));
        assert!(second.take().is_none(), "until the first gives some back");
        drop(held);
        assert!(second.take().is_some());
        drop(second);
        assert_eq!(first.connections(), 16);
    }
}
