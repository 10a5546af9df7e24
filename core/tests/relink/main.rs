//! Conversions of all small caches, carried out on paper, against what must be so in the end and wherever they are broken off.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::std_instead_of_alloc,
    clippy::wildcard_enum_match_arm,
    reason = "a test has the standard library, and says what is wrong by failing"
)]

mod expected;
mod paper;
mod world;

use std::{collections::BTreeSet, thread};

use hubstow_core::{
    care::{
        Content, Entry, Hold, Id, Role, Stamp,
        relink::{Act, Because, Plan, Rules, Source, Step, relink},
    },
    policy::{Method, Methods, Policy, Support},
};
use world::{BLOBS, BlobIs, KINDS, Name, PointerIs, Repo, World};

/// The disks that the policies can tell apart: all methods, none, and each of the links refused.
fn disks() -> [Methods; 5] {
    let all = Methods::UNTRIED;
    let without = |methods: &[Method]| {
        methods.iter().fold(all, |known, method| known.with(*method, Support::Refused))
    };
    [
        all,
        without(&[Method::Symlink]),
        without(&[Method::Hardlink]),
        without(&[Method::Symlink, Method::Hardlink]),
        without(&[Method::Symlink, Method::Hardlink, Method::Reflink]),
    ]
}

fn rules(world: &World, policy: Policy, methods: Methods, across: bool) -> Rules {
    let (_, _, names) = world.told();
    let repos = [Name::Repo(0), Name::Repo(1)];
    let id = |name: &Name| Id::at(names.iter().position(|it| it == name).unwrap());
    let (repos, dead) = (repos.iter().map(id).collect(), BTreeSet::new());
    Rules { policy, methods, across, repos, dead }
}

fn plan(world: &World, rules: &Rules) -> Plan {
    let (held, known, _) = world.told();
    relink(&held, &known, rules)
}

/// The second repo, in a few states.
fn others() -> [Repo; 5] {
    use PointerIs::{Absent, Link, Own, Twin};
    let of = |blob, pointers, hold| Repo { blob, pointers, hold };
    [
        of(BlobIs::File, [Link, Absent, Absent], Hold::Free),
        of(BlobIs::Absent, [Own, Own, Absent], Hold::Pinned),
        of(BlobIs::Shared, [Twin, Link, Own], Hold::Free),
        of(BlobIs::Shared, [Link, Absent, Absent], Hold::InUse),
        of(BlobIs::Borrowed, [Own, Link, Absent], Hold::Free),
    ]
}

/// What the third pointer is: as much as tells where the order matters.
const THIRD: [PointerIs; 4] =
    [PointerIs::Absent, PointerIs::Link, PointerIs::Own, PointerIs::Alike];

fn worlds() -> impl Iterator<Item = World> {
    let pointers = KINDS.into_iter().flat_map(|one| {
        KINDS.into_iter().flat_map(move |two| THIRD.map(|three| [one, two, three]))
    });
    pointers.flat_map(|pointers| {
        BLOBS.into_iter().flat_map(move |blob| {
            others().into_iter().enumerate().map(move |(number, other)| {
                let hold = if number == 1 { Hold::InUse } else { Hold::Free };
                let repo = Repo { blob, pointers, hold };
                World::new([repo, other], number == 2, number == 4)
            })
        })
    })
}

#[test]
fn every_conversion_has_what_was_asked_for_and_loses_nothing_wherever_it_ends() {
    let half = |parity: usize| -> usize {
        worlds().skip(parity).step_by(2).map(|world| check_all(&world)).sum()
    };
    let plans = thread::scope(|scope| {
        let other = scope.spawn(|| half(1));
        half(0) + other.join().unwrap()
    });
    println!("{plans} plans");
    assert!(plans > 100_000, "{plans}");
}

fn check_all(world: &World) -> usize {
    let mut plans = 0;
    for policy in Policy::ALL {
        for methods in disks() {
            // To the others it says nothing.
            let shares = policy.ladder().contains(&Method::Hardlink);
            for across in [false, true].into_iter().take(1 + usize::from(shares)) {
                check(world, &rules(world, *policy, methods, across));
                plans += 1;
            }
        }
    }
    plans
}

fn check(world: &World, rules: &Rules) {
    let plan = plan(world, rules);
    let told = || format!("{rules:?} of {world:?}: {plan:?}");
    let (held, known, _) = world.told();
    assert_eq!(plan.check(&held, &known, rules), Ok(()), "{}", told());
    if rules.method().is_none() {
        assert!(plan.steps.is_empty(), "{}", told());
        assert!(plan.left.iter().all(|left| left.because == Because::NoMethod), "{}", told());
        return;
    }
    let end = paper::carry_out(world, &plan, |now| expected::nothing_lost(world, now))
        .unwrap_or_else(|what| panic!("{what}: {}", told()));
    let freed = i64::try_from(world.bytes()).unwrap() - i64::try_from(end.bytes()).unwrap();
    assert_eq!(plan.freed_bytes, freed, "{}", told());
    if let Err(what) = expected::is_as_asked(world, &end, rules) {
        panic!("{what}: {} to {end:?}", told());
    }
    let again = self::plan(&end, &self::rules(&end, rules.policy, rules.methods, rules.across));
    // Whether two files share their blocks nobody can tell.
    let again: Vec<_> =
        again.steps.iter().filter(|step| step.by != Some(Method::Reflink)).collect();
    assert!(again.is_empty(), "once more {again:?}: {} to {end:?}", told());
}

/// What is done to one repo, and why.
#[track_caller]
fn steps(blob: BlobIs, pointers: [PointerIs; 3], policy: Policy, methods: Methods) -> Vec<String> {
    let other = Repo { blob: BlobIs::Absent, pointers: [PointerIs::Absent; 3], hold: Hold::Free };
    let world = World::new([Repo { blob, pointers, hold: Hold::Free }, other], false, false);
    let plan = plan(&world, &rules(&world, policy, methods, false));
    let step = |step: &hubstow_core::care::relink::Step| {
        let by = step.by.map_or("", Method::code);
        format!("{} {} {by} {}", step.act, step.role, step.why)
    };
    let left = plan.left.iter().map(|left| format!("left {}", left.because));
    plan.steps.iter().map(step).chain(left).collect()
}

/// A blob, three pointers, a policy, a disk, and what is done.
type Case = (BlobIs, [PointerIs; 3], Policy, Methods, &'static [&'static str]);

#[test]
fn each_case_has_its_steps_and_reasons() {
    use PointerIs::{Absent, Damaged, Link, Own, Twin};
    let [all, no_symlink, no_hardlink, _, none] = disks();
    let alone = [Own, Absent, Absent];
    #[rustfmt::skip]
    let table: &[Case] = &[
        // A blob and a copy of it.
        (BlobIs::File, alone, Policy::Compat, all, &["place pointer symlink copied"]),
        (BlobIs::File, alone, Policy::Dedup, no_symlink, &["place pointer hardlink copied"]),
        (BlobIs::File, alone, Policy::Compat, none, &[]),
        (BlobIs::File, alone, Policy::Portable, all, &["drop blob  useless"]),
        // Snapshots only.
        (BlobIs::Absent, alone, Policy::Compat, all, &["make blob hardlink alone", "place pointer symlink alone"]),
        (BlobIs::Absent, alone, Policy::Compat, no_hardlink, &["make blob reflink alone", "place pointer symlink alone"]),
        (BlobIs::Absent, alone, Policy::Nas, all, &["make blob hardlink alone"]),
        (BlobIs::Absent, [Own, Own, Own], Policy::Strict, all,
            &["make blob hardlink alone", "place pointer symlink copied", "place pointer symlink copied", "place pointer symlink copied"]),
        // Nothing is made twice where only reflinks work.
        (BlobIs::Absent, [Own, Own, Absent], Policy::Nas, no_hardlink, &["place pointer reflink copied"]),
        // Back to files: the last one takes the blob's over.
        (BlobIs::File, [Link, Link, Absent], Policy::Portable, all,
            &["place pointer copy linked", "place pointer hardlink linked", "drop blob  useless"]),
        (BlobIs::File, [Link, Absent, Absent], Policy::Portable, no_hardlink,
            &["place pointer copy linked", "drop blob  useless"]),
        (BlobIs::File, [Twin, Absent, Absent], Policy::Portable, all, &["drop blob  useless"]),
        // What other tools have broken: the blob was renamed into a snapshot, and another link dangles.
        (BlobIs::Absent, [Own, Link, Absent], Policy::Compat, all, &["make blob hardlink dangling", "place pointer symlink alone"]),
        (BlobIs::Absent, [Own, Link, Absent], Policy::Portable, all, &["place pointer copy dangling"]),
        (BlobIs::Absent, [Link, Absent, Absent], Policy::Compat, all, &[]),
        // Damage is told and not spread.
        (BlobIs::Damaged, [Link, Own, Absent], Policy::Portable, all, &["left damaged"]),
        (BlobIs::Damaged, [Own, Absent, Absent], Policy::Compat, all, &["left damaged"]),
        (BlobIs::File, [Damaged, Own, Absent], Policy::Compat, all, &["place pointer symlink copied", "left damaged"]),
        // Content in the store that repos share is linked or read through.
        (BlobIs::Borrowed, [Own, Link, Absent], Policy::Compat, all, &["place pointer symlink copied"]),
        (BlobIs::Borrowed, [Link, Absent, Absent], Policy::Nas, all, &["place pointer reflink linked"]),
        (BlobIs::Borrowed, [Link, Absent, Absent], Policy::Portable, all, &["place pointer copy linked", "drop blob  useless"]),
        // No method is left.
        (BlobIs::File, alone, Policy::Strict, none, &["left no-method", "left no-method"]),
    ];
    for (blob, pointers, policy, methods, expected) in table {
        let found = steps(*blob, *pointers, *policy, *methods);
        assert_eq!(found, *expected, "{blob:?} {pointers:?} {policy} {methods:?}");
    }
}

#[test]
fn what_broken_off_runs_have_left_goes_unless_somebody_works_in_its_repo() {
    for (hold, expected, freed) in
        [(Hold::Free, "clear staged dead", 50), (Hold::InUse, "", 0), (Hold::Unsure, "", 0)]
    {
        let repo = Repo { blob: BlobIs::File, pointers: [PointerIs::Absent; 3], hold };
        let world = World::new([repo, repo], false, false);
        let (mut held, known, names) = world.told();
        let within = names.iter().position(|name| *name == Name::Repo(0)).map(Id::at);
        let id = Id::at(held.entries.len());
        let content = Some(Content { file: 99, len_bytes: 50, names: 1 });
        let (role, over) = (Role::Staged, Stamp(77));
        let (used, modified, hold, leads_to) = (0, 0, Hold::Free, Vec::new());
        held.entries.push(Entry { role, within, leads_to, content, used, modified, hold, over });
        let mut rules = rules(&world, Policy::Compat, Methods::UNTRIED, false);
        rules.dead.insert(id);
        let plan = relink(&held, &known, &rules);
        let steps: Vec<_> =
            plan.steps.iter().map(|it| format!("{} {} {}", it.act, it.role, it.why)).collect();
        assert_eq!(steps.concat(), expected, "{hold}");
        assert_eq!(plan.freed_bytes, freed, "{hold}");
    }
}

#[test]
fn a_private_link_of_a_dead_run_keeps_no_blob_however_young_it_is() {
    let repo = |pointers| Repo { blob: BlobIs::File, pointers, hold: Hold::Free };
    let led = repo([PointerIs::Link, PointerIs::Absent, PointerIs::Absent]);
    let world = World::new([led, repo([PointerIs::Absent; 3])], false, false);
    let (mut held, known, names) = world.told();
    let at = |name: Name| Id::at(names.iter().position(|it| *it == name).unwrap());
    let id = Id::at(held.entries.len());
    held.entries.push(Entry {
        role: Role::Staged,
        within: Some(at(Name::Repo(0))),
        leads_to: vec![at(Name::Blob(0))],
        content: None,
        used: 0,
        modified: 0,
        // It looks like somebody's who lives.
        hold: Hold::InUse,
        over: Stamp(77),
    });
    let mut rules = rules(&world, Policy::Portable, Methods::UNTRIED, false);
    let acts = |plan: &Plan| plan.steps.iter().map(|step| step.act).collect::<Vec<_>>();
    let kept = relink(&held, &known, &rules);
    assert!(!acts(&kept).contains(&Act::Drop), "{kept:?}");
    rules.dead.insert(id);
    let plan = relink(&held, &known, &rules);
    assert_eq!(acts(&plan), [Act::Clear, Act::Place, Act::Drop]);
    assert_eq!(plan.check(&held, &known, &rules), Ok(()), "{plan:?}");
}

/// Whatever is changed in a step, the guard sees, unless it is another way to the same end.
#[test]
fn a_conversion_that_would_do_what_it_must_not_is_refused() {
    let (mut refused, mut kinds) = (0, BTreeSet::new());
    for world in worlds().step_by(101) {
        for policy in Policy::ALL {
            let rules = rules(&world, *policy, disks()[0], true);
            let (held, known, _) = world.told();
            let plan = plan(&world, &rules);
            let mut refuses = |bad: &Plan| {
                let unfit = bad.check(&held, &known, &rules).expect_err("it must be refused");
                kinds.insert(format!("{unfit:?}").split('(').next().unwrap().to_owned());
                refused += 1;
            };
            let closed = BTreeSet::new();
            let meant = Rules { repos: closed, ..rules.clone() };
            assert!(plan.steps.is_empty() || plan.check(&held, &known, &meant).is_err());
            for place in 0..plan.steps.len() {
                let changed = |change: &dyn Fn(&mut Step)| {
                    let mut bad = plan.clone();
                    change(&mut bad.steps[place]);
                    bad
                };
                refuses(&changed(&|step| step.over.0 ^= 1 << 90));
                refuses(&changed(&|step| step.id = Id(u32::MAX)));
                refuses(&changed(&|step| step.by = Some(Method::Move)));
                let mut twice = plan.clone();
                twice.steps.push(plan.steps[place]);
                refuses(&twice);
                if let Some(Source::Made(_)) = plan.steps[place].from {
                    let mut early = plan.clone();
                    let step = early.steps.remove(place);
                    early.steps.insert(0, step);
                    refuses(&early);
                }
                if plan.steps[place].act == Act::Drop {
                    let led = held.iter().any(|(_, entry)| {
                        entry.content.is_none() && entry.leads_to.contains(&plan.steps[place].id)
                    });
                    let mut early = plan.clone();
                    let step = early.steps.remove(place);
                    early.steps.insert(0, step);
                    assert_eq!(early.check(&held, &known, &rules).is_err(), led, "{world:?}");
                }
            }
        }
    }
    println!("{refused} refused: {kinds:?}");
    assert!(refused > 1000 && kinds.len() >= 4, "{kinds:?}");
}
