//! One command, run with its whole output in a log file and its outcome in one line.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::libtest;

/// How a step ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The command ended well.
    Ok,
    /// It did not, or could not be started.
    Failed,
    /// It was not run: this is missing.
    Skipped(String),
}

/// What is known of a step that is over.
pub(crate) struct Outcome {
    name: String,
    pub(crate) end: End,
    /// Everything the command wrote, in the order it was written.
    pub(crate) output: String,
    took: Duration,
    log: PathBuf,
}

/// Runs a command. Both of its output streams go to the same log, so that their order is kept.
pub(crate) fn run(name: &str, command: Command, logs: &Path) -> Outcome {
    print!("{name:<44} ");
    let _ = io::stdout().flush();
    let log = logs.join(format!("{}.log", name.replace(|c: char| !c.is_alphanumeric(), "-")));
    let begin = Instant::now();
    let end = match logged(command, &log) {
        Ok(true) => End::Ok,
        Ok(false) => End::Failed,
        Err(error) => {
            let _ = fs::write(&log, format!("it could not be started: {error}\n"));
            End::Failed
        }
    };
    let output = fs::read(&log).unwrap_or_default();
    Outcome {
        name: name.to_owned(),
        end,
        output: String::from_utf8_lossy(&output).into_owned(),
        took: begin.elapsed(),
        log,
    }
}

fn logged(mut command: Command, log: &Path) -> io::Result<bool> {
    let out = File::create(log)?;
    let err = out.try_clone()?;
    let status = command.stdin(Stdio::null()).stdout(out).stderr(err).status()?;
    Ok(status.success())
}

impl Outcome {
    /// Makes the outcome of a step that is not run.
    pub(crate) fn skipped(name: &str, missing: &str) -> Self {
        print!("{name:<44} ");
        Self {
            name: name.to_owned(),
            end: End::Skipped(missing.to_owned()),
            output: String::new(),
            took: Duration::ZERO,
            log: PathBuf::new(),
        }
    }

    /// Finishes the step's line, and shows the output if the step failed.
    pub(crate) fn show(&self) {
        let seconds = self.took.as_secs_f32();
        match &self.end {
            End::Ok => println!("ok      {seconds:6.1} s"),
            End::Skipped(missing) => println!("skipped  {missing}"),
            End::Failed => {
                println!("FAILED  {seconds:6.1} s   {}", self.log.display());
                let telling = self.output.lines().filter(|line| !libtest::is_good_news(line));
                telling.for_each(|line| println!("    {line}"));
                println!("{:<44} FAILED", self.name);
            }
        }
    }
}
