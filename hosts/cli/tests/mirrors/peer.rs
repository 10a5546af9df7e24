//! The same mirrors for the real Python client: it is never better off than the command, and the command never wrong.

use std::{
    fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use serde_json::Value;

use super::{
    SERVING,
    mirror::Way,
    stage::{CONFIG, MODEL, Stage},
};

/// How many clients are run at once.
const PEERS: usize = 6;
/// Where the Python with the client is, if anywhere.
const PYTHON: &str = "HUBSTOW_PYTHON";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/python/mirrored.py");
/// Mirrors that serve nothing, or something wrong.
const BROKEN: [&[Way]; 7] = [
    &[Way::Html],
    &[Way::Garbled],
    &[Way::Garbled, Way::NoCommit],
    &[Way::Garbled, Way::EtagMd5],
    &[Way::NoTree, Way::NoSiblings],
    &[Way::Breaking],
    &[Way::Breaking, Way::EtagMd5],
];

/// What is asked for: its name in the script, the arguments, the revision whose files come, and which.
#[derive(Clone, Copy)]
struct Job {
    name: &'static str,
    args: &'static [&'static [&'static str]],
    revision: &'static str,
    file: Option<&'static str>,
}

const SNAPSHOT: &[&str] = &["download", "acme/mirrored"];
const JOBS: [Job; 4] = [
    Job {
        name: "config",
        args: &[&["download", "acme/mirrored", CONFIG]],
        revision: "main",
        file: Some(CONFIG),
    },
    Job {
        name: "model",
        args: &[&["download", "acme/mirrored", MODEL]],
        revision: "main",
        file: Some(MODEL),
    },
    Job { name: "snapshot", args: &[SNAPSHOT], revision: "main", file: None },
    Job {
        name: "second",
        args: &[SNAPSHOT, &["download", "acme/mirrored", "--revision", "next"]],
        revision: "next",
        file: None,
    },
];

/// What came of a job; what is better is greater.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Something else than the hub holds was handed over.
    Wrong,
    Failed(String),
    Right,
}

impl Outcome {
    fn is_worse_than(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Failed(_), Self::Failed(_)) => false,
            (ours, theirs) => ours < theirs,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong => f.write_str("WRONG"),
            Self::Failed(how) => write!(f, "failed ({how})"),
            Self::Right => f.write_str("right"),
        }
    }
}

#[test]
fn no_mirror_serves_the_python_client_better() {
    let ways = SERVING.iter().chain(&BROKEN).map(|ways| ways.to_vec());
    never_worse(&ways.collect::<Vec<_>>(), &JOBS);
}

#[test]
fn no_mirror_that_breaks_off_lets_only_the_python_client_go_on() {
    let breaking = |ways: &[Way]| [ways, &[Way::Breaking]].concat();
    let jobs: Vec<_> = JOBS.into_iter().filter(|job| job.file == Some(MODEL)).collect();
    never_worse(&SERVING.map(breaking), &jobs);
    never_worse(&[breaking(&[Way::GarbledRest])], &jobs);
}

/// Checks that no job ends worse for the command than for the Python client before any of these mirrors.
fn never_worse(ways: &[Vec<Way>], jobs: &[Job]) {
    let Some(python) = std::env::var_os(PYTHON) else {
        println!("skipped: {PYTHON} names no Python");
        return;
    };
    // Most of the time the Python client waits before it tries again what fails.
    let worse: Vec<String> = thread::scope(|scope| {
        let compare = |ways: &[Vec<Way>]| {
            let compared = ways.iter().map(|ways| compared(ways, jobs, Path::new(&python)));
            compared.flatten().collect::<Vec<_>>()
        };
        let shares = ways.chunks(ways.len().div_ceil(PEERS));
        let shares: Vec<_> = shares.map(|share| scope.spawn(move || compare(share))).collect();
        shares.into_iter().flat_map(|share| share.join().unwrap()).collect()
    });
    assert_eq!(worse, [""; 0]);
}

/// Compares what comes of every job, and returns those that end worse for the command.
fn compared(ways: &[Way], jobs: &[Job], python: &Path) -> Vec<String> {
    let mut worse = Vec::new();
    let told = theirs(&Stage::new(ways), jobs, python);
    assert_eq!(told.len(), jobs.len(), "{ways:?}");
    for (job, their) in jobs.iter().zip(told) {
        let our = ours(&Stage::new(ways), job);
        let line = format!("{ways:?}, {}: {our}; the Python client: {their}", job.name);
        println!("{line}");
        if our == Outcome::Wrong || our.is_worse_than(&their) {
            worse.push(line);
        }
    }
    worse
}

fn ours(stage: &Stage, job: &Job) -> Outcome {
    let mut path = PathBuf::new();
    for args in job.args {
        match stage.run(args).path() {
            Ok(found) => path = found,
            Err(code) => return Outcome::Failed(format!("exit {code}")),
        }
    }
    judge(stage, job, &path)
}

/// Runs all jobs in one process, since its start costs more than they do.
fn theirs(stage: &Stage, jobs: &[Job], python: &Path) -> Vec<Outcome> {
    let output = stage
        .client(Command::new(python))
        .args([Path::new(SCRIPT), &stage.peer_cache()])
        .args(jobs.iter().map(|job| job.name))
        .envs([("HF_HUB_ETAG_TIMEOUT", "2"), ("HF_HUB_DOWNLOAD_TIMEOUT", "2")])
        .envs([("HF_HUB_DISABLE_XET", "1"), ("HF_HUB_DISABLE_PROGRESS_BARS", "1")])
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let results = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let outcome = |(job, result): (&Job, Value)| match result["path"].as_str() {
        Some(path) => judge(stage, job, Path::new(path)),
        None => Outcome::Failed(result["error"].as_str().unwrap_or_default().to_owned()),
    };
    jobs.iter().zip(results).map(outcome).collect()
}

fn judge(stage: &Stage, job: &Job, path: &Path) -> Outcome {
    let is_right = match job.file {
        Some(file) => stage.is_right(path, job.revision, file),
        None => {
            let files = stage.files(job.revision);
            files.iter().all(|file| stage.is_right(&path.join(file), job.revision, file))
        }
    };
    if is_right { Outcome::Right } else { Outcome::Wrong }
}
