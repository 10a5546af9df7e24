//! All small caches: two repos, two revisions each with a file, two blobs each, one payload that repos share.

use hubstow_core::care::{Content, Entry, Held, Hold, Id, Role, Stamp};

/// An entry by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Name {
    Payload,
    Repo(usize),
    Snapshots(usize),
    Blobs(usize),
    Refs(usize),
    Revision(usize, usize),
    Pointer(usize, usize),
    Ref(usize, usize),
    UnsureRef(usize),
    Listing(usize, usize),
    Blob(usize, usize),
    Staged(usize),
}

/// What a pointer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leads {
    /// A link to a blob of its repo.
    Blob(usize),
    /// A file of its own.
    Itself,
    /// Another name of its repo's first blob.
    Twin,
    /// A link to the first blob of the other repo.
    Other,
    /// A link that leads nowhere.
    Nowhere,
}

pub(crate) const LEADS: [Leads; 6] =
    [Leads::Blob(0), Leads::Blob(1), Leads::Itself, Leads::Twin, Leads::Other, Leads::Nowhere];

/// What holds something of a repo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    Nothing,
    FirstRevision,
    Pinned,
    InUse,
    /// A ref that can't be told.
    UnsureRef,
}

pub(crate) const HELD: [Holder; 5] =
    [Holder::Nothing, Holder::FirstRevision, Holder::Pinned, Holder::InUse, Holder::UnsureRef];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Repo {
    pub(crate) leads: [Leads; 2],
    pub(crate) has_ref: [bool; 2],
    pub(crate) held: Holder,
    pub(crate) staged: Hold,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct World {
    pub(crate) repos: [Repo; 2],
    pub(crate) payload: Hold,
}

/// The second blob of each repo is a link to the payload.
pub(crate) const BORROWED: usize = 1;

impl World {
    /// All of them, the second repo in a few states only.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let calm = Repo {
            leads: [Leads::Blob(0), Leads::Blob(1)],
            has_ref: [true, true],
            held: Holder::Nothing,
            staged: Hold::Free,
        };
        let others = [
            (calm, Hold::Free),
            (
                Repo { leads: [Leads::Other, Leads::Itself], held: Holder::InUse, ..calm },
                Hold::Free,
            ),
            (
                Repo { leads: [Leads::Other, Leads::Blob(0)], has_ref: [false, true], ..calm },
                Hold::Free,
            ),
            (
                Repo { leads: [Leads::Itself, Leads::Twin], has_ref: [false; 2], ..calm },
                Hold::Unsure,
            ),
        ];
        others.into_iter().flat_map(|(other, payload)| {
            repos().map(move |repo| Self { repos: [repo, other], payload })
        })
    }

    /// When a revision was last used and changed.
    pub(crate) fn used(&self, name: Name) -> u64 {
        match name {
            Name::Revision(0, 0) => 20,
            Name::Revision(0, 1) => 10,
            Name::Revision(1, 0) => 5,
            Name::Revision(..)
            | Name::Payload
            | Name::Repo(_)
            | Name::Snapshots(_)
            | Name::Blobs(_)
            | Name::Refs(_)
            | Name::Pointer(..)
            | Name::Ref(..)
            | Name::UnsureRef(_)
            | Name::Listing(..)
            | Name::Blob(..)
            | Name::Staged(_) => 30,
        }
    }

    /// The bytes of a name, which file they are, and how many names that has.
    pub(crate) fn content(&self, name: Name) -> Option<Content> {
        let twins = |repo: usize| {
            self.repos[repo].leads.iter().filter(|it| **it == Leads::Twin).count() as u64
        };
        let first = |repo: usize| Content {
            file: 10 + repo as u64,
            len_bytes: 1000 << repo,
            names: 1 + twins(repo),
        };
        let own = |file: u64, len_bytes: u64| Some(Content { file, len_bytes, names: 1 });
        match name {
            Name::Payload => own(1, 50_000),
            Name::Pointer(repo, rev) => match self.repos[repo].leads[rev] {
                Leads::Itself => own(20 + 2 * repo as u64 + rev as u64, 300),
                Leads::Twin => Some(first(repo)),
                Leads::Blob(_) | Leads::Other | Leads::Nowhere => None,
            },
            Name::Ref(repo, rev) => own(30 + 2 * repo as u64 + rev as u64, 40),
            Name::Listing(repo, rev) => own(40 + 2 * repo as u64 + rev as u64, 7),
            Name::Blob(repo, 0) => Some(first(repo)),
            Name::Staged(repo) => own(50 + repo as u64, 77),
            Name::UnsureRef(repo) => own(60 + repo as u64, 3),
            Name::Blob(..)
            | Name::Repo(_)
            | Name::Snapshots(_)
            | Name::Blobs(_)
            | Name::Refs(_)
            | Name::Revision(..) => None,
        }
    }

    pub(crate) fn total_bytes(&self) -> u64 {
        let (_, names) = self.held();
        let mut files: Vec<(u64, u64)> = names
            .iter()
            .filter_map(|name| self.content(*name))
            .map(|content| (content.file, content.len_bytes))
            .collect();
        files.sort_unstable();
        files.dedup();
        files.iter().map(|(_, len)| len).sum()
    }

    /// The same for the planner, and what each number means.
    pub(crate) fn held(&self) -> (Held, Vec<Name>) {
        let mut names = vec![Name::Payload];
        for repo in 0..2 {
            names.extend([Name::Repo(repo), Name::Snapshots(repo), Name::Blobs(repo)]);
            names.push(Name::Refs(repo));
            for rev in 0..2 {
                names.extend([Name::Revision(repo, rev), Name::Pointer(repo, rev)]);
                names.extend([Name::Listing(repo, rev), Name::Blob(repo, rev)]);
                if self.repos[repo].has_ref[rev] {
                    names.push(Name::Ref(repo, rev));
                }
            }
            if self.repos[repo].held == Holder::UnsureRef {
                names.push(Name::UnsureRef(repo));
            }
            names.push(Name::Staged(repo));
        }
        let id = |name: Name| Id::at(names.iter().position(|it| *it == name).unwrap());
        let entry = |name: &Name| {
            let (role, within, leads_to, hold) = self.shape(*name);
            Entry {
                role,
                within: within.map(id),
                leads_to: leads_to.into_iter().map(id).collect(),
                content: self.content(*name),
                used: self.used(*name),
                modified: self.used(*name),
                hold,
                over: Stamp(0),
            }
        };
        (Held { entries: names.iter().map(entry).collect() }, names)
    }

    fn shape(&self, name: Name) -> (Role, Option<Name>, Vec<Name>, Hold) {
        let free = Hold::Free;
        match name {
            Name::Payload => (Role::Payload, None, vec![], self.payload),
            Name::Repo(repo) => {
                let hold = match self.repos[repo].held {
                    Holder::Pinned => Hold::Pinned,
                    Holder::InUse => Hold::InUse,
                    Holder::Nothing | Holder::FirstRevision | Holder::UnsureRef => free,
                };
                (Role::Repo, None, vec![], hold)
            }
            Name::Snapshots(repo) | Name::Blobs(repo) | Name::Refs(repo) => {
                (Role::Frame, Some(Name::Repo(repo)), vec![], free)
            }
            Name::Revision(repo, rev) => {
                let pinned = self.repos[repo].held == Holder::FirstRevision && rev == 0;
                let hold = if pinned { Hold::Pinned } else { free };
                (Role::Revision, Some(Name::Snapshots(repo)), vec![], hold)
            }
            Name::Pointer(repo, rev) => {
                let leads_to = match self.repos[repo].leads[rev] {
                    Leads::Blob(blob) => vec![Name::Blob(repo, blob)],
                    Leads::Twin => vec![Name::Blob(repo, 0)],
                    Leads::Other => vec![Name::Blob(1 - repo, 0)],
                    Leads::Itself | Leads::Nowhere => vec![],
                };
                (Role::Pointer, Some(Name::Revision(repo, rev)), leads_to, free)
            }
            Name::Ref(repo, rev) => {
                (Role::Ref, Some(Name::Refs(repo)), vec![Name::Revision(repo, rev)], free)
            }
            Name::UnsureRef(repo) => (Role::Ref, Some(Name::Refs(repo)), vec![], Hold::Unsure),
            Name::Listing(repo, rev) => {
                (Role::Companion, Some(Name::Repo(repo)), vec![Name::Revision(repo, rev)], free)
            }
            Name::Blob(repo, blob) => {
                let leads_to = if blob == BORROWED { vec![Name::Payload] } else { vec![] };
                (Role::Blob, Some(Name::Blobs(repo)), leads_to, free)
            }
            Name::Staged(repo) => {
                (Role::Staged, Some(Name::Blobs(repo)), vec![], self.repos[repo].staged)
            }
        }
    }
}

fn repos() -> impl Iterator<Item = Repo> {
    let leads = LEADS.into_iter().flat_map(|one| LEADS.map(|other| [one, other]));
    let refs = [[false, false], [false, true], [true, false], [true, true]];
    leads.flat_map(move |leads| {
        refs.into_iter().flat_map(move |has_ref| {
            HELD.into_iter().flat_map(move |held| {
                [Hold::Free, Hold::InUse].map(|staged| Repo { leads, has_ref, held, staged })
            })
        })
    })
}
