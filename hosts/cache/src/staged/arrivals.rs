//! Whoever reads a staged file while it is received.

use std::ops::Range;

use super::{intervals::Intervals, reader::StagedReader};

/// Whoever reads a staged file while it is received. It is told from the thread that writes, so it must not wait for anything.
///
/// What has arrived is not proved: only after [`proved`](Self::proved) is anything known of the content.
pub trait Arrivals: Send + Sync {
    /// A staged file is open, and holds so much that an earlier run has left. The reader keeps the file locked, so it is to be
    /// dropped once [`proved`](Self::proved) was told or the download has ended.
    fn begun(&self, reader: StagedReader, held: &Intervals);

    /// These bytes can be read.
    fn arrived(&self, bytes: Range<u64>);

    /// All bytes were dropped; others will come.
    fn dropped(&self);

    /// All bytes have arrived, and they have the size and the hash that the hub promised.
    fn proved(&self);
}
