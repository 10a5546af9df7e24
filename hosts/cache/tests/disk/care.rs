//! Cleaning a cache: killed or failing at every operation, and while others work in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use hubstow_cache::{
    Cache,
    cache::lease::Leased,
    care::{
        damage::Flaw,
        execute::{Executed, Kept, Skip},
        inventory::Inventory,
        pins::Pins,
    },
};
use hubstow_core::{
    care::{Plan, Role, Rules, prune, remove},
    layout::RepoLayout,
    name::{Commit, Repo, RepoId, RepoKind},
    policy::Policy,
};

use crate::{
    disk::TestDisk,
    host,
    kind::{Kind, Locks},
    sample::{OTHER, OURS, REPO, SMALL},
    start::{Start, World},
    system::{Errno, number, symlink},
    watch::Event,
};

const NONCE: &str = "0123456789abcdef0123456789abcdef";
const PAYLOAD: &str = "blobs/ab/abababababababababababababababababababababababababababababababab";

fn layout() -> RepoLayout {
    RepoLayout::new(&Repo::new(RepoKind::Model, RepoId::parse("org/name").unwrap()))
}

/// A cache in which there is something of everything that may go, and a snapshot that stays.
fn world() -> World {
    let world = World::new(Start::Empty, &SMALL);
    let link = |text: &str, at: &str| symlink(text, world.make(at)).unwrap();
    let file = |at: &str, content: &str| world.write(&format!("{REPO}/{at}"), content.as_bytes());
    for etag in ["aaaa", "both", "gone", "lost"] {
        file(&format!("blobs/{etag}"), &format!("the content of {etag}"));
    }
    file("refs/main", OURS);
    file("refs/refs/pr/7", OURS);
    fs::create_dir(world.make(&format!("{REPO}/refs/refs/empty"))).unwrap();
    link("../../blobs/aaaa", &format!("{REPO}/snapshots/{OURS}/a.txt"));
    link("../../../blobs/both", &format!("{REPO}/snapshots/{OURS}/deep/b.txt"));
    file(&format!("snapshots/{OURS}/copy.txt"), "a copy");
    link("../../blobs/gone", &format!("{REPO}/snapshots/{OTHER}/a.txt"));
    link("../../../blobs/both", &format!("{REPO}/snapshots/{OTHER}/deep/b.txt"));
    file(&format!("snapshots/{OTHER}/own.txt"), "another copy");
    for commit in [OURS, OTHER] {
        file(&format!("trees/{commit}.json"), "{}");
        file(&format!(".no_exist/{commit}/x/none.txt"), "");
    }
    file(&format!("blobs/lost.{NONCE}.incomplete"), "half of it");
    world.write_long_ago(&format!("{REPO}/blobs/lost.0123abcd.incomplete"), b"half of it");
    file(&format!(".hubstow/{NONCE}.tmp"), "half of it");
    world.write("blobs/.huggingface-shared-blobs", b"1\n");
    world.write(PAYLOAD, b"shared by nobody any more");
    world.write(&format!("{PAYLOAD}.refs"), format!("{REPO}/blobs/was\n").as_bytes());
    world.write(&format!("{PAYLOAD}.lock"), b"");
    world
}

fn plan_prune(cache: &Cache) -> (Inventory, Plan) {
    let inventory = cache.inventory().unwrap();
    let plan = prune(&inventory.held(), &Rules::default());
    (inventory, plan)
}

fn execute(disk: &TestDisk, inventory: &Inventory, plan: &Plan) -> Executed {
    host::cache(disk, Policy::Compat).execute(inventory, plan, &mut |_| {})
}

fn prune_all(world: &World) -> Executed {
    let disk = world.disk(Kind::ALL_LINKS);
    let (inventory, plan) = plan_prune(&host::cache(&disk, Policy::Compat));
    execute(&disk, &inventory, &plan)
}

/// All files, by what readers see of them, without locks.
fn shape(root: &Path) -> BTreeMap<String, Option<String>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if name == ".locks" {
                continue;
            }
            found.insert(name, fs::read_to_string(&path).ok());
            if fs::symlink_metadata(&path).unwrap().is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

/// The bytes of all files, each once.
fn bytes(root: &Path) -> u64 {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let (path, metadata) =
                (entry.as_ref().unwrap().path(), entry.unwrap().metadata().unwrap());
            if metadata.is_file() {
                found.insert(number(&path).unwrap(), metadata.len());
            } else if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    found.values().sum()
}

/// What the snapshot that stays shows.
fn kept(root: &Path) -> [String; 4] {
    ["a.txt", "deep/b.txt", "copy.txt", "../../refs/main"].map(|name| {
        fs::read_to_string(root.join(REPO).join("snapshots").join(OURS).join(name))
            .unwrap_or_else(|error| format!("{name}: {error}"))
    })
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn what_is_useless_goes_and_the_bytes_that_were_told_are_free() {
    let world = world();
    let (before, shown) = (bytes(&world.root()), kept(&world.root()));
    let disk = world.disk(Kind::ALL_LINKS);
    let (inventory, plan) = plan_prune(&host::cache(&disk, Policy::Compat));
    assert!(disk.watch().changes().is_empty(), "reading writes nothing");
    let done = execute(&disk, &inventory, &plan);
    assert!(done.steps.iter().all(|step| step.skipped.is_none()), "{:?}", done.steps);
    assert_eq!(done.freed_bytes, plan.freed_bytes);
    assert_eq!(before - bytes(&world.root()), plan.freed_bytes);
    assert_eq!(kept(&world.root()), shown);
    let left: BTreeSet<String> = shape(&world.root()).into_keys().collect();
    let repo = |name: &str| format!("{REPO}/{name}");
    let expected = [
        "blobs".to_owned(),
        "blobs/.huggingface-shared-blobs".to_owned(),
        "blobs/ab".to_owned(),
        format!("{PAYLOAD}.lock"),
        REPO.to_owned(),
        repo(".hubstow"),
        repo(".no_exist"),
        repo(&format!(".no_exist/{OURS}")),
        repo(&format!(".no_exist/{OURS}/x")),
        repo(&format!(".no_exist/{OURS}/x/none.txt")),
        repo("blobs"),
        repo("blobs/aaaa"),
        repo("blobs/both"),
        repo("refs"),
        repo("refs/main"),
        repo("refs/refs"),
        repo("refs/refs/pr"),
        repo("refs/refs/pr/7"),
        repo("snapshots"),
        repo(&format!("snapshots/{OURS}")),
        repo(&format!("snapshots/{OURS}/a.txt")),
        repo(&format!("snapshots/{OURS}/copy.txt")),
        repo(&format!("snapshots/{OURS}/deep")),
        repo(&format!("snapshots/{OURS}/deep/b.txt")),
        repo("trees"),
        repo(&format!("trees/{OURS}.json")),
    ];
    assert_eq!(left, expected.into_iter().collect());
    let (_, again) = plan_prune(&host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat));
    assert!(again.steps.is_empty(), "{again:?}");
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn killed_at_every_change_it_has_lost_nothing_and_the_next_run_ends_it() {
    let calm = world();
    let shown = kept(&calm.root());
    prune_all(&calm);
    let expected = shape(&calm.root());
    let mut deaths = 0;
    for at in 1.. {
        let world = world();
        let disk = world.disk_with(Kind::ALL_LINKS, at, Event::Death);
        let (inventory, plan) =
            plan_prune(&host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat));
        execute(&disk, &inventory, &plan);
        let Some(operation) = disk.watch().event() else { break };
        assert_eq!(kept(&world.root()), shown, "killed at {operation}");
        assert!(dangling(&world.root()).is_empty(), "killed at {operation}");
        prune_all(&world);
        assert_eq!(shape(&world.root()), expected, "killed at {operation}");
        deaths += 1;
    }
    assert!(deaths > 20, "{deaths}");
}

/// Links of snapshots that lead to nothing.
fn dangling(root: &Path) -> Vec<String> {
    let pointers = shape(root).into_iter().filter(|(name, _)| name.contains("/snapshots/"));
    let dangling = pointers.filter(|(name, content)| {
        content.is_none() && fs::symlink_metadata(root.join(name)).unwrap().is_symlink()
    });
    dangling.map(|(name, _)| name).collect()
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn an_operation_that_fails_loses_nothing_and_the_next_run_ends_it() {
    let calm = world();
    let shown = kept(&calm.root());
    prune_all(&calm);
    let expected = shape(&calm.root());
    for errno in [Errno::IO, Errno::NOENT] {
        for at in 1.. {
            let world = world();
            let disk = world.disk_with(Kind::ALL_LINKS, at, Event::Failure(errno));
            let cache = host::cache(&disk, Policy::Compat);
            if let Ok(inventory) = cache.inventory() {
                let plan = prune(&inventory.held(), &Rules::default());
                execute(&disk, &inventory, &plan);
            }
            let Some(operation) = disk.watch().event() else { break };
            assert_eq!(kept(&world.root()), shown, "{errno} at {operation}");
            assert!(dangling(&world.root()).is_empty(), "{errno} at {operation}");
            prune_all(&world);
            assert_eq!(shape(&world.root()), expected, "{errno} at {operation}");
        }
    }
}

/// Plans on a world, lets something happen, and carries the plan out.
fn meanwhile(happens: impl FnOnce(&World)) -> (World, Vec<(String, Skip)>) {
    let world = world();
    let disk = world.disk(Kind::ALL_LINKS);
    let (inventory, plan) = plan_prune(&host::cache(&disk, Policy::Compat));
    happens(&world);
    let done = execute(&disk, &inventory, &plan);
    let skipped = done.steps.into_iter().filter_map(|step| {
        let at = inventory.get(step.id).unwrap().at.as_str().to_owned();
        Some((at, step.skipped?))
    });
    let skipped = skipped.collect();
    (world, skipped)
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn a_blob_that_a_link_leads_to_by_now_stays() {
    let (world, skipped) = meanwhile(|world| {
        let at = world.make(&format!("{REPO}/snapshots/{OURS}/late.txt"));
        symlink("../../blobs/lost", at).unwrap();
    });
    assert_eq!(skipped, [(format!("{REPO}/blobs/lost"), Skip::Needed)]);
    assert!(dangling(&world.root()).is_empty());
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn a_revision_that_a_ref_leads_to_by_now_stays_with_all_that_is_in_it() {
    let (world, skipped) = meanwhile(|world| {
        world.write(&format!("{REPO}/refs/v2"), OTHER.as_bytes());
    });
    assert!(skipped.contains(&(format!("{REPO}/snapshots/{OTHER}"), Skip::Needed)), "{skipped:?}");
    assert!(skipped.contains(&(format!("{REPO}/blobs/gone"), Skip::Needed)), "{skipped:?}");
    for name in ["a.txt", "deep/b.txt", "own.txt"] {
        let at = world.root().join(format!("{REPO}/snapshots/{OTHER}/{name}"));
        assert!(fs::read(at).is_ok(), "{name}");
    }
    assert!(world.root().join(format!("{REPO}/trees/{OTHER}.json")).exists());
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn what_is_another_file_by_now_stays() {
    let (world, skipped) = meanwhile(|world| {
        world.write(&format!("{REPO}/snapshots/{OTHER}/own.txt"), b"written anew");
    });
    let own = format!("{REPO}/snapshots/{OTHER}/own.txt");
    assert!(skipped.contains(&(own.clone(), Skip::Changed)), "{skipped:?}");
    assert!(skipped.contains(&(format!("{REPO}/snapshots/{OTHER}"), Skip::Holds)), "{skipped:?}");
    assert_eq!(fs::read(world.root().join(own)).unwrap(), b"written anew");
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn a_repo_that_somebody_works_in_is_left_alone() {
    let mut lease = None;
    let (world, skipped) = meanwhile(|world| {
        let other = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
        lease = Some(other.try_lease(&layout()));
    });
    assert!(matches!(lease, Some(Leased::Held(_))));
    assert!(skipped.iter().all(|(at, skip)| at.starts_with(REPO) && *skip == Skip::InUse));
    assert!(skipped.len() > 10, "{skipped:?}");
    let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
    let (inventory, plan) = plan_prune(&cache);
    let inside = |id| inventory.get(id).unwrap().at.as_str().starts_with(REPO);
    assert!(!plan.steps.iter().any(|step| inside(step.id)), "{plan:?}");
    assert!(!plan.kept.is_empty());
    let other = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
    assert!(matches!(other.try_lease(&layout()), Leased::Held(_)), "leases are shared");
    drop(lease);
    prune_all(&world);
    assert!(!world.root().join(format!("{REPO}/snapshots/{OTHER}")).exists());
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn a_ref_that_can_not_be_told_any_more_keeps_what_was_to_go_and_a_private_file_does_not() {
    let world = world();
    world.write(&format!("{REPO}/refs/.hubstow-{NONCE}.tmp"), b"");
    let other = world.root().join(format!("{REPO}/snapshots/{OTHER}"));
    let late = world.root().join(format!("{REPO}/refs/late"));
    let disk = world.disk(Kind::ALL_LINKS);
    let (inventory, plan) = plan_prune(&host::cache(&disk, Policy::Compat));
    fs::write(&late, "").unwrap();
    execute(&disk, &inventory, &plan);
    assert!(other.join("a.txt").exists());
    prune_all(&world);
    assert!(other.join("a.txt").exists(), "it stays in doubt");
    fs::remove_file(late).unwrap();
    world.write(&format!("{REPO}/refs/.hubstow-{NONCE}.tmp"), b"");
    prune_all(&world);
    assert!(!other.exists());
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn where_locks_are_not_to_be_had_it_is_told() {
    let world = world();
    let disk = world.disk(Kind::ALL_LINKS.with_locks(Locks::Missing(Errno::NOLCK)));
    let (inventory, plan) = plan_prune(&host::cache(&disk, Policy::Compat));
    assert_eq!(execute(&disk, &inventory, &plan).others, Kept::Nobody);
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn what_is_pinned_stays_also_where_it_was_named() {
    let world = world();
    let disk = world.disk(Kind::ALL_LINKS);
    let cache = host::cache(&disk, Policy::Compat);
    let mut pins = Pins::default();
    pins.pin(Some(&(&Commit::parse(OTHER).unwrap()).into()));
    cache.set_pins(&layout(), &pins).unwrap();
    let (inventory, plan) = plan_prune(&cache);
    let of_other = |id| inventory.get(id).unwrap().at.as_str().contains(OTHER);
    assert!(!plan.steps.iter().any(|step| of_other(step.id)), "{plan:?}");
    let repo = inventory.repos[0].id;
    let plan = remove(&inventory.held(), &[repo]);
    assert!(!plan.steps.iter().any(|step| of_other(step.id) || step.role == Role::Repo));
    execute(&disk, &inventory, &plan);
    assert!(!world.root().join(format!("{REPO}/snapshots/{OURS}")).exists());
    for name in ["a.txt", "deep/b.txt", "own.txt"] {
        let at = world.root().join(format!("{REPO}/snapshots/{OTHER}/{name}"));
        assert!(fs::read(at).is_ok(), "{name}");
    }
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn a_repo_that_is_named_goes_with_all_that_is_in_it() {
    let world = world();
    world.write(&format!("{REPO}/notes/mine.txt"), b"notes");
    let disk = world.disk(Kind::ALL_LINKS);
    let before = bytes(&world.root());
    let inventory = host::cache(&disk, Policy::Compat).inventory().unwrap();
    let plan = remove(&inventory.held(), &[inventory.repos[0].id]);
    let done = execute(&disk, &inventory, &plan);
    assert!(!world.root().join(REPO).exists(), "{:?}", done.steps);
    assert_eq!(before - bytes(&world.root()), plan.freed_bytes);
}

#[test]
#[cfg_attr(windows, ignore = "needs symlinks, and Wine makes none")]
fn nothing_outside_is_read_or_removed_and_links_by_other_ways_count() {
    let world = world();
    let (outside, home) = (world.tree_outside(), world.root());
    symlink(world.outside(), world.make("models--org--linked")).unwrap();
    let snapshot = format!("{REPO}/snapshots/{OURS}");
    symlink("../../../../outside/victim", world.make(&format!("{snapshot}/out.txt"))).unwrap();
    symlink(&home, world.outside().join("again")).unwrap();
    let by_another_way = world.outside().join("again").join(REPO).join("blobs/lost");
    symlink(by_another_way, world.make(&format!("{snapshot}/far.txt"))).unwrap();
    let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
    let (inventory, plan) = plan_prune(&cache);
    let flaws: Vec<_> =
        inventory.damage.iter().map(|damage| (damage.at.as_str(), damage.flaw)).collect();
    let out = format!("{snapshot}/out.txt");
    assert_eq!(flaws, [("models--org--linked", Flaw::RepoIsLink), (&out, Flaw::LinkLeadsOutside)]);
    let gone = |name: &str| {
        plan.steps.iter().any(|step| inventory.get(step.id).unwrap().at.as_str() == name)
    };
    assert!(gone(&format!("{REPO}/blobs/gone")) && !gone(&format!("{REPO}/blobs/lost")));
    prune_all(&world);
    fs::remove_file(world.outside().join("again")).unwrap();
    assert_eq!(world.tree_outside(), outside);
}
