//! What may go, said once more: by counting who still needs what, not by following what leads where.

use std::collections::{BTreeMap, BTreeSet};

use hubstow_core::care::Hold;

use crate::{
    Request,
    world::{BORROWED, Holder, Leads, Name, World},
};

/// What must go, no more and no less.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) gone: BTreeSet<Name>,
    pub(crate) freed_bytes: u64,
}

const REPOS: [usize; 2] = [0, 1];
const REVISIONS: [(usize, usize); 4] = [(0, 0), (0, 1), (1, 0), (1, 1)];

/// Whether what was useless before goes as well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Useless {
    Goes,
    Stays,
}

impl World {
    pub(crate) fn revisions(&self) -> impl Iterator<Item = Name> {
        [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().map(|(repo, rev)| Name::Revision(repo, rev))
    }

    /// Whether a revision is pinned or in use.
    pub(crate) fn is_held(&self, name: Name) -> bool {
        let Name::Revision(repo, rev) = name else { return false };
        match self.repos[repo].held {
            Holder::Nothing | Holder::UnsureRef => false,
            Holder::FirstRevision => rev == 0,
            Holder::Pinned | Holder::InUse => true,
        }
    }
}

impl World {
    /// Whether a revision stays whatever rule would take it.
    pub(crate) fn is_kept_from_rules(&self, name: Name) -> bool {
        let is_unsure = matches!(name, Name::Revision(repo, _)
            if self.repos[repo].held == Holder::UnsureRef);
        is_unsure || self.is_held(name)
    }
}

impl Expected {
    pub(crate) fn of(world: &World, request: Request) -> Self {
        let mut expected = Self::default();
        let may_go = |rev: &Name| !world.is_held(*rev);
        match request {
            Request::Remove(asked) => {
                let revisions: Vec<Name> = world
                    .revisions()
                    .filter(|rev| match (asked, *rev) {
                        (Name::Repo(asked), Name::Revision(repo, _)) => asked == repo,
                        _ => asked == *rev,
                    })
                    .filter(may_go)
                    .collect();
                expected.gone.extend(revisions);
                if let Name::Pointer(repo, rev) = asked
                    && may_go(&Name::Revision(repo, rev))
                {
                    expected.gone.insert(asked);
                }
                if let Name::Repo(repo) = asked
                    && world.repos[repo].held == Holder::UnsureRef
                    && world.repos[repo].staged == Hold::Free
                {
                    expected.gone.insert(Name::UnsureRef(repo));
                }
                expected.complete(world, Useless::Stays);
            }
            Request::Prune { keep_last, unused_since } => {
                let may_go = |rev: &Name| !world.is_kept_from_rules(*rev);
                for (repo, rev) in REVISIONS {
                    let name = Name::Revision(repo, rev);
                    let has_ref = world.repos[repo].has_ref[rev];
                    let unused = unused_since.is_some_and(|since| world.used(name) < since);
                    if may_go(&name) && (!has_ref || unused) {
                        expected.gone.insert(name);
                    }
                }
                for repo in REPOS {
                    let mut left: Vec<Name> = [0, 1]
                        .map(|rev| Name::Revision(repo, rev))
                        .into_iter()
                        .filter(|rev| !expected.gone.contains(rev))
                        .collect();
                    left.sort_by_key(|rev| core::cmp::Reverse(world.used(*rev)));
                    let surplus = left.into_iter().skip(keep_last.unwrap_or(usize::MAX));
                    expected.gone.extend(surplus.filter(may_go));
                }
                expected.complete(world, Useless::Goes);
            }
        }
        expected.count(world);
        expected
    }

    /// What a pruning must take when exactly these revisions go.
    pub(crate) fn with_revisions<'a>(
        world: &World,
        revisions: impl Iterator<Item = &'a Name>,
    ) -> Self {
        let mut expected = Self { gone: revisions.copied().collect(), freed_bytes: 0 };
        expected.complete(world, Useless::Goes);
        expected.count(world);
        expected
    }

    /// Adds what follows from the revisions and pointers that go.
    fn complete(&mut self, world: &World, useless: Useless) {
        for (repo, rev) in REVISIONS {
            if self.gone.contains(&Name::Revision(repo, rev)) {
                self.gone.extend([Name::Pointer(repo, rev), Name::Listing(repo, rev)]);
                if world.repos[repo].has_ref[rev] {
                    self.gone.insert(Name::Ref(repo, rev));
                }
            }
        }
        let vacated = |gone: &BTreeSet<Name>, repo: usize| {
            [0, 1].iter().all(|rev| gone.contains(&Name::Revision(repo, *rev)))
        };
        let in_use = |repo: usize| world.repos[repo].held == Holder::InUse;
        for repo in REPOS {
            let takes_all = useless == Useless::Goes || vacated(&self.gone, repo);
            for blob in [0, 1] {
                let users = needing(world, repo, blob);
                let had = !users.is_empty();
                let has = users.iter().any(|user| !self.gone.contains(user));
                if !has && (had || takes_all) && !in_use(repo) {
                    self.gone.insert(Name::Blob(repo, blob));
                }
            }
            if takes_all && world.repos[repo].staged == Hold::Free && !in_use(repo) {
                self.gone.insert(Name::Staged(repo));
            }
        }
        if REPOS.iter().all(|repo| self.gone.contains(&Name::Blob(*repo, BORROWED)))
            && world.payload == Hold::Free
        {
            self.gone.insert(Name::Payload);
        }
        for repo in REPOS {
            let all = [0, 1].iter().all(|n| {
                [Name::Revision(repo, *n), Name::Blob(repo, *n)]
                    .iter()
                    .all(|it| self.gone.contains(it))
            });
            if all && self.gone.contains(&Name::Staged(repo)) {
                self.take_frame(repo);
            }
        }
    }

    fn take_frame(&mut self, repo: usize) {
        self.gone.extend([Name::Repo(repo), Name::Snapshots(repo), Name::Blobs(repo)]);
        self.gone.insert(Name::Refs(repo));
    }

    fn count(&mut self, world: &World) {
        let mut lost: BTreeMap<u64, u64> = BTreeMap::new();
        for content in self.gone.iter().filter_map(|name| world.content(*name)) {
            let times = lost.entry(content.file).or_default();
            *times += 1;
            if *times == content.names {
                self.freed_bytes += content.len_bytes;
            }
        }
    }
}

/// The pointers that lead to a blob.
fn needing(world: &World, repo: usize, blob: usize) -> Vec<Name> {
    let leads = |(other, rev): (usize, usize)| match world.repos[other].leads[rev] {
        Leads::Blob(to) => other == repo && to == blob,
        Leads::Twin => other == repo && blob == 0,
        Leads::Other => other != repo && blob == 0,
        Leads::Itself | Leads::Nowhere => false,
    };
    let users = REVISIONS.into_iter().filter(|at| leads(*at));
    users.map(|(repo, rev)| Name::Pointer(repo, rev)).collect()
}
