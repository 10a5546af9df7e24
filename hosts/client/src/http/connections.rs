//! What all transfers of a program share: how many connections there are, and how many bytes wait to be in order.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The most connections that large files are received on at a time: what a hub takes from one client without complaint.
const CONNECTIONS: usize = 16;
/// The most bytes that wait in memory until those before them have come.
const REACH_BYTES: u64 = 16 << 20;

/// The connections of one program that large files are received on.
#[derive(Debug, Default)]
pub(crate) struct Connections {
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
        (CONNECTIONS / self.transfers()).max(1)
    }

    /// Returns how many bytes of this transfer may wait.
    pub(crate) fn reach_bytes(&self) -> u64 {
        REACH_BYTES / self.transfers() as u64
    }

    /// Takes one more connection, if there is one.
    pub(crate) fn take(&self) -> Option<ConnectionPermit> {
        let more = |held| (held < CONNECTIONS).then_some(held + 1);
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
    fn transfers_share_connections_and_bytes_and_give_them_back() {
        let connections = Arc::new(Connections::default());
        let first = connections.join();
        assert_eq!((first.connections(), first.reach_bytes()), (16, 16 << 20));
        let held: Vec<_> = std::iter::from_fn(|| first.take()).collect();
        assert_eq!(held.len(), 15, "the transfer itself has one");
        let second = connections.join();
        assert_eq!(
            (first.connections(), second.connections(), second.reach_bytes()),
            (8, 8, 8 << 20)
        );
        assert!(second.take().is_none(), "until the first gives some back");
        drop(held);
        assert!(second.take().is_some());
        drop(second);
        assert_eq!(first.connections(), 16);
    }
}
