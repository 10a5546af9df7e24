//! Carrying, killed and failing at every change of the disk: nothing is lost, nothing wrong is visible, and the next run ends it.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what is wrong by failing")]

mod disk;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Arc,
};

use hubstow_client::{
    Beside, BoxFuture, Config, Error, ErrorKind, Hub, Parts, Request, Response, Transport,
    TransportError, TransportErrorKind, Workers,
    care::{
        CacheDir, Id,
        carry::{
            Cancel, Existing, Watch,
            relocate::{Old, Way},
        },
    },
};
use hubstow_core::policy::Policy;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use disk::{End, Fate, FatedDisk};

const REPO: &str = "models--acme--tiny";
const POLICIES: [Policy; 3] = [Policy::Compat, Policy::Portable, Policy::Nas];

/// Nobody is asked.
struct NoHub;

impl Transport for NoHub {
    fn send(&self, _: Request) -> BoxFuture<'_, Result<Response, TransportError>> {
        let error = TransportError::new(TransportErrorKind::Other, "nobody may be asked");
        Box::pin(async { Err(error) })
    }
}

struct Here;

impl Workers for Here {
    fn start(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }

    fn beside(&self) -> Beside {
        Beside::Nothing
    }
}

/// A cache in a folder, with two revisions that share content, a blob that nothing leads to, and all that comes along.
struct World {
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: folder() };
        let contents = [("a.txt", "a"), ("b.txt", "a"), ("deep/c.bin", "the third")];
        let commits = ["1".repeat(40), "2".repeat(40)];
        for (number, commit) in commits.iter().enumerate() {
            let mut listed = serde_json::Map::new();
            for (name, content) in contents {
                let content = match name {
                    "a.txt" => format!("{content} of {number}"),
                    _ => content.repeat(8_000),
                };
                let etag = sha256(content.as_bytes());
                world.write(&format!("cache/{REPO}/blobs/{etag}"), content.as_bytes());
                let up = "../".repeat(name.split('/').count() + 1);
                let at = world.make(&format!("cache/{REPO}/snapshots/{commit}/{name}"));
                symlink(format!("{up}blobs/{etag}"), at).unwrap();
                let file = serde_json::json!({
                    "size": content.len(), "blob_id": "f".repeat(40),
                    "lfs_sha256": etag, "lfs_size": content.len(),
                });
                listed.insert(name.to_owned(), file);
            }
            let listing = serde_json::json!({"format_version": 1, "files": listed});
            let at = format!("cache/{REPO}/trees/{commit}.json");
            world.write(&at, listing.to_string().as_bytes());
        }
        world.write(&format!("cache/{REPO}/refs/main"), commits[0].as_bytes());
        world.write(&format!("cache/{REPO}/refs/refs/pr/1"), commits[1].as_bytes());
        world.write(&format!("cache/{REPO}/.no_exist/{}/none.txt", commits[0]), b"");
        world.write(&format!("cache/{REPO}/blobs/{}", sha256(b"orphan")), b"orphan");
        world.write(&format!("cache/{REPO}/.hubstow/pins"), b"main\n");
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn make(&self, name: &str) -> PathBuf {
        let at = self.at(name);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        at
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.make(name), content).unwrap();
    }

    /// A hub of one of the caches; its disks have this fate.
    fn cache(&self, name: &str, policy: Policy, fate: &Arc<Fate>) -> CacheDir {
        let mut config = Config::new(self.at(name));
        config.policy = policy;
        let fate = Arc::clone(fate);
        let disk = move |directory: &Path| {
            Ok(Arc::new(FatedDisk::new(directory, &fate)) as Arc<dyn hubstow_cache::Disk>)
        };
        let parts = Parts::new(Arc::new(NoHub), Box::new(disk), Arc::new(Here));
        Hub::with_parts(config, parts).unwrap().cache()
    }

    fn contents(&self, cache: &str) -> BTreeMap<String, Vec<u8>> {
        self.below(cache, "snapshots")
    }

    fn refs(&self, cache: &str) -> BTreeMap<String, Vec<u8>> {
        self.below(cache, "refs")
    }

    /// What readers find in a folder of the repo; files without a public name are not looked at.
    #[track_caller]
    fn below(&self, cache: &str, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let root = self.at(cache).join(REPO).join(folder);
        let (mut found, mut folders) = (BTreeMap::new(), vec![root.clone()]);
        while let Some(at) = folders.pop() {
            for entry in fs::read_dir(at).into_iter().flatten() {
                let path = entry.unwrap().path();
                if fs::symlink_metadata(&path).unwrap().is_dir() {
                    folders.push(path);
                    continue;
                }
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                if !name.contains(".hubstow-") {
                    let content = fs::read(&path);
                    found.insert(name, content.unwrap_or_else(|e| panic!("{path:?}: {e}")));
                }
            }
        }
        found
    }
}

/// Makes a folder where syncing costs nothing, if there is such a place.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn watch() -> Watch<'static> {
    Watch::new(&|_| {}, Cancel::default())
}

fn export(world: &World, to: &str, fate: &Arc<Fate>) -> Result<(), Error> {
    let cache = world.cache("cache", Policy::Compat, fate);
    let inventory = cache.inventory()?;
    let asked: Vec<Id> = inventory.repos.iter().map(|held| held.id).collect();
    let plan = cache.plan_export(&inventory, &asked)?;
    let at = world.at(to);
    if to.ends_with(".tar") {
        cache.export_to_tar(&plan, &at, Existing::Keep, &watch()).map(drop)
    } else {
        cache.export_to_folder(&plan, &at, Existing::Keep, &watch()).map(drop)
    }
}

fn import(world: &World, from: &str, policy: Policy, fate: &Arc<Fate>) -> Result<(), Error> {
    let cache = world.cache("to", policy, fate);
    let plan = cache.plan_import(&world.at(from), None, &watch())?;
    cache.import(&plan, &watch()).map(drop)
}

fn relocate(world: &World, policy: Policy, fate: &Arc<Fate>) -> Result<(), Error> {
    let cache = world.cache("cache", policy, fate);
    let plan = cache.plan_move(&world.at("to"), Old::Remove, &watch())?;
    cache.relocate(&plan, &watch()).map(drop)
}

#[test]
fn of_two_moves_at_once_one_fails_and_leaves_nothing() {
    let world = World::new();
    let right = (world.contents("cache"), world.refs("cache"));
    let cache = |_| world.cache("cache", Policy::Compat, &healthy());
    let (first, second) = (cache(1), cache(2));
    let to_first = first.plan_move(&world.at("first/hub"), Old::Remove, &watch()).unwrap();
    let to_second = second.plan_move(&world.at("second/hub"), Old::Remove, &watch()).unwrap();
    let copied = second.plan_move(&world.at("third/hub"), Old::Keep, &watch()).unwrap();
    assert_eq!((&to_first.way, &to_second.way), (&Way::Rename, &Way::Rename));
    let moved = first.relocate(&to_first, &watch()).unwrap();
    assert_eq!(moved.placed, right.0.len());
    for late in [&to_second, &copied] {
        let error = second.relocate(late, &watch()).unwrap_err();
        assert!(error.to_string().contains("another process has moved"), "{error}");
    }
    assert_eq!((world.contents("first/hub"), world.refs("first/hub")), right);
    for none in ["cache", "second", "third"] {
        assert!(!world.at(none).exists(), "{none}");
    }
}

fn healthy() -> Arc<Fate> {
    Fate::new(0, End::Death)
}

/// Runs something with each change in turn as its last, or as the one that fails, until it ends before that; then checks, runs it
/// again, and checks the end.
#[track_caller]
fn at_every_change(
    prepare: impl Fn() -> World,
    run: impl Fn(&World, &Arc<Fate>) -> Result<(), Error>,
    check: impl Fn(&World, &str),
    check_end: impl Fn(&World, &str),
) {
    for end in [End::Death, End::Failure] {
        let mut rounds = 0;
        for at in 1.. {
            let (world, fate) = (prepare(), Fate::new(at, end));
            let ended = run(&world, &fate);
            if !fate.has_come() {
                ended.unwrap();
                break;
            }
            let when = format!("{end:?} at change {at}");
            check(&world, &when);
            run(&world, &healthy()).unwrap_or_else(|error| panic!("{when}: {error:#}"));
            check_end(&world, &when);
            rounds += 1;
        }
        assert!(rounds > 20, "only {rounds} changes");
    }
}

#[test]
fn where_links_are_refused_the_same_arrives_and_leaves_again_to_the_byte() {
    for policy in [Policy::Compat, Policy::Dedup, Policy::Nas, Policy::Portable] {
        let world = World::new();
        export(&world, "one.tar", &healthy()).unwrap();
        import(&world, "one.tar", policy, &Fate::without_links()).unwrap();
        assert_eq!(world.contents("to"), world.contents("cache"), "{policy}");
        let snapshots = world.at("to").join(REPO).join("snapshots");
        for at in world.contents("to").keys() {
            let metadata = fs::symlink_metadata(snapshots.join(at)).unwrap();
            assert!(metadata.is_file(), "{policy}: {at}");
        }
        fs::rename(world.at("cache"), world.at("old")).unwrap();
        fs::rename(world.at("to"), world.at("cache")).unwrap();
        export(&world, "again.tar", &healthy()).unwrap();
        let [one, again] = ["one.tar", "again.tar"].map(|at| fs::read(world.at(at)).unwrap());
        assert!(one == again, "{policy}");
    }
}

#[test]
fn files_of_a_folder_share_their_blocks_where_the_disk_can_and_are_proved_all_the_same() {
    let world = World::new();
    export(&world, "one", &healthy()).unwrap();
    let (copied, shared) = (healthy(), Fate::with_shared_blocks());
    import(&world, "one", Policy::Compat, &copied).unwrap();
    fs::remove_dir_all(world.at("to")).unwrap();
    import(&world, "one", Policy::Compat, &shared).unwrap();
    assert_eq!(world.contents("to"), world.contents("cache"));
    assert!(shared.changes() < copied.changes(), "no content was written");
    // What is changed in the folder afterwards changes nothing in the cache.
    let at = world.at("one").join(REPO).join(format!("snapshots/{}/deep/c.bin", "1".repeat(40)));
    let mut content = fs::read(&at).unwrap();
    content.reverse();
    fs::write(&at, content).unwrap();
    assert_eq!(world.contents("to"), world.contents("cache"));
    fs::remove_dir_all(world.at("to")).unwrap();
    let error = import(&world, "one", Policy::Compat, &Fate::with_shared_blocks()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContentMismatch);
    assert!(world.contents("to").keys().all(|at| !at.ends_with("c.bin")));
    assert!(world.refs("to").is_empty());
}

#[test]
fn an_import_ends_well_from_every_change_on() {
    let made = World::new();
    for name in ["one", "one.tar"] {
        export(&made, name, &healthy()).unwrap();
    }
    let (right, refs) = (made.contents("cache"), made.refs("cache"));
    for (from, policy) in [("one", POLICIES[0]), ("one.tar", POLICIES[1]), ("one", POLICIES[2])] {
        let prepare = || {
            let _ = fs::remove_dir_all(made.at("to"));
            World { folder: tempfile::tempdir_in(made.folder.path()).unwrap() }
        };
        let source = made.at(from);
        let run =
            |world: &World, fate: &Arc<Fate>| import(world, source.to_str().unwrap(), policy, fate);
        let check = |world: &World, when: &str| {
            for (at, content) in world.contents("to") {
                assert!(right.get(&at) == Some(&content), "{policy} {when}: {at}");
            }
            for (at, commit) in world.refs("to") {
                assert_eq!(refs.get(&at), Some(&commit), "{policy} {when}: {at}");
                let commit = String::from_utf8(commit).unwrap();
                let all = |of: &BTreeMap<String, Vec<u8>>| {
                    of.keys().filter(|at| at.starts_with(&commit)).count()
                };
                let here = all(&world.contents("to"));
                assert_eq!(here, all(&right), "{policy} {when}: a ref is the last to come");
            }
        };
        let check_end = |world: &World, when: &str| {
            assert_eq!(world.contents("to"), right, "{policy} {when}");
            assert_eq!(world.refs("to"), refs, "{policy} {when}");
        };
        at_every_change(prepare, run, check, check_end);
    }
}

#[test]
fn a_move_ends_well_from_every_change_on() {
    let made = World::new();
    let (right, refs) = (made.contents("cache"), made.refs("cache"));
    for policy in [Policy::Compat, Policy::Portable] {
        let prepare = || {
            let world = World::new();
            // With something there already it is no rename.
            world.write("to/models--acme--other/refs/main", "3".repeat(40).as_bytes());
            world
        };
        let run = |world: &World, fate: &Arc<Fate>| relocate(world, policy, fate);
        let check = |world: &World, when: &str| {
            let (old, new) = (world.contents("cache"), world.contents("to"));
            for (at, content) in &right {
                let is_right = |found: &BTreeMap<String, Vec<u8>>| found.get(at) == Some(content);
                assert!(is_right(&old) || is_right(&new), "{policy} {when}: {at} is lost");
            }
            for found in [&old, &new] {
                let is_right = |(at, content)| right.get(at) == Some(content);
                assert!(found.iter().all(is_right), "{policy} {when}");
            }
            for (at, commit) in &refs {
                let is_right = |found: BTreeMap<String, Vec<u8>>| found.get(at) == Some(commit);
                let is_here = is_right(world.refs("cache")) || is_right(world.refs("to"));
                assert!(is_here, "{policy} {when}: {at} is lost");
            }
        };
        let check_end = |world: &World, when: &str| {
            assert_eq!(world.contents("to"), right, "{policy} {when}");
            assert_eq!(world.refs("to"), refs, "{policy} {when}");
            let there = world.at("to").join(REPO);
            let has = |name: &str| there.join(name).exists();
            assert!(has(&format!("blobs/{}", sha256(b"orphan"))), "{policy} {when}");
            assert!(has(&format!(".no_exist/{}/none.txt", "1".repeat(40))), "{policy} {when}");
            assert!(has(".hubstow/pins"), "{policy} {when}");
            assert!(world.contents("cache").is_empty(), "{policy} {when}");
        };
        at_every_change(prepare, run, check, check_end);
    }
}

#[test]
fn an_export_ends_well_from_every_change_on() {
    let made = World::new();
    for name in ["one", "one.tar"] {
        export(&made, name, &healthy()).unwrap();
    }
    let right = made.contents("one");
    let whole = fs::read(made.at("one.tar")).unwrap();
    let run = |world: &World, fate: &Arc<Fate>| export(world, "one", fate);
    let check = |world: &World, when: &str| {
        for (at, content) in world.contents("one") {
            assert!(right.get(&at) == Some(&content), "{when}: {at}");
        }
    };
    let check_end = |world: &World, when: &str| {
        assert_eq!(world.contents("one"), right, "{when}");
        assert!(world.at("one").join(REPO).join(".hubstow/export.json").exists(), "{when}");
    };
    at_every_change(World::new, run, check, check_end);
    let run = |world: &World, fate: &Arc<Fate>| match export(world, "one.tar", fate) {
        // The rename itself may have been the last.
        Err(_) if world.at("one.tar").exists() => Ok(()),
        ended => ended,
    };
    let is_whole = |world: &World, when: &str| {
        let named = fs::read(world.at("one.tar")).ok();
        assert!(named.is_none_or(|content| content == whole), "{when}");
    };
    // A tar is written in few pieces.
    for end in [End::Death, End::Failure] {
        for at in 1..20 {
            let (world, when) = (World::new(), format!("{end:?} at change {at}"));
            let _ = run(&world, &Fate::new(at, end));
            is_whole(&world, &when);
            run(&world, &healthy()).unwrap();
            assert!(fs::read(world.at("one.tar")).unwrap() == whole, "{when}");
        }
    }
}
