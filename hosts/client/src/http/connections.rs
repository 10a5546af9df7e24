//! What all transfers of a program share: how many connections there are, and how many bytes wait to be in order.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The most connections that large files are received on at a time: what a hub takes from one client without complaint.
const MOST_LANES: usize = 16;
/// The most bytes that wait in memory until those before them have come.
const REACH_BYTES: u64 = 16 << 20;

/// The lines of one program.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    transfers: AtomicUsize,
    lanes: AtomicUsize,
}

/// A large transfer's part in the lines; it holds one lane, whoever else holds any.
#[derive(Debug)]
pub(crate) struct Share(Arc<Lines>);

/// One more lane.
#[derive(Debug)]
pub(crate) struct Held(Arc<Lines>);

impl Lines {
    /// Joins with a large transfer. The others get less from now on.
    pub(crate) fn join(self: &Arc<Self>) -> Share {
        self.transfers.fetch_add(1, Ordering::Relaxed);
        self.lanes.fetch_add(1, Ordering::Relaxed);
        Share(Arc::clone(self))
    }
}

impl Share {
    fn transfers(&self) -> usize {
        self.0.transfers.load(Ordering::Relaxed).max(1)
    }

    /// Returns how many lanes this transfer may have.
    pub(crate) fn lanes(&self) -> usize {
        (MOST_LANES / self.transfers()).max(1)
    }

    /// Returns how many bytes of this transfer may wait.
    pub(crate) fn reach_bytes(&self) -> u64 {
        REACH_BYTES / self.transfers() as u64
    }

    /// Takes one more lane, if there is one.
    pub(crate) fn take(&self) -> Option<Held> {
        let more = |lanes| (lanes < MOST_LANES).then_some(lanes + 1);
        self.0.lanes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Held(Arc::clone(&self.0)))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.transfers.fetch_sub(1, Ordering::Relaxed);
        self.0.lanes.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.lanes.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transfers_share_lanes_and_bytes_and_give_them_back() {
        let lines = Arc::new(Lines::default());
        let first = lines.join();
        assert_eq!((first.lanes(), first.reach_bytes()), (16, 16 << 20));
        let held: Vec<_> = std::iter::from_fn(|| first.take()).collect();
        assert_eq!(held.len(), 15, "the transfer itself has one");
        let second = lines.join();
        assert_eq!((first.lanes(), second.lanes(), second.reach_bytes()), (8, 8, 8 << 20));
        assert!(second.take().is_none(), "until the first gives some back");
        drop(held);
        assert!(second.take().is_some());
        drop(second);
        assert_eq!(first.lanes(), 16);
    }
}
