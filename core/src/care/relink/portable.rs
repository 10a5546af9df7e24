//! Regular files in place of links.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::{
    Draft,
    group::Group,
    plan::{Act, Why},
};
use crate::{
    care::held::{Id, Role},
    policy::Method,
};

impl Draft<'_> {
    /// Gives every pointer a file of its own, as far as the policy wants it and nothing but copies is left. What the ladder
    /// has above copies stays; what leads to nothing is copied in any case. The last pointer that needs a blob takes its file
    /// over.
    pub(super) fn copy_out(&mut self, groups: &mut [Group]) {
        if self.allows(Method::Symlink) {
            groups.iter().for_each(|group| self.copy_dangling(group));
            return;
        }
        let dropped = self.useless(groups);
        let keepers = self.keepers(groups, &dropped);
        for group in groups.iter() {
            self.copy_group(group, &keepers);
        }
        for blob in dropped {
            self.step(Act::Drop, blob, None, None, Why::Useless);
            if let Some(content) = self.held.get(blob).and_then(|entry| entry.content) {
                self.files.take(content.file);
            }
        }
    }

    fn copy_dangling(&mut self, group: &Group) {
        let from = group.blob.map(|blob| blob.id).or_else(|| group.files().next());
        for pointer in group.pointers.iter().filter(|id| group.is_dangling(**id)) {
            from.into_iter().for_each(|from| self.copy(*pointer, from, Why::Dangling));
        }
    }

    /// Returns the blobs that nothing but the pointers of their groups leads to, and those that nothing leads to whose content
    /// such a pointer has: a run that was broken off has left them.
    fn useless(&self, groups: &[Group]) -> BTreeSet<Id> {
        let mut leading: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
        // What a dead run has left goes first, and leads to nothing then.
        for (id, entry) in self.held.iter().filter(|(id, _)| !self.rules.dead.contains(id)) {
            for to in &entry.leads_to {
                leading.entry(*to).or_default().push(id);
            }
        }
        let keeps_twins = self.allows(Method::Hardlink);
        let is_useless = |group: &&Group| {
            let leading = group
                .blob
                .map_or(&[][..], |blob| leading.get(&blob.id).map_or(&[][..], Vec::as_slice));
            let goes = |id: &Id| {
                let is_twin = self.file_of(*id).is_some();
                group.pointers.contains(id) && !(is_twin && keeps_twins)
            };
            (!leading.is_empty() || group.files().next().is_some()) && leading.iter().all(goes)
        };
        groups.iter().filter(is_useless).filter_map(|group| Some(group.blob?.id)).collect()
    }

    /// Returns the pointer that keeps each file, where one may have it alone in the end: one that has it now or, where it can
    /// get it as another name, one that leads to its blob.
    fn keepers(&self, groups: &[Group], dropped: &BTreeSet<Id>) -> BTreeMap<u64, Id> {
        let meant: BTreeSet<Id> = groups.iter().flat_map(|group| group.pointers.clone()).collect();
        let mut stays: BTreeSet<u64> = BTreeSet::new();
        for (id, entry) in self.held.iter() {
            let goes = match entry.role {
                Role::Blob => dropped.contains(&id),
                Role::Pointer => meant.contains(&id),
                Role::Repo
                | Role::Frame
                | Role::Ref
                | Role::Revision
                | Role::Folder
                | Role::Staged
                | Role::Companion
                | Role::Payload
                | Role::Stranger => false,
            };
            stays.extend(entry.content.filter(|_| !goes).map(|content| content.file));
        }
        let mut keepers = BTreeMap::new();
        let files = groups.iter().flat_map(Group::files);
        for pointer in files {
            let content = self.held.get(pointer).and_then(|entry| entry.content);
            if let Some(content) = content.filter(|content| !stays.contains(&content.file)) {
                keepers.entry(content.file).or_insert(pointer);
            }
        }
        if self.rules.works(Method::Hardlink) {
            for group in groups {
                let blob = group.blob.filter(|blob| dropped.contains(&blob.id));
                let file = blob.and_then(|blob| blob.file).filter(|file| !stays.contains(file));
                let is_link = |id: &&Id| self.held.get(**id).is_some_and(|it| it.content.is_none());
                // The last one, for until then the others are copied from the blob.
                let last = group.pointers.iter().rev().find(is_link);
                if let (Some(file), Some(pointer)) = (file, last) {
                    keepers.entry(file).or_insert(*pointer);
                }
            }
        }
        keepers
    }

    fn copy_group(&mut self, group: &Group, keepers: &BTreeMap<u64, Id>) {
        let stays = |id: &Id| {
            let file = self.file_of(*id);
            file.is_some_and(|file| keepers.get(&file) == Some(id) || !self.is_shared(file))
        };
        let from = group.blob.map(|blob| blob.id).or_else(|| group.files().find(stays));
        let blob_file = group.blob.and_then(|blob| blob.file);
        for pointer in &group.pointers {
            let keeps = |file: u64| keepers.get(&file) == Some(pointer);
            match (self.file_of(*pointer), from, blob_file) {
                (Some(file), ..) if keeps(file) || !self.is_shared(file) => {}
                (Some(_), ..) => self.copy(*pointer, *pointer, Why::Linked),
                (None, Some(from), Some(file)) if keeps(file) => {
                    let source = self.source(from, false);
                    let by = Some(Method::Hardlink);
                    self.step(Act::Place, *pointer, by, Some(source), Why::Linked);
                    self.files.give(Method::Hardlink, file, 0);
                }
                (None, Some(from), _) => {
                    let is_dangling = group.is_dangling(*pointer);
                    let why = if is_dangling { Why::Dangling } else { Why::Linked };
                    self.copy(*pointer, from, why);
                }
                (None, None, _) => {}
            }
        }
    }

    /// Tells whether a file has more than one name in the cache, and may not have.
    fn is_shared(&self, file: u64) -> bool {
        self.files.names_here(file) > 1 && !self.allows(Method::Hardlink)
    }

    fn copy(&mut self, pointer: Id, from: Id, why: Why) {
        let source = self.source(from, false);
        self.step(Act::Place, pointer, Some(Method::Copy), Some(source), why);
        let content = self.held.get(pointer).and_then(|entry| entry.content);
        content.into_iter().for_each(|content| self.files.take(content.file));
        let len_bytes = self.len_of(from);
        self.files.give(Method::Copy, u64::MAX, len_bytes);
    }
}
