//! Care of a cache: which of its entries may go, or become something else, and why, as plans that a host carries out.
//!
//! A host says what it holds ([`Held`]): entries by number, what each leads to, and what holds it. [`remove`], [`prune`] and
//! [`evict`] answer with a [`Plan`]: steps with a reason and with what each was decided over, and how many bytes are free then. There
//! are no paths here, and nothing is ever in a plan that something which stays leads to, that is in use, or that is pinned.

mod draft;
mod evict;
mod guard;
pub mod held;
pub mod plan;
mod prune;
mod reach;
pub mod relink;
mod repair;

pub use self::{
    evict::{Bounds, evict},
    guard::Unfit,
    held::{Content, Entry, Held, Hold, Id, Role, Stamp},
    plan::{Kept, Plan, Step, Why},
    prune::{Rules, prune},
    repair::{Cure, Heal, Ill, Need, Repair, Unhealed, Wound, repair},
};
use draft::{Draft, Sweep};

/// Plans the removal of what was asked for: repos, revisions and pointers, with what only they have led to.
///
/// What was an orphan before stays, unless its whole repo goes.
pub fn remove(held: &Held, asked: &[Id]) -> Plan {
    let mut draft = Draft::new(held);
    for id in asked {
        draft.ask(*id);
    }
    draft.sweep(Sweep::Freed);
    draft.plan()
}
