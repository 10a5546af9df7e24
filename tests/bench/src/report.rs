//! Tables in Markdown, one a case, and one for all cells of the matrix.

pub(crate) mod matrix;

use serde::Serialize;

use crate::{
    args::Sizes,
    case::Case,
    client::{Client, HUBSTOW},
    matrix::Machine,
    measure::{Medians, Run},
    report::matrix::Judged,
    target::Target,
};

/// The runs of one client.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) client: Client,
    pub(crate) runs: Vec<Run>,
    /// Why there are no more.
    pub(crate) failure: Option<String>,
}

impl Row {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, runs: Vec::new(), failure: None }
    }
}

/// A case with its numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    case: String,
    about: String,
    clients: Vec<Measured>,
    targets: Vec<String>,
    /// `None` where the case is none of the matrix.
    cell: Option<Judged>,
}

/// The runs of one program, added up.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    client: &'static str,
    is_hubstow: bool,
    /// `None` where no run came to its end.
    medians: Option<Medians>,
    runs: Vec<Run>,
    failure: Option<String>,
}

impl Measured {
    pub(crate) fn new(
        client: &'static str,
        is_hubstow: bool,
        runs: Vec<Run>,
        failure: Option<String>,
    ) -> Self {
        let medians = (failure.is_none() && !runs.is_empty()).then(|| Medians::of(&runs));
        Self { client, is_hubstow, medians, runs, failure }
    }
}

/// Prints what holds for all tables.
pub(crate) fn begin(lacking: &[String], sizes: Sizes, repeat: usize) {
    println!(
        "Large {} MiB, medium {} MiB, {} small files; medians of {repeat}, of warm cases {}.",
        sizes.large_bytes >> 20,
        sizes.medium_bytes >> 20,
        sizes.files,
        repeat * 3
    );
    lacking.iter().for_each(|line| println!("{line}."));
}

impl Report {
    /// Takes the medians, and compares them with the targets.
    ///
    /// `machine` is what this machine needs for the work of a cell.
    pub(crate) fn new(case: &Case, rows: Vec<Row>, machine: Machine) -> Self {
        let measured = |Row { client, runs, failure }: Row| {
            Measured::new(client.name(), client.is_hubstow(), runs, failure)
        };
        let clients: Vec<Measured> = rows.into_iter().map(measured).collect();
        let mut report = Self::of(&case.name, &case.about, clients, &case.targets);
        let medians = report.medians();
        report.cell = case.cell.map(|cell| Judged::new(cell, machine, &medians));
        report
    }

    /// The same of any work.
    pub(crate) fn of(case: &str, about: &str, clients: Vec<Measured>, targets: &[Target]) -> Self {
        let (case, about) = (case.to_owned(), about.to_owned());
        let mut report = Self { case, about, clients, targets: Vec::new(), cell: None };
        let medians = report.medians();
        report.targets = targets.iter().map(|target| target.verdict(&medians)).collect();
        report
    }

    fn medians(&self) -> Vec<(&'static str, Medians)> {
        self.clients.iter().filter_map(|it| Some((it.client, it.medians.clone()?))).collect()
    }

    /// Tells whether hubstow did not do the work.
    pub(crate) fn hubstow_failed(&self) -> bool {
        self.clients.iter().any(|it| it.is_hubstow && it.failure.is_some())
    }

    /// Prints the table, unless it is a line of that of the matrix.
    pub(crate) fn print(&self) {
        if self.cell.is_some() {
            return;
        }
        println!("\n### {} (`{}`)\n", self.about, self.case);
        println!(
            "| client | wall | shortest–longest | × hubstow | CPU | peak | requests | received | disk | CPU of the hub |"
        );
        println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
        let own = self.clients.iter().find(|it| it.client == HUBSTOW.name());
        let own = own.and_then(|it| it.medians.as_ref());
        for Measured { client, medians, failure, .. } in &self.clients {
            match medians {
                Some(medians) => println!("| {client} | {} |", medians.cells(own)),
                None => {
                    println!("| {client} | {} | | | | | | | | |", failure.as_deref().unwrap_or(""));
                }
            }
        }
        println!();
        self.targets.iter().for_each(|target| println!("- {target}"));
    }
}

impl Medians {
    fn cells(&self, own: Option<&Self>) -> String {
        let ratio = own.map(|own| format!("{:.2}", self.wall_s / own.wall_s)).unwrap_or_default();
        let hub = self.hub_cpu_s.map(seconds).unwrap_or_default();
        [
            seconds(self.wall_s),
            format!("{}–{}", seconds(self.wall_range_s.0), seconds(self.wall_range_s.1)),
            ratio,
            seconds(self.cpu_s),
            mib(self.peak_bytes),
            format!("{:.0}", self.requests),
            mib(self.received_bytes),
            mib(self.written_bytes),
            hub,
        ]
        .join(" | ")
    }
}

/// Shows a time.
pub(crate) fn seconds(value: f64) -> String {
    if value < 1.0 { format!("{:.0} ms", value * 1e3) } else { format!("{value:.2} s") }
}

/// Shows a size.
pub(crate) fn mib(bytes: f64) -> String {
    let mib = bytes / f64::from(1 << 20);
    if mib < 10.0 { format!("{mib:.1} MiB") } else { format!("{mib:.0} MiB") }
}
