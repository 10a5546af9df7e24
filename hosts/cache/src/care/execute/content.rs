//! Removing content that others may be about to use: under the locks that they heed, and after another look at who needs it.

use std::collections::HashSet;

use hubstow_core::{care::Step, layout::CachePath};

use super::{Kept, Skip, Work};
use crate::{
    care::{
        inventory::Item,
        locks::{LOCKS, PeerLock},
        walk::walk,
    },
    disk::Kind,
};

/// The longest list of a payload's users that is read.
const USERS_LIMIT_BYTES: u64 = 16 << 20;

impl Work<'_> {
    /// Removes blobs, some at a time: their locks in order, then another look at who needs them.
    pub(super) fn take_blobs(&mut self, blobs: &[Step]) {
        let mut blobs: Vec<(Step, &Item)> =
            blobs.iter().filter_map(|step| Some((*step, self.inventory.get(step.id)?))).collect();
        blobs.sort_by(|(_, one), (_, other)| one.at.cmp(&other.at));
        for some in blobs.chunks(LOCKS) {
            let cache = &self.view.cache;
            let lock = |blob: &Item| cache.lock_as_peers(&blob.at, &self.known);
            let locks: Vec<_> = some.iter().map(|(_, blob)| lock(blob)).collect();
            let needed = self.needed();
            for ((step, blob), lock) in some.iter().zip(&locks) {
                let skipped = match lock {
                    PeerLock::Busy => Some(Skip::InUse),
                    PeerLock::Held(_) | PeerLock::Unavailable if needed.needs(blob) => {
                        Some(Skip::Needed)
                    }
                    PeerLock::Held(_) | PeerLock::Unavailable => self.take(step, blob),
                };
                if matches!(lock, PeerLock::Unavailable) {
                    self.others = Kept::Nobody;
                }
                self.end(step.id, skipped);
            }
        }
    }

    /// Looks what the snapshots of the repo lead to now.
    fn needed(&self) -> Needed {
        let folder = self.inventory.get(self.outer).and_then(|repo| repo.at.listed("snapshots"));
        let disk = &*self.view.cache.disk;
        let mut damage = Vec::new();
        let listed = folder.map(|at| {
            let is_there = !matches!(disk.entry(&at), Ok(None));
            if is_there { walk(disk, at, &self.view.cancel, &mut damage) } else { Vec::new() }
        });
        let listed = listed.unwrap_or_default();
        let links = listed.iter().filter_map(|listed| listed.link.as_deref());
        let names = links.filter_map(|text| text.rsplit('/').next()).map(str::to_owned).collect();
        let files = listed.iter().filter_map(|listed| listed.entry.as_ref());
        let files = files.map(|entry| (entry.identity.device, entry.identity.file)).collect();
        Needed { names, files, is_whole: damage.is_empty() && !self.view.cancel.is_cancelled() }
    }

    /// Removes a payload of the shared store under its own lock, unless one of the users in its list still leads to it.
    pub(super) fn take_payload(&mut self, step: &Step, item: &Item) -> Option<Skip> {
        let named = |suffix: &str| item.at.parent().listed(&format!("{}{suffix}", item.at.base()));
        let (Some(lock), Some(users)) = (named(".lock"), named(".refs")) else {
            return Some(Skip::Changed);
        };
        let locked = self.view.cache.lock_of_peers(&lock);
        match locked {
            PeerLock::Busy => return Some(Skip::InUse),
            PeerLock::Unavailable => self.others = Kept::Nobody,
            PeerLock::Held(_) => {}
        }
        let cache = &self.view.cache;
        let is_file = matches!(cache.disk.entry(&users), Ok(Some(it)) if it.kind == Kind::File);
        let list = cache.read(&users, USERS_LIMIT_BYTES).filter(|_| is_file);
        let Some(list) = list else { return Some(Skip::Needed) };
        let list = String::from_utf8_lossy(&list);
        let is_used = list.lines().any(|line| {
            let mut parts = line.split('/');
            let at = [parts.next(), parts.next(), parts.next()]
                .into_iter()
                .try_fold(CachePath::root(), |at, part| at.listed(part?));
            let text = at.and_then(|at| cache.disk.link_text(&at).ok());
            text.is_some_and(|text| text.rsplit('/').next() == Some(item.at.base()))
        });
        let skipped = if is_used { Some(Skip::Needed) } else { self.take(step, item) };
        drop(locked);
        skipped
    }
}

/// What snapshots lead to: by name, so that a link counts whatever way it leads, and by file.
struct Needed {
    names: HashSet<String>,
    files: HashSet<(u64, u128)>,
    /// Whether all of them could be looked at.
    is_whole: bool,
}

impl Needed {
    fn needs(&self, blob: &Item) -> bool {
        let file = blob.entry.as_ref().map(|entry| (entry.identity.device, entry.identity.file));
        let is_named_file = file.is_some_and(|file| file.0 != 0 && self.files.contains(&file));
        !self.is_whole || self.names.contains(blob.at.base()) || is_named_file
    }
}
