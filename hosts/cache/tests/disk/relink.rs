//! Converting a cache: on every kind of disk, killed or failing at every operation, and while others work in it.

mod stage;

use std::{
    fs::{self, File},
    io::Read as _,
    thread,
};

use hubstow_cache::{cache::lease::Leased, care::execute::Skip};
use hubstow_core::{
    care::relink::{Act, Because},
    layout::RepoLayout,
    name::{Repo, RepoId, RepoKind},
    policy::Policy,
};
use sha2::Digest as _;

use self::stage::{
    ROWS, assert_kept, bytes, convert, misconduct, plan_on, sha256, shape, shown, world,
};
use crate::{
    host,
    kind::Kind,
    sample::{OTHER, OURS, REPO},
    start::World,
    system::{Errno, look, moments, number},
    watch::Event,
};

const KINDS: [Kind; 5] =
    [Kind::ALL_LINKS, Kind::NO_LINKS, Kind::HARDLINKS, Kind::REFLINKS, Kind::PRETENDED];

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn on_every_disk_the_bytes_that_were_told_are_free_and_all_is_read_as_before() {
    for kind in KINDS {
        for policy in Policy::ALL.iter().copied() {
            for across in [false, true] {
                let world = world();
                let (before, had) = (shown(&world.root()), bytes(&world.root()));
                let disk = world.disk(kind);
                let planned = plan_on(&disk, policy, across).unwrap();
                assert_eq!(bytes(&world.root()), had, "planning changes nothing");
                let done = planned.execute();
                let when = format!("{policy} on a disk with {}, {:?}", kind.name, done.steps);
                assert!(done.steps.iter().all(|step| step.skipped.is_none()), "{when}");
                assert_eq!(done.freed_bytes, planned.plan.freed_bytes, "{when}");
                assert_eq!(had - bytes(&world.root()), planned.plan.freed_bytes, "{when}");
                assert_kept(&before, &world.root(), &when);
                assert_eq!(misconduct(&disk), [""; 0], "{when}");
                assert!(!world.root().join(REPO).join(".hubstow").exists(), "{when}");
                let again = plan_on(&world.disk(kind), policy, across).unwrap();
                let again = again.plan.steps.iter();
                let again: Vec<_> =
                    again.filter(|step| step.by.is_none_or(|by| by.code() != "reflink")).collect();
                assert!(again.is_empty(), "{again:?} after {when}");
            }
        }
    }
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn copies_become_links_and_links_become_files_again() {
    let world = world();
    convert(&world, Kind::ALL_LINKS, Policy::Compat, false);
    let shape = stage::shape(&world.root());
    let at = |name: &str| shape[&format!("{REPO}/snapshots/{name}")].clone();
    let to = |up: &str, etag: &str| format!("→ {up}blobs/{etag}");
    let git = {
        let content = "{ \"alone\": true }";
        let digest = sha1::Sha1::digest(format!("blob {}\0{content}", content.len()));
        digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    for (name, expected) in [
        (format!("{OURS}/both.bin"), to("../../", &sha256("both a blob and a copy"))),
        (format!("{OTHER}/both.bin"), to("../../", &sha256("both a blob and a copy"))),
        (format!("{OTHER}/deep/name.bin"), to("../../../", &sha256("both a blob and a copy"))),
        (format!("{OURS}/deep/own.bin"), to("../../../", &sha256("only in snapshots"))),
        (format!("{OTHER}/deep/own.bin"), to("../../../", &sha256("only in snapshots"))),
        (format!("{OURS}/config.json"), to("../../", &git)),
        (format!("{OURS}/moved.bin"), to("../../", &sha256("moved into a snapshot"))),
        (format!("{OTHER}/torn.bin"), "what it should be".to_owned()),
        (format!("{OTHER}/opaque.txt"), to("../../", "opaque-1")),
        (format!("{OTHER}/flat.bin"), format!("../../blobs/{}", sha256("both a blob and a copy"))),
    ] {
        assert_eq!(at(&name), expected, "{name}");
    }
    let moved = world.root().join(format!("{REPO}/snapshots/{OTHER}/moved.bin"));
    assert_eq!(fs::read_to_string(moved).unwrap(), "moved into a snapshot", "it is healed");
    convert(&world, Kind::ALL_LINKS, Policy::Portable, false);
    let links: Vec<_> = stage::shape(&world.root())
        .into_iter()
        .filter(|(name, content)| content.starts_with('→') && !name.ends_with("torn.bin"))
        .collect();
    assert_eq!(links, [], "only what is damaged is left alone");
    let blobs = fs::read_dir(world.root().join(REPO).join("blobs")).unwrap();
    let mut blobs: Vec<_> =
        blobs.map(|it| fs::read_to_string(it.unwrap().path()).unwrap()).collect();
    blobs.sort();
    assert_eq!(blobs, ["an orphan", "something shorter"], "what was of no use before stays");
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn damage_is_told_and_left_alone() {
    let world = world();
    let planned = plan_on(&world.disk(Kind::ALL_LINKS), Policy::Compat, false).unwrap();
    let mut left = planned.left();
    left.sort();
    let torn = format!("{REPO}/blobs/{}", sha256("what it should be"));
    let flat = format!("{REPO}/snapshots/{OTHER}/flat.bin");
    assert_eq!(left, [(torn, Because::Damaged), (flat, Because::Damaged)]);
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn across_repos_equal_blobs_become_one_file() {
    let world = world();
    convert(&world, Kind::ALL_LINKS, Policy::Dedup, true);
    let file = |at: &str| number(&world.root().join(at)).unwrap();
    for content in ["both a blob and a copy", "only in snapshots"] {
        let at = |repo: &str| format!("{repo}/blobs/{}", sha256(content));
        assert_eq!(file(&at(REPO)), file(&at(ROWS)), "{content}");
    }
    let (before, had) = (shown(&world.root()), bytes(&world.root()));
    let planned = plan_on(&world.disk(Kind::ALL_LINKS), Policy::Portable, false).unwrap();
    planned.execute();
    assert_eq!(had - bytes(&world.root()), planned.plan.freed_bytes);
    assert_kept(&before, &world.root(), "in files of their own");
    let names = |at: &str| look(&world.root().join(at)).unwrap().names;
    for name in ["rows.bin", "deep/rows.bin"] {
        assert_eq!(names(&format!("{ROWS}/snapshots/{OURS}/{name}")), 1, "{name}");
    }
}

/// A policy, a disk, and whether repos share.
type Conversion = (Policy, Kind, bool);

/// The conversions that differ in what they do.
const EACH: [Conversion; 6] = [
    (Policy::Compat, Kind::ALL_LINKS, false),
    (Policy::Nas, Kind::ALL_LINKS, true),
    (Policy::Dedup, Kind::ALL_LINKS, true),
    (Policy::Nas, Kind::REFLINKS, false),
    (Policy::Portable, Kind::ALL_LINKS, false),
    (Policy::Portable, Kind::NO_LINKS, false),
];

/// Checks each of these, two at a time.
fn check_each(all: &[Conversion], check: impl Fn(Conversion) + Sync) {
    let (one, other) = all.split_at(all.len() / 2);
    thread::scope(|scope| {
        scope.spawn(|| one.iter().for_each(|it| check(*it)));
        other.iter().for_each(|it| check(*it));
    });
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn killed_at_every_change_it_has_lost_nothing_and_the_next_run_ends_it() {
    check_each(&EACH, |(policy, kind, across)| {
        let calm = world();
        let before = shown(&calm.root());
        convert(&calm, kind, policy, across);
        let expected = shape(&calm.root());
        let mut deaths = 0;
        for at in moments() {
            let world = world();
            let disk = world.disk_with(kind, at, Event::Death);
            if let Some(planned) = plan_on(&disk, policy, across) {
                planned.execute();
            }
            let Some(operation) = disk.watch().event() else { break };
            let when = format!("{policy} on {}, killed at {operation}", kind.name);
            assert_kept(&before, &world.root(), &when);
            convert(&world, kind, policy, across);
            assert_eq!(shape(&world.root()), expected, "{when}");
            deaths += 1;
        }
        assert!(deaths > 20, "{policy}: {deaths}");
    });
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn an_operation_that_fails_loses_nothing_and_the_next_run_ends_it() {
    const ERRORS: [Errno; 3] = [Errno::IO, Errno::NOENT, Errno::NOSPC];
    let each = [EACH[0], EACH[3], EACH[5]];
    check_each(&each, |(policy, kind, across)| {
        let calm = world();
        let before = shown(&calm.root());
        convert(&calm, kind, policy, across);
        let expected = shape(&calm.root());
        // Each operation fails once, the errors by turns.
        for (at, errno) in moments().zip(ERRORS.into_iter().cycle()) {
            let world = world();
            let had = bytes(&world.root());
            let disk = world.disk_with(kind, at, Event::Failure(errno));
            let done = plan_on(&disk, policy, across).map(|planned| planned.execute());
            let Some(operation) = disk.watch().event() else { break };
            let when = format!("{policy} on {}, {errno} at {operation}", kind.name);
            assert_kept(&before, &world.root(), &when);
            assert_eq!(misconduct(&disk), [""; 0], "{when}");
            if let Some(done) = done {
                assert_eq!(had - bytes(&world.root()), done.freed_bytes, "{when}");
            }
            convert(&world, kind, policy, across);
            // A method that seems to be refused is not used, and what was done instead stays.
            if !(errno == Errno::NOENT && operation.contains("/.hubstow/")) {
                assert_eq!(shape(&world.root()), expected, "{when}");
            }
        }
    });
}

/// Plans on a world, lets something happen, and carries the plan out; returns what was left alone.
fn meanwhile(policy: Policy, happens: impl FnOnce(&World)) -> (World, Vec<(String, Act, Skip)>) {
    let world = world();
    let planned = plan_on(&world.disk(Kind::ALL_LINKS), policy, false).unwrap();
    happens(&world);
    let before = shown(&world.root());
    let done = planned.execute();
    assert_kept(&before, &world.root(), "although something has happened");
    let at = |id| planned.inventory.get(id).unwrap().at.as_str().to_owned();
    let skipped = done.steps.into_iter().filter_map(|done| {
        let skip = done.skipped?;
        Some((at(done.step.id), done.step.act, skip))
    });
    (world, skipped.collect())
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn what_has_changed_meanwhile_is_left_alone() {
    let both = format!("{REPO}/snapshots/{OTHER}/both.bin");
    let blob = format!("{REPO}/blobs/{}", sha256("both a blob and a copy"));
    let (_, skipped) = meanwhile(Policy::Compat, |world| {
        let new = world.make("new");
        fs::write(&new, "somebody's new content").unwrap();
        fs::rename(new, world.root().join(&both)).unwrap();
    });
    assert_eq!(skipped, [(both.clone(), Act::Place, Skip::Changed)]);
    let (_, skipped) = meanwhile(Policy::Compat, |world| {
        fs::remove_file(world.root().join(&both)).unwrap();
    });
    assert_eq!(skipped, [(both, Act::Place, Skip::Gone)]);
    // It is written to in place, and its other name changes with it.
    let (world, skipped) = meanwhile(Policy::Compat, |world| {
        fs::write(world.root().join(&blob), "overwritten through a link").unwrap();
    });
    let at = |name: &str| format!("{REPO}/snapshots/{OTHER}/{name}");
    let mut skipped: Vec<_> = skipped.into_iter().map(|(at, _, skip)| (at, skip)).collect();
    skipped.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [(at("both.bin"), Skip::Changed), (at("deep/name.bin"), Skip::Changed)];
    assert_eq!(skipped, expected);
    let copy = fs::read_to_string(world.root().join(at("both.bin"))).unwrap();
    assert_eq!(copy, "both a blob and a copy", "wrong bytes are not spread");
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn a_repo_that_somebody_relies_on_or_a_blob_that_somebody_places_is_left_alone() {
    let layout = RepoLayout::new(&Repo::new(RepoKind::Model, RepoId::parse("org/name").unwrap()));
    let world = world();
    let disk = world.disk(Kind::ALL_LINKS);
    let planned = plan_on(&disk, Policy::Compat, false).unwrap();
    let lease = host::cache(&disk, Policy::Compat).try_lease(&layout);
    assert!(matches!(lease, Leased::Held(_)));
    let done = planned.execute();
    let of_repo = |at: &str| at.starts_with(REPO);
    for step in &done.steps {
        let at = planned.inventory.get(step.step.id).unwrap().at.as_str();
        assert_eq!(step.skipped == Some(Skip::InUse), of_repo(at), "{at}");
    }
    let again = plan_on(&disk, Policy::Compat, false).unwrap();
    assert_eq!(again.left(), [(REPO.to_owned(), Because::InUse)]);
    drop(lease);
    let etag = sha256("only in snapshots");
    let lock = world.make(&format!(".locks/{REPO}/{etag}.lock"));
    let lock = File::create(lock).unwrap();
    lock.lock().unwrap();
    let done = convert(&world, Kind::ALL_LINKS, Policy::Compat, false);
    let busy: Vec<_> = done.steps.iter().filter(|it| it.skipped == Some(Skip::InUse)).collect();
    assert_eq!(busy.len(), 3, "{:?}", done.steps);
    assert!(!world.root().join(format!("{REPO}/blobs/{etag}")).exists());
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn whoever_has_a_file_open_reads_on_what_he_has_opened() {
    for policy in [Policy::Compat, Policy::Portable, Policy::Nas] {
        let world = world();
        let pointers = shown(&world.root());
        let open = pointers.iter().filter_map(|(name, content)| {
            Some((name, content.as_ref()?, File::open(world.root().join(name)).ok()?))
        });
        let open: Vec<_> = open.collect();
        convert(&world, Kind::ALL_LINKS, policy, true);
        for (name, content, mut file) in open {
            let mut read = String::new();
            file.read_to_string(&mut read).unwrap();
            assert_eq!(read, *content, "{name} by {policy}");
        }
    }
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn what_is_proved_is_not_read_again_and_each_file_is_read_once() {
    let world = world();
    let disk = world.disk(Kind::ALL_LINKS);
    let planned = plan_on(&disk, Policy::Compat, true).unwrap();
    // The blob with another name is read once.
    let blob = format!("{REPO}/blobs/{}", sha256("both a blob and a copy"));
    let name = format!("{REPO}/snapshots/{OTHER}/deep/name.bin");
    let opened = |at: &str| disk.watch().count(crate::watch::Op::Open, at);
    assert_eq!(opened(&blob) + opened(&name), 1);
    // Nothing can come of an orphan, nor of a link that is as it should be.
    assert_eq!(opened(&format!("{REPO}/blobs/{}", sha256("an orphan"))), 0);
    drop(planned);
    let world = stage::world();
    convert(&world, Kind::ALL_LINKS, Policy::Compat, false);
    let again = plan_on(&world.disk(Kind::ALL_LINKS), Policy::Compat, false).unwrap();
    let torn = ["what it should be", &format!("../../blobs/{}", sha256("both a blob and a copy"))];
    assert!(again.plan.steps.is_empty());
    assert!(again.contents.hashed_bytes <= torn.map(str::len).iter().sum::<usize>() as u64 * 2);
}
