//! A plan that is being made: what is doomed so far, and what follows from that.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec,
    vec::Vec,
};

use super::{
    held::{Entry, Held, Hold, Id, Role},
    plan::{Kept, Plan, Step, Why, rank},
    reach::reach,
};

/// How much a sweep takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sweep {
    /// What the plan itself has made useless.
    Freed,
    /// All that is useless.
    Useless,
}

/// A plan that is being made.
#[derive(Clone)]
pub(super) struct Draft<'a> {
    held: &'a Held,
    inside: BTreeMap<Id, Vec<Id>>,
    /// The refs that lead to each revision.
    refs: BTreeMap<Id, Vec<Id>>,
    doomed: Vec<Option<Why>>,
    kept: Vec<Kept>,
    /// The repos that were asked for.
    asked: BTreeSet<Id>,
    /// The repos of which a ref can't be told.
    unsure: BTreeSet<Id>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(held: &'a Held) -> Self {
        let mut inside: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
        let mut refs: BTreeMap<Id, Vec<Id>> = BTreeMap::new();
        for (id, entry) in held.iter() {
            // What is outside has a smaller number, so nothing is in itself.
            if let Some(outer) = entry.within.filter(|outer| *outer < id) {
                inside.entry(outer).or_default().push(id);
            }
            for revision in entry.leads_to.iter().filter(|_| entry.role == Role::Ref) {
                refs.entry(*revision).or_default().push(id);
            }
        }
        let (doomed, asked) = (vec![None; held.entries.len()], BTreeSet::new());
        let unsure = held.repos_with_unsure_refs();
        Self { held, inside, refs, doomed, kept: Vec::new(), asked, unsure }
    }

    /// Returns what is directly in an entry.
    fn inside(&self, id: Id) -> &[Id] {
        self.inside.get(&id).map_or(&[], Vec::as_slice)
    }

    pub(super) fn is_doomed(&self, id: Id) -> bool {
        self.doomed.get(id.place()).is_some_and(Option::is_some)
    }

    fn doom(&mut self, id: Id, why: Why) {
        if let Some(doomed) = self.doomed.get_mut(id.place()) {
            doomed.get_or_insert(why);
        }
    }

    pub(super) fn is_busy(&self, id: Id) -> bool {
        self.held.around(id).any(|(_, entry)| entry.hold.is_busy())
    }

    /// Returns what holds an entry of those that users name: it or what it is in; of a ref also what it leads to.
    pub(super) fn held_by(&self, id: Id) -> Option<Hold> {
        let own =
            self.held.around(id).map(|(_, entry)| entry.hold).find(|hold| *hold != Hold::Free);
        own.or_else(|| {
            let entry = self.held.get(id).filter(|entry| entry.role == Role::Ref)?;
            entry.leads_to.iter().find_map(|to| self.held_by(*to))
        })
    }

    /// Dooms what was asked for.
    pub(super) fn ask(&mut self, id: Id) {
        match self.held.get(id).map(|entry| entry.role) {
            Some(Role::Repo) => self.doom_repo(id),
            Some(Role::Revision) => self.doom_revision(id, Why::Asked),
            Some(Role::Pointer) => match self.held_by(id) {
                Some(by) => self.kept.push(Kept { id, by }),
                None => self.doom(id, Why::Asked),
            },
            Some(
                Role::Frame
                | Role::Ref
                | Role::Folder
                | Role::Blob
                | Role::Staged
                | Role::Companion
                | Role::Payload
                | Role::Stranger,
            )
            | None => {}
        }
    }

    fn doom_repo(&mut self, repo: Id) {
        if let Some(by) = self.held_by(repo) {
            self.kept.push(Kept { id: repo, by });
            return;
        }
        self.asked.insert(repo);
        let all = self.all_inside(repo);
        let is_loose = |entry: &Entry| match entry.role {
            Role::Stranger => true,
            Role::Ref => entry.leads_to.is_empty(),
            Role::Folder => entry.is_unsure_ref(),
            Role::Repo
            | Role::Frame
            | Role::Revision
            | Role::Pointer
            | Role::Blob
            | Role::Staged
            | Role::Companion
            | Role::Payload => false,
        };
        let of = |such: &dyn Fn(&Entry) -> bool| -> Vec<Id> {
            let ids = all.iter().copied();
            ids.filter(|id| self.held.get(*id).is_some_and(such)).collect()
        };
        let (revisions, loose) = (of(&|entry| entry.role == Role::Revision), of(&is_loose));
        let before = self.kept.len();
        revisions.into_iter().for_each(|id| self.doom_revision(id, Why::Asked));
        for id in all {
            match self.held.get(id) {
                Some(entry)
                    if entry.role != Role::Revision
                        && entry.hold != Hold::Free
                        && !entry.is_unsure_ref() =>
                {
                    self.kept.push(Kept { id, by: entry.hold });
                }
                Some(_) | None => {}
            }
        }
        if self.kept.len() == before {
            loose.into_iter().for_each(|id| self.doom(id, Why::Follows));
        }
    }

    fn all_inside(&self, id: Id) -> Vec<Id> {
        let (mut all, mut todo) = (Vec::new(), vec![id]);
        while let Some(id) = todo.pop() {
            all.extend(self.inside(id));
            todo.extend(self.inside(id));
        }
        all.sort();
        all
    }

    /// Dooms a revision with what is in it and the refs that lead to it, unless something holds it.
    pub(super) fn doom_revision(&mut self, revision: Id, why: Why) {
        if self.is_doomed(revision) {
            return;
        }
        if let Some(by) = self.held_by(revision) {
            self.kept.push(Kept { id: revision, by });
            return;
        }
        self.doom(revision, why);
        self.all_inside(revision).into_iter().for_each(|id| self.doom(id, Why::Follows));
        let refs = self.refs.get(&revision).cloned().unwrap_or_default();
        refs.into_iter().for_each(|id| self.doom(id, Why::Follows));
    }

    /// Dooms a revision that nobody has named, unless something holds it or a ref of its repo can't be told.
    pub(super) fn doom_unneeded(&mut self, revision: Id, why: Why) {
        let repo = self.held.repo_of(revision);
        if self.is_doomed(revision) || !repo.is_some_and(|repo| self.unsure.contains(&repo)) {
            self.doom_revision(revision, why);
        } else {
            let by = self.held_by(revision).unwrap_or(Hold::Unsure);
            let kept = Kept { id: revision, by };
            // Several rules may take it.
            if !self.kept.contains(&kept) {
                self.kept.push(kept);
            }
        }
    }

    /// Dooms one entry of a content that goes with all that leads to it.
    pub(super) fn doom_part(&mut self, id: Id, why: Why) {
        self.doom(id, why);
    }

    /// Dooms the revisions all pointers of which go, where nothing else is in them.
    pub(super) fn doom_emptied(&mut self) {
        let revisions = self.held.iter().filter(|(_, entry)| entry.role == Role::Revision);
        let emptied: Vec<Id> = revisions
            .map(|(id, _)| id)
            .filter(|id| {
                let inside = self.all_inside(*id);
                let is_folder =
                    |id: &Id| self.held.get(*id).is_some_and(|it| it.role == Role::Folder);
                inside.iter().any(|id| self.is_doomed(*id))
                    && inside.iter().all(|id| is_folder(id) || self.is_doomed(*id))
            })
            .collect();
        emptied.into_iter().for_each(|id| self.doom_revision(id, Why::Oversize));
    }

    /// Tells whether a ref leads to a revision.
    pub(super) fn has_ref(&self, revision: Id) -> bool {
        self.refs.contains_key(&revision)
    }

    /// Dooms what nothing needs any more, from pointers downwards.
    pub(super) fn sweep(&mut self, sweep: Sweep) {
        let vacated = self.vacated();
        // Where all revisions of a repo go, nothing is left that the rest of it could be of use to.
        let takes_all = |held: &Held, id: Id| {
            sweep == Sweep::Useless || held.repo_of(id).is_some_and(|repo| vacated.contains(&repo))
        };
        self.sweep_content(&takes_all);
        self.sweep_around(&takes_all);
        self.sweep_repos(sweep);
    }

    /// Dooms blobs, and what they alone have led to.
    fn sweep_content(&mut self, takes_all: &dyn Fn(&Held, Id) -> bool) {
        for role in [Role::Blob, Role::Payload] {
            let (before, now) = (self.reached(role, false), self.reached(role, true));
            let was = |marks: &[bool], id: Id| marks.get(id.place()) == Some(&true);
            for (id, entry) in self.held.iter().filter(|(_, entry)| entry.role == role) {
                let lost = was(&before, id) && entry.hold == Hold::Free;
                let takes = lost || takes_all(self.held, id);
                if takes && !was(&now, id) && !self.is_busy(id) {
                    self.doom(id, Why::Orphan);
                }
            }
        }
    }

    /// Dooms what is of no use without what goes, and folders that will be empty.
    fn sweep_around(&mut self, takes_all: &dyn Fn(&Held, Id) -> bool) {
        for (id, entry) in self.held.iter() {
            let takes = takes_all(self.held, id);
            if entry.role == Role::Staged && takes && !self.is_busy(id) {
                self.doom(id, Why::Dead);
            }
        }
        for (id, entry) in self.held.iter().filter(|(_, entry)| entry.role == Role::Companion) {
            let takes = !entry.leads_to.is_empty() || takes_all(self.held, id);
            let useless = entry.leads_to.iter().all(|to| self.is_doomed(*to));
            if takes && useless && !self.is_busy(id) {
                self.doom(id, Why::Follows);
            }
        }
        // What is inside has a larger number.
        for (id, entry) in self.held.iter().collect::<Vec<_>>().into_iter().rev() {
            let inside = self.inside(id);
            let all_go = inside.iter().all(|id| self.is_doomed(*id));
            if entry.role == Role::Folder
                && all_go
                && (!inside.is_empty() || takes_all(self.held, id))
                && !self.is_busy(id)
            {
                self.doom(id, Why::Empty);
            }
        }
    }

    /// Dooms the repos of which nothing is left but their frames.
    fn sweep_repos(&mut self, sweep: Sweep) {
        let repos = self.held.iter().filter(|(_, entry)| entry.role == Role::Repo);
        for repo in repos.map(|(id, _)| id).collect::<Vec<_>>() {
            let all = self.all_inside(repo);
            let is_frame = |id: &Id| self.held.get(*id).is_some_and(|e| e.role == Role::Frame);
            let nothing_left = all.iter().all(|id| is_frame(id) || self.is_doomed(*id));
            let some_go = all.iter().any(|id| self.is_doomed(*id));
            if nothing_left && (some_go || sweep == Sweep::Useless) && self.held_by(repo).is_none()
            {
                let asked = self.asked.contains(&repo);
                self.doom(repo, if asked { Why::Asked } else { Why::Empty });
                all.into_iter().for_each(|id| self.doom(id, Why::Follows));
            }
        }
    }

    /// Returns the repos all revisions of which go.
    fn vacated(&self) -> BTreeSet<Id> {
        let (mut some, mut stay) = (self.asked.clone(), BTreeSet::new());
        for (id, _) in self.held.iter().filter(|(_, entry)| entry.role == Role::Revision) {
            let side = if self.is_doomed(id) { &mut some } else { &mut stay };
            side.extend(self.held.repo_of(id));
        }
        &some - &stay
    }

    /// Says what is reached of this role. Whatever can lead to something and is not doomed does: strangers as well.
    fn reached(&self, role: Role, heed_doom: bool) -> Vec<bool> {
        let stays = |id: Id| !(heed_doom && self.is_doomed(id));
        let is_root = |id: Id, entry: &Entry| match entry.role {
            Role::Revision | Role::Stranger | Role::Staged => true,
            // A link into the shared store counts for as long as it is there, whether or not anything leads to it.
            Role::Blob => role == Role::Payload,
            Role::Folder | Role::Pointer => self.is_busy(id),
            Role::Repo | Role::Frame | Role::Ref | Role::Companion | Role::Payload => false,
        };
        let roots = self.held.iter().filter(|(id, entry)| is_root(*id, entry) && stays(*id));
        reach(self.held.entries.len(), roots.map(|(id, _)| id), |id| {
            let entry = self.held.get(id);
            let leads_to = entry.map_or(&[][..], |entry| entry.leads_to.as_slice());
            let next = leads_to.iter().chain(self.inside(id)).copied();
            next.filter(|id| stays(*id)).collect::<Vec<_>>()
        })
    }

    /// Returns how many bytes of files are free when all is done.
    pub(super) fn freed_bytes(&self) -> u64 {
        self.held.freed_bytes(|id| self.is_doomed(id))
    }

    /// Returns the plan as it is.
    pub(super) fn plan(self) -> Plan {
        let freed_bytes = self.freed_bytes();
        let depth = |id: Id| self.held.around(id).count();
        let step = |(id, entry): (Id, &Entry)| {
            let why = (*self.doomed.get(id.place())?)?;
            Some(Step { id, role: entry.role, why, over: entry.over })
        };
        let mut steps: Vec<Step> = self.held.iter().filter_map(step).collect();
        steps.sort_by_cached_key(|step| {
            (rank(step.role), core::cmp::Reverse(depth(step.id)), step.id)
        });
        Plan { steps, kept: self.kept, freed_bytes }
    }
}
