//! Plans of the component, beside those of the crate.

use std::time::Instant;

use hubstow_core::{
    care::{
        Content, Entry, Held, Hold, Id, Ill, Role, Rules, Stamp, Wound, prune, relink, remove,
        repair,
    },
    facts::Reach,
    policy::{Method, Methods, Policy, Support},
};

use crate::{
    contents::{self, BLOBS, KINDS, Name, PointerIs, Repo},
    request::{Question, REQUESTS},
    subject::CORE,
    world::World,
};

#[test]
fn the_component_plans_as_the_crate_does() {
    let mut compared = 0;
    for world in World::all().step_by(5) {
        let (held, names) = world.held();
        for request in REQUESTS {
            let (came, expected) = match request.question(&names) {
                Question::Remove(asked) => (CORE.plan_remove(&held, &asked), remove(&held, &asked)),
                Question::Prune(rules) => (CORE.plan_prune(&held, &rules), prune(&held, &rules)),
            };
            assert_eq!(came.unwrap(), expected, "{request:?} of {world:?}");
            compared += 1;
        }
        let rules = Rules { max_bytes: Some(world.total_bytes() / 2), ..Rules::default() };
        assert_eq!(CORE.plan_prune(&held, &rules).unwrap(), prune(&held, &rules), "{world:?}");
    }
    println!("{compared} plans compared");
    assert!(compared > 3000, "{compared}");
}

fn entry(role: Role, within: Option<Id>, leads_to: Vec<Id>) -> Entry {
    let (content, over) = (None, Stamp(u128::MAX - 7));
    Entry { role, within, leads_to, content, used: 5, modified: 5, hold: Hold::Free, over }
}

/// A repo with so many files in one revision, each with a blob.
fn large(files: u32) -> Held {
    let mut entries = vec![
        entry(Role::Repo, None, Vec::new()),
        entry(Role::Frame, Some(Id(0)), Vec::new()),
        entry(Role::Frame, Some(Id(0)), Vec::new()),
        entry(Role::Revision, Some(Id(1)), Vec::new()),
    ];
    for file in 0..files {
        let blob = Id(4 + 2 * file);
        let content = Some(Content { file: file.into(), len_bytes: 1000, names: 1 });
        entries.push(Entry { content, ..entry(Role::Blob, Some(Id(2)), Vec::new()) });
        entries.push(entry(Role::Pointer, Some(Id(3)), vec![blob]));
    }
    Held { entries }
}

#[test]
fn a_large_cache_is_planned_within_the_bounds() {
    let held = large(20_000);
    let begin = Instant::now();
    for rules in [Rules::default(), Rules { max_bytes: Some(1), ..Rules::default() }] {
        let plan = CORE.plan_prune(&held, &rules).unwrap();
        assert_eq!(plan, prune(&held, &rules));
        assert_eq!(plan.freed_bytes, 20_000_000);
    }
    println!("{:?}", begin.elapsed());
}

/// Whatever a host says of places, the component returns.
#[test]
fn entries_that_are_in_themselves_or_lead_nowhere_are_no_trap() {
    let own = entry(Role::Revision, Some(Id(0)), vec![Id(0), Id(9), Id(u32::MAX)]);
    let later = entry(Role::Pointer, Some(Id(7)), vec![Id(1)]);
    let held = Held { entries: vec![own, later] };
    let asked = [Id(0), Id(1), Id(5)];
    assert_eq!(CORE.plan_remove(&held, &asked).unwrap(), remove(&held, &asked));
    assert_eq!(CORE.plan_prune(&held, &Rules::default()).unwrap(), prune(&held, &Rules::default()));
    let nothing = Held::default();
    assert!(CORE.plan_prune(&nothing, &Rules::default()).unwrap().steps.is_empty());
}

#[test]
fn the_component_heals_as_the_crate_does() {
    let world = World::all().next().unwrap();
    let (held, _) = world.held();
    let mut compared = 0;
    for ill in Ill::ALL {
        for (id, entry) in held.iter() {
            for good in [vec![], vec![Id(3)], vec![Id(3), id]] {
                for reach in [Reach::Online, Reach::Offline] {
                    let (wants, through) = (Some(7), Some(Id(9)));
                    let wound =
                        Wound { id, ill: *ill, wants, good: good.clone(), through, has_name: true };
                    let other = Wound { through: None, has_name: false, ..wound.clone() };
                    let wounds = [wound, other];
                    let came = CORE.plan_repair(&held, &wounds, reach);
                    assert_eq!(came.unwrap(), repair(&held, &wounds, reach), "{entry:?}");
                    compared += 1;
                }
            }
        }
    }
    println!("{compared} plans compared");
    assert!(compared > 500, "{compared}");
}

#[test]
fn the_component_converts_as_the_crate_does() {
    let untried = Methods::UNTRIED;
    let refused = untried.with(Method::Symlink, Support::Refused);
    let mut compared = 0;
    for first in KINDS {
        for second in KINDS {
            for blob in BLOBS {
                let repo = |hold| Repo { blob, pointers: [first, second, PointerIs::Own], hold };
                let repos = [repo(Hold::Free), repo(Hold::Pinned)];
                let (held, known, names) = contents::World::new(repos, true, true).told();
                let at = |name| Id::at(names.iter().position(|it| *it == name).unwrap());
                for policy in Policy::ALL {
                    for methods in [untried, refused] {
                        let rules = relink::Rules {
                            policy: *policy,
                            methods,
                            across: true,
                            repos: [Name::Repo(0), Name::Repo(1)].map(at).into(),
                            dead: [].into(),
                        };
                        let came = CORE.plan_conversion(&held, &known, &rules).unwrap();
                        assert_eq!(came, relink::relink(&held, &known, &rules), "{rules:?}");
                        compared += 1;
                    }
                }
            }
        }
    }
    println!("{compared} plans compared");
    assert_eq!(compared, 7 * 7 * 4 * 5 * 2);
}
