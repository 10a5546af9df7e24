//! A cache with something of everything that is converted, healed or left alone; planning, converting and looking.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::Path,
    sync::Arc,
};

use hubstow_cache::{
    Cache,
    care::{
        inventory::Inventory,
        relink::{contents::Contents, execute::Relinked, told::Tell},
    },
};
use hubstow_core::{
    care::relink::{Because, Plan, Rules, relink},
    policy::Policy,
};
use sha2::{Digest, Sha256};

use crate::{
    disk::TestDisk,
    host,
    kind::Kind,
    sample::{OTHER, OURS, REPO, SMALL},
    start::{Start, World},
    system::{number, symlink},
};

pub(super) const ROWS: &str = "datasets--org--rows";

pub(super) fn sha256(content: &str) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A cache with something of everything that is converted, healed or left alone.
pub(super) fn world() -> World {
    let world = World::new(Start::Empty, &SMALL);
    let link = |text: &str, at: &str| symlink(text, world.make(at)).unwrap();
    let file = |at: &str, content: &str| world.write(at, content.as_bytes());
    let blob = |repo: &str, content: &str| {
        let etag = sha256(content);
        file(&format!("{repo}/blobs/{etag}"), content);
        etag
    };
    let (ours, other) = (format!("{REPO}/snapshots/{OURS}"), format!("{REPO}/snapshots/{OTHER}"));
    file(&format!("{REPO}/refs/main"), OURS);
    file(&format!("{ours}/.gitattributes"), "*.bin filter=lfs\n");
    file(&format!("{other}/.gitattributes"), "*.bin filter=lfs\n");
    // A blob, a link to it, a copy of it, another name of it.
    let both = blob(REPO, "both a blob and a copy");
    link(&format!("../../blobs/{both}"), &format!("{ours}/both.bin"));
    file(&format!("{other}/both.bin"), "both a blob and a copy");
    let blob_path = world.root().join(format!("{REPO}/blobs/{both}"));
    fs::hard_link(blob_path, world.make(&format!("{other}/deep/name.bin"))).unwrap();
    // Snapshot files only.
    file(&format!("{ours}/deep/own.bin"), "only in snapshots");
    file(&format!("{other}/deep/own.bin"), "only in snapshots");
    file(&format!("{ours}/config.json"), "{ \"alone\": true }");
    // A blob that was renamed into a snapshot, and what it has left.
    let moved = sha256("moved into a snapshot");
    file(&format!("{ours}/moved.bin"), "moved into a snapshot");
    link(&format!("../../blobs/{moved}"), &format!("{other}/moved.bin"));
    // A blob that was overwritten through a link.
    let torn = blob(REPO, "what it should be");
    file(&format!("{REPO}/blobs/{torn}"), "something shorter");
    link(&format!("../../blobs/{torn}"), &format!("{ours}/torn.bin"));
    file(&format!("{other}/torn.bin"), "what it should be");
    // An etag that is no hash, and what is left of a link.
    file(&format!("{REPO}/blobs/opaque-1"), "of an opaque etag");
    link("../../blobs/opaque-1", &format!("{ours}/opaque.txt"));
    file(&format!("{other}/opaque.txt"), "of an opaque etag");
    file(&format!("{other}/flat.bin"), &format!("../../blobs/{both}"));
    // What is nobody's business.
    blob(REPO, "an orphan");
    file(&format!("{REPO}/notes.txt"), "notes");
    file(&format!("{ROWS}/refs/main"), OURS);
    let same = blob(ROWS, "both a blob and a copy");
    link(&format!("../../blobs/{same}"), &format!("{ROWS}/snapshots/{OURS}/rows.bin"));
    file(&format!("{ROWS}/snapshots/{OURS}/deep/rows.bin"), "only in snapshots");
    world
}

/// A conversion as a host plans it.
pub(super) struct Planned {
    pub(super) cache: Cache,
    pub(super) inventory: Inventory,
    pub(super) contents: Contents,
    pub(super) plan: Plan,
}

pub(super) fn plan_on(disk: &TestDisk, policy: Policy, across: bool) -> Option<Planned> {
    let cache = host::cache(disk, policy);
    let inventory = cache.inventory().ok()?;
    let repos: BTreeSet<_> = inventory.repos.iter().map(|repo| repo.id).collect();
    let (methods, dead) = (cache.methods_by_probe().ok()?, inventory.left_by_dead_runs());
    let rules = Rules { policy, methods, across, repos, dead };
    let tell: Tell = Arc::new(|_| {});
    let contents = cache.contents(&inventory, &rules, &|_, _| HashMap::new(), &tell).ok()?;
    let plan = relink(&inventory.held(), &contents.known, &rules);
    Some(Planned { cache, inventory, contents, plan })
}

impl Planned {
    pub(super) fn execute(&self) -> Relinked {
        self.cache.relink(&self.inventory, &self.contents, &self.plan, &mut |_| {})
    }

    pub(super) fn left(&self) -> Vec<(String, Because)> {
        let at = |id| self.inventory.get(id).unwrap().at.as_str().to_owned();
        self.plan.left.iter().map(|left| (at(left.id), left.because)).collect()
    }
}

pub(super) fn convert(world: &World, kind: Kind, policy: Policy, across: bool) -> Relinked {
    plan_on(&world.disk(kind), policy, across).unwrap().execute()
}

/// All entries but locks: the text of a link, or the content of a file.
pub(super) fn shape(root: &Path) -> BTreeMap<String, String> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let metadata = fs::symlink_metadata(&path).unwrap();
            if name == ".locks" {
                continue;
            }
            if metadata.is_dir() {
                folders.push(path);
            } else if metadata.is_symlink() {
                let text = fs::read_link(&path).unwrap();
                found.insert(name, format!("→ {}", text.display()));
            } else {
                found.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// The bytes of all files, each once, but for private ones.
pub(super) fn bytes(root: &Path) -> i64 {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let (path, metadata) =
                (entry.as_ref().unwrap().path(), entry.unwrap().metadata().unwrap());
            // What is private and can't be removed stays until the next run.
            if metadata.is_dir() && !path.ends_with(".hubstow") {
                folders.push(path);
            } else if metadata.is_file() {
                found.insert(number(&path).unwrap(), i64::try_from(metadata.len()).unwrap());
            }
        }
    }
    found.values().sum()
}

/// What readers see of all snapshots.
pub(super) fn shown(root: &Path) -> BTreeMap<String, Option<String>> {
    let all = shape(root).into_keys().filter(|name| name.contains("/snapshots/"));
    all.map(|name| (name.clone(), fs::read_to_string(root.join(name)).ok())).collect()
}

/// Panics unless everything that could be read is as it was, and what is read now is right.
#[track_caller]
pub(super) fn assert_kept(before: &BTreeMap<String, Option<String>>, root: &Path, when: &str) {
    let now = shown(root);
    assert_eq!(before.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>(), "{when}");
    for (name, was) in before {
        match (was, &now[name]) {
            (Some(was), Some(is)) => assert_eq!(was, is, "{name} {when}"),
            (None, Some(is)) => assert_eq!(is, "moved into a snapshot", "{name} {when}"),
            (None, None) => {}
            (Some(_), None) => assert!(now[name].is_some(), "{name} can't be read {when}"),
        }
    }
}

/// What was broken by rules that every run keeps; blobs are removed, and leases are opened to be locked.
pub(super) fn misconduct(disk: &TestDisk) -> Vec<String> {
    let mut broken = disk.watch().misconduct();
    broken.retain(|what| !what.ends_with("is removed") && !what.contains(".lease"));
    broken
}
