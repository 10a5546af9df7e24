//! Plans of what may go, made by the component. What it takes is looked at before anything follows from it.

use hubstow_core::care::{Held, Id, Plan, Rules};

use crate::{ComponentCore, CoreError, generated::Core, wit_care};

impl ComponentCore {
    /// Plans the removal of what was asked for, with what only that has led to.
    ///
    /// # Errors
    /// A component that fails, or would take what it must not.
    pub fn plan_remove(&self, held: &Held, asked: &[Id]) -> Result<Plan, CoreError> {
        let asked: Vec<wit_care::Id> = asked.iter().copied().map(Into::into).collect();
        self.plan(held, |core, store, entries| {
            core.hubstow_placement_care().call_plan_remove(store, entries, &asked)
        })
    }

    /// Plans the removal of what is useless, and of what the rules add.
    ///
    /// # Errors
    /// As [`plan_remove`](Self::plan_remove).
    pub fn plan_prune(&self, held: &Held, rules: &Rules) -> Result<Plan, CoreError> {
        self.plan(held, |core, store, entries| {
            core.hubstow_placement_care().call_plan_prune(store, entries, (*rules).into())
        })
    }

    fn plan(
        &self,
        held: &Held,
        call: impl FnOnce(
            &Core,
            &mut wasmtime::Store<crate::Limits>,
            &[wit_care::Entry],
        ) -> wasmtime::Result<wit_care::Plan>,
    ) -> Result<Plan, CoreError> {
        let entries: Vec<wit_care::Entry> = held.entries.iter().cloned().map(Into::into).collect();
        let planned = self.ask_of(entries.len(), |core, store| call(core, store, &entries))?;
        let plan = Plan::from(planned);
        plan.check(held).map_err(|unfit| CoreError::Impossible { what: unfit.to_string() })?;
        Ok(plan)
    }
}
