//! Plans over all small caches, against a second statement of what may go.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    reason = "a test has the standard library, and says what is wrong by failing"
)]

mod evict;
mod oracle;
mod repair;
mod request;
mod world;

use std::{collections::BTreeSet, thread};

use hubstow_core::care::{Entry, Hold, Id, Plan, Role, Rules, Step, Unfit, Why, prune, remove};
use oracle::Expected;
use request::{Question, REQUESTS, Request};
use world::{Name, World};

fn plan(world: &World, request: Request) -> Plan {
    let (held, names) = world.held();
    match request.question(&names) {
        Question::Remove(asked) => remove(&held, &asked),
        Question::Prune(rules) => prune(&held, &rules),
    }
}

#[test]
fn all_that_was_asked_for_goes_and_nothing_that_is_needed() {
    let half = |parity: usize| {
        World::all().skip(parity).step_by(2).map(|world| check(&world)).sum::<usize>()
    };
    let plans: usize = thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        half(0) + other.join().unwrap()
    });
    println!("{plans} plans");
    assert!(plans > 10_000, "{plans}");
}

fn check(world: &World) -> usize {
    let (_, names) = world.held();
    for request in REQUESTS {
        let plan = plan(world, request);
        let found: BTreeSet<Name> = plan.steps.iter().map(|step| names[step.id.place()]).collect();
        let expected = Expected::of(world, request);
        let differs: Vec<_> = found.symmetric_difference(&expected.gone).collect();
        assert!(differs.is_empty(), "{request:?} of {world:?}: {differs:?}, of {found:?}");
        assert_eq!(plan.freed_bytes, expected.freed_bytes, "{request:?} of {world:?}");
        assert_eq!(found.len(), plan.steps.len(), "{request:?} of {world:?}: twice");
        check_order(&plan, &names);
        assert_eq!(plan.check(&world.held().0), Ok(()), "{request:?} of {world:?}");
    }
    REQUESTS.len()
}

/// Refs go before snapshots, pointers before blobs, folders after all that is in them.
fn check_order(plan: &Plan, names: &[Name]) {
    let roles: Vec<Role> = plan.steps.iter().map(|step| step.role).collect();
    let last = |role| roles.iter().rposition(|it| *it == role);
    let first = |role| roles.iter().position(|it| *it == role);
    for (before, after) in [
        (Role::Ref, Role::Pointer),
        (Role::Pointer, Role::Blob),
        (Role::Blob, Role::Payload),
        (Role::Pointer, Role::Revision),
        (Role::Frame, Role::Repo),
    ] {
        if let (Some(before), Some(after)) = (last(before), first(after)) {
            assert!(before < after, "{plan:?} of {names:?}");
        }
    }
}

#[test]
fn a_cache_that_is_too_large_loses_what_was_used_least_recently_and_no_more() {
    let mut tried = 0;
    for world in World::all().step_by(7) {
        let (held, names) = world.held();
        let none = prune(&held, &Rules::default());
        let total: u64 = world.total_bytes();
        for max_bytes in [0, total / 4, total / 2, total - none.freed_bytes, total] {
            let plan = prune(&held, &Rules { max_bytes: Some(max_bytes), ..Rules::default() });
            let gone = |plan: &Plan| -> BTreeSet<Name> {
                let revisions = plan.steps.iter().filter(|step| step.role == Role::Revision);
                revisions.map(|step| names[step.id.place()]).collect()
            };
            let (gone, useless) = (gone(&plan), gone(&none));
            let more: Vec<_> = gone.difference(&useless).copied().collect();
            let may_go = world
                .revisions()
                .filter(|it| !world.is_kept_from_rules(*it) && !useless.contains(it));
            let mut may_go: Vec<Name> = may_go.collect();
            may_go.sort_by_key(|name| (world.used(*name), *name));
            let mut expected = may_go[..more.len()].to_vec();
            expected.sort();
            assert_eq!(more, expected, "{max_bytes} of {world:?}");
            let left = total - plan.freed_bytes;
            assert!(left <= max_bytes || more.len() == may_go.len(), "{max_bytes} of {world:?}");
            if let Some(last) = more.len().checked_sub(1) {
                let one_less =
                    Expected::with_revisions(&world, useless.iter().chain(&may_go[..last]));
                assert!(total - one_less.freed_bytes > max_bytes, "{max_bytes} of {world:?}");
            }
            tried += 1;
        }
    }
    assert!(tried > 1000, "{tried}");
}

/// Whatever is done to a plan that takes anything, the guard sees, unless it still takes no more than it may.
#[test]
fn a_plan_that_would_take_what_it_must_not_is_refused() {
    let (mut refused, mut kinds) = (0, BTreeSet::new());
    let mut see = |unfit: Unfit| {
        kinds.insert(format!("{unfit:?}").split('(').next().unwrap().to_owned());
        refused += 1;
    };
    for world in World::all().step_by(53) {
        let (held, _) = world.held();
        for request in REQUESTS {
            let plan = plan(&world, request);
            let goes: BTreeSet<Id> = plan.steps.iter().map(|step| step.id).collect();
            for (id, entry) in held.iter().filter(|(id, _)| !goes.contains(id)) {
                let over = entry.over;
                let more = Step { id, role: entry.role, why: Why::Asked, over };
                let mut bad = plan.clone();
                let place = bad.steps.iter().position(|step| step.role == entry.role);
                bad.steps.insert(place.unwrap_or(0), more);
                bad.freed_bytes = held.freed_bytes(|it| it == id || goes.contains(&it));
                match bad.check(&held) {
                    Err(unfit) => see(unfit),
                    Ok(()) => {
                        let mut left =
                            held.iter().filter(|(it, _)| *it != id && !goes.contains(it));
                        let needs = |entry: &Entry| {
                            entry.within == Some(id)
                                || (entry.role != Role::Companion && entry.leads_to.contains(&id))
                        };
                        assert!(left.all(|(_, other)| !needs(other)), "{entry:?} in {world:?}");
                        let is_free = entry.hold == Hold::Free || entry.is_unsure_ref();
                        assert!(is_free, "{entry:?} in {world:?}");
                    }
                }
            }
            for place in 0..plan.steps.len() {
                let mut twice = plan.clone();
                twice.steps.push(plan.steps[place]);
                see(twice.check(&held).unwrap_err());
                let mut other = plan.clone();
                other.steps[place].over.0 ^= 1;
                see(other.check(&held).unwrap_err());
                if place > 0 && plan.steps[place].role != plan.steps[0].role {
                    let mut early = plan.clone();
                    early.steps.swap(0, place);
                    see(early.check(&held).unwrap_err());
                }
            }
            let mut more = plan.clone();
            more.freed_bytes += 1;
            see(more.check(&held).unwrap_err());
        }
    }
    println!("{refused} refused: {kinds:?}");
    assert_eq!(kinds.len(), 6, "{kinds:?}");
}
