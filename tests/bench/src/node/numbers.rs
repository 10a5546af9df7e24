//! The numbers of servers, and their table.

use serde::Serialize;

use super::server::Contender;
use crate::{
    measure::median,
    report::{mib, seconds},
    target::{Quantities, Quantity, Target},
};

/// The numbers of one run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) first_byte_s: f64,
    pub(crate) wall_s: f64,
    pub(crate) bytes: u64,
    pub(crate) answers: u64,
    /// Of the server, while it was asked.
    pub(crate) server_cpu_s: f64,
    /// Of all that asked it.
    pub(crate) client_cpu_s: f64,
    /// What the server holds after it.
    pub(crate) memory_bytes: u64,
    /// How many connections are open then, where they are to be.
    pub(crate) open: Option<u64>,
}

/// The medians of some runs, each quantity for itself.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Medians {
    first_byte_s: f64,
    wall_s: f64,
    wall_range_s: (f64, f64),
    bytes: f64,
    answers: f64,
    server_cpu_s: f64,
    client_cpu_s: f64,
    memory_bytes: f64,
    open: Option<f64>,
}

impl Medians {
    #[expect(clippy::cast_precision_loss, reason = "no count or size here needs 53 bits")]
    fn of(runs: &[Run]) -> Self {
        let of = |take: &dyn Fn(&Run) -> f64| median(runs.iter().map(take).collect());
        let open: Option<Vec<f64>> = runs.iter().map(|run| run.open.map(|it| it as f64)).collect();
        Self {
            first_byte_s: of(&|run| run.first_byte_s),
            wall_s: of(&|run| run.wall_s),
            wall_range_s: runs.iter().fold((f64::MAX, 0.0), |(shortest, longest), run| {
                (shortest.min(run.wall_s), longest.max(run.wall_s))
            }),
            bytes: of(&|run| run.bytes as f64),
            answers: of(&|run| run.answers as f64),
            server_cpu_s: of(&|run| run.server_cpu_s),
            client_cpu_s: of(&|run| run.client_cpu_s),
            memory_bytes: of(&|run| run.memory_bytes as f64),
            open: open.map(median),
        }
    }

    fn cells(&self, reference: Option<&Self>) -> String {
        let of = |value: f64, reference: Option<f64>| {
            reference.map(|it| format!("{:.2}", value / it)).unwrap_or_default()
        };
        [
            milliseconds(self.first_byte_s),
            of(self.first_byte_s, reference.map(|it| it.first_byte_s)),
            seconds(self.wall_s),
            format!("{}–{}", seconds(self.wall_range_s.0), seconds(self.wall_range_s.1)),
            of(self.wall_s, reference.map(|it| it.wall_s)),
            format!("{:.0} MiB/s", self.bytes / f64::from(1 << 20) / self.wall_s),
            format!("{:.0}/s", self.answers / self.wall_s),
            seconds(self.server_cpu_s),
            seconds(self.client_cpu_s),
            mib(self.memory_bytes),
            self.open.map(|open| format!("{open:.0}")).unwrap_or_default(),
        ]
        .join(" | ")
    }
}

/// A first byte comes within few milliseconds.
fn milliseconds(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1e3)
}

impl Quantities for Medians {
    fn value(&self, quantity: Quantity) -> Option<f64> {
        match quantity {
            Quantity::WallSeconds => Some(self.wall_s),
            Quantity::WallMilliseconds => Some(self.wall_s * 1e3),
            Quantity::FirstByteMilliseconds => Some(self.first_byte_s * 1e3),
            Quantity::HeldMib => Some(self.memory_bytes / f64::from(1 << 20)),
            Quantity::CpuMilliseconds
            | Quantity::PeakMib
            | Quantity::Requests
            | Quantity::FileGets
            | Quantity::WrittenMib => None,
        }
    }
}

/// The runs of one server.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) contender: Contender,
    pub(crate) runs: Vec<Run>,
    /// Why there are no more.
    pub(crate) failure: Option<String>,
}

/// A work with its numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    work: String,
    about: String,
    servers: Vec<Measured>,
    targets: Vec<String>,
    #[serde(skip)]
    reference: &'static str,
}

/// The runs of one server, added up.
#[derive(Debug, Serialize)]
struct Measured {
    server: &'static str,
    is_hubstow: bool,
    medians: Option<Medians>,
    runs: Vec<Run>,
    failure: Option<String>,
}

impl Report {
    /// Takes the medians, and compares them with the targets.
    pub(crate) fn new(
        (work, about): (&str, &str),
        rows: Vec<Row>,
        reference: Contender,
        targets: &[Target],
    ) -> Self {
        let measured = |Row { contender, runs, failure }: Row| Measured {
            server: contender.name(),
            is_hubstow: contender.is_hubstow(),
            medians: (failure.is_none() && !runs.is_empty()).then(|| Medians::of(&runs)),
            runs,
            failure,
        };
        let servers: Vec<Measured> = rows.into_iter().map(measured).collect();
        let medians: Vec<_> =
            servers.iter().filter_map(|it| Some((it.server, it.medians.clone()?))).collect();
        let targets = targets.iter().map(|target| target.verdict(&medians)).collect();
        let (work, about, reference) = (work.to_owned(), about.to_owned(), reference.name());
        Self { work, about, servers, targets, reference }
    }

    /// Tells whether hubstow did not do the work.
    pub(crate) fn hubstow_failed(&self) -> bool {
        self.servers.iter().any(|it| it.is_hubstow && it.failure.is_some())
    }

    /// Prints the table.
    pub(crate) fn print(&self) {
        let reference = self.reference;
        println!("\n### {} (`{}`)\n", self.about, self.work);
        println!(
            "| server | first byte | × {reference} | whole | shortest–longest | × {reference} | speed | answers | CPU of the server | CPU of the clients | memory | open |"
        );
        println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
        let of = self.servers.iter().find(|it| it.server == reference);
        let of = of.and_then(|it| it.medians.as_ref());
        for Measured { server, medians, failure, .. } in &self.servers {
            match medians {
                Some(medians) => println!("| {server} | {} |", medians.cells(of)),
                None => {
                    let why = failure.as_deref().unwrap_or_default();
                    println!("| {server} | {why} | | | | | | | | | | |");
                }
            }
        }
        println!();
        self.targets.iter().for_each(|target| println!("- {target}"));
    }
}
