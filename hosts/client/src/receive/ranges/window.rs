//! Which bytes of one file are asked for on which connection, and in which order they go to the disk.
//!
//! A connection is one answer that is being received. What comes early waits here until everything before it has come, so
//! that the staged file is a prefix at any moment. Pure: bytes in, bytes out, no I/O and no clock.
//!
//! INVARIANT: every byte is handed out once, in order; and nothing is asked for that lies further than the reach behind
//! what is on the disk, so no more than that can wait here.

use std::{collections::BTreeMap, ops::Range};

use bytes::Bytes;

/// A connection, by its number.
pub(crate) type ConnectionId = u64;

/// How far a connection that receives all the rest may go on before the next one begins: it has time to prove itself.
pub(crate) const LEAD_BYTES: u64 = 2 << 20;
/// A range shorter than this is not worth a request, unless nothing else is left.
const LEAST_BYTES: u64 = 256 << 10;

/// What a piece has led to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Receipt {
    /// The connection goes on.
    Going,
    /// The connection has all it was to receive.
    Ended,
    /// A connection that receives all the rest has reached another connection's range; what it has of that comes back.
    Reached(Bytes),
}

/// How far a connection may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// Up to here.
    End(u64),
    /// Up to wherever another connection has begun, or the end of the file.
    Next,
}

/// What one connection has received and not been taken yet, or is to receive.
#[derive(Debug)]
struct Segment {
    /// Up to where it has received.
    at: u64,
    until: Until,
    /// Who receives it; nobody, where it is only kept.
    connection: Option<ConnectionId>,
    pieces: Vec<Bytes>,
}

/// The bytes of one file between what was taken and its end.
#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    /// Everything before this was taken.
    taken: u64,
    /// By where they begin; the first may begin before `taken`.
    segments: BTreeMap<u64, Segment>,
}

impl Window {
    /// Makes the window of a file of which the first bytes are taken, and gives all the rest to a connection.
    pub(crate) fn new(size: u64, taken: u64, connection: ConnectionId) -> Self {
        let first = Segment {
            at: taken,
            until: Until::Next,
            connection: Some(connection),
            pieces: Vec::new(),
        };
        Self { size, taken, segments: BTreeMap::from([(taken, first)]) }
    }

    /// Tells whether everything was taken.
    pub(crate) fn is_done(&self) -> bool {
        self.taken == self.size
    }

    /// Gives a connection the first range that nobody has, no longer than `len`, if there is one within reach. What is to
    /// be taken next is always within reach.
    pub(crate) fn assign(
        &mut self,
        connection: ConnectionId,
        len: u64,
        reach: u64,
    ) -> Option<Range<u64>> {
        let worth =
            |gap: &Range<u64>| gap.start == self.taken || gap.end - gap.start >= LEAST_BYTES;
        let gap = self.gaps().find(worth);
        let gap = gap.or_else(|| self.gaps().next())?;
        let mut end = gap.end.min(gap.start.saturating_add(len));
        if gap.start != self.taken && end > reach {
            end = reach;
            if end < gap.start.saturating_add(LEAST_BYTES) {
                return None;
            }
        }
        let until = Until::End(end);
        let range =
            Segment { at: gap.start, until, connection: Some(connection), pieces: Vec::new() };
        self.segments.insert(gap.start, range);
        Some(gap.start..end)
    }

    /// Gives a connection all the rest behind the first byte that nobody has, and returns where that begins.
    pub(crate) fn assign_rest(&mut self, connection: ConnectionId) -> Option<u64> {
        let start = self.gaps().next()?.start;
        let rest = Segment {
            at: start,
            until: Until::Next,
            connection: Some(connection),
            pieces: Vec::new(),
        };
        self.segments.insert(start, rest);
        Some(start)
    }

    /// Takes what a connection has received.
    pub(crate) fn receive(&mut self, connection: ConnectionId, mut piece: Bytes) -> Receipt {
        let Some(start) = self.start_of(connection) else {
            return Receipt::Ended;
        };
        let limit = self.limit(start);
        let size = self.size;
        let Some(segment) = self.segments.get_mut(&start) else {
            return Receipt::Ended;
        };
        let room = usize::try_from(limit - segment.at).unwrap_or(usize::MAX);
        let beyond = if piece.len() > room { piece.split_off(room) } else { Bytes::new() };
        segment.at += piece.len() as u64;
        if !piece.is_empty() {
            segment.pieces.push(piece);
        }
        match segment.until {
            _ if segment.at < limit => Receipt::Going,
            Until::Next if limit < size => Receipt::Reached(beyond),
            Until::Next | Until::End(_) => {
                self.give_back(connection);
                Receipt::Ended
            }
        }
    }

    /// A connection receives no more: what it has is kept, and what is missing is anybody's.
    pub(crate) fn give_back(&mut self, connection: ConnectionId) {
        let Some(start) = self.start_of(connection) else {
            return;
        };
        if let Some(segment) = self.segments.get_mut(&start) {
            segment.connection = None;
            segment.until = Until::End(segment.at);
            if segment.at == start || segment.at <= self.taken {
                self.segments.remove(&start);
            }
        }
    }

    /// Takes what comes next, as far as it is here.
    pub(crate) fn take(&mut self) -> Vec<Bytes> {
        let mut pieces = Vec::new();
        while let Some(mut first) = self.segments.first_entry() {
            if *first.key() > self.taken {
                break;
            }
            let segment = first.get_mut();
            pieces.append(&mut segment.pieces);
            self.taken = self.taken.max(segment.at);
            if segment.connection.is_some() {
                break;
            }
            first.remove();
        }
        pieces
    }

    fn start_of(&self, connection: ConnectionId) -> Option<u64> {
        let mut segments = self.segments.iter();
        segments
            .find(|(_, segment)| segment.connection == Some(connection))
            .map(|(start, _)| *start)
    }

    /// Returns up to where the segment that begins here may go.
    fn limit(&self, start: u64) -> u64 {
        match self.segments.get(&start).map(|segment| segment.until) {
            Some(Until::End(end)) => end,
            Some(Until::Next) | None => {
                self.segments.range(start + 1..).next().map_or(self.size, |(next, _)| *next)
            }
        }
    }

    /// Lists what may be given to a connection: what nobody has, and what one that receives all the rest will not come
    /// to soon.
    fn gaps(&self) -> impl Iterator<Item = Range<u64>> {
        let ends = self.segments.iter().map(|(start, segment)| match segment.until {
            Until::End(end) => end,
            Until::Next => segment.at.saturating_add(LEAD_BYTES).max(*start),
        });
        let begins = self.segments.keys().copied().skip(1).chain([self.size]);
        let before = self.segments.keys().copied().next().unwrap_or(self.size);
        let between = ends.zip(begins).map(|(end, begin)| end..begin);
        std::iter::once(self.taken..before).chain(between).filter(|gap| gap.start < gap.end)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    const MIB: u64 = 1 << 20;

    /// Bytes that tell where they belong.
    fn content(range: Range<u64>) -> Bytes {
        static ALL: LazyLock<Bytes> =
            LazyLock::new(|| (0..12 * MIB).map(|at| (at * 7 % 251) as u8).collect());
        ALL.slice(range.start as usize..range.end as usize)
    }

    #[test]
    fn a_first_connection_leaves_the_next_one_room_behind_its_lead() {
        let mut window = Window::new(40 * MIB, 5, 0);
        assert_eq!(window.assign(1, MIB, 16 * MIB), Some(5 + LEAD_BYTES..5 + LEAD_BYTES + MIB));
        let next = 5 + LEAD_BYTES + MIB;
        assert_eq!(window.assign(2, MIB, 16 * MIB), Some(next..next + MIB));
        assert_eq!(window.assign(3, MIB, next + MIB), None, "out of reach");
        assert_eq!(
            window.assign(3, MIB, next + MIB + MIB / 2),
            Some(next + MIB..next + MIB + MIB / 2)
        );
    }

    #[test]
    fn a_connection_that_receives_the_rest_goes_over_what_is_given_back() {
        let mut window = Window::new(10 * MIB, 0, 0);
        let range = window.assign(1, MIB, 10 * MIB).unwrap();
        assert_eq!(window.receive(0, content(0..range.start)), Receipt::Reached(Bytes::new()));
        let more = content(range.start..range.start + 3);
        assert_eq!(window.receive(0, more.clone()), Receipt::Reached(more.clone()));
        window.give_back(1);
        assert_eq!(window.receive(0, more), Receipt::Going);
        assert_eq!(window.receive(0, content(range.start + 3..10 * MIB)), Receipt::Ended);
        assert_eq!(window.take().concat(), content(0..10 * MIB));
        assert!(window.is_done());
    }

    #[test]
    fn what_comes_early_waits_and_what_is_missing_is_given_again() {
        let mut window = Window::new(4 * MIB, 0, 0);
        window.give_back(0);
        assert_eq!(window.assign(1, MIB, 4 * MIB), Some(0..MIB));
        assert_eq!(window.assign(2, MIB, 4 * MIB), Some(MIB..2 * MIB));
        assert_eq!(window.receive(2, content(MIB..2 * MIB)), Receipt::Ended);
        assert_eq!(window.take().concat(), b"", "nothing is in order yet");
        assert_eq!(window.receive(1, content(0..10)), Receipt::Going);
        assert_eq!(window.take().concat(), content(0..10));
        window.give_back(1);
        assert_eq!(window.assign(3, MIB, 0), Some(10..MIB), "what comes next is always in reach");
        assert_eq!(window.receive(3, content(10..MIB + 5)), Receipt::Ended, "more than asked for");
        assert_eq!(window.take().concat(), content(10..2 * MIB));
        assert_eq!(window.assign_rest(4), Some(2 * MIB));
        assert_eq!(window.receive(4, content(2 * MIB..4 * MIB)), Receipt::Ended);
        assert_eq!(window.take().concat(), content(2 * MIB..4 * MIB));
        assert!(window.is_done());
        assert_eq!(window.assign(5, MIB, 4 * MIB), None);
        assert_eq!(window.assign_rest(5), None);
    }

    /// Plays connections that start, receive, break and are replaced in a random order.
    #[test]
    fn whatever_connections_do_the_file_comes_out_in_order_and_within_reach() {
        for seed in 0..40 {
            let mut random = fastrand::Rng::with_seed(seed);
            let size = random.u64(MIB..12 * MIB);
            let (mut window, mut connections, mut number) =
                (Window::new(size, 0, 0), vec![(0, 0)], 0);
            let mut out = 0;
            while !window.is_done() {
                let reach = out + 4 * MIB;
                if connections.len() < 5 && random.bool() || connections.is_empty() {
                    number += 1;
                    let rest = connections.is_empty() && random.bool();
                    let given = if rest {
                        window.assign_rest(number)
                    } else {
                        window.assign(number, MIB, reach).map(|range| range.start)
                    };
                    assert!(
                        given.is_some() || !connections.is_empty(),
                        "seed {seed}: nothing to do"
                    );
                    connections.extend(given.map(|at| (number, at)));
                }
                let turn = random.usize(..connections.len().max(1));
                let Some((connection, at)) = connections.get_mut(turn) else { continue };
                let end = size.min(*at + random.u64(1..MIB));
                match window.receive(*connection, content(*at..end)) {
                    Receipt::Going if random.u8(..10) > 0 => *at = end,
                    Receipt::Going | Receipt::Reached(_) => {
                        window.give_back(*connection);
                        connections.swap_remove(turn);
                    }
                    Receipt::Ended => drop(connections.swap_remove(turn)),
                }
                for piece in window.take() {
                    let end = out + piece.len() as u64;
                    assert!(piece == content(out..end), "seed {seed}: not in order");
                    out = end;
                }
                let waiting = window.segments.values().flat_map(|segment| &segment.pieces);
                let waiting: usize = waiting.map(Bytes::len).sum();
                assert!(waiting as u64 <= 4 * MIB, "seed {seed}: {waiting} bytes wait");
            }
            assert_eq!(out, size, "seed {seed}");
        }
    }
}
