//! How what is wrong in a cache is healed: each wound by one cure, or it is said what is missing for one.
//!
//! Nothing is removed that anything leads to, and nothing is overwritten whose bytes another cure still needs: that one
//! comes first.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::held::{Held, Id, Role, Stamp};
use crate::{cases, facts::Reach};

cases! {
    /// What is wrong with an entry, as far as healing goes.
    pub enum Ill {
        /// It can't serve, and it is known which content it should.
        Content = "content",
        /// It can't serve, and only the hub knows what it should hold.
        Unnamed = "unnamed",
        /// It does not hold what its name says, and nothing leads to it.
        Astray = "astray",
        /// A ref says a commit, but not by its 40 digits alone.
        Untidy = "untidy",
        /// It speaks of what is not so, or stands where something else belongs, and holds nothing.
        Void = "void",
        /// A listing that can't be read, or that the hub contradicts.
        Listing = "listing",
        /// The list of a shared content's users lacks one.
        Unlisted = "unlisted",
        /// This user can't read it.
        Closed = "closed",
        /// What it is for, nobody knows.
        Strange = "strange",
        /// It takes space, and is in nobody's way.
        Litter = "litter",
    }
}

cases! {
    /// How an entry is healed.
    pub enum Cure {
        /// The listing is asked of the hub again.
        List = "list",
        /// Its content is here: it is linked or copied to its place.
        Place = "place",
        /// The file is fetched.
        Fetch = "fetch",
        /// The user is added to the list.
        Enlist = "enlist",
        /// It is removed.
        Remove = "remove",
        /// The ref is written anew.
        Point = "point",
    }
}

cases! {
    /// What is missing for a cure.
    pub enum Need {
        /// The hub, which may not be asked.
        Hub = "hub",
        /// The right to read it.
        Right = "right",
        /// Somebody who knows what it is.
        Hand = "hand",
        /// Nothing but cleaning.
        Cleaning = "cleaning",
    }
}

/// Something that is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wound {
    /// Which.
    pub id: Id,
    /// What is wrong.
    pub ill: Ill,
    /// Which content it should hold, as a number that only the host understands; equal contents have equal numbers.
    pub wants: Option<u64>,
    /// Where that content is.
    pub good: Vec<Id>,
    /// The file of a snapshot by which a content gets to its place.
    pub through: Option<Id>,
    /// Whether the hub can be asked for it: its repo, commit and file have names.
    pub has_name: bool,
}

/// One entry that is healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heal {
    /// Which.
    pub id: Id,
    /// What it is for.
    pub role: Role,
    /// How.
    pub cure: Cure,
    /// Where its content comes from, if that is here and not another step's.
    pub from: Option<Id>,
    /// What it was when this was decided.
    pub over: Stamp,
}

/// Something that stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unhealed {
    /// Which.
    pub id: Id,
    /// What is missing for a cure.
    pub need: Need,
}

/// What is healed, in an order that loses nothing wherever it is broken off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a plan does nothing by itself"]
pub struct Repair {
    /// The steps, in their order. Those whose content comes from an entry that is itself healed take it before anything is
    /// changed.
    pub steps: Vec<Heal>,
    /// What stays.
    pub unhealed: Vec<Unhealed>,
}

/// Plans how wounds are healed. What needs the hub stays where that may not be asked.
pub fn repair(held: &Held, wounds: &[Wound], reach: Reach) -> Repair {
    let wounded: BTreeSet<Id> = wounds.iter().map(|wound| wound.id).collect();
    let mut making = Making { held, wounded, reach, fetched: BTreeMap::new() };
    let (mut plan, mut seen) = (Repair::default(), BTreeSet::new());
    for wound in wounds {
        // What is wrong in two ways is healed once.
        if !seen.insert((wound.id, wound.ill)) {
            continue;
        }
        match making.cure(wound) {
            Ok((cure, from)) => {
                let entry = held.get(wound.id);
                let role = entry.map_or(Role::Stranger, |entry| entry.role);
                let over = entry.map_or(Stamp(0), |entry| entry.over);
                plan.steps.push(Heal { id: wound.id, role, cure, from, over });
            }
            Err(need) => plan.unhealed.push(Unhealed { id: wound.id, need }),
        }
    }
    plan.steps.sort_by_key(|step| (making.rank(step), step.id));
    plan
}

struct Making<'a> {
    held: &'a Held,
    wounded: BTreeSet<Id>,
    reach: Reach,
    /// Contents that are fetched, by repo.
    fetched: BTreeMap<(Option<Id>, u64), Id>,
}

impl Making<'_> {
    /// Returns how something is healed, and from what.
    fn cure(&mut self, wound: &Wound) -> Result<(Cure, Option<Id>), Need> {
        match wound.ill {
            Ill::Content => self.content(wound),
            Ill::Unnamed => self.ask(wound, Cure::Fetch),
            Ill::Listing => self.ask(wound, Cure::List),
            Ill::Astray | Ill::Void => Ok((Cure::Remove, None)),
            Ill::Untidy => Ok((Cure::Point, None)),
            Ill::Unlisted => Ok((Cure::Enlist, None)),
            Ill::Closed => Err(Need::Right),
            Ill::Strange => Err(Need::Hand),
            Ill::Litter => Err(Need::Cleaning),
        }
    }

    fn ask(&self, wound: &Wound, cure: Cure) -> Result<(Cure, Option<Id>), Need> {
        match (wound.has_name, self.reach) {
            (true, Reach::Online) => Ok((cure, None)),
            (true, Reach::Offline) => Err(Need::Hub),
            (false, _) => Err(Need::Hand),
        }
    }

    fn content(&mut self, wound: &Wound) -> Result<(Cure, Option<Id>), Need> {
        let repo = self.held.repo_of(wound.id).or_else(|| {
            // What repos share is healed in the repo of a file that leads to it.
            wound.through.and_then(|id| self.held.repo_of(id))
        });
        if wound.through.is_none() {
            return Err(Need::Hand);
        }
        let here = wound.good.iter().copied().filter(|id| *id != wound.id);
        let best =
            here.min_by_key(|id| (self.wounded.contains(id), self.held.repo_of(*id) != repo, *id));
        if let Some(from) = best {
            return Ok((Cure::Place, Some(from)));
        }
        let content = wound.wants.map(|content| (repo, content));
        if content.is_some_and(|content| self.fetched.contains_key(&content)) {
            return Ok((Cure::Place, None));
        }
        let cure = self.ask(wound, Cure::Fetch)?;
        self.fetched.extend(content.map(|content| (content, wound.id)));
        Ok(cure)
    }

    /// Returns the place of a step in the order: what is in the way goes first, what is fetched comes before what takes it
    /// over, and a blob that nobody leads to goes when nobody takes from it any more.
    fn rank(&self, step: &Heal) -> u8 {
        let from_wounded = step.from.is_some_and(|from| self.wounded.contains(&from));
        match step.cure {
            Cure::Remove if step.role != Role::Blob => 0,
            Cure::List => 1,
            Cure::Place if from_wounded => 2,
            Cure::Place if step.from.is_some() => 3,
            Cure::Fetch => 4,
            Cure::Place => 5,
            Cure::Enlist => 6,
            Cure::Point => 7,
            Cure::Remove => 8,
        }
    }
}
