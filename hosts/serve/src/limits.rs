//! What a server allows its clients: each of them, and all together.

use std::time::Duration;

/// What a server allows its clients. Whoever keeps within these bounds notices none of them; whoever does not loses its
/// connection, and holds up nobody else until then.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most connections at once; 1024 if not set. Where all are taken, the one that has been idle for longest is closed
    /// for the next; where none is idle, the next waits until one ends.
    pub connections: usize,
    /// The most bytes of a request's line and headers together; 32 KiB if not set, 8 KiB at least. A larger head is
    /// answered 431.
    pub head_bytes: usize,
    /// How long the head of a request may take from its first byte to its last, and the first one from the start of the
    /// connection; 10 seconds if not set.
    pub head_time: Duration,
    /// How long a connection may wait for its next request; 75 seconds if not set.
    pub idle_time: Duration,
    /// How long a client may take nothing of an answer that waits for it, or send nothing of a body that it has announced;
    /// 60 seconds if not set.
    pub stall_time: Duration,
    /// How long answers that are on their way may take after the server was told to stop; 5 seconds if not set.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head_bytes: 32 * 1024,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(75),
            stall_time: Duration::from_secs(60),
            grace: Duration::from_secs(5),
        }
    }
}

impl Limits {
    /// Returns the defaults with as many connections as there are descriptors for: each takes one, and another one for
    /// the file that it is sent; some are left for everything else.
    #[must_use]
    pub fn for_descriptors(descriptors: usize) -> Self {
        let connections = (descriptors.saturating_sub(REST) / 2).clamp(LEAST, MOST);
        Self { connections, ..Self::default() }
    }
}

/// The descriptors for everything but connections and what they are sent.
const REST: usize = 64;
/// The fewest connections that make a server.
const LEAST: usize = 8;
/// The most connections if nobody has asked for more: each may hold a chunk of a file in memory.
const MOST: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_follow_from_descriptors() {
        for (descriptors, connections) in
            [(0, 8), (64, 8), (256, 96), (1024, 480), (65_536, 4096), (usize::MAX, 4096)]
        {
            assert_eq!(Limits::for_descriptors(descriptors).connections, connections);
        }
    }
}
