//! Which connections of a file are read. All are, as long as this machine takes what they bring. Where it takes less, what
//! comes first in the file is read first, and the others are parked: what is read can be hashed as it comes, the disk gets
//! it in one stream, and what the others bring waits with the system and not in the memory of this program.
//!
//! Pure: times are passed in.
//!
//! INVARIANT: after [`Reading::next`] has returned nothing, somebody is read, and before anybody who is parked.

use std::{collections::BTreeMap, time::Duration};

use litemap::LiteMap;

use super::plan::ConnectionId;
use crate::http::session::ROOM_BYTES;

/// Where there is room, one more is read after this.
pub(crate) const ONE_MORE: Duration = Duration::from_millis(1);
/// Nobody is parked for longer at a time, so that the other side does not take it for gone.
const PARKED_LIMIT: Duration = Duration::from_secs(5);

/// How much room there is for what is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// What was received is as good as written and hashed.
    Much,
    Some,
    /// Whoever brings something is about to wait.
    Little,
}

impl Room {
    /// Judges by how much of [`ROOM_BYTES`] is free.
    pub(crate) fn of_bytes(free: usize) -> Self {
        match free {
            free if free >= ROOM_BYTES / 4 * 3 => Self::Much,
            free if free >= ROOM_BYTES / 16 => Self::Some,
            _ => Self::Little,
        }
    }
}

/// Who is read, and who is not; `B` is what it takes to read on.
#[derive(Debug)]
pub(crate) struct Reading<B> {
    /// Where the next piece of each belongs that is read.
    read: LiteMap<ConnectionId, u64>,
    /// The others, in the order of where theirs belong.
    parked: BTreeMap<(u64, ConnectionId), Parked<B>>,
    one_more_at: Duration,
}

#[derive(Debug)]
struct Parked<B> {
    body: B,
    since: Duration,
}

impl<B> Default for Reading<B> {
    fn default() -> Self {
        Self { read: LiteMap::new(), parked: BTreeMap::new(), one_more_at: Duration::ZERO }
    }
}

impl<B> Reading<B> {
    /// Offers what a connection brings from there on, which is read unless it can wait. Returns what it takes to read it;
    /// nothing where it is parked.
    pub(crate) fn offer(
        &mut self,
        id: ConnectionId,
        at: u64,
        body: B,
        room: Room,
        now: Duration,
    ) -> Option<B> {
        if room == Room::Little && self.is_behind(at) {
            self.parked.insert((at, id), Parked { body, since: now });
            return None;
        }
        self.read.insert(id, at);
        Some(body)
    }

    /// Takes note that a connection has brought what it was read for.
    pub(crate) fn has_brought(&mut self, id: ConnectionId) {
        self.read.remove(&id);
    }

    /// The connection is over.
    pub(crate) fn gone(&mut self, id: ConnectionId) {
        self.read.remove(&id);
        self.parked.retain(|(_, parked), _| *parked != id);
    }

    /// Tells whether anybody is parked.
    pub(crate) fn is_any_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// Returns who is to be read besides, and what it takes.
    pub(crate) fn next(&mut self, room: Room, now: Duration) -> Option<(ConnectionId, B)> {
        let (&first, _) = self.parked.first_key_value()?;
        let is_time = |parked: &Parked<B>| now >= parked.since + PARKED_LIMIT;
        let key = if !self.is_behind(first.0) {
            first
        } else if room == Room::Much && now >= self.one_more_at {
            self.one_more_at = now + ONE_MORE;
            first
        } else {
            *self.parked.iter().find(|(_, parked)| is_time(parked))?.0
        };
        let Parked { body, .. } = self.parked.remove(&key)?;
        let (at, id) = key;
        self.read.insert(id, at);
        Some((id, body))
    }

    /// Tells whether somebody is read who comes before that.
    fn is_behind(&self, at: u64) -> bool {
        self.read.values().any(|read| *read < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1);

    fn ms(ms: u64) -> Duration {
        START + Duration::from_millis(ms)
    }

    /// Four connections that have been answered, in any order.
    fn answered(order: [ConnectionId; 4]) -> Reading<()> {
        let mut reading = Reading::default();
        for id in order {
            let is_read = reading.offer(id, id * 100, (), Room::Little, START).is_some();
            assert!(is_read || reading.is_any_parked());
        }
        reading
    }

    fn next(reading: &mut Reading<()>, room: Room, now: Duration) -> Option<ConnectionId> {
        reading.next(room, now).map(|(id, ())| id)
    }

    #[test]
    fn room_is_judged_by_how_much_of_it_is_free() {
        for (free, expected) in [
            (0, Room::Little),
            (ROOM_BYTES / 16 - 1, Room::Little),
            (ROOM_BYTES / 16, Room::Some),
            (ROOM_BYTES / 2, Room::Some),
            (ROOM_BYTES / 4 * 3, Room::Much),
            (ROOM_BYTES, Room::Much),
        ] {
            assert_eq!(Room::of_bytes(free), expected, "{free}");
        }
    }

    #[test]
    fn the_foremost_is_read_and_the_others_as_there_is_room() {
        let mut reading = answered([0, 1, 2, 3]);
        assert_eq!(next(&mut reading, Room::Little, START), None);
        assert_eq!(next(&mut reading, Room::Some, START), None);
        assert_eq!(next(&mut reading, Room::Much, START), Some(1));
        assert_eq!(next(&mut reading, Room::Much, START), None, "one more at a time");
        assert_eq!(next(&mut reading, Room::Much, ms(1)), Some(2));
        assert_eq!(next(&mut reading, Room::Much, ms(2)), Some(3));
        assert!(!reading.is_any_parked());
    }

    #[test]
    fn whoever_is_behind_is_parked_where_room_is_little() {
        let mut reading = answered([0, 1, 2, 3]);
        assert_eq!(next(&mut reading, Room::Much, START), Some(1));
        for (room, is_read) in [(Room::Much, true), (Room::Some, true), (Room::Little, false)] {
            reading.has_brought(1);
            assert_eq!(reading.offer(1, 110, (), room, START).is_some(), is_read, "{room:?}");
        }
        reading.has_brought(0);
        assert_eq!(reading.offer(0, 10, (), Room::Little, START), Some(()), "the foremost goes on");
    }

    #[test]
    fn where_the_foremost_is_over_the_next_one_follows_at_once() {
        let mut reading = answered([0, 1, 2, 3]);
        reading.gone(0);
        assert_eq!(next(&mut reading, Room::Little, START), Some(1));
        assert_eq!(next(&mut reading, Room::Little, START), None);
        reading.gone(2);
        reading.gone(1);
        assert_eq!(next(&mut reading, Room::Little, START), Some(3), "and none that is over");
        assert!(!reading.is_any_parked());
    }

    #[test]
    fn an_answer_that_comes_before_all_is_read_beside_the_others() {
        let mut reading = answered([3, 2, 1, 0]);
        assert!(!reading.is_any_parked());
        reading.has_brought(3);
        assert_eq!(reading.offer(3, 310, (), Room::Little, START), None);
    }

    #[test]
    fn nobody_is_parked_for_long_at_a_time() {
        let mut reading = answered([0, 1, 2, 3]);
        let later = START + PARKED_LIMIT;
        for id in [1, 2, 3] {
            assert_eq!(next(&mut reading, Room::Little, later), Some(id));
        }
        reading.has_brought(2);
        assert_eq!(reading.offer(2, 210, (), Room::Little, later), None);
        assert_eq!(next(&mut reading, Room::Little, later + ONE_MORE), None);
    }
}
