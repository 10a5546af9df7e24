//! Doing works: servers are started and filled, asked in turn, and ended.

use std::{fs, path::PathBuf, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::{
    Ask, Work,
    clients::Clients,
    numbers::{Report, Row, Run},
    receiver::Got,
    server::{Contender, Programs, Running},
};
use crate::{
    args::Args,
    content::{BIG_FILE, Content, SMALL_FILE},
    control::{Behaviour, Hub},
    measure::flush_disks,
};

/// After so long a server holds what it keeps for connections that are idle, and nothing for what it has sent.
const SETTLED: Duration = Duration::from_secs(3);
const ABSENT: &str = "not on this machine";

/// What all works share.
pub(super) struct Bench<'a> {
    pub(super) args: &'a Args,
    pub(super) programs: Programs,
    pub(super) content: Content,
    pub(super) hub: Hub,
    pub(super) served: PathBuf,
    /// Where servers keep what they have.
    pub(super) room: PathBuf,
}

impl Bench<'_> {
    /// Does some work by all servers of it, in turn.
    pub(super) fn work(&self, work: &Work) -> Result<Report> {
        let chosen = |it: &&Contender| {
            let clients = &self.args.client;
            let named = clients.is_empty() || clients.iter().any(|text| it.name().contains(text));
            let built = **it != Contender::Earlier || self.args.earlier.is_some();
            (it.is_hubstow() || **it == work.reference || named) && built
        };
        let contenders = work.contenders.iter().filter(chosen);
        let mut rows: Vec<Row> =
            contenders.map(|it| Row { contender: *it, runs: Vec::new(), failure: None }).collect();
        match work.ask {
            Ask::Cold { latency_ms, .. } => self.cold(work, latency_ms, &mut rows),
            Ask::Large { .. } | Ask::Small { .. } => self.warm(work, &mut rows),
            Ask::Idle { .. } => self.one_by_one(work, &mut rows),
        }
        if self.room.exists() {
            fs::remove_dir_all(&self.room)?;
        }
        Ok(Report::new((work.name, work.about), rows, work.reference, &work.targets))
    }

    /// Asks servers that have nothing yet, each time new ones.
    fn cold(&self, work: &Work, latency_ms: u64, rows: &mut [Row]) {
        let run = |contender| {
            let Some(server) = self.start(contender)? else {
                return Ok(None);
            };
            self.hub.set(Behaviour { latency_ms, ..Behaviour::default() })?;
            let run = self.ask(work, &server)?;
            self.hub.set(Behaviour::default())?;
            self.check(work, &server)?;
            Ok(Some(run))
        };
        self.in_turn(work, rows, run);
    }

    /// Asks servers that have everything, and stay.
    fn warm(&self, work: &Work, rows: &mut [Row]) {
        let mut running = Vec::new();
        for row in rows.iter_mut() {
            match self.filled(work, row.contender) {
                Ok(Some(server)) => running.push((row.contender, server)),
                Ok(None) => row.failure = Some(ABSENT.to_owned()),
                Err(error) => row.failure = Some(format!("failed: {error:#}")),
            }
        }
        let run = |contender| {
            let server = running.iter().find(|(it, _)| *it == contender);
            server.map(|(_, server)| self.ask(work, server)).transpose()
        };
        self.in_turn(work, rows, run);
    }

    /// Asks servers that have everything, each by itself and new.
    fn one_by_one(&self, work: &Work, rows: &mut [Row]) {
        let run = |contender| {
            let server = self.filled(work, contender)?;
            server.map(|server| self.ask(work, &server)).transpose()
        };
        self.in_turn(work, rows, run);
    }

    fn in_turn(
        &self,
        work: &Work,
        rows: &mut [Row],
        run: impl Fn(Contender) -> Result<Option<Run>>,
    ) {
        for repetition in 1..=self.args.repeat() {
            for row in rows.iter_mut().filter(|row| row.failure.is_none()) {
                eprintln!("{} {repetition}: {}", work.name, row.contender.name());
                match run(row.contender) {
                    Ok(Some(run)) => row.runs.push(run),
                    Ok(None) => row.failure = Some(ABSENT.to_owned()),
                    Err(error) => row.failure = Some(format!("failed: {error:#}")),
                }
            }
        }
    }

    fn start(&self, contender: Contender) -> Result<Option<Running>> {
        let own = self.room.join(contender.name().replace(' ', "-"));
        let server = Running::start(contender, &self.programs, &self.hub, (&self.served, &own))?;
        flush_disks()?;
        Ok(server)
    }

    /// Starts a server, and asks it once for everything.
    fn filled(&self, work: &Work, contender: Contender) -> Result<Option<Running>> {
        self.hub.set(Behaviour::default())?;
        let server = self.start(contender)?;
        server.as_ref().map_or(Ok(()), |server| self.check(work, server))?;
        flush_disks()?;
        Ok(server)
    }

    /// Returns the paths that are asked for.
    fn paths(&self, work: &Work) -> Result<Vec<String>> {
        let repo = work.ask.repo();
        let is_one = |name: &str| match work.ask {
            Ask::Cold { .. } | Ask::Large { .. } => name == BIG_FILE,
            Ask::Small { .. } => true,
            Ask::Idle { .. } => name == SMALL_FILE,
        };
        let files = self.content.files(repo, "main")?.iter().map(|file| file.name.as_str());
        let names = files.filter(|name| is_one(name));
        Ok(names.map(|name| format!("/{repo}/resolve/main/{name}")).collect())
    }

    /// Checks that a server sends what the hub has.
    fn check(&self, work: &Work, server: &Running) -> Result<()> {
        let words = ["--hash".to_owned(), "--clients".to_owned(), "4".to_owned()];
        let (clients, got) = self.clients(server, &words, &self.paths(work)?)?;
        clients.end()?;
        for file in self.content.files(work.ask.repo(), "main")? {
            let path = format!("/{}/resolve/main/{}", work.ask.repo(), file.name);
            let sent = got.sha256.get(&path);
            ensure!(sent.is_none_or(|sent| *sent == file.sha256), "{path} is sent wrong");
        }
        ensure!(got.sha256.len() == self.paths(work)?.len(), "not everything was sent");
        Ok(())
    }

    fn ask(&self, work: &Work, server: &Running) -> Result<Run> {
        let cpu_s = || server.cpu_s().context("the system does not tell of processes");
        let before_s = cpu_s()?;
        let (clients, got) = self.clients(server, &work.ask.words(), &self.paths(work)?)?;
        let server_cpu_s = cpu_s()? - before_s;
        if let Ask::Idle { .. } = work.ask {
            thread::sleep(SETTLED);
        }
        let memory_bytes = server.resident_bytes().context("the system does not tell of memory")?;
        let (client_cpu_s, open) = clients.end()?;
        Ok(Run {
            first_byte_s: got.first_byte_s,
            wall_s: got.wall_s,
            bytes: got.bytes,
            answers: got.answers,
            server_cpu_s,
            client_cpu_s,
            memory_bytes,
            open,
        })
    }

    fn clients(
        &self,
        server: &Running,
        words: &[String],
        paths: &[String],
    ) -> Result<(Clients, Got)> {
        Clients::start(&server.address, words, paths, &self.room.join("clients.told"))
    }
}
