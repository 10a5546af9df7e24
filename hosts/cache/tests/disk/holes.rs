//! Files that are written out of order: killed at any moment, continued, and proved as any other (I6, I14, I19).

use std::{
    fs::{self, File},
    io,
    ops::Range,
    sync::{Arc, Mutex},
    time::{Duration, UNIX_EPOCH},
};

use hubstow_cache::{
    Cache, Target,
    staged::{Arrivals, Intervals, Keep, StagedFile, StagedReader},
};
use hubstow_core::{facts::Force, name::Etag, policy::Policy};

use crate::{
    disk::TestDisk,
    host::{self, Hub, Run},
    kind::Kind,
    rules::{self, Broken},
    sample::{BLOBS, LARGE, OURS, SECOND, WORTH, pointer},
    start::{Start, World},
    system::{Errno, moments},
    tree::Tree,
    watch::{Event, Op},
};

/// The size of the content, and of the pieces in which it comes.
fn size() -> usize {
    LARGE.content.len()
}

fn piece() -> usize {
    LARGE.chunk / 4
}

/// Fetches the sample in pieces whose order follows from a seed.
fn scattered(disk: &TestDisk, seed: u64) -> Run {
    let cache = host::cache(disk, Policy::Compat);
    host::place(&cache, &LARGE.target(), Force::Off, &mut Hub::scattering(&LARGE, seed))
}

/// How many bytes the best record of a staged file tells of; asked of a healthy process, as a forecast asks.
fn recorded(world: &World) -> usize {
    let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
    usize::try_from(cache.leftover_bytes(&LARGE.target())).unwrap()
}

/// What a run may fetch that finds so much.
fn affordable(recorded: usize) -> usize {
    if recorded >= WORTH { size() - recorded } else { size() }
}

/// Lets all staged files look as if nobody had touched them for long.
pub(crate) fn quieten(world: &World) {
    for entry in fs::read_dir(world.root().join(BLOBS)).into_iter().flatten() {
        let file = File::options().write(true).open(entry.unwrap().path()).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_000_000_000)).unwrap();
    }
}

/// Leaves a staged file of which so many pieces have come, by a process that is killed then; returns how many bytes those
/// are.
pub(crate) fn killed_after(world: &World, pieces: usize, seed: u64) -> usize {
    let (disk, mut hub) = (world.disk(Kind::ALL_LINKS), Hub::scattering(&LARGE, seed));
    let mut staged = host::cache(&disk, Policy::Compat).stage(&LARGE.target()).unwrap();
    hub.send(&mut staged, pieces).unwrap();
    disk.watch().kill();
    hub.sent
}

/// What must hold of the run after all, which found so much.
fn followed(world: &World, found: usize, seed: u64) -> Broken {
    let before = world.tree();
    let disk = world.disk(Kind::ALL_LINKS);
    let run = scattered(&disk, seed);
    let end = world.tree();
    let mut broken = rules::always(&before, &end);
    broken.extend(rules::conduct(&disk));
    broken.extend(rules::acknowledged(&run, &end));
    broken.extend(rules::clean(&end));
    if run.result.is_err() {
        broken.push(format!("it ends `{}`", run.end()));
    }
    if run.fetched > affordable(found) {
        broken.push(format!("{} bytes were fetched where {found} were there", run.fetched));
    }
    broken
}

/// Kills a run at its `at`-th change, if it has so many, in a world where so much is recorded, and lets another follow.
fn killed(world: &World, at: usize, seed: u64, quiet: bool, before: usize) -> Option<Broken> {
    let disk = world.disk_with(Kind::ALL_LINKS, at, Event::Death);
    let received = before + scattered(&disk, seed).fetched;
    let operation = disk.watch().event()?;
    let mut broken = rules::conduct(&disk);
    let found = recorded(world);
    let sealed = fs::read(world.placed()).is_ok_and(|content| content == LARGE.content);
    // The last piece may have been written and not recorded.
    if !sealed && found + piece() < received {
        broken.push(format!("{found} bytes are recorded of {received}"));
    }
    if quiet {
        quieten(world);
    }
    broken.extend(followed(world, if sealed { size() } else { found }, seed + 1));
    Some(broken.into_iter().map(|what| format!("killed at {operation}: {what}")).collect())
}

#[test]
fn a_run_that_is_killed_while_it_writes_out_of_order_costs_the_next_one_what_was_on_its_way() {
    for (seed, quiet) in [(1, true), (2, false)] {
        let broken: Broken = moments()
            .map_while(|at| killed(&World::new(Start::Empty, &LARGE), at, seed, quiet, 0))
            .flatten()
            .collect();
        assert!(broken.is_empty(), "{seed}:\n{}", broken.join("\n"));
    }
}

#[test]
fn a_run_that_is_killed_while_it_adopts_a_file_with_holes_loses_nothing_of_it() {
    for (seed, quiet) in [(1, true), (1, false), (4, true), (4, false)] {
        let broken: Broken = moments()
            .map_while(|at| {
                let world = World::new(Start::Empty, &LARGE);
                let before = killed_after(&world, 6, seed);
                assert_eq!(recorded(&world), before, "{seed}");
                if quiet {
                    quieten(&world);
                }
                killed(&world, at, seed + 10, quiet, before)
            })
            .flatten()
            .collect();
        assert!(broken.is_empty(), "{seed}, {quiet}:\n{}", broken.join("\n"));
    }
}

#[test]
fn whatever_fails_while_it_is_written_out_of_order_nothing_wrong_comes_of_it() {
    for errno in [Errno::IO, Errno::NOSPC, Errno::ACCESS] {
        let failed = |at| -> Option<Broken> {
            let world = World::new(Start::Empty, &LARGE);
            killed_after(&world, 5, 7);
            quieten(&world);
            let disk = world.disk_with(Kind::ALL_LINKS, at, Event::Failure(errno));
            let run = scattered(&disk, 8);
            let operation = disk.watch().event()?;
            let mut broken = rules::conduct(&disk);
            broken.extend(rules::acknowledged(&run, &world.tree()));
            scattered(&world.disk(Kind::ALL_LINKS), 9).result.unwrap();
            let end = world.tree();
            broken.extend((!end.serves(&pointer(OURS))).then(|| "it is not served".to_owned()));
            Some(broken.into_iter().map(|what| format!("{errno} at {operation}: {what}")).collect())
        };
        let broken: Broken = moments().map_while(failed).flatten().collect();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }
}

#[test]
fn a_process_that_starts_at_any_moment_removes_nothing_of_a_file_with_holes() {
    let joined = |at| -> Option<Broken> {
        let world = World::new(Start::Empty, &LARGE);
        let before = killed_after(&world, 5, 3);
        quieten(&world);
        let other = world.disk(Kind::ALL_LINKS);
        let deed = move || {
            let second = Target {
                file: hubstow_core::name::FileName::parse("second.bin").unwrap(),
                ..SECOND.target()
            };
            let cache = host::cache(&other, Policy::Compat);
            host::place(&cache, &second, Force::Off, &mut Hub::of(&SECOND)).result.unwrap();
        };
        let event = Event::Deed { noticed: Box::new(|_, _| true), deed: Box::new(deed) };
        let disk = world.disk_with(Kind::ALL_LINKS, at, event);
        let run = scattered(&disk, 4);
        let operation = disk.watch().event()?;
        let mut broken = rules::acknowledged(&run, &world.tree());
        broken.extend(rules::clean(&world.tree()));
        if run.result.is_err() || run.fetched > size() - before {
            broken.push(format!("it ends `{}` with {} bytes", run.end(), run.fetched));
        }
        Some(broken.into_iter().map(|what| format!("at {operation}: {what}")).collect())
    };
    let broken: Broken = moments().map_while(joined).flatten().collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A staged file with a hole, and the world it is in.
fn with_hole(kind: Kind) -> (World, Cache, StagedFile) {
    let world = World::new(Start::Empty, &LARGE);
    let cache = host::cache(&world.disk(kind), Policy::Compat);
    let mut staged = cache.stage(&LARGE.target()).unwrap();
    let at = LARGE.chunk;
    staged.write_at(at as u64, &LARGE.content[at..at + LARGE.chunk]).unwrap();
    (world, cache, staged)
}

#[test]
fn what_was_written_is_read_back_by_a_second_handle_while_more_is_written() {
    let (_world, _cache, mut staged) = with_hole(Kind::ALL_LINKS);
    let mut reader = staged.reader().unwrap();
    let mut buffer = vec![0; LARGE.chunk];
    let mut at = 0;
    staged.append(LARGE.part_of(1)).unwrap();
    let mut rest = LARGE.content[2 * LARGE.chunk..].chunks(WORTH / 3);
    while at < 2 * LARGE.chunk {
        if let Some(piece) = rest.next() {
            let offset = size() - rest.clone().map(<[u8]>::len).sum::<usize>() - piece.len();
            staged.write_at(offset as u64, piece).unwrap();
        }
        let count = reader.read_at(at as u64, &mut buffer[..WORTH / 3]).unwrap();
        assert!(buffer[..count] == LARGE.content[at..at + count]);
        at += count;
    }
    for piece in rest {
        staged.append(piece).unwrap();
    }
    assert_eq!(staged.prefix_bytes(), size() as u64);
    assert_eq!(reader.read_at(size() as u64, &mut buffer).unwrap(), 0);
    assert!(staged.verify().unwrap().is_ok(), "what the hasher has not seen is read again");
}

#[test]
fn a_file_with_a_hole_is_not_complete_and_no_bytes_go_where_none_were_promised() {
    let (world, cache, mut staged) = with_hole(Kind::ALL_LINKS);
    assert!(staged.verify().unwrap().is_err());
    let error = staged.write_at(size() as u64 - 1, b"xx").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    staged.write_at(u64::MAX, b"x").unwrap_err();
    let held = staged.intervals().iter().next().unwrap();
    let error = staged.write_at(held.end - 1, b"x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "it has that byte");
    assert_eq!(staged.received_bytes(), LARGE.chunk as u64);
    cache.abandon(staged, Keep::Nothing);
    assert!(world.tree().leftovers().is_empty());

    let unknown = Target { size: None, ..LARGE.target() };
    let mut staged = cache.stage(&unknown).unwrap();
    assert!(!staged.takes_positions());
    let error = staged.write_at(1, b"x").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn a_write_that_fails_half_way_does_not_count_wherever_it_was() {
    let (world, cache, staged) = with_hole(Kind::ALL_LINKS);
    cache.abandon(staged, Keep::IfWorth);
    for offset in [0, piece(), 2 * LARGE.chunk] {
        quieten(&world);
        let disk = world.disk(Kind::ALL_LINKS);
        let calm = host::cache(&disk, Policy::Compat).stage(&LARGE.target()).unwrap();
        let before = disk.watch().operations();
        drop(calm);

        quieten(&world);
        let disk = world.disk_with(Kind::ALL_LINKS, before + 1, Event::Failure(Errno::NOSPC));
        let cache = host::cache(&disk, Policy::Compat);
        let mut staged = cache.stage(&LARGE.target()).unwrap();
        let held = staged.intervals().clone();
        let bytes = &LARGE.content[offset..offset + piece()];
        let error = staged.write_at(offset as u64, bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{offset}");
        assert_eq!(*staged.intervals(), held, "{offset}");
        let len = fs::metadata(world.root().join(staged.at().as_str())).unwrap().len();
        assert_eq!(len, held.end(), "{offset}");
        cache.abandon(staged, Keep::IfWorth);
        assert_eq!(recorded(&world), LARGE.chunk, "{offset}");
    }
    assert!(followed(&world, LARGE.chunk, 1).is_empty());
}

#[test]
fn a_file_that_a_living_process_writes_out_of_order_is_copied_with_its_holes() {
    let (world, _cache, mut staged) = with_hole(Kind::ALL_LINKS);
    staged.record_now();
    let name = staged.at().as_str().to_owned();
    let run = scattered(&world.disk(Kind::ALL_LINKS), 5);
    assert_eq!(run.fetched, size() - LARGE.chunk);
    assert!(world.tree().serves(&pointer(OURS)));
    let tree = world.tree();
    assert_eq!(tree.leftovers().len(), 2, "its writer needs it and its record: {tree:?}");
    assert!(tree.leftovers().contains(&name.as_str()));
    Hub::scattering(&LARGE, 6).fill(&mut staged).unwrap();
    assert_eq!(staged.received_bytes(), size() as u64);
}

#[test]
fn who_waits_sees_that_a_file_grows_although_its_length_stays() {
    let (_world, cache, mut staged) = with_hole(Kind::ALL_LINKS);
    let last = size() - 1;
    staged.write_at(last as u64, &LARGE.content[last..]).unwrap();
    let (mut seen, target) = (cache.progress(&LARGE.target()), LARGE.target());
    for at in (0..LARGE.chunk).step_by(piece()) {
        // Some systems date what is written by ticks of some milliseconds.
        std::thread::sleep(Duration::from_millis(20));
        staged.write_at(at as u64, &LARGE.content[at..at + piece()]).unwrap();
        let now = cache.progress(&target);
        assert_ne!(std::mem::replace(&mut seen, now), now, "{at}");
    }
}

#[test]
fn on_a_disk_without_positioned_writes_the_beginning_of_a_file_with_holes_is_continued() {
    for (beginning, quiet) in [(0, true), (2, true), (2, false)] {
        let (world, cache, mut staged) = with_hole(Kind::ALL_LINKS);
        let held = LARGE.chunk * beginning / 2;
        staged.append(&LARGE.content[..held]).unwrap();
        cache.abandon(staged, Keep::IfWorth);
        if quiet {
            quieten(&world);
        }
        let disk = world.disk(Kind::IN_ORDER);
        let cache = host::cache(&disk, Policy::Compat);
        let mut staged = cache.stage(&LARGE.target()).unwrap();
        assert!(!staged.takes_positions() && staged.reader().is_err());
        let in_order = if beginning == 0 { 0 } else { 2 * LARGE.chunk };
        assert_eq!(staged.received_bytes(), in_order as u64, "{beginning}, {quiet}");
        let mut hub = Hub::scattering(&LARGE, 1);
        hub.fill(&mut staged).unwrap();
        assert_eq!(hub.sent, size() - in_order);
        assert!(!world.tree().leftovers().iter().any(|path| path.ends_with(".map")));
    }
}

#[test]
fn under_an_etag_that_proves_nothing_a_file_with_holes_is_not_kept() {
    let world = World::new(Start::Empty, &LARGE);
    let disk = world.disk(Kind::ALL_LINKS);
    let cache = host::cache(&disk, Policy::Compat);
    let target = Target { etag: Etag::parse("opaque-etag").unwrap(), ..LARGE.target() };
    let mut staged = cache.stage(&target).unwrap();
    staged.write_at(LARGE.chunk as u64, &LARGE.content[LARGE.chunk..]).unwrap();
    assert_eq!(disk.watch().matching(|op, path| op == Op::Create && path.ends_with(".map")), 0);
    staged.append(LARGE.part_of(1)).unwrap();
    assert!(staged.verify().unwrap().is_ok());
}

#[test]
fn a_file_that_is_written_in_order_has_no_record_and_one_that_has_no_holes_left_loses_it() {
    let maps = |tree: &Tree| tree.leftovers().iter().filter(|path| path.ends_with(".map")).count();
    let world = World::new(Start::Empty, &LARGE);
    let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
    let mut staged = cache.stage(&LARGE.target()).unwrap();
    staged.append(LARGE.part_of(1)).unwrap();
    assert_eq!(maps(&world.tree()), 0);
    staged.write_at(2 * LARGE.chunk as u64, &LARGE.content[2 * LARGE.chunk..]).unwrap();
    assert_eq!(maps(&world.tree()), 1);
    staged.append(&LARGE.content[LARGE.chunk..2 * LARGE.chunk]).unwrap();
    let at = world.root().join(staged.at().as_str());
    cache.abandon(staged, Keep::IfWorth);
    assert_eq!(maps(&world.tree()), 0);
    assert_eq!(fs::metadata(at).unwrap().len(), size() as u64);
}

/// A reader that reads when it is told that all was dropped.
#[derive(Default)]
struct LastLook {
    reader: Mutex<Option<StagedReader>>,
    read: Mutex<Vec<u8>>,
}

impl Arrivals for LastLook {
    fn begun(&self, reader: StagedReader, _: &Intervals) {
        *self.reader.lock().unwrap() = Some(reader);
    }

    fn arrived(&self, _: Range<u64>) {}

    fn dropped(&self) {
        let mut read = vec![0; size()];
        let count = self.reader.lock().unwrap().as_mut().unwrap().read_at(0, &mut read).unwrap();
        read.truncate(count);
        *self.read.lock().unwrap() = read;
    }

    fn proved(&self) {}
}

#[test]
fn whoever_reads_what_arrives_is_told_of_its_end_before_it_is_gone() {
    let world = World::new(Start::Empty, &LARGE);
    let cache = host::cache(&world.disk(Kind::ALL_LINKS), Policy::Compat);
    let mut staged = cache.stage(&LARGE.target()).unwrap();
    let reader = Arc::new(LastLook::default());
    staged.told_to(Arc::<LastLook>::clone(&reader));
    staged.append(&LARGE.content).unwrap();
    staged.start_over().unwrap();
    assert_eq!(*reader.read.lock().unwrap(), LARGE.content);
    *reader.reader.lock().unwrap() = None;
    cache.abandon(staged, Keep::Nothing);
}
