//! What only Windows does: files that others hold open, names that are one, long paths, and locks between two processes.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{Read as _, Write as _},
    os::windows::fs::OpenOptionsExt as _,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use hubstow_cache::{
    Disk as _, StdDisk,
    disk::failure::{ErrorGroup, group},
};
use hubstow_core::{facts::Force, layout::CachePath, policy::Policy};
use tempfile::TempDir;

use crate::{
    host,
    kind::Kind,
    sample::{OURS, SMALL, pointer},
    start::{Start, World},
};

/// Names to a second process the file that it is to lock.
const TO_LOCK: &str = "HUBSTOW_TEST_TO_LOCK";
/// The test that such a process runs.
const HOLDER: &str = "windows::somebody_who_holds_a_lock";

fn disk() -> (TempDir, StdDisk) {
    let home = TempDir::new().unwrap();
    let disk = StdDisk::new(home.path());
    (home, disk)
}

fn at(name: &str) -> CachePath {
    name.split('/').fold(CachePath::root(), |folder, part| folder.listed(part).unwrap())
}

fn write(disk: &StdDisk, name: &str, content: &str) {
    disk.create(&at(name)).unwrap().write_all(content.as_bytes()).unwrap();
}

fn read(disk: &StdDisk, name: &str) -> String {
    fs::read_to_string(disk.native(&at(name))).unwrap()
}

/// NTFS replaces a file that is open; where the disk or Wine does not, it is told as what it is and nothing is lost.
#[test]
fn a_file_that_is_read_is_replaced_or_said_to_be_in_use_and_its_reader_reads_on() {
    let (_home, disk) = disk();
    write(&disk, "old", "what was there");
    write(&disk, "new", "what is to be there");
    let mut reader = disk.open(&at("old")).unwrap();
    let renamed = disk.rename(&at("new"), &at("old"));
    match &renamed {
        Ok(()) => assert_eq!(read(&disk, "old"), "what is to be there"),
        Err(error) => {
            assert_eq!(group(error), ErrorGroup::Busy, "{error}");
            assert_eq!(read(&disk, "old"), "what was there");
            assert_eq!(read(&disk, "new"), "what is to be there");
        }
    }
    let mut had = String::new();
    reader.read_to_string(&mut had).unwrap();
    assert_eq!(had, "what was there");
    drop(reader);
    if renamed.is_err() {
        disk.rename(&at("new"), &at("old")).unwrap();
    }
    assert_eq!(read(&disk, "old"), "what is to be there");
}

#[test]
fn a_file_that_is_open_can_be_removed() {
    let (_home, disk) = disk();
    write(&disk, "old", "what was there");
    let reader = disk.open(&at("old")).unwrap();
    disk.remove(&at("old")).unwrap();
    drop(reader);
    assert_eq!(disk.entry(&at("old")).unwrap(), None);
    write(&disk, "old", "made anew");
}

/// A scanner opens files and lets nobody else at them, for a moment or for good.
#[test]
fn who_holds_a_file_for_a_moment_is_waited_for_and_who_keeps_it_is_told() {
    for (held_for, is_replaced) in [(Some(Duration::from_millis(40)), true), (None, false)] {
        let (_home, disk) = disk();
        write(&disk, "old", "what was there");
        write(&disk, "new", "what is to be there");
        let held = OpenOptions::new().read(true).share_mode(0).open(disk.native(&at("old")));
        let held = held.unwrap();
        let result = thread::scope(|scope| {
            let scanner = scope.spawn(move || match held_for {
                Some(time) => {
                    thread::sleep(time);
                    None
                }
                None => Some(held),
            });
            let result = disk.rename(&at("new"), &at("old"));
            drop(scanner.join().unwrap());
            result
        });
        let expected = if is_replaced { "what is to be there" } else { "what was there" };
        assert_eq!(read(&disk, "old"), expected);
        if let Err(error) = &result {
            assert_eq!(group(error), ErrorGroup::Busy, "{error}");
            assert_eq!(read(&disk, "new"), "what is to be there", "nothing is lost");
        }
        assert_eq!(result.is_ok(), is_replaced);
    }
}

#[test]
fn names_that_differ_in_case_are_one_and_a_hard_link_is_the_same_file() {
    let (_home, disk) = disk();
    write(&disk, "README.md", "one");
    let [one, other] = ["README.md", "readme.MD"].map(|name| disk.entry(&at(name)).unwrap());
    assert_eq!(one.unwrap().identity, other.unwrap().identity);
    assert!(disk.create(&at("readme.md")).is_err_and(|error| group(&error) == ErrorGroup::Raced));

    disk.hardlink(&at("README.md"), &at("second")).unwrap();
    let [one, other] = ["README.md", "second"].map(|name| disk.entry(&at(name)).unwrap().unwrap());
    assert_eq!((one.identity.file, one.names), (other.identity.file, 2));
    disk.remove(&at("README.md")).unwrap();
    assert_eq!(read(&disk, "second"), "one");
    assert!(disk.entry(&at("second")).unwrap().unwrap().has_only_name());
}

#[test]
fn paths_of_more_than_260_characters_are_paths_like_any_other() {
    let (_home, disk) = disk();
    let (mut folder, part) = (String::new(), "d".repeat(90));
    for _ in 0..4 {
        folder = if folder.is_empty() { part.clone() } else { format!("{folder}/{part}") };
        disk.make_folder(&at(&folder)).unwrap();
    }
    let name = |name: &str| at(&format!("{folder}/{name}"));
    disk.create(&name("staged")).unwrap().write_all(b"content").unwrap();
    disk.rename(&name("staged"), &name("placed")).unwrap();
    disk.hardlink(&name("placed"), &name("second")).unwrap();
    let mut names = disk.names(&at(&folder)).unwrap();
    names.sort();
    assert_eq!(names, ["placed", "second"]);
    let (placed, second) = (disk.entry(&name("placed")), disk.entry(&name("second")));
    assert_eq!(placed.unwrap().unwrap().identity.file, second.unwrap().unwrap().identity.file);
    let mut content = String::new();
    disk.open(&name("placed")).unwrap().read_to_string(&mut content).unwrap();
    assert_eq!(content, "content");
    disk.remove(&name("placed")).unwrap();
    assert!(disk.free_bytes(&at(&folder)).is_ok_and(|free| free.is_some_and(|free| free > 0)));
}

#[test]
fn a_lock_keeps_another_process_out_and_ends_with_it() {
    let world = World::new(Start::Empty, &SMALL);
    let lock = world.make(&SMALL.lock());
    File::create(&lock).unwrap();
    let mut holder = Command::new(env::current_exe().unwrap())
        .args([HOLDER, "--exact", "--ignored", "--nocapture"])
        .env(TO_LOCK, &lock)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = Vec::new();
    let mut said = holder.stdout.take().unwrap();
    while !String::from_utf8_lossy(&told).contains("held") {
        let mut piece = [0; 64];
        let count = said.read(&mut piece).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&piece[..count]);
    }
    let cache = host::cache(&world.disk(Kind::NO_LINKS), Policy::Compat);
    let is_busy =
        || matches!(cache.try_lock(&SMALL.target()), hubstow_cache::cache::lock::Locked::Busy);
    assert!(is_busy());
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(!is_busy());
    let run = host::run(&world.disk(Kind::NO_LINKS), &SMALL, Policy::Compat, Force::Off);
    run.result.unwrap();
    assert!(world.tree().serves(&pointer(OURS)));
}

#[test]
#[ignore = "the second process of another test"]
fn somebody_who_holds_a_lock() {
    let file = File::options().write(true).open(env::var_os(TO_LOCK).unwrap()).unwrap();
    file.lock().unwrap();
    println!("held");
    thread::sleep(Duration::from_secs(60));
}
