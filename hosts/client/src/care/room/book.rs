//! The book of a bounded disk: how much there is, and how much of it is spoken for by whom.
//!
//! INVARIANT (sum): what is there and what is to come are never counted twice: what is staged of something counts as being
//! there, and only the rest of it as to come.

use std::collections::{BTreeMap, HashMap, HashSet};

use hubstow_core::{layout::CachePath, name::Etag};

use super::{NoRoom, RoomStats, needs::Needs};

/// Names what somebody has asked room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// What is there, and what was asked for.
#[derive(Debug)]
pub(super) struct Book {
    limit_bytes: u64,
    /// How many bytes were there at the last look or came since from what was asked for; `None` before the first.
    known: Option<u64>,
    next: Ticket,
    entries: BTreeMap<Ticket, Entry>,
    is_looked_at: bool,
    /// What has left while somebody looks.
    left: BTreeMap<Ticket, Entry>,
    evictions: u64,
    evicted_bytes: u64,
    refused: u64,
}

#[derive(Debug)]
struct Entry {
    needs: Needs,
    is_reserved: bool,
}

/// A look at what is there: it knows nothing of what was asked for after it began.
pub(super) struct Look(Ticket);

impl Book {
    pub(super) fn new(limit_bytes: u64) -> Self {
        let (entries, left) = (BTreeMap::new(), BTreeMap::new());
        let (evictions, evicted_bytes, refused) = (0, 0, 0);
        let (known, next, is_looked_at) = (None, Ticket(0), false);
        Self {
            limit_bytes,
            known,
            next,
            entries,
            is_looked_at,
            left,
            evictions,
            evicted_bytes,
            refused,
        }
    }

    /// Holds what is here of something, and reserves nothing yet.
    pub(super) fn enter(&mut self, needs: Needs) -> Ticket {
        let ticket = self.next;
        self.next = Ticket(ticket.0 + 1);
        self.entries.insert(ticket, Entry { needs, is_reserved: false });
        ticket
    }

    /// Returns how many bytes of something are to come.
    pub(super) fn asked(&self, ticket: Ticket) -> u64 {
        self.entries.get(&ticket).map_or(0, |entry| entry.needs.to_come)
    }

    /// Reserves what is to come of something, where there is room; `false` where there may be after a look.
    ///
    /// # Errors
    /// It will never fit.
    pub(super) fn reserve(&mut self, ticket: Ticket) -> Result<bool, NoRoom> {
        let Some(Entry { needs, .. }) = self.entries.get(&ticket) else { return Ok(false) };
        let (bytes, whole) = (needs.to_come, needs.to_come.saturating_add(needs.left_bytes));
        let limit_bytes = self.limit_bytes;
        if bytes > 0 && whole > limit_bytes {
            return Err(NoRoom::TooLarge { bytes: whole, limit_bytes });
        }
        let Some(known) = self.known else { return Ok(false) };
        let is_free = known.saturating_add(self.reserved()).saturating_add(bytes) <= limit_bytes;
        // What is here takes nothing, however full it is.
        let fits = is_free || bytes == 0;
        if let Some(entry) = self.entries.get_mut(&ticket).filter(|_| fits) {
            entry.is_reserved = true;
        }
        Ok(fits)
    }

    /// It is there, or will not come.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        let Some(entry) = self.entries.remove(&ticket) else { return };
        self.known = self.known.map(|known| known.saturating_add(entry.to_come()));
        if self.is_looked_at {
            self.left.insert(ticket, entry);
        }
    }

    pub(super) fn refused(&mut self) {
        self.refused += 1;
    }

    /// A look begins.
    pub(super) fn look(&mut self) -> Look {
        self.left.clear();
        self.is_looked_at = true;
        Look(self.next)
    }

    /// Takes over what a look has seen to be staged, and returns what somebody is about to use.
    pub(super) fn seen(
        &mut self,
        look: &Look,
        staged: &HashMap<(CachePath, Etag), u64>,
    ) -> HashSet<CachePath> {
        let all = self.entries.range_mut(..look.0).chain(self.left.range_mut(..look.0));
        all.for_each(|(_, entry)| entry.is_staged(staged));
        self.entries.values().flat_map(|entry| entry.needs.here.iter().cloned()).collect()
    }

    /// A look has ended: so many bytes are there, and so many have gone.
    pub(super) fn looked(&mut self, _look: Look, there: u64, gone: u64) {
        self.is_looked_at = false;
        let left = std::mem::take(&mut self.left);
        let landed: u64 = left.values().map(Entry::to_come).sum();
        self.known = Some(there.saturating_add(landed));
        self.evictions += u64::from(gone > 0);
        self.evicted_bytes += gone;
    }

    pub(super) fn evictions(&self) -> u64 {
        self.evictions
    }

    pub(super) fn stats(&self, limit_bytes: u64) -> RoomStats {
        RoomStats {
            limit_bytes,
            held_bytes: self.known.unwrap_or(0),
            reserved_bytes: self.reserved(),
            evictions: self.evictions,
            evicted_bytes: self.evicted_bytes,
            refused: self.refused,
        }
    }

    fn reserved(&self) -> u64 {
        self.entries.values().map(Entry::to_come).sum()
    }
}

impl Entry {
    fn to_come(&self) -> u64 {
        if self.is_reserved { self.needs.to_come } else { 0 }
    }

    /// What is staged of it is there, and not to come.
    fn is_staged(&mut self, staged: &HashMap<(CachePath, Etag), u64>) {
        let Needs { staged: at, to_come, left_bytes, .. } = &mut self.needs;
        let now = staged.get(at).copied().unwrap_or(0);
        *to_come = (*to_come + *left_bytes).saturating_sub(now);
        *left_bytes = now;
    }
}
