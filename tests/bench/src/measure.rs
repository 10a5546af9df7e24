//! Runs the cases, clients in turn, and takes the numbers of each run.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use serde::Serialize;
use wait4::Wait4 as _;

use crate::{
    args::Args,
    care,
    case::{Case, State},
    cases, check,
    client::{Client, HUBSTOW, Job, Order},
    content::Content,
    control::{Behaviour, Counts, Hub},
    matrix::{self, Machine, Work},
    report::{self, Report, Row},
    target::{Quantities, Quantity},
    tools::Tools,
};

/// The numbers of one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    wall_s: f64,
    cpu_s: f64,
    peak_bytes: u64,
    counts: Counts,
    written_bytes: u64,
    hub_cpu_s: Option<f64>,
}

/// The medians of some runs.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Medians {
    pub(crate) wall_s: f64,
    /// The shortest and the longest time: how far the median can be trusted.
    pub(crate) wall_range_s: (f64, f64),
    pub(crate) cpu_s: f64,
    pub(crate) peak_bytes: f64,
    pub(crate) requests: f64,
    pub(crate) file_gets: f64,
    pub(crate) received_bytes: f64,
    pub(crate) written_bytes: f64,
    pub(crate) hub_cpu_s: Option<f64>,
}

impl Medians {
    /// Takes the medians, each quantity for itself.
    #[expect(clippy::cast_precision_loss, reason = "no count or size here needs 53 bits")]
    pub(crate) fn of(runs: &[Run]) -> Self {
        let of = |take: &dyn Fn(&Run) -> f64| median(runs.iter().map(take).collect());
        let requests = |run: &Run| run.counts.requests.values().sum::<u64>() as f64;
        let gets = |run: &Run| *run.counts.requests.get("GET file").unwrap_or(&0) as f64;
        let hub: Option<Vec<f64>> = runs.iter().map(|run| run.hub_cpu_s).collect();
        Self {
            wall_s: of(&|run| run.wall_s),
            wall_range_s: runs.iter().fold((f64::MAX, 0.0), |(shortest, longest), run| {
                (shortest.min(run.wall_s), longest.max(run.wall_s))
            }),
            cpu_s: of(&|run| run.cpu_s),
            peak_bytes: of(&|run| run.peak_bytes as f64),
            requests: of(&requests),
            file_gets: of(&gets),
            received_bytes: of(&|run| run.counts.sent_bytes as f64),
            written_bytes: of(&|run| run.written_bytes as f64),
            hub_cpu_s: hub.map(median),
        }
    }

    /// Returns the peak in its unit.
    pub(crate) fn peak_mib(&self) -> f64 {
        self.peak_bytes / f64::from(1 << 20)
    }
}

impl Quantities for Medians {
    fn value(&self, quantity: Quantity) -> Option<f64> {
        match quantity {
            Quantity::WallSeconds => Some(self.wall_s),
            Quantity::WallMilliseconds => Some(self.wall_s * 1e3),
            Quantity::CpuMilliseconds => Some(self.cpu_s * 1e3),
            Quantity::PeakMib => Some(self.peak_mib()),
            Quantity::Requests => Some(self.requests),
            Quantity::FileGets => Some(self.file_gets),
            Quantity::WrittenMib => Some(self.written_bytes / f64::from(1 << 20)),
            Quantity::FirstByteMilliseconds | Quantity::HeldMib => None,
        }
    }
}

/// Returns what is in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    match values.len() {
        0 => 0.0,
        len if len % 2 == 1 => at(len / 2),
        len => f64::midpoint(at(len / 2 - 1), at(len / 2)),
    }
}

/// What all cases share.
struct Bench {
    tools: Tools,
    content: Content,
    hub: Hub,
    /// Where clients download to.
    room: PathBuf,
    repeat: usize,
    /// What this machine needs for the work of cells over a free line.
    machine: BTreeMap<Work, Machine>,
}

/// Work with the time that it may take.
#[derive(Clone, Copy, Debug)]
struct Task {
    job: Job,
    /// `None` where it takes as long as it takes.
    patience_s: Option<u32>,
}

impl Task {
    fn of(job: Job) -> Self {
        Self { job, patience_s: None }
    }
}

/// How often at least this machine is measured, on which every cell depends.
const MACHINE_RUNS: usize = 3;

/// Measures every case that is asked for, and prints a table for each, and one for all cells of the matrix.
pub(crate) fn all(args: &Args, scratch: &Path) -> Result<ExitCode> {
    if args.care {
        return care::all(args, scratch);
    }
    let cases = chosen(args)?;
    if args.list {
        cases.iter().for_each(|case| println!("{:<26} {}", case.name, case.about));
        return Ok(ExitCode::SUCCESS);
    }
    let tools = Tools::gather(
        scratch.parent().context("the target folder is above")?,
        args.earlier.clone(),
        &cases,
    )?;
    let scratch = args.room(scratch)?;
    let (served, room) = (scratch.path().join("hub"), scratch.path().join("room"));
    eprintln!("making what the hub holds …");
    let jobs = cases.iter().flat_map(|case| case.before.iter().chain([&case.job]));
    let repos: Vec<&str> = jobs.map(|job| job.repo).collect();
    let content = Content::generate(&served, args.sizes(), &repos)?;
    let hub = Hub::start(&served)?;
    let mut bench =
        Bench { tools, content, hub, room, repeat: args.repeat(), machine: BTreeMap::new() };
    report::begin(&bench.tools.lacking, args.sizes(), bench.repeat);
    bench.measure_machine(&cases)?;
    let mut reports = Vec::new();
    for case in &cases {
        let report = bench.case(case)?;
        report.print();
        reports.push(report);
        args.keep(&reports)?;
    }
    report::matrix::print(&reports);
    let failed = reports.iter().any(Report::hubstow_failed);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Returns the cases that are asked for, with the clients that are.
fn chosen(args: &Args) -> Result<Vec<Case>> {
    let chosen = |name: &str, of: &[String]| of.is_empty() || of.iter().any(|it| name.contains(it));
    let mut cases = match (args.matrix, args.quick) {
        (true, _) => matrix::all(args.sizes()),
        (false, true) => cases::all().into_iter().chain(matrix::sample(args.sizes())).collect(),
        (false, false) => cases::all(),
    };
    cases.retain(|case| args.wants(&case.name));
    for case in &mut cases {
        case.clients.retain(|it| it.is_hubstow() || chosen(it.name(), &args.client));
        let hubstow = case.clients.iter().position(|it| *it == HUBSTOW);
        match hubstow.filter(|_| args.earlier.is_some()) {
            Some(at) => case.clients.insert(at + 1, Client::Earlier),
            None => case.targets.retain(|it| !it.is_against(Client::Earlier.name())),
        }
    }
    ensure!(
        !cases.is_empty(),
        "no case has such a name; --list names them, with --matrix its cells"
    );
    Ok(cases)
}

impl Bench {
    /// Measures what this machine needs for the work of cells where no line is in the way.
    fn measure_machine(&mut self, cases: &[Case]) -> Result<()> {
        let works: BTreeSet<Work> = cases.iter().filter_map(|it| Some(it.cell?.work)).collect();
        for work in works {
            let [fast_s, safe_s] = [false, true].map(|sync| self.machine_s(work, sync));
            self.machine.insert(work, Machine { fast_s: fast_s?, safe_s: safe_s? });
        }
        Ok(())
    }

    fn machine_s(&self, work: Work, sync: bool) -> Result<f64> {
        let client = Client::Limit { sync };
        let mut runs = Vec::new();
        for repetition in 0..self.repeat.max(MACHINE_RUNS) {
            eprintln!("this machine {}: {}, {}", repetition + 1, client.name(), work.name());
            let dest = self.room.join(format!("machine-{}-{repetition}", work.name()));
            fs::create_dir_all(&dest)?;
            self.hub.set(Behaviour::default())?;
            flush_disks()?;
            let run = self.job(client, Task::of(work.job()), &dest)?;
            runs.push(run.context("the limit is always here")?);
            fs::remove_dir_all(&dest)?;
        }
        Ok(Medians::of(&runs).wall_s)
    }

    fn case(&self, case: &Case) -> Result<Report> {
        let mut rows: Vec<Row> = case.clients.iter().map(|client| Row::new(*client)).collect();
        for repetition in 0..case.state.repetitions(self.repeat) {
            for row in rows.iter_mut().filter(|row| row.failure.is_none()) {
                eprintln!("{} {}: {}", case.name, repetition + 1, row.client.name());
                match self.run(case, row.client, repetition) {
                    Ok(Some(run)) => {
                        eprintln!("  {:.2} s", run.wall_s);
                        row.runs.push(run);
                    }
                    Ok(None) => row.failure = Some("not on this machine".to_owned()),
                    Err(error) => row.failure = Some(format!("failed: {error:#}")),
                }
            }
        }
        if !case.makes_many_files() {
            let number = 0..case.state.repetitions(self.repeat);
            let left = number.flat_map(|number| {
                case.clients.iter().map(move |client| self.dest(case, *client, number))
            });
            for dest in left.filter(|dest| dest.exists()) {
                fs::remove_dir_all(&dest)?;
            }
        }
        let machine = case.cell.and_then(|cell| self.machine.get(&cell.work).copied());
        Ok(Report::new(case, rows, machine.unwrap_or_default()))
    }

    /// Returns the folder of a repetition; those that go on from the one before share one.
    fn dest(&self, case: &Case, client: Client, repetition: usize) -> PathBuf {
        let number = if case.state == State::Fresh { repetition } else { 0 };
        let client = client.name().replace([' ', ','], "-");
        self.room.join(format!("{}-{client}-{number}", case.name))
    }

    /// Does the work of a case once, and measures it.
    fn run(&self, case: &Case, client: Client, repetition: usize) -> Result<Option<Run>> {
        let dest = self.dest(case, client, repetition);
        if case.state == State::Fresh || repetition == 0 {
            fs::create_dir_all(&dest)?;
            self.hub.set(Behaviour::default())?;
            if let Some(before) = case.before
                && self.job(client, Task::of(before), &dest)?.is_none()
            {
                return Ok(None);
            }
        }
        // What one client wrote must not be written back in the time of the next.
        flush_disks()?;
        self.hub.set(case.behaviour)?;
        let (written, hub_cpu_s) = (check::disk_use(&dest)?, self.hub.cpu_s());
        let task = Task { job: case.job, patience_s: case.cell.map(|cell| cell.patience_s()) };
        let Some(mut run) = self.job(client, task, &dest)? else {
            return Ok(None);
        };
        run.hub_cpu_s = self.hub.cpu_s().zip(hub_cpu_s).map(|(now, then)| now - then);
        run.written_bytes = check::disk_use(&dest)?.saturating_sub(written);
        if case.state == State::Fresh && !case.makes_many_files() {
            fs::remove_dir_all(&dest)?;
        }
        Ok(Some(run))
    }

    /// Lets a client do a job, and checks what it brought.
    fn job(&self, client: Client, task: Task, dest: &Path) -> Result<Option<Run>> {
        let Task { job, patience_s } = task;
        let commit = self.commits(job)?;
        let files = self.content.files(job.repo, job.revision)?;
        let order = Order { job, endpoint: &self.hub.url, commit: &commit, files, dest };
        let Some(mut command) = client.command(&self.tools, &order, patience_s)? else {
            return Ok(None);
        };
        self.hub.counts()?;
        let mut run = watch(&mut command, &dest.with_extension("told"), patience_s)?;
        run.counts = self.hub.counts()?;
        check::right(client, &order)?;
        Ok(Some(run))
    }

    /// Asks for the commit every time, which also lets the hub hash everything before any clock runs.
    fn commits(&self, job: Job) -> Result<String> {
        self.hub.commit(job.repo, job.revision)
    }
}

/// Runs a program to its end, and takes its numbers. What it says on stderr goes to the file `told`.
pub(crate) fn watch(command: &mut Command, told: &Path, patience_s: Option<u32>) -> Result<Run> {
    let errors = fs::File::create(told)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
    let begin = Instant::now();
    let end = command.spawn().context("it can't be started")?.wait4()?;
    let wall_s = begin.elapsed().as_secs_f64();
    if let Some(seconds) = patience_s {
        ensure!(wall_s < f64::from(seconds), "it was killed after {seconds} s");
    }
    let (status, said) = (end.status, fs::read_to_string(told).unwrap_or_default());
    ensure!(status.success(), "{status}: {}", said.lines().last().unwrap_or_default());
    let cpu_s = (end.rusage.utime + end.rusage.stime).as_secs_f64();
    let (peak_bytes, counts) = (end.rusage.maxrss, Counts::default());
    Ok(Run { wall_s, cpu_s, peak_bytes, counts, written_bytes: 0, hub_cpu_s: None })
}

/// Writes back what was written so far.
pub(crate) fn flush_disks() -> Result<()> {
    ensure!(Command::new("sync").status()?.success(), "`sync` failed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 9.0]), 3.0);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
