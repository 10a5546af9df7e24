//! Plans of what is converted.

use alloc::collections::BTreeSet;

use super::{Unfit, is_so};
use crate::{
    care::{
        held::{Held, Id, Role},
        relink::{Act, Known, Plan, Rules, Source, State, Step},
    },
    policy::{Method, Support},
};

impl Plan {
    /// Checks that each step is about proved bytes of a repo that was meant and that nobody works in, by a method that is to be
    /// had, from bytes that are proved to be the same; and that no blob goes which anything leads to by then.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self, held: &Held, known: &[Option<Known>], rules: &Rules) -> Result<(), Unfit> {
        let mut checking = Checking { held, known, rules, made: BTreeSet::new() };
        let (mut seen, mut copied) = (BTreeSet::new(), BTreeSet::new());
        for step in &self.steps {
            checking.step(step)?;
            if !seen.insert((step.act, step.id)) {
                return Err(Unfit::Twice(step.id));
            }
            match step.act {
                Act::Make | Act::Share => drop(checking.made.insert(step.id)),
                Act::Place if step.by != Some(Method::Symlink) => drop(copied.insert(step.id)),
                Act::Clear => drop(copied.insert(step.id)),
                Act::Drop => checking.is_free(step.id, &copied)?,
                Act::Place => {}
            }
        }
        Ok(())
    }
}

struct Checking<'a> {
    held: &'a Held,
    known: &'a [Option<Known>],
    rules: &'a Rules,
    /// Whose blob an earlier step has made.
    made: BTreeSet<Id>,
}

impl Checking<'_> {
    /// Returns what is proved of the bytes of an entry, as a number.
    fn proved(&self, id: Id) -> Option<u64> {
        match self.known.get(id.place()).copied().flatten()?.state {
            State::Proved(same) => Some(same),
            State::Damaged | State::Unproved => None,
        }
    }

    fn step(&self, step: &Step) -> Result<(), Unfit> {
        let id = step.id;
        let role = self.held.get(id).map(|entry| entry.role).ok_or(Unfit::NoSuchEntry(id))?;
        is_so(self.held, id, role, step.over)?;
        let fits = match step.act {
            Act::Make | Act::Place => role == Role::Pointer,
            Act::Share => role == Role::Blob || (role == Role::Pointer && self.made.contains(&id)),
            Act::Drop => role == Role::Blob,
            Act::Clear => role == Role::Staged && self.rules.dead.contains(&id),
        };
        if !fits {
            return Err(Unfit::NoSuchEntry(id));
        }
        let meant = self.held.repo_of(id).filter(|repo| self.rules.repos.contains(repo));
        // What a dead run has left is known to be that, whatever it looks like.
        let own = usize::from(step.act == Act::Clear);
        let closed = self.held.around(id).skip(own).any(|(_, outer)| outer.hold.is_busy());
        if meant.is_none() || closed {
            return Err(Unfit::Held(id));
        }
        if step.act != Act::Clear && self.proved(id).is_none() {
            return Err(Unfit::Unfounded(id));
        }
        self.way(step)
    }

    /// Checks by which method, and from where.
    fn way(&self, step: &Step) -> Result<(), Unfit> {
        let works = |method: &Method| {
            *method == Method::Copy
                || *method != Method::Move
                    && self.rules.methods.support(*method) != Support::Refused
        };
        let needs_method = matches!(step.act, Act::Make | Act::Share | Act::Place);
        if step.by.is_some() != needs_method || !step.by.iter().all(works) {
            return Err(Unfit::Unfounded(step.id));
        }
        let from = match step.from {
            None if matches!(step.act, Act::Share | Act::Place) => {
                return Err(Unfit::Unfounded(step.id));
            }
            None => return Ok(()),
            Some(Source::Made(id)) if !self.made.contains(&id) => {
                return Err(Unfit::OutOfOrder(step.id));
            }
            Some(Source::Made(id)) => id,
            Some(Source::Entry { id, over }) => {
                let role = self.held.get(id).map_or(Role::Stranger, |entry| entry.role);
                is_so(self.held, id, role, over)?;
                id
            }
        };
        if self.proved(from) == self.proved(step.id) {
            Ok(())
        } else {
            Err(Unfit::Unfounded(step.id))
        }
    }

    /// Checks that all that has led to a blob is a file of its own by now.
    fn is_free(&self, blob: Id, copied: &BTreeSet<Id>) -> Result<(), Unfit> {
        let mut leading = self.held.iter().filter(|(id, entry)| {
            // Another name of the same file needs no blob.
            let is_twin = entry.content.is_some() && entry.role == Role::Pointer;
            entry.leads_to.contains(&blob) && !is_twin && !copied.contains(id)
        });
        leading.next().map_or(Ok(()), |_| Err(Unfit::Needed(blob)))
    }
}
