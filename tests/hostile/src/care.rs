//! Plans that would take what they must not.

use hubstow_core::{
    care::{self, Cure, Held, Plan, Step, Why, relink},
    policy::Method,
};

use crate::{
    Hostile,
    attack::{attack, strike},
    wit_care as wit,
};

/// Changes an honest plan.
fn changed(held: &Held, mut plan: Plan) -> Plan {
    let step = |(id, entry): (care::Id, &care::Entry)| Step {
        id,
        role: entry.role,
        why: Why::Orphan,
        over: entry.over,
    };
    match attack() {
        "take-everything" => {
            plan.steps = held.iter().map(step).collect();
            plan.steps.sort_by_key(|step| step.role);
            plan.freed_bytes = held.freed_bytes(|_| true);
        }
        "take-twice" => plan.steps.extend(plan.steps.clone()),
        "take-what-is-not-there" => {
            if let Some(step) = plan.steps.first_mut() {
                step.id = care::Id(u32::MAX);
            }
        }
        "take-what-has-changed" => {
            if let Some(step) = plan.steps.first_mut() {
                step.over.0 ^= 1;
            }
        }
        "take-backwards" => plan.steps.reverse(),
        "promise-bytes" => plan.freed_bytes += 1 << 40,
        _ => {}
    }
    plan
}

impl wit::Guest for Hostile {
    fn plan_remove(entries: Vec<wit::Entry>, asked: Vec<wit::Id>) -> wit::Plan {
        strike();
        let held = Held { entries: entries.into_iter().map(Into::into).collect() };
        let asked: Vec<care::Id> = asked.into_iter().map(Into::into).collect();
        changed(&held, care::remove(&held, &asked)).into()
    }

    fn plan_prune(entries: Vec<wit::Entry>, rules: wit::Rules) -> wit::Plan {
        strike();
        let held = Held { entries: entries.into_iter().map(Into::into).collect() };
        changed(&held, care::prune(&held, &rules.into())).into()
    }

    fn plan_repair(
        entries: Vec<wit::Entry>,
        wounds: Vec<wit::Wound>,
        reach: wit::Reach,
    ) -> wit::Repair {
        strike();
        let held = Held { entries: entries.into_iter().map(Into::into).collect() };
        let wounds: Vec<care::Wound> = wounds.into_iter().map(Into::into).collect();
        let mut plan = care::repair(&held, &wounds, reach.into());
        match attack() {
            "heal-by-removing" => plan.steps.iter_mut().for_each(|step| step.cure = Cure::Remove),
            "heal-what-is-well" => plan.steps.iter_mut().for_each(|step| step.id = care::Id(0)),
            _ => {}
        }
        plan.into()
    }

    fn plan_conversion(
        entries: Vec<wit::Entry>,
        known: Vec<Option<wit::Known>>,
        rules: wit::ConversionRules,
    ) -> wit::Conversion {
        strike();
        let held = Held { entries: entries.into_iter().map(Into::into).collect() };
        let known: Vec<_> = known.into_iter().map(|it| it.map(Into::into)).collect();
        let mut plan = relink::relink(&held, &known, &rules.into());
        match attack() {
            "drop-first" => plan.steps.iter_mut().for_each(|step| {
                (step.act, step.by, step.from) = (relink::Act::Drop, None, None);
            }),
            "convert-by-moving" => {
                plan.steps.iter_mut().for_each(|step| step.by = Some(Method::Move));
            }
            _ => {}
        }
        plan.into()
    }
}
