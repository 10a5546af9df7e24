//! The care of a cache: looking, verifying and planning, beside what else does such work on the same files.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, ensure};
use sha2::{Digest as _, Sha256};

use crate::{
    args::Args,
    content::hex,
    measure::{Run, flush_disks, watch},
    report::{Measured, Report},
    target::{Quantity, Target},
    tools,
};

const HUBSTOW: &str = "hubstow";
const REPOS: usize = 10;
const FILES_OF_REPO: usize = 2000;
const SHARDS: u64 = 8;

/// A program that does the work.
struct Contender {
    name: &'static str,
    words: Vec<OsString>,
}

/// Some work on a cache.
struct Work {
    name: &'static str,
    about: &'static str,
    /// Makes the cache.
    make: fn(&Path, &Args) -> Result<()>,
    /// What is done once before, unmeasured.
    before: &'static [&'static str],
    own: &'static [&'static str],
    others: fn(&Path, &Peers) -> Vec<Contender>,
    targets: Vec<Target>,
}

/// What else looks at caches here.
struct Peers {
    hf: Option<PathBuf>,
    hf_hub: Option<PathBuf>,
}

fn works() -> Vec<Work> {
    const DU: &str = "du -s";
    const LIMIT: &str = "read and hash on two threads";
    let others = |cache: &Path, peers: &Peers| {
        let du = vec!["du".into(), "-s".into(), cache.into()];
        let mut all = vec![Contender { name: DU, words: du }];
        all.extend(peers.hf.as_ref().map(|hf| Contender {
            name: "hf cache ls",
            words: vec![hf.into(), "cache".into(), "ls".into(), "--json".into()],
        }));
        all.extend(peers.hf_hub.as_ref().map(|driver| Contender {
            name: "hf-hub scan_cache",
            words: vec![driver.into(), "scan".into()],
        }));
        all
    };
    vec![
        Work {
            name: "inventory",
            about: "All that 20,000 snapshot files in 10 repos are",
            make: |cache, _| linked(cache),
            before: &[],
            own: &["cache", "ls", "--json"],
            others,
            targets: vec![
                Target::time("T20", HUBSTOW, 1.5, DU),
                Target::time("T20", HUBSTOW, 1.0, "hf cache ls"),
                Target::time("T20", HUBSTOW, 1.0, "hf-hub scan_cache"),
            ],
        },
        Work {
            name: "verify",
            about: "The hashes of 8 files, 4 GiB in all",
            make: |cache, args| shards(cache, args.sizes().large_bytes * 2 / SHARDS),
            before: &[],
            own: &["cache", "verify", "--json"],
            others: |cache, _| {
                let limit = std::env::current_exe().map(|own| {
                    let files = (0..SHARDS).map(|number| pointer(cache, number).into());
                    [own.into(), "hash".into()].into_iter().chain(files).collect()
                });
                limit.map(|words| Contender { name: LIMIT, words }).into_iter().collect()
            },
            targets: vec![Target::time("T21", HUBSTOW, 1.0 / 0.9, LIMIT), Target::memory(HUBSTOW)],
        },
        Work {
            name: "relink",
            about: "What 20,000 copies would become, their hashes known",
            make: |cache, _| copied(cache),
            before: &["cache", "verify", "--json"],
            own: &["cache", "relink", "--placement", "compat", "--dry-run", "--json"],
            others: |_, _| Vec::new(),
            targets: vec![Target::bound("T22", HUBSTOW, Quantity::WallMilliseconds, 1000.0)],
        },
    ]
}

/// Measures each work that is asked for, and prints a table for each.
pub(crate) fn all(args: &Args, scratch: &Path) -> Result<ExitCode> {
    let mut works = works();
    works.retain(|work| args.wants(work.name));
    ensure!(!works.is_empty(), "no work has such a name; --care --list names them");
    if args.list {
        works.iter().for_each(|work| println!("{:<26} {}", work.name, work.about));
        return Ok(ExitCode::SUCCESS);
    }
    let target = scratch.parent().context("the target folder is above")?;
    let hubstow = tools::build(&["--package", "hubstow"])?;
    let hf = tools::python(target).ok().map(|python| python.with_file_name("hf"));
    let peers = Peers { hf, hf_hub: tools::hf_hub(target).ok() };
    let scratch = args.room(scratch)?;
    let mut reports = Vec::new();
    for work in &works {
        let cache = scratch.path().join(work.name);
        (work.make)(&cache, args)?;
        let report = measured(work, &cache, &hubstow, &peers, args.repeat())?;
        report.print();
        reports.push(report);
        fs::remove_dir_all(&cache)?;
    }
    args.keep(&reports)?;
    let failed = reports.iter().any(Report::hubstow_failed);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn measured(
    work: &Work,
    cache: &Path,
    hubstow: &Path,
    peers: &Peers,
    repeat: usize,
) -> Result<Report> {
    let words = |own: &[&str]| {
        let words = [hubstow.into()].into_iter().chain(own.iter().map(OsString::from));
        words.collect::<Vec<OsString>>()
    };
    let home = cache.with_extension("home");
    if !work.before.is_empty() {
        once(&words(work.before), cache, &home)?;
    }
    let own = Contender { name: HUBSTOW, words: words(work.own) };
    let others = (work.others)(cache, peers);
    let mut rows: Vec<(Contender, Vec<Run>, Option<String>)> =
        [own].into_iter().chain(others).map(|it| (it, Vec::new(), None)).collect();
    flush_disks()?;
    for repetition in 0..repeat * 3 {
        for (contender, runs, failure) in rows.iter_mut().filter(|row| row.2.is_none()) {
            eprintln!("{} {}: {}", work.name, repetition + 1, contender.name);
            match once(&contender.words, cache, &home) {
                Ok(run) => runs.push(run),
                Err(error) => *failure = Some(format!("failed: {error:#}")),
            }
        }
    }
    let rows = rows.into_iter().map(|(contender, runs, failure)| {
        Measured::new(contender.name, contender.name == HUBSTOW, runs, failure)
    });
    Ok(Report::of(work.name, work.about, rows.collect(), &work.targets))
}

fn once(words: &[OsString], cache: &Path, home: &Path) -> Result<Run> {
    let (program, words) = words.split_first().context("no program is named")?;
    let mut command = Command::new(program);
    command.args(words).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home).env("HF_HOME", home).env("HF_HUB_CACHE", cache);
    command.env("HF_HUB_DISABLE_TELEMETRY", "1").env("HF_HUB_OFFLINE", "1");
    watch(&mut command, &cache.with_extension("told"), None)
}

fn repo(cache: &Path, number: usize) -> PathBuf {
    cache.join(format!("models--bench--repo-{number}"))
}

fn commit(number: u64) -> String {
    format!("{number:040x}")
}

/// Makes the folders of a repo with one revision, and returns the snapshot.
fn begin_repo(repo: &Path, number: u64) -> Result<PathBuf> {
    let snapshot = repo.join("snapshots").join(commit(number));
    fs::create_dir_all(&snapshot)?;
    fs::create_dir_all(repo.join("blobs"))?;
    fs::create_dir_all(repo.join("refs"))?;
    fs::write(repo.join("refs/main"), commit(number))?;
    Ok(snapshot)
}

/// The content of a small file, and its etag.
fn small(repo: usize, file: usize) -> (Vec<u8>, String) {
    let content = format!("{repo} {file}\n").repeat(100).into_bytes();
    let etag = hex(&Sha256::digest(&content));
    (content, etag)
}

/// Ten repos with two thousand linked files each.
fn linked(cache: &Path) -> Result<()> {
    each_small(cache, |snapshot, blob, name, content| {
        fs::write(blob, content)?;
        let etag = blob.file_name().context("a blob has a name")?.to_string_lossy();
        symlink(format!("../../../blobs/{etag}"), snapshot.join(name))?;
        Ok(())
    })
}

/// The same with a copy in place of each link.
fn copied(cache: &Path) -> Result<()> {
    each_small(cache, |snapshot, blob, name, content| {
        fs::write(blob, content)?;
        fs::write(snapshot.join(name), content)?;
        Ok(())
    })
}

fn each_small(cache: &Path, place: impl Fn(&Path, &Path, &str, &[u8]) -> Result<()>) -> Result<()> {
    for number in 0..REPOS {
        let repo = repo(cache, number);
        let snapshot = begin_repo(&repo, number as u64)?;
        for file in 0..FILES_OF_REPO {
            let folder = format!("part-{}", file / 100);
            fs::create_dir_all(snapshot.join(&folder))?;
            let (content, etag) = small(number, file);
            let name = format!("{folder}/{file}.json");
            place(&snapshot, &repo.join("blobs").join(etag), &name, &content)?;
        }
    }
    Ok(())
}

fn pointer(cache: &Path, number: u64) -> PathBuf {
    repo(cache, 0).join("snapshots").join(commit(0)).join(format!("model-{number}.safetensors"))
}

/// One repo with eight large files.
fn shards(cache: &Path, len_bytes: u64) -> Result<()> {
    let repo = repo(cache, 0);
    begin_repo(&repo, 0)?;
    let mut block = vec![0_u8; 1 << 20];
    for number in 0..SHARDS {
        let path = repo.join("blobs/new");
        let (mut file, mut hasher) = (File::create(&path)?, Sha256::new());
        for at in 0..len_bytes >> 20 {
            let mark = format!("{number} {at}");
            block.fill(u8::try_from(at % 251)?);
            block.get_mut(..mark.len()).context("it fits")?.copy_from_slice(mark.as_bytes());
            hasher.update(&block);
            file.write_all(&block)?;
        }
        let etag = hex(&hasher.finalize());
        fs::rename(&path, repo.join("blobs").join(&etag))?;
        symlink(format!("../../blobs/{etag}"), pointer(cache, number))?;
    }
    Ok(())
}
