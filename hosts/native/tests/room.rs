//! A cache directory that is bounded: what goes when something else is asked for, and what never does.

#![cfg(all(feature = "blocking", feature = "care"))]
#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

use std::{
    collections::BTreeSet,
    fs::{self, File},
    path::Path,
    thread,
    time::Duration,
};

use hubstow_native::{
    Commit, Config, ErrorKind, FileName, FileRequest, FoundFile, Hub, Repo, RepoId, RepoKind,
    Revision, blocking,
    care::room::{NoRoom, PinList, Room, RoomRules},
};
use hubstow_serve::{RunningServer, Server};
use tempfile::TempDir;

const FILE_BYTES: u64 = 100_000;
/// Two files, with what lies beside them, and not three.
const LIMIT_BYTES: u64 = 260_000;
const REPOS: [&str; 5] = ["one", "two", "three", "four", "five"];

struct Stage {
    folder: TempDir,
    /// It serves as long as it lives.
    _server: RunningServer,
    hub: Hub,
    asking: blocking::Hub,
    runtime: tokio::runtime::Runtime,
}

impl Stage {
    /// A hub with repos of a file each, of a content of its own.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (number, name) in REPOS.iter().enumerate() {
            let path = folder.path().join(format!("hub/acme/{name}/model.bin"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, vec![number as u8; FILE_BYTES as usize]).unwrap();
        }
        let server = Server::builder(folder.path().join("hub")).build();
        let server = server.spawn_on_loopback().unwrap();
        let mut config = Config::new(folder.path().join("cache"));
        config.set_endpoint(server.url()).unwrap();
        let hub = Hub::new(config).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        Self { folder, _server: server, asking: hub.clone().into(), hub, runtime }
    }

    /// What the hub says of a file.
    fn found(&self, name: &str) -> FoundFile {
        let file = FileName::parse("model.bin").unwrap();
        let request = FileRequest::new(repo(name), file).unwrap();
        self.runtime.block_on(self.hub.find(&request)).unwrap()
    }

    /// Makes room for a file and fetches it, as a node does; returns its commit.
    fn fill(&self, room: &Room, name: &str) -> Result<Commit, NoRoom> {
        let reserved = room.make(&self.found(name))?;
        let report =
            self.asking.model(format!("acme/{name}")).file("model.bin").download().unwrap();
        drop(reserved);
        room.touch(&repo(name), &report.commit, &FileName::parse("model.bin").unwrap());
        Ok(report.commit)
    }

    fn room(&self, rules: impl FnOnce(&mut RoomRules)) -> Room {
        let mut all = RoomRules::new(LIMIT_BYTES);
        all.unused_for = Duration::ZERO;
        rules(&mut all);
        self.hub.cache().room(all)
    }

    /// The repos whose file is here.
    fn here(&self) -> BTreeSet<&'static str> {
        let snapshots =
            |name: &str| self.folder.path().join(format!("cache/models--acme--{name}/snapshots"));
        let has_file = |name: &&str| {
            let commits = fs::read_dir(snapshots(name)).into_iter().flatten();
            commits.flatten().any(|commit| commit.path().join("model.bin").is_file())
        };
        REPOS.into_iter().filter(has_file).collect()
    }
}

fn repo(name: &str) -> Repo {
    Repo::new(RepoKind::Model, RepoId::parse(&format!("acme/{name}")).unwrap())
}

/// Uses are noted by the second.
fn a_second_later() {
    thread::sleep(Duration::from_millis(1100));
}

#[test]
fn what_was_used_least_recently_makes_room_and_that_outlives_a_restart() {
    let stage = Stage::new();
    let room = stage.room(|_| {});
    let one = stage.fill(&room, "one").unwrap();
    stage.fill(&room, "two").unwrap();
    a_second_later();
    room.touch(&repo("one"), &one, &FileName::parse("model.bin").unwrap());
    room.tend().unwrap();
    let room = stage.room(|_| {});
    stage.fill(&room, "three").unwrap();
    assert_eq!(stage.here(), BTreeSet::from(["one", "three"]));
    let refs = stage.folder.path().join("cache/models--acme--two/refs");
    assert!(!refs.join("main").exists(), "no ref is left that leads nowhere");
    let stats = room.stats();
    assert_eq!((stats.evictions, stats.reserved_bytes), (1, 0));
    assert!(stats.evicted_bytes >= FILE_BYTES, "{stats:?}");
}

#[test]
fn what_is_pinned_by_a_list_stays_by_whatever_name() {
    let stage = Stage::new();
    let room = stage.room(|_| {});
    let one = stage.fill(&room, "one").unwrap();
    a_second_later();
    stage.fill(&room, "two").unwrap();
    for pins in ["acme/one", "model/acme/one@main", &format!("models/acme/one@{one}")] {
        let again = stage.room(|rules| rules.pins = PinList::parse(pins).unwrap());
        stage.fill(&again, "three").unwrap();
        assert_eq!(stage.here(), BTreeSet::from(["one", "three"]), "{pins}");
        a_second_later();
        stage.fill(&stage.room(|rules| rules.pins = PinList::parse(pins).unwrap()), "two").unwrap();
        assert_eq!(stage.here(), BTreeSet::from(["one", "two"]), "{pins}");
        a_second_later();
    }
    // A node fetches by commit, and knows from the hub what a branch means.
    fs::remove_file(stage.folder.path().join("cache/models--acme--one/refs/main")).unwrap();
    let room = stage.room(|rules| rules.pins = PinList::parse("acme/one@main").unwrap());
    room.means(&repo("one"), &Revision::parse("main").unwrap(), &one);
    stage.fill(&room, "three").unwrap();
    assert_eq!(stage.here(), BTreeSet::from(["one", "three"]));
}

#[test]
fn what_can_not_be_had_is_said_and_takes_nothing() {
    let stage = Stage::new();
    let room = stage.room(|_| {});
    stage.fill(&room, "one").unwrap();
    stage.fill(&room, "two").unwrap();
    // Whoever has fetched may still be putting its lease down.
    a_second_later();
    let three = stage.found("three");
    let small = stage.room(|rules| rules.limit_bytes = FILE_BYTES - 1);
    let none = small.make(&three).err().unwrap();
    assert!(matches!(none, NoRoom::TooLarge { bytes: FILE_BYTES, limit_bytes: 99_999 }), "{none}");
    assert_eq!(hubstow_native::Error::from(none).kind(), ErrorKind::NoSpace);
    let patient = stage.room(|rules| rules.unused_for = Duration::from_secs(60));
    let none = patient.make(&three).err().unwrap();
    let NoRoom::Taken { bytes: FILE_BYTES, taken_bytes, .. } = none else { panic!("{none}") };
    assert!(taken_bytes > 2 * FILE_BYTES, "{taken_bytes}");
    // What is being fetched takes room before it is there.
    let pinned = stage.room(|rules| rules.pins = PinList::parse("acme/one").unwrap());
    let reserved = pinned.make(&three).unwrap();
    assert_eq!(stage.here(), BTreeSet::from(["one"]));
    assert!(matches!(pinned.make(&stage.found("four")), Err(NoRoom::Taken { .. })));
    drop(reserved);
    assert_eq!(pinned.stats().refused, 1);
    assert_eq!(stage.here(), BTreeSet::from(["one"]));
    assert_eq!(pinned.tend().unwrap().reserved_bytes, 0);
    drop(pinned.make(&three).expect("nothing came of it, so the room is free again"));
}

/// Whoever downloads has a lease on the repo, in whatever process.
#[test]
fn what_somebody_relies_on_makes_no_room() {
    let stage = Stage::new();
    let room = stage.room(|_| {});
    stage.fill(&room, "one").unwrap();
    a_second_later();
    stage.fill(&room, "two").unwrap();
    let lease = stage.folder.path().join("cache/.locks/.hubstow/models--acme--one.lease");
    let lease = File::options().create(true).truncate(false).write(true).open(lease).unwrap();
    lease.lock_shared().unwrap();
    stage.fill(&room, "three").unwrap();
    assert_eq!(stage.here(), BTreeSet::from(["one", "three"]));
    lease.unlock().unwrap();
    a_second_later();
    stage.fill(&room, "four").unwrap();
    assert_eq!(stage.here(), BTreeSet::from(["three", "four"]));
}

/// Several fills at once, again and again, never take more than there may be, and each finds what it has fetched.
#[test]
fn many_fills_at_once_stay_within_the_bounds() {
    let stage = Stage::new();
    let limit_bytes = 3 * FILE_BYTES + 60_000;
    let room = stage.room(|rules| rules.limit_bytes = limit_bytes);
    let (made, refused) = thread::scope(|scope| {
        let runs: Vec<_> = (0..3)
            .map(|run: usize| {
                let (stage, room) = (&stage, &room);
                scope.spawn(move || {
                    let (mut made, mut refused) = (0, 0);
                    for turn in 0..12 {
                        match stage.fill(room, REPOS[(turn * (run + 1) + run) % REPOS.len()]) {
                            Ok(_) => made += 1,
                            Err(NoRoom::Taken { .. }) => refused += 1,
                            Err(other) => panic!("{other}"),
                        }
                        let held = bytes(&stage.folder.path().join("cache"));
                        assert!(held <= limit_bytes, "{held} of {limit_bytes}");
                    }
                    (made, refused)
                })
            })
            .collect();
        let done = runs.into_iter().map(|run| run.join().unwrap());
        done.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1))
    });
    println!("{made} fills, {refused} times no room, {:?}", room.stats());
    assert!(made >= 12, "{made} fills, {refused} times no room");
    let stats = room.tend().unwrap();
    assert_eq!(stats.reserved_bytes, 0);
    assert!(stats.held_bytes <= limit_bytes && stats.evictions > 0, "{stats:?}");
}

/// The bytes of all files below a folder, without links. What goes meanwhile is not counted.
fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of_entry = |entry: fs::DirEntry| {
        let Ok(entry) = fs::symlink_metadata(entry.path()).map(|found| (found, entry.path()))
        else {
            return 0;
        };
        match entry {
            (found, path) if found.is_dir() => bytes(&path),
            (found, _) if found.is_file() => found.len(),
            _ => 0,
        }
    };
    entries.map(of_entry).sum()
}
