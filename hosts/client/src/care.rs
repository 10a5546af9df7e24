//! The cache of a hub as a whole: what it holds, what may go, and removing it.

pub mod carry;
mod local;
pub mod relink;
pub mod repair;
pub mod room;
pub mod verify;

use std::path::PathBuf;

use hubstow_cache::Cache;
pub use hubstow_cache::care::{
    damage::{Damage, Flaw, Weight},
    execute::{Done as StepDone, Executed, Kept as KeptOut, Skip},
    inventory::{HeldRepo, Inventory, Item, Store},
    leads::Leads,
    pins::Pins,
    portions::{NeededBy, Portion},
    summary::{FileSum, RepoSum, RevisionSum},
    verify::{Fault, Reading, Scope, Verified, listed},
};
pub use hubstow_cache::disk::Kind;
pub use hubstow_cache::observe::cached::Promised;
pub use hubstow_core::care::{
    Cure, Heal, Held, Hold, Id, Ill, Kept, Need, Plan, Repair, Role, Rules, Step, Unhealed, Why,
};
use hubstow_core::{
    care,
    layout::{CachePath, RepoLayout},
    name::{Repo, Revision},
};

use crate::{api::error::Error, engine::Engine, handle::CallerBlocks};

/// The cache directory of a hub. What is asked here blocks its thread and sends no request.
///
/// ```no_run
/// # fn run(hub: &hubstow_client::Hub) -> Result<(), hubstow_client::Error> {
/// use hubstow_client::care::Rules;
///
/// let cache = hub.cache();
/// let inventory = cache.inventory()?;
/// let plan = cache.plan_prune(&inventory, &Rules::default());
/// println!("{} bytes may go", plan.freed_bytes);
/// cache.execute(&inventory, &plan, |_| {});
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CacheDir {
    engine: Engine,
}

impl CacheDir {
    pub(crate) fn of(engine: Engine) -> Self {
        Self { engine }
    }

    fn cache(&self) -> &Cache {
        self.engine.shared.blocking(&CallerBlocks::its_thread())
    }

    /// Looks at all that the cache holds. Nothing is written.
    ///
    /// # Errors
    /// A directory that can't be listed. One that is not there holds nothing.
    pub fn inventory(&self) -> Result<Inventory, Error> {
        Ok(self.cache().inventory()?)
    }

    /// Returns the path of an entry as the system knows it.
    #[must_use]
    pub fn native(&self, at: &CachePath) -> PathBuf {
        self.engine.shared.native(at)
    }

    /// Plans the removal of repos, revisions and pointers, with what only they lead to.
    pub fn plan_remove(&self, inventory: &Inventory, asked: &[Id]) -> Plan {
        care::remove(&inventory.held(), asked)
    }

    /// Plans the removal of what is useless, and of what the rules add.
    pub fn plan_prune(&self, inventory: &Inventory, rules: &Rules) -> Plan {
        care::prune(&inventory.held(), rules)
    }

    /// Carries out a plan that was made of this inventory, telling what becomes of each step. Each is looked at again first, and
    /// what has changed or is needed by now stays.
    pub fn execute(
        &self,
        inventory: &Inventory,
        plan: &Plan,
        mut tell: impl FnMut(&StepDone),
    ) -> Executed {
        self.cache().execute(inventory, plan, &mut tell)
    }

    /// Returns what is pinned of a repo.
    ///
    /// # Errors
    /// A list of pins that can't be read or understood. What it keeps, nobody knows, so nothing of its repo is removed until then.
    pub fn pins(&self, repo: &Repo) -> Result<Pins, Error> {
        let layout = RepoLayout::new(repo);
        self.cache().pins(&layout).map_err(|error| {
            let list = self.native(&layout.pins());
            let way_out = format!(
                "`{}` has a pin on each line, a revision or `*`; mend it, or remove it and pin again",
                list.display()
            );
            Error::from(error).hint(way_out)
        })
    }

    /// Pins a revision, or the whole repo, so that no cleaning takes it; tells whether that is new.
    ///
    /// # Errors
    /// A cache directory that can't be written; a list of pins that can't be read, which stays as it is.
    pub fn pin(&self, repo: &Repo, revision: Option<&Revision>) -> Result<bool, Error> {
        let mut pins = self.pins(repo)?;
        let is_new = pins.pin(revision);
        if is_new {
            self.cache().set_pins(&RepoLayout::new(repo), &pins)?;
        }
        Ok(is_new)
    }

    /// Takes a pin away; tells whether it was there.
    ///
    /// # Errors
    /// As [`CacheDir::pin`].
    pub fn unpin(&self, repo: &Repo, revision: Option<&Revision>) -> Result<bool, Error> {
        let mut pins = self.pins(repo)?;
        let was = pins.unpin(revision);
        if was {
            self.cache().set_pins(&RepoLayout::new(repo), &pins)?;
        }
        Ok(was)
    }
}
