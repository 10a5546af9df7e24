//! Attacks on what a cache holds.

use hubstow_core::{
    care::{
        Content, Entry, Held, Hold, Id, Ill, Role, Rules, Stamp, Wound,
        relink::{self, Known, State},
    },
    facts::Reach,
    policy::{Methods, Policy},
};
use hubstow_wasmtime::{CoreError, Options};

use crate::guest::hostile;

/// A repo with a file in use, and a blob that nothing leads to.
fn held() -> Held {
    let entry = |role, within: Option<u32>, leads_to: &[u32], bytes: Option<u64>| Entry {
        role,
        within: within.map(Id),
        leads_to: leads_to.iter().copied().map(Id).collect(),
        content: bytes.map(|len_bytes| Content { file: len_bytes, len_bytes, names: 1 }),
        used: 1,
        modified: 1,
        hold: Hold::Free,
        over: Stamp(7),
    };
    Held {
        entries: vec![
            entry(Role::Repo, None, &[], None),
            entry(Role::Frame, Some(0), &[], None),
            entry(Role::Blob, Some(1), &[], Some(100)),
            entry(Role::Blob, Some(1), &[], Some(200)),
            entry(Role::Staged, Some(1), &[], Some(300)),
            entry(Role::Frame, Some(0), &[], None),
            entry(Role::Revision, Some(5), &[], None),
            entry(Role::Pointer, Some(6), &[2], None),
            entry(Role::Ref, Some(0), &[6], None),
        ],
    }
}

#[test]
fn a_plan_that_takes_what_it_must_not_is_no_plan() {
    let (held, rules) = (held(), Rules::default());
    let honest = hostile("", Options::default()).plan_prune(&held, &rules).unwrap();
    let gone: Vec<u32> = honest.steps.iter().map(|step| step.id.0).collect();
    assert_eq!((gone, honest.freed_bytes), (vec![4, 3], 500));
    for (attack, word) in [
        ("take-everything", "comes too early"),
        ("take-twice", "twice"),
        ("take-what-is-not-there", "entry 4294967295"),
        ("take-what-has-changed", "which is not so"),
        ("take-backwards", "too early"),
        ("promise-bytes", "another number of bytes"),
    ] {
        let error = hostile(attack, Options::default()).plan_prune(&held, &rules).unwrap_err();
        assert!(matches!(error, CoreError::Impossible { .. }), "{attack}: {error}");
        assert!(error.to_string().contains(word), "{attack}: {error}");
    }
    let mut in_use = held;
    in_use.entries[6].hold = Hold::InUse;
    for (role, hold) in [(0, Hold::InUse), (6, Hold::Pinned)] {
        in_use.entries[role].hold = hold;
        let error =
            hostile("take-everything", Options::default()).plan_prune(&in_use, &rules).unwrap_err();
        assert!(matches!(error, CoreError::Impossible { .. }), "{error}");
    }
}

#[test]
fn a_plan_that_never_comes_ends_within_the_bounds() {
    let error = hostile("loop", Options::default()).plan_remove(&held(), &[Id(6)]).unwrap_err();
    assert!(matches!(error, CoreError::OutOfFuel { .. }), "{error}");
    let error = hostile("allocate", Options::default()).plan_remove(&held(), &[]).unwrap_err();
    assert!(matches!(error, CoreError::OutOfMemory { .. }), "{error}");
}

#[test]
fn a_repair_that_is_none_and_a_conversion_that_loses_are_no_plans() {
    let held = held();
    let wound = |id, ill| Wound {
        id: Id(id),
        ill,
        wants: Some(1),
        good: vec![Id(3)],
        through: Some(Id(7)),
        has_name: true,
    };
    let wounds = [wound(7, Ill::Content), wound(2, Ill::Content)];
    let heal = |attack: &str| {
        hostile(attack, Options::default()).plan_repair(&held, &wounds, Reach::Online)
    };
    assert_eq!(heal("").unwrap().steps.len(), 2);
    for attack in ["heal-by-removing", "heal-what-is-well"] {
        let error = heal(attack).unwrap_err();
        assert!(matches!(error, CoreError::Impossible { .. }), "{attack}: {error}");
    }
    let mut copied = held.clone();
    copied.entries[7].content = Some(Content { file: 9, len_bytes: 100, names: 1 });
    copied.entries[7].leads_to.clear();
    let proved = Some(Known { blob: 1, state: State::Proved(1) });
    let known = [None, None, proved, None, None, None, None, proved, None];
    let rules = relink::Rules {
        policy: Policy::Compat,
        methods: Methods::UNTRIED,
        across: false,
        repos: [Id(0)].into(),
        dead: [].into(),
    };
    let convert =
        |attack: &str| hostile(attack, Options::default()).plan_conversion(&copied, &known, &rules);
    assert_eq!(convert("").unwrap().steps.len(), 1);
    for attack in ["drop-first", "convert-by-moving"] {
        let error = convert(attack).unwrap_err();
        assert!(matches!(error, CoreError::Impossible { .. }), "{attack}: {error}");
    }
}
