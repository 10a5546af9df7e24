//! The table of the matrix: a line a cell, the worst first.

use serde::Serialize;

use crate::{
    client::{Client, HUBSTOW, HUBSTOW_FAST},
    matrix::{Cell, Machine},
    measure::Medians,
    report::{Report, mib, seconds},
    target::PEAK_MIB,
};

/// A cell may take so many times as long as the better of `aria2c` and the limit.
const OF_BEST: f64 = 1.15;
/// And so many times as long as one plain stream.
const OF_STREAM: f64 = 1.05;
/// The requests for the medium file.
const REQUESTS: f64 = 100.0;

/// What a cell's numbers say.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Judged {
    /// With content that is on the disk at the end, as it is by default.
    safe: Against,
    /// With content that the system has, as the others leave it; `None` where the line is slower than the disk.
    fast: Option<Against>,
    /// By how much the target that is missed most is missed; at most 1 where all are met.
    worst: f64,
    missed: Vec<String>,
}

/// What a time is compared with.
#[derive(Clone, Debug, Serialize)]
struct Against {
    /// What the work takes at least: arithmetic, or this machine.
    limit_s: f64,
    /// What one plain stream takes, and how that is known.
    stream: (f64, Known),
    /// Wall of hubstow divided by that of the better of `aria2c` and the limit; `None` where it did not do the work.
    of_best: Option<f64>,
    /// Wall of hubstow divided by that of one plain stream.
    of_stream: Option<f64>,
}

/// Where a number is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Known {
    Measured,
    ByArithmetic,
}

/// What was measured in a cell.
struct Measured<'a> {
    cell: Cell,
    medians: &'a [(&'a str, Medians)],
}

impl Measured<'_> {
    fn of(&self, client: Client) -> Option<&Medians> {
        let is_it = |(name, _): &&(&str, Medians)| *name == client.name();
        self.medians.iter().find(is_it).map(|(_, medians)| medians)
    }

    /// Compares a client's time, on a machine that needs so many seconds for the work.
    fn against(&self, own: Client, machine_s: f64) -> Against {
        let limit_s = self.cell.limit_s(machine_s);
        let one_file = self.cell.work.job().file.is_some();
        let by_arithmetic = self.cell.stream_s(machine_s);
        let stream = match self.of(Client::Curl).filter(|_| one_file) {
            Some(curl) => (curl.wall_s.max(machine_s), Known::Measured),
            None => (by_arithmetic, Known::ByArithmetic),
        };
        let best_s = self.of(Client::Aria2).map_or(limit_s, |aria2| aria2.wall_s.min(limit_s));
        let own_s = self.of(own).map(|own| own.wall_s);
        let (of_best, of_stream) = (own_s.map(|it| it / best_s), own_s.map(|it| it / stream.0));
        Against { limit_s, stream, of_best, of_stream }
    }
}

impl Judged {
    /// Compares what was measured in a cell with its targets.
    pub(crate) fn new(cell: Cell, machine: Machine, medians: &[(&str, Medians)]) -> Self {
        let measured = Measured { cell, medians };
        let safe = measured.against(HUBSTOW, machine.safe_s);
        let fast = measured.of(HUBSTOW_FAST);
        let fast = fast.map(|_| measured.against(HUBSTOW_FAST, machine.fast_s));
        let Some(own) = measured.of(HUBSTOW) else {
            return Self { safe, fast, worst: f64::INFINITY, missed: vec!["all".to_owned()] };
        };
        let mut targets = vec![
            ("best", safe.of_best.unwrap_or_default(), OF_BEST),
            ("stream", safe.of_stream.unwrap_or_default(), OF_STREAM),
            ("peak", own.peak_mib(), PEAK_MIB),
        ];
        if let Some(fast) = &fast {
            targets.push(("fast best", fast.of_best.unwrap_or_default(), OF_BEST));
            targets.push(("fast stream", fast.of_stream.unwrap_or_default(), OF_STREAM));
        }
        if cell.bounds_requests() {
            targets.push(("requests", own.requests, REQUESTS));
        }
        let missed = targets.iter().filter(|(_, value, at_most)| value > at_most);
        let missed = missed.map(|(name, ..)| (*name).to_owned()).collect();
        let by = targets.iter().map(|(_, value, at_most)| value / at_most);
        let worst = by.fold(0.0, f64::max);
        Self { safe, fast, worst, missed }
    }
}

/// Prints the cells among some reports, the worst first.
pub(crate) fn print(reports: &[Report]) {
    let cells = reports.iter().filter_map(|it| Some((it, it.cell.as_ref()?)));
    let mut cells: Vec<(&Report, &Judged)> = cells.collect();
    if cells.is_empty() {
        return;
    }
    cells.sort_by(|(_, one), (_, other)| other.worst.total_cmp(&one.worst));
    let met = cells.iter().filter(|(_, judged)| judged.missed.is_empty()).count();
    println!("\n### The matrix of lines\n");
    println!("{met} of {} cells meet every target.\n", cells.len());
    println!(
        "| cell | hubstow | × best | × stream | fast | × best | × stream | aria2c -x16 | curl | earlier | limit | on disk | requests (aria2c) | peak | missed |"
    );
    println!("|---{}|---|", "|--:".repeat(13));
    cells.iter().for_each(|(report, judged)| println!("{}", line(report, judged)));
    let failures = cells.iter().flat_map(|(report, _)| {
        let failed = report.clients.iter().filter_map(|it| Some((it.client, it.failure.as_ref()?)));
        failed.map(|(client, why)| format!("- `{}`, {client}: {why}", report.case))
    });
    let failures: Vec<String> = failures.collect();
    if !failures.is_empty() {
        println!("\n{}", failures.join("\n"));
    }
}

fn line(report: &Report, judged: &Judged) -> String {
    let measured = |client: Client| report.clients.iter().find(|it| it.client == client.name());
    let wall = |client: Client| match measured(client) {
        Some(it) => it.medians.as_ref().map_or("failed".to_owned(), |it| seconds(it.wall_s)),
        None => String::new(),
    };
    let own = |take: fn(&Medians) -> String| {
        measured(HUBSTOW).and_then(|it| it.medians.as_ref()).map(take).unwrap_or_default()
    };
    let aria2 = measured(Client::Aria2).and_then(|it| it.medians.as_ref());
    let aria2 = aria2.map(|it| format!(" ({:.0})", it.requests)).unwrap_or_default();
    let fast = judged.fast.as_ref();
    let [safe_best, safe_stream] = ratios(Some(&judged.safe));
    let [fast_best, fast_stream] = ratios(fast);
    let cells = [
        format!("`{}`", report.case),
        wall(HUBSTOW),
        safe_best,
        safe_stream,
        wall(HUBSTOW_FAST),
        fast_best,
        fast_stream,
        wall(Client::Aria2),
        wall(Client::Curl),
        wall(Client::Earlier),
        fast.map(|it| seconds(it.limit_s)).unwrap_or_default(),
        seconds(judged.safe.limit_s),
        format!("{}{aria2}", own(|it| format!("{:.0}", it.requests))),
        own(|it| mib(it.peak_bytes)),
        judged.missed.join(", "),
    ];
    format!("| {} |", cells.join(" | "))
}

/// Writes how a time compares: with the best, and with one plain stream.
fn ratios(against: Option<&Against>) -> [String; 2] {
    let Some(against) = against else { return [String::new(), String::new()] };
    let ratio = |it: Option<f64>| it.map(|it| format!("{it:.2}")).unwrap_or_default();
    let by = match (against.of_stream, against.stream.1) {
        (Some(_), Known::ByArithmetic) => "≈ ",
        (Some(_) | None, Known::Measured | Known::ByArithmetic) => "",
    };
    [ratio(against.of_best), format!("{by}{}", ratio(against.of_stream))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{args::Sizes, matrix};

    const SIZES: Sizes = Sizes { large_bytes: 2 << 30, medium_bytes: 512 << 20, files: 2000 };

    fn medians(wall_s: f64, requests: f64, peak_mib: f64) -> Medians {
        let peak_bytes = peak_mib * f64::from(1 << 20);
        Medians { wall_s, requests, peak_bytes, ..Medians::default() }
    }

    #[track_caller]
    fn check(name: &str, measured: &[(&str, Medians)], missed: &[&str]) -> Judged {
        let case = matrix::all(SIZES).into_iter().find(|case| case.name == name).unwrap();
        let machine = Machine { fast_s: 0.5, safe_s: 1.0 };
        let judged = Judged::new(case.cell.unwrap(), machine, measured);
        assert_eq!(judged.missed, missed, "{name}: {judged:?}");
        judged
    }

    #[test]
    fn a_cell_is_judged_by_the_better_of_aria2c_and_the_limit_and_by_one_stream() {
        let aria2 = Client::Aria2.name();
        // The limit is 0.75 s, and 1.08 s where all is to be on the disk.
        let name = "line-80ms-50-free-512m";
        let ours = ("hubstow", medians(1.2, 60.0, 40.0));
        check(name, &[ours.clone(), (aria2, medians(1.6, 60.0, 30.0))], &[]);
        check(name, &[ours.clone(), (aria2, medians(1.0, 60.0, 30.0))], &["best"]);
        check(name, &[ours.clone(), ("hubstow fast", medians(0.85, 60.0, 40.0))], &[]);
        check(name, &[ours, ("hubstow fast", medians(1.0, 60.0, 40.0))], &["fast best"]);
        let slow = ("hubstow", medians(11.5, 650.0, 49.0));
        let judged = check(name, &[slow], &["best", "stream", "peak", "requests"]);
        assert!(judged.worst > 9.0, "{judged:?}");
        // Here the stream is measured.
        let name = "line-80ms-free-100-512m";
        let ours = ("hubstow", medians(5.5, 10.0, 10.0));
        check(name, &[ours.clone(), ("curl", medians(5.4, 1.0, 9.0))], &[]);
        check(name, &[ours, ("curl", medians(5.1, 1.0, 9.0))], &["stream"]);
    }

    #[test]
    fn a_cell_that_is_not_done_is_the_worst() {
        let judged = check("line-stalls-512m", &[], &["all"]);
        assert_eq!(judged.worst, f64::INFINITY);
        // Of many requests there is no bound where connections break, and where the file is larger.
        check("line-dies-512m", &[("hubstow", medians(0.75, 400.0, 40.0))], &[]);
        check("line-0ms-50-200-2g", &[("hubstow", medians(11.0, 400.0, 40.0))], &[]);
    }
}
