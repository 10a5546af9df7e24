//! What is converted so that a cache has the methods of a policy, and what that frees.
//!
//! A host says, beside what it holds, what hashes have proved of contents ([`Known`]). The plan names entries and methods and
//! no paths. Nothing is in it whose bytes are not proved, nothing of a repo that is in use, and no blob goes that anything
//! else leads to.

mod files;
mod group;
mod plan;
mod portable;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use self::{files::Files, group::Group};
pub use self::{
    group::{Known, State},
    plan::{Act, Because, Left, Plan, Source, Step, Why},
};
use super::held::{Held, Hold, Id, Role};
use crate::policy::{Method, Methods, Policy, Support};

/// What is to be had in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The ladder of methods.
    pub policy: Policy,
    /// What is known of the methods here. What is untried counts as if it worked.
    pub methods: Methods,
    /// Whether equal blobs of different repos become one file.
    pub across: bool,
    /// The repos that are meant.
    pub repos: BTreeSet<Id>,
    /// Private files that runs of ours have left which were broken off.
    pub dead: BTreeSet<Id>,
}

impl Rules {
    /// Returns the method by which pointers are to be placed: the first of the ladder that nothing here has refused. A copy
    /// stands for the move, which is for downloads only.
    #[must_use]
    pub fn method(&self) -> Option<Method> {
        let ladder = self.policy.ladder().iter().copied().filter(|method| *method != Method::Move);
        ladder.into_iter().find(|method| self.works(*method))
    }

    /// Returns the method by which repos are to share a blob, if the policy has one that works.
    #[must_use]
    pub fn method_across(&self) -> Option<Method> {
        let is_one = |method: &Method| match method {
            Method::Hardlink | Method::Reflink => true,
            Method::Symlink | Method::Move | Method::Copy => false,
        };
        let mut ladder = self.policy.ladder().iter().copied().filter(is_one);
        ladder.find(|method| self.works(*method)).filter(|_| self.across)
    }

    /// Returns the cheapest way in which a file becomes a blob as well: nothing of it stays under its old name.
    fn method_to_make(&self) -> Method {
        let ways = [Method::Hardlink, Method::Reflink];
        ways.into_iter().find(|method| self.works(*method)).unwrap_or(Method::Copy)
    }

    fn works(&self, method: Method) -> bool {
        self.methods.support(method) != Support::Refused
    }
}

/// Plans the conversion of what is there to the methods of a policy. What is known of an entry is at its place in `known`;
/// what nothing is known of takes no part.
pub fn relink(held: &Held, known: &[Option<Known>], rules: &Rules) -> Plan {
    let mut draft = Draft::new(held, rules);
    let Some(method) = rules.method() else {
        let repos = rules.repos.iter();
        draft.left.extend(repos.map(|id| Left { id: *id, because: Because::NoMethod }));
        return draft.plan();
    };
    let mut groups = draft.groups(known);
    draft.clear();
    if method == Method::Copy {
        draft.copy_out(&mut groups);
        return draft.plan();
    }
    if method != Method::Reflink {
        groups.iter_mut().for_each(|group| draft.make(group));
    }
    draft.share(&mut groups);
    groups.iter().for_each(|group| draft.place(group, method));
    draft.plan()
}

/// A plan that is being made.
struct Draft<'a> {
    held: &'a Held,
    rules: &'a Rules,
    files: Files,
    steps: Vec<Step>,
    left: Vec<Left>,
}

impl<'a> Draft<'a> {
    fn new(held: &'a Held, rules: &'a Rules) -> Self {
        Self { held, rules, files: Files::of(held), steps: Vec::new(), left: Vec::new() }
    }

    /// Sorts what is known by the blob that it belongs into. What can't be touched is told.
    fn groups(&mut self, known: &[Option<Known>]) -> Vec<Group> {
        let mut closed = BTreeSet::new();
        for repo in &self.rules.repos {
            let because = match self.held.get(*repo).map(|entry| entry.hold) {
                Some(Hold::InUse) => Because::InUse,
                Some(Hold::Unsure) => Because::Unsure,
                Some(Hold::Free | Hold::Pinned) | None => continue,
            };
            closed.insert(*repo);
            self.left.push(Left { id: *repo, because });
        }
        let mut groups: BTreeMap<u64, Group> = BTreeMap::new();
        for (id, entry) in self.held.iter() {
            let Some(known) = known.get(id.place()).copied().flatten() else { continue };
            let repo = self.held.repo_of(id);
            let is_open = |repo: &Id| self.rules.repos.contains(repo) && !closed.contains(repo);
            if !repo.as_ref().is_some_and(is_open) {
                continue;
            }
            let group = groups.entry(known.blob).or_default();
            group.take(id, entry, known.state);
            let because = match known.state {
                State::Proved(_) => continue,
                State::Damaged => Because::Damaged,
                State::Unproved => Because::Unproved,
            };
            // What a link leads to is told itself.
            if entry.content.is_some() {
                self.left.push(Left { id, because });
            }
        }
        // A blob without a pointer is a matter of cleaning.
        let is_open = |group: &Group| !group.is_closed && !group.pointers.is_empty();
        groups.into_values().filter(is_open).collect()
    }

    /// Removes what broken-off runs have left in the repos that may be touched.
    fn clear(&mut self) {
        for id in &self.rules.dead {
            let is_closed = |repo: Id| self.left.iter().any(|left| left.id == repo);
            let repo = self.held.repo_of(*id).filter(|repo| self.rules.repos.contains(repo));
            if repo.is_none_or(is_closed) {
                continue;
            }
            self.step(Act::Clear, *id, None, None, Why::Dead);
            self.file_of(*id).into_iter().for_each(|file| self.files.take(file));
        }
    }

    /// Sees to it that a group has a blob, made of one of its pointers.
    fn make(&mut self, group: &mut Group) {
        let Some(pointer) = group.files().next().filter(|_| group.blob.is_none()) else { return };
        let by = self.rules.method_to_make();
        let Some(file) = self.file_of(pointer) else { return };
        let why = if group.has_dangling() { Why::Dangling } else { Why::Alone };
        self.step(Act::Make, pointer, Some(by), None, why);
        let file = self.files.give(by, file, self.files.len_of(file));
        group.has_made(pointer, file);
    }

    /// Lets equal blobs of different repos become one file: that of the first.
    fn share(&mut self, groups: &mut [Group]) {
        let Some(by) = self.rules.method_across() else { return };
        let mut first: BTreeMap<u64, (Source, u64)> = BTreeMap::new();
        for group in groups {
            let (Some(blob), Some(same)) = (group.blob, group.same) else { continue };
            // A link into the store that repos share is shared already.
            let Some(file) = blob.file else { continue };
            let source = self.source(blob.id, blob.is_new);
            let (source, shared) = *first.entry(same).or_insert((source, file));
            if shared == file {
                continue;
            }
            self.step(Act::Share, blob.id, Some(by), Some(source), Why::Elsewhere);
            let len_bytes = self.files.len_of(shared);
            self.files.take(file);
            let file = self.files.give(by, shared, len_bytes);
            group.has_made(blob.id, file);
        }
    }

    /// Places the pointers of a group by a link.
    fn place(&mut self, group: &Group, method: Method) {
        let from = match (group.blob, group.files().next()) {
            (Some(blob), _) => Some((blob.id, blob.is_new, blob.file)),
            (None, Some(pointer)) if method == Method::Reflink => {
                Some((pointer, false, self.file_of(pointer)))
            }
            (None, _) => None,
        };
        let Some((from, is_new, file)) = from else { return };
        // A second name of a link would be a second link: content in the shared store is read through.
        let by = match (method, file) {
            (Method::Hardlink, None) if self.rules.works(Method::Reflink) => Method::Reflink,
            (Method::Hardlink, None) => Method::Copy,
            (method, _) => method,
        };
        let len_bytes = self.len_of(from);
        for pointer in &group.pointers {
            let own = self.file_of(*pointer);
            let is_there = match own {
                Some(own) => by != Method::Symlink && (file.is_none() || file == Some(own)),
                // A link that the ladder has above what works here stays.
                None => !group.is_dangling(*pointer) && self.allows(Method::Symlink),
            };
            if is_there || (own.is_none() && by == Method::Symlink) {
                continue;
            }
            let (why, source) = (self.why(group, *pointer), self.source(from, is_new));
            self.step(Act::Place, *pointer, Some(by), Some(source), why);
            own.into_iter().for_each(|own| self.files.take(own));
            self.files.give(by, file.unwrap_or(u64::MAX), len_bytes);
        }
    }

    /// Tells whether the policy has a method, whether or not it works here.
    fn allows(&self, method: Method) -> bool {
        self.rules.policy.ladder().contains(&method)
    }

    fn file_of(&self, id: Id) -> Option<u64> {
        Some(self.held.get(id)?.content?.file)
    }

    /// Says why a pointer is placed anew.
    fn why(&self, group: &Group, pointer: Id) -> Why {
        let entry = self.held.get(pointer);
        match (entry.is_some_and(|entry| entry.content.is_some()), group.is_dangling(pointer)) {
            (true, _) if group.is_only_file(pointer) => Why::Alone,
            (true, _) => Why::Copied,
            (false, true) => Why::Dangling,
            (false, false) => Why::Linked,
        }
    }

    /// Returns how long the content of an entry is, through a link.
    fn len_of(&self, id: Id) -> u64 {
        let mut next = Some(id);
        for _ in 0..8 {
            let Some(entry) = next.and_then(|id| self.held.get(id)) else { return 0 };
            match entry.content {
                Some(content) => return content.len_bytes,
                None => next = entry.leads_to.first().copied(),
            }
        }
        0
    }

    fn source(&self, id: Id, is_new: bool) -> Source {
        match self.held.get(id) {
            Some(entry) if !is_new => Source::Entry { id, over: entry.over },
            Some(_) | None => Source::Made(id),
        }
    }

    fn step(&mut self, act: Act, id: Id, by: Option<Method>, from: Option<Source>, why: Why) {
        let Some(over) = self.held.get(id).map(|entry| entry.over) else { return };
        let role = match act {
            Act::Clear => Role::Staged,
            Act::Make | Act::Share | Act::Drop => Role::Blob,
            Act::Place => Role::Pointer,
        };
        self.steps.push(Step { act, id, role, by, from, why, over });
    }

    fn plan(self) -> Plan {
        let Self { held, files, mut steps, left, .. } = self;
        steps.sort_by_key(|step| (held.repo_of(step.id), step.act, step.id));
        Plan { steps, left, freed_bytes: files.freed_bytes() }
    }
}
