//! Plans of what may go, of what is healed and of what is converted, made by the component. Each is looked at before anything
//! follows from it.

use hubstow_core::{
    care::{
        Held, Id, Plan, Repair, Rules, Unfit, Wound,
        relink::{self, Known},
    },
    facts::Reach,
};

use crate::{ComponentCore, CoreError, Limits, generated::Core, wit_care};

type Call = wasmtime::Store<Limits>;

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

    /// Plans how wounds are healed.
    ///
    /// # Errors
    /// As [`plan_remove`](Self::plan_remove).
    pub fn plan_repair(
        &self,
        held: &Held,
        wounds: &[Wound],
        reach: Reach,
    ) -> Result<Repair, CoreError> {
        let sent: Vec<wit_care::Wound> = wounds.iter().cloned().map(Into::into).collect();
        let planned = self.ask_about(held, |core, store, entries| {
            let care = core.hubstow_placement_care();
            care.call_plan_repair(store, entries, &sent, reach.into())
        });
        let plan = Repair::from(planned?);
        fitting(plan.check(held, wounds, reach))?;
        Ok(plan)
    }

    /// Plans the conversion of what is there to the methods of a policy.
    ///
    /// # Errors
    /// As [`plan_remove`](Self::plan_remove).
    pub fn plan_conversion(
        &self,
        held: &Held,
        known: &[Option<Known>],
        rules: &relink::Rules,
    ) -> Result<relink::Plan, CoreError> {
        let sent: Vec<_> = known.iter().map(|it| it.map(Into::into)).collect();
        let rules_sent: wit_care::ConversionRules = rules.clone().into();
        let planned = self.ask_about(held, |core, store, entries| {
            core.hubstow_placement_care().call_plan_conversion(store, entries, &sent, &rules_sent)
        });
        let plan = relink::Plan::from(planned?);
        fitting(plan.check(held, known, rules))?;
        Ok(plan)
    }

    fn plan(
        &self,
        held: &Held,
        call: impl FnOnce(&Core, &mut Call, &[wit_care::Entry]) -> wasmtime::Result<wit_care::Plan>,
    ) -> Result<Plan, CoreError> {
        let plan = Plan::from(self.ask_about(held, call)?);
        fitting(plan.check(held))?;
        Ok(plan)
    }

    fn ask_about<T>(
        &self,
        held: &Held,
        call: impl FnOnce(&Core, &mut Call, &[wit_care::Entry]) -> wasmtime::Result<T>,
    ) -> Result<T, CoreError> {
        let entries: Vec<wit_care::Entry> = held.entries.iter().cloned().map(Into::into).collect();
        self.ask_of(entries.len(), |core, store| call(core, store, &entries))
    }
}

fn fitting(checked: Result<(), Unfit>) -> Result<(), CoreError> {
    checked.map_err(|unfit| CoreError::Impossible { what: unfit.to_string() })
}
