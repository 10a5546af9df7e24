//! What a report says.

use std::collections::HashMap;

use hubstow_client::{
    Error,
    care::{CacheDir, Hold, Id, Inventory, NeededBy, Portion, RepoSum, Rules},
};
use hubstow_core::care::prune;
use serde::Serialize;

use super::super::{
    table::{ago, now},
    target::id,
};
use crate::output;

const DAY_S: u64 = 24 * 3600;

/// All that a report says. Sizes are in bytes, times in seconds since 1970.
#[derive(Serialize)]
pub(super) struct Facts {
    pub(super) cache: String,
    pub(super) made_at: u64,
    pub(super) bytes: u64,
    pub(super) revisions: usize,
    pub(super) by_type: Vec<OfType>,
    pub(super) by_need: ByNeed,
    /// What lies in the store that repos share.
    pub(super) store: u64,
    /// The largest first.
    pub(super) repos: Vec<RepoFacts>,
    pub(super) savings: Vec<Saving>,
    pub(super) damage: Vec<DamageFacts>,
    /// Names at the top that are nobody's; their sizes are not known.
    pub(super) strangers: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct OfType {
    pub(super) repo_type: &'static str,
    pub(super) bytes: u64,
    pub(super) repos: usize,
}

/// How many bytes have which need.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct ByNeed {
    pub(super) one_revision: u64,
    pub(super) revisions: u64,
    pub(super) repos: u64,
    pub(super) unfinished: u64,
    pub(super) upkeep: u64,
    pub(super) nobody: u64,
}

impl ByNeed {
    fn add(&mut self, portion: &Portion) {
        let field = match portion.need {
            NeededBy::Revision(_) => &mut self.one_revision,
            NeededBy::Revisions => &mut self.revisions,
            NeededBy::Repos => &mut self.repos,
            NeededBy::Unfinished => &mut self.unfinished,
            NeededBy::Nobody => &mut self.nobody,
            NeededBy::Upkeep | _ => &mut self.upkeep,
        };
        *field += portion.bytes;
    }
}

#[derive(Serialize)]
pub(super) struct RepoFacts {
    /// As `hubstow cache ls` names it.
    pub(super) id: String,
    pub(super) repo_type: &'static str,
    /// All that lies in its folder.
    pub(super) bytes: u64,
    #[serde(flatten)]
    pub(super) by_need: ByNeed,
    /// What lies in snapshots as a copy of its own.
    pub(super) copied: u64,
    /// What its snapshots use of the store that repos share.
    pub(super) shared: u64,
    pub(super) last_accessed: u64,
    pub(super) last_modified: u64,
    /// The same for people.
    #[serde(skip)]
    pub(super) used: String,
    pub(super) pinned: bool,
    pub(super) in_use: bool,
    pub(super) revisions: Vec<RevisionFacts>,
}

#[derive(Serialize)]
pub(super) struct RevisionFacts {
    pub(super) commit: String,
    pub(super) refs: Vec<String>,
    /// All that it holds.
    pub(super) bytes: u64,
    /// What no other revision holds.
    pub(super) alone: u64,
    pub(super) files: usize,
    pub(super) last_accessed: u64,
    pub(super) pinned: bool,
}

/// What a command would free.
#[derive(Serialize)]
pub(super) struct Saving {
    pub(super) command: String,
    pub(super) frees: u64,
    pub(super) what: &'static str,
}

#[derive(Serialize)]
pub(super) struct DamageFacts {
    pub(super) path: String,
    pub(super) what: String,
}

impl Facts {
    /// Looks at a cache.
    pub(super) fn of(cache: &CacheDir) -> Result<Self, Error> {
        let (inventory, now) = (cache.inventory()?, now());
        let portions = inventory.portions();
        let mut of_outer: HashMap<Id, Vec<Portion>> = HashMap::new();
        let mut by_need = ByNeed::default();
        for portion in &portions {
            of_outer.entry(portion.outer).or_default().push(*portion);
            by_need.add(portion);
        }
        let mut repos: Vec<RepoFacts> = inventory
            .sums()
            .iter()
            .map(|sum| RepoFacts::of(sum, &of_outer.remove(&sum.id).unwrap_or_default(), now))
            .collect();
        repos.sort_by(|one, other| (other.bytes, &one.id).cmp(&(one.bytes, &other.id)));
        let damage = inventory.damage.iter().map(|damage| DamageFacts {
            path: damage.at.as_str().to_owned(),
            what: damage.flaw.to_string(),
        });
        Ok(Self {
            cache: cache.native(&hubstow_core::layout::CachePath::root()).display().to_string(),
            made_at: now,
            bytes: portions.iter().map(|portion| portion.bytes).sum(),
            revisions: repos.iter().map(|repo| repo.revisions.len()).sum(),
            by_type: by_type(&repos),
            by_need,
            store: of_outer.values().flatten().map(|portion| portion.bytes).sum(),
            repos,
            savings: savings(&inventory, now),
            damage: damage.collect(),
            strangers: inventory.strangers.iter().map(|at| at.as_str().to_owned()).collect(),
        })
    }

    /// Returns how many bytes are needed by whom, in words.
    pub(super) fn needs(&self) -> [(u64, &'static str); 6] {
        let ByNeed { one_revision, revisions, repos, unfinished, upkeep, nobody } = self.by_need;
        [
            (one_revision, "one revision"),
            (revisions, "several revisions of a repo"),
            (repos, "several repos"),
            (nobody, "nobody"),
            (unfinished, "downloads that are not finished"),
            (upkeep, "the cache itself"),
        ]
    }
}

fn by_type(repos: &[RepoFacts]) -> Vec<OfType> {
    let mut types: Vec<OfType> = Vec::new();
    for repo in repos {
        let known = types.iter_mut().find(|known| known.repo_type == repo.repo_type);
        match known {
            Some(known) => {
                known.bytes += repo.bytes;
                known.repos += 1;
            }
            None => types.push(OfType { repo_type: repo.repo_type, bytes: repo.bytes, repos: 1 }),
        }
    }
    types
}

/// Plans what each command would do, and says what that frees.
fn savings(inventory: &Inventory, now: u64) -> Vec<Saving> {
    let held = inventory.held();
    let unused_since = |days: u64| Some(now.saturating_sub(days * DAY_S));
    let rules = [
        ("hubstow cache prune", Rules::default(), "what nothing needs"),
        (
            "hubstow cache prune --keep-last 1",
            Rules { keep_last: Some(1), ..Rules::default() },
            "that, and all but the newest revision of each repo",
        ),
        (
            "hubstow cache prune --unused-for 90d",
            Rules { unused_since: unused_since(90), ..Rules::default() },
            "that, and what nobody has used for 90 days",
        ),
        (
            "hubstow cache prune --unused-for 30d",
            Rules { unused_since: unused_since(30), ..Rules::default() },
            "that, and what nobody has used for 30 days",
        ),
    ];
    let saving = |(command, rules, what): (&str, Rules, &'static str)| {
        let frees = prune(&held, &rules).freed_bytes;
        Saving { command: command.to_owned(), frees, what }
    };
    let copies = Saving {
        command: "hubstow cache relink --placement compat".to_owned(),
        frees: inventory.copied_at_most(),
        what: "nothing goes: copies become links; as much at most, --dry-run reads them and says exactly",
    };
    rules.into_iter().map(saving).chain([copies]).collect()
}

impl RepoFacts {
    fn of(sum: &RepoSum, portions: &[Portion], now: u64) -> Self {
        let mut by_need = ByNeed::default();
        let mut alone: HashMap<Id, u64> = HashMap::new();
        for portion in portions {
            by_need.add(portion);
            if let NeededBy::Revision(revision) = portion.need {
                *alone.entry(revision).or_default() += portion.bytes;
            }
        }
        let revisions = sum.revisions.iter().map(|revision| RevisionFacts {
            commit: revision.commit.clone(),
            refs: revision.refs.clone(),
            bytes: revision.size,
            alone: alone.get(&revision.id).copied().unwrap_or(0),
            files: revision.files.len(),
            last_accessed: revision.accessed,
            pinned: revision.hold == Hold::Pinned,
        });
        let mut revisions: Vec<RevisionFacts> = revisions.collect();
        revisions.sort_by(|one, other| (other.alone, &one.commit).cmp(&(one.alone, &other.commit)));
        Self {
            id: id(sum),
            repo_type: sum.kind.singular(),
            bytes: portions.iter().map(|portion| portion.bytes).sum(),
            by_need,
            copied: sum.copied,
            shared: sum.shared,
            last_accessed: sum.accessed,
            last_modified: sum.modified,
            used: ago(sum.accessed, now),
            pinned: sum.hold == Hold::Pinned,
            in_use: sum.hold == Hold::InUse,
            revisions,
        }
    }

    /// Says what is worth knowing.
    pub(super) fn notes(&self) -> String {
        let bytes = [
            (self.by_need.nobody, "orphaned"),
            (self.by_need.unfinished, "unfinished"),
            (self.copied, "copied"),
            (self.shared, "shared"),
        ];
        let bytes = bytes.into_iter().filter(|(bytes, _)| *bytes > 0);
        let words = [(self.pinned, "pinned"), (self.in_use, "in use")];
        let words = words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word.to_owned());
        let notes = words.chain(bytes.map(|(n, what)| format!("{} {what}", output::size(n))));
        notes.collect::<Vec<_>>().join(", ")
    }
}
