//! The process of the clients, as the one that measures sees it.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use wait4::Wait4 as _;

use super::receiver::Got;

/// Clients that have got what they asked for, and stay until they are ended where they are told so.
pub(super) struct Clients {
    process: Child,
    /// They stay until this is closed.
    stdin: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
}

impl Clients {
    /// Lets clients ask a server, and says what they got.
    pub(super) fn start(
        server: &str,
        words: &[String],
        paths: &[String],
        told: &Path,
    ) -> Result<(Self, Got)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("ask").args(words).arg(server).args(paths);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(File::create(told)?);
        let mut process = command.spawn()?;
        let stdin = process.stdin.take();
        let said = BufReader::new(process.stdout.take().context("stdout is a pipe")?);
        let mut clients = Self { process, stdin, said };
        let line = clients.line()?;
        let Ok(got) = serde_json::from_str(&line) else {
            drop(clients.end());
            bail!("{}", fs::read_to_string(told)?.trim().replace('\n', " "));
        };
        Ok((clients, got))
    }

    /// Ends them, and returns the seconds of CPU that they used, and how many connections were still open where they stayed.
    pub(super) fn end(mut self) -> Result<(f64, Option<u64>)> {
        drop(self.stdin.take());
        let open = self.line()?.trim().parse().ok();
        let end = self.process.wait4()?;
        ensure!(end.status.success(), "the clients have failed");
        Ok(((end.rusage.utime + end.rusage.stime).as_secs_f64(), open))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        Ok(line)
    }
}
