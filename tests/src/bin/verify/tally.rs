//! The sum over everything that ran, and the end of the log.

use std::process::ExitCode;

use crate::{
    libtest,
    plan::Planned,
    step::{End, Outcome},
};

/// How much is shown once more of what a failed test has printed.
const LINES_OF_A_FAILURE: usize = 25;

/// How many tests and steps passed and failed, and which were skipped.
#[derive(Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
    failures: Vec<String>,
    skipped: Vec<String>,
}

impl Tally {
    /// Adds a step, and the tests that it ran.
    pub(crate) fn add(&mut self, planned: &Planned, outcome: &Outcome) {
        match &outcome.end {
            End::Ok => self.passed += 1,
            End::Failed => self.failed += 1,
            End::Skipped(missing) => self.skipped.push(format!("{}: {missing}", planned.name)),
        }
        if planned.runs_tests {
            let counts = libtest::read(&outcome.output);
            self.passed += counts.passed;
            self.failed += counts.failed;
            self.skipped.extend(counts.ignored);
            self.failures.extend(counts.failures);
        }
    }

    /// Prints the end of the log and says how the whole run ended.
    pub(crate) fn finish(self) -> ExitCode {
        if !self.skipped.is_empty() {
            println!("\nskipped:");
            self.skipped.iter().for_each(|name| println!("    {name}"));
        }
        if !self.failures.is_empty() {
            println!("\nfailed:");
            self.failures.iter().for_each(|failure| println!("    {}", shortened(failure)));
        }
        println!(
            "\n{} passed, {} failed, {} skipped",
            self.passed,
            self.failed,
            self.skipped.len()
        );
        if self.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// Cuts what a failed test has printed down to its beginning, indented for the end of the log.
fn shortened(failure: &str) -> String {
    let lines = failure.lines().filter(|line| !line.trim().is_empty());
    lines.take(LINES_OF_A_FAILURE).collect::<Vec<_>>().join("\n        ")
}
