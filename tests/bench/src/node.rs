//! What a node serves: how soon the first byte of a file comes through it, and how fast, with how much memory, it sends what it
//! has, beside what else serves the same files.
//!
//! Every answer of a run is of the length that it announces; what a server sends is hashed before its runs, and after each where
//! the run was the first that asked for it.

mod bench;
mod clients;
mod numbers;
pub(crate) mod receiver;
mod server;

use std::{path::Path, process::ExitCode};

use anyhow::{Context as _, Result, ensure};

use self::{
    bench::Bench,
    numbers::Report,
    server::{Contender, Programs},
};
use crate::{
    args::Args,
    content::Content,
    control::Hub,
    target::{Quantity, Target},
};

/// Some work.
struct Work {
    name: &'static str,
    about: &'static str,
    ask: Ask,
    contenders: &'static [Contender],
    /// With whom the others are compared in the table.
    reference: Contender,
    targets: Vec<Target>,
}

/// How a file is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// By a GET at once, as a browser or `curl` does.
    Get,
    /// By a HEAD before it, as clients of a hub do.
    HeadThenGet,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
enum Ask {
    /// One file that the server has not got yet, where the hub waits so long before each answer.
    Cold { latency_ms: u64, by: By },
    /// One file that it has, whole, by so many clients each.
    Large { clients: usize },
    /// All small files, by so many clients together.
    Small { clients: usize },
    /// One small file by each of so many clients, which stay.
    Idle { clients: usize },
}

impl Ask {
    fn repo(self) -> &'static str {
        match self {
            Self::Cold { .. } => "bench/medium",
            Self::Large { .. } => "bench/large",
            Self::Small { .. } | Self::Idle { .. } => "bench/small",
        }
    }

    /// Returns what a client of it is told beside the server and the paths.
    fn words(self) -> Vec<String> {
        let (clients, more) = match self {
            Self::Cold { by, .. } => (1, (by == By::HeadThenGet).then_some("--head")),
            Self::Large { clients } => (clients, Some("--each")),
            Self::Small { clients } => (clients, None),
            Self::Idle { clients } => (clients, Some("--each")),
        };
        let hold = matches!(self, Self::Idle { .. }).then_some("--hold");
        let flags = more.into_iter().chain(hold).map(str::to_owned);
        ["--clients".to_owned(), clients.to_string()].into_iter().chain(flags).collect()
    }
}

fn works() -> Vec<Work> {
    use Contender::{Direct, Earlier, Folder, Nginx, Node, Olah};
    const THROUGH: &[Contender] = &[Direct, Node, Olah];
    const ALL: &[Contender] = &[Nginx, Folder, Earlier, Node, Olah];
    const HOLDING: &[Contender] = &[Nginx, Node, Olah];
    let (node, folder, nginx) = (Node.name(), Folder.name(), Nginx.name());
    let cold = |name, about, latency_ms, by, targets| Work {
        name,
        about,
        ask: Ask::Cold { latency_ms, by },
        contenders: THROUGH,
        reference: Direct,
        targets,
    };
    let first = || vec![Target::first_byte("T23", node, 1.2, Direct.name())];
    // A fifth of what takes a millisecond is nothing that anybody notices.
    let soon = || vec![Target::first_byte_more("T23", node, 10.0, Direct.name())];
    // Nine tenths of the speed.
    let as_fast = || [node, folder].map(|who| Target::time("T24", who, 1.0 / 0.9, nginx)).to_vec();
    let warm = |name, about, ask, contenders, targets| Work {
        name,
        about,
        ask,
        contenders,
        reference: Nginx,
        targets,
    };
    let held = Target::bound("T25", node, Quantity::HeldMib, 64.0);
    vec![
        cold("get-0ms", "A cold file by a GET, no latency", 0, By::Get, soon()),
        cold("get-20ms", "The same, 20 ms to each first byte", 20, By::Get, first()),
        cold("get-80ms", "The same, 80 ms to each first byte", 80, By::Get, first()),
        cold("head-get-0ms", "A cold file by HEAD and GET, no latency", 0, By::HeadThenGet, soon()),
        cold("head-get-20ms", "The same, 20 ms to each first byte", 20, By::HeadThenGet, first()),
        cold("head-get-80ms", "The same, 80 ms to each first byte", 80, By::HeadThenGet, first()),
        warm(
            "warm-1",
            "The warm large file, one client",
            Ask::Large { clients: 1 },
            ALL,
            as_fast(),
        ),
        warm(
            "warm-8",
            "The same, eight clients at once",
            Ask::Large { clients: 8 },
            ALL,
            as_fast(),
        ),
        warm("idle", "1,000 idle clients", Ask::Idle { clients: 1000 }, HOLDING, vec![held]),
        warm(
            "small",
            "All small files, warm, 16 clients",
            Ask::Small { clients: 16 },
            ALL,
            Vec::new(),
        ),
    ]
}

/// Measures each work that is asked for, and prints a table for each.
pub(crate) fn all(args: &Args, scratch: &Path) -> Result<ExitCode> {
    let mut works = works();
    works.retain(|work| args.wants(work.name));
    ensure!(!works.is_empty(), "no work has such a name; --node --list names them");
    if args.list {
        works.iter().for_each(|work| println!("{:<26} {}", work.name, work.about));
        return Ok(ExitCode::SUCCESS);
    }
    let target = scratch.parent().context("the target folder is above")?;
    let programs = Programs::gather(target, args.earlier.clone())?;
    let scratch = args.room(scratch)?;
    let (served, room) = (scratch.path().join("hub"), scratch.path().join("room"));
    eprintln!("making what the hub holds …");
    let repos: Vec<&str> = works.iter().map(|work| work.ask.repo()).collect();
    let content = Content::generate(&served, args.sizes(), &repos)?;
    let hub = Hub::start(&served)?;
    repos.iter().try_for_each(|repo| hub.commit(repo, "main").map(drop))?;
    programs.lacking.iter().for_each(|line| println!("{line}."));
    let bench = Bench { args, programs, content, hub, served, room };
    let mut reports = Vec::new();
    for work in &works {
        let report = bench.work(work)?;
        report.print();
        reports.push(report);
        args.keep(&reports)?;
    }
    let failed = reports.iter().any(Report::hubstow_failed);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
