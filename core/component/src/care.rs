//! Plans of what may go.

use hubstow_core::care::{self, Held};

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
}
