//! Plans of what may go, of what is healed, and of what is converted.

use hubstow_core::care::{
    self, Held,
    relink::{self, Known},
};

use crate::{Core, wit_care as wit};

/// Takes over what a host holds.
pub(crate) fn held(entries: Vec<wit::Entry>) -> Held {
    Held { entries: entries.into_iter().map(Into::into).collect() }
}

impl wit::Guest for Core {
    fn plan_remove(entries: Vec<wit::Entry>, asked: Vec<wit::Id>) -> wit::Plan {
        let asked: Vec<care::Id> = asked.into_iter().map(Into::into).collect();
        care::remove(&held(entries), &asked).into()
    }

    fn plan_prune(entries: Vec<wit::Entry>, rules: wit::Rules) -> wit::Plan {
        care::prune(&held(entries), &rules.into()).into()
    }

    fn plan_repair(
        entries: Vec<wit::Entry>,
        wounds: Vec<wit::Wound>,
        reach: wit::Reach,
    ) -> wit::Repair {
        let wounds: Vec<care::Wound> = wounds.into_iter().map(Into::into).collect();
        care::repair(&held(entries), &wounds, reach.into()).into()
    }

    fn plan_conversion(
        entries: Vec<wit::Entry>,
        known: Vec<Option<wit::Known>>,
        rules: wit::ConversionRules,
    ) -> wit::Conversion {
        let known: Vec<Option<Known>> = known.into_iter().map(|it| it.map(Into::into)).collect();
        relink::relink(&held(entries), &known, &rules.into()).into()
    }
}
