//! Runs commands: in a clean environment, with a limit of time, and killable at a moment that the test chooses.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::disk::DiskKind;

/// How long any command may take. Nothing in a scenario needs half of it, so a command that reaches it waits for ever.
const LIMIT: Duration = Duration::from_secs(100);
/// How often a running command is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// A command that is ready to run.
pub(crate) struct Prepared {
    pub(crate) line: Vec<OsString>,
    pub(crate) env: BTreeMap<String, OsString>,
    pub(crate) folder: PathBuf,
    /// A program that runs the command and everything before it.
    pub(crate) before: Vec<OsString>,
    /// The disk that it believes to be on.
    pub(crate) under: DiskKind,
}

/// What a command left behind.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; `None` where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command that runs.
pub(crate) struct Running {
    child: Child,
    begin: Instant,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Prepared {
    /// Starts the command. Its output goes to files in `logs`, so that no pipe can fill up.
    pub(crate) fn start(self, logs: &Path) -> Result<Running> {
        fs::create_dir_all(logs)?;
        let (stdout, stderr) = (logs.join("stdout"), logs.join("stderr"));
        let refusals = self.under.refusals();
        let mut words = self.before;
        if !refusals.is_empty() {
            words.push(OsString::from(env!("CARGO_BIN_EXE_refuse")));
            words.extend(refusals.iter().map(OsString::from));
            words.push("--".into());
        }
        words.extend(self.line);
        let [program, arguments @ ..] = words.as_slice() else {
            bail!("an empty command line");
        };
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(self.env)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout)?)
            .stderr(File::create(&stderr)?)
            .spawn()
            .with_context(|| format!("{} can't be started", program.display()))?;
        Ok(Running { child, begin: Instant::now(), stdout, stderr })
    }
}

impl Running {
    /// Waits for the end of the command.
    pub(crate) fn wait(self) -> Result<Ended> {
        self.wait_at_most(LIMIT)
    }

    /// Waits for the end of a command that has much to do.
    pub(crate) fn wait_at_most(mut self, limit: Duration) -> Result<Ended> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                let read = |path: &Path| {
                    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                };
                return Ok(Ended {
                    code: status.code(),
                    stdout: read(&self.stdout)?,
                    stderr: read(&self.stderr)?,
                });
            }
            if self.begin.elapsed() > limit {
                let told = fs::read_to_string(&self.stderr).unwrap_or_default();
                bail!("the command did not end within {limit:?}; it said: {told}");
            }
            thread::sleep(LOOK);
        }
    }

    /// Kills the command, without a chance to clean up, as soon as `now` says so.
    pub(crate) fn kill_when(mut self, mut now: impl FnMut() -> Result<bool>) -> Result<()> {
        while !now()? {
            if self.child.try_wait()?.is_some() {
                let told = fs::read_to_string(&self.stderr).unwrap_or_default();
                bail!("the command ended before it could be killed; it said: {told}");
            }
            if self.begin.elapsed() > LIMIT {
                bail!("the moment to kill the command did not come within {LIMIT:?}");
            }
            thread::sleep(LOOK);
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    /// A command that nobody waits for any more is killed; one that has ended is not affected.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Splits a command line as a shell does with words and double quotes.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' | '\n' if !quoted => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}
