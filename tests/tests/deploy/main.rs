//! The files by which a server is run, and the page about that: each is read by the tool that it is written for, and names no
//! flag and no metric that is not there.
//!
//! Where a tool is not here, its test is skipped and says which.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

#[path = "../scenarios/build.rs"]
mod build;
#[path = "../scenarios/program.rs"]
mod program;

use std::{
    collections::BTreeSet,
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use hubstow_serve::{
    BoxFuture, DiskCounts, FileAsked, PassAsked, Passed, PulledFile, Refusal, Server, TierCounts,
    Upstream, UpstreamCounts,
};
use libtest_mimic::{Arguments, Completion, Trial};

use self::program::program;

/// Names the Python interpreter of the tests, beside which the tools from PyPI are.
const PYTHON: &str = "HUBSTOW_PYTHON";
/// How open the service may be to attacks at most, as `systemd-analyze security` counts in tenths.
const EXPOSURE: &str = "15";

type Run = fn() -> Result<Option<String>>;

fn main() -> ExitCode {
    let tests: [(&str, Run); 5] = [
        ("the-image-is-described-as-it-should-be", dockerfile),
        ("every-kubernetes-object-keeps-to-its-schema", kubernetes),
        ("the-service-is-one-and-is-confined", systemd),
        ("every-flag-that-is-named-is-one", flags),
        ("every-metric-that-is-named-is-one", metrics),
    ];
    let trials = tests.map(|(name, run)| {
        Trial::ignorable_test(name, move || match run() {
            Ok(None) => Ok(Completion::Completed),
            Ok(Some(missing)) => Ok(Completion::ignored_with(missing)),
            Err(error) => Err(format!("{error:#}").into()),
        })
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

/// Finds a tool beside the Python of the tests.
fn tool(name: &str) -> Option<PathBuf> {
    let tool = Path::new(&env::var_os(PYTHON)?).with_file_name(name);
    tool.is_file().then_some(tool)
}

/// Runs a command that must succeed, and returns all that it says.
fn said(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    ensure!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    Ok(said)
}

fn objects() -> Result<Vec<PathBuf>> {
    let mut objects = Vec::new();
    for folder in ["deploy/kubernetes", "deploy/kubernetes-pull"] {
        for entry in fs::read_dir(root().join(folder))? {
            objects.push(entry?.path());
        }
    }
    Ok(objects)
}

fn dockerfile() -> Result<Option<String>> {
    let Some(hadolint) = tool("hadolint") else { return Ok(Some("hadolint".to_owned())) };
    said(Command::new(hadolint).arg(root().join("Dockerfile"))).map(|_| None)
}

fn kubernetes() -> Result<Option<String>> {
    let Some(validate) = tool("kubernetes-validate") else {
        return Ok(Some("kubernetes-validate".to_owned()));
    };
    let objects = objects()?;
    let said = said(Command::new(validate).arg("--strict").args(&objects))?;
    let passed = said.matches(" passed for resource ").count();
    ensure!(passed >= objects.len(), "{passed} of {} objects:\n{said}", objects.len());
    Ok(None)
}

fn systemd() -> Result<Option<String>> {
    let analyze = || Command::new("systemd-analyze");
    if analyze().arg("--version").output().is_err() {
        return Ok(Some("systemd-analyze".to_owned()));
    }
    let installed = "/usr/local/bin/hubstow";
    let unit = text("deploy/systemd/hubstow.service")?;
    ensure!(unit.contains(&format!("ExecStart={installed} serve ")), "{unit}");
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("hubstow.service");
    // It must be a program that is there; which one is of no matter.
    let here = env::current_exe()?.display().to_string();
    fs::write(&path, unit.replace(installed, &here))?;
    let said_of_it = said(analyze().args(["verify", "--man=no"]).arg(&path))?;
    ensure!(!said_of_it.contains("hubstow.service"), "{said_of_it}");
    let mut security = analyze();
    security.args(["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE]);
    said(security.arg(&path)).map(|_| None)
}

/// Builds the command, and returns what it says of a subcommand.
fn help(of: &str) -> Result<String> {
    said(Command::new(program("hubstow")?).args([of, "--help"]))
}

fn flags() -> Result<Option<String>> {
    let mut named = BTreeSet::new();
    let page = text("docs/operating.md")?;
    let unit = text("deploy/systemd/hubstow.service")?;
    let image = text("Dockerfile")?;
    for line in unit.lines().filter(|line| line.starts_with("ExecStart=")) {
        named.extend(flags_of(line));
    }
    for line in image.lines().filter(|line| line.starts_with("CMD ")) {
        named.extend(flags_of(line));
    }
    for path in objects()? {
        let object = fs::read_to_string(path)?;
        for line in object.lines().filter(|line| line.trim().starts_with("- --")) {
            named.extend(flags_of(line));
        }
    }
    named.extend(flags_of(&page));
    ensure!(named.len() > 8, "only {named:?}");
    let help = help("serve")?;
    let known: BTreeSet<String> = flags_of(&help).collect();
    let unknown: Vec<&String> = named.difference(&known).collect();
    ensure!(unknown.is_empty(), "`hubstow serve` has no {unknown:?}");
    Ok(None)
}

/// Returns all that looks like a long flag.
fn flags_of(text: &str) -> impl Iterator<Item = String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    let words = text.split(move |c| !is_part(c));
    words.filter(|word| word.len() > 3 && word.starts_with("--")).map(str::to_owned)
}

/// An upstream that is never asked, and counts all that there is to count.
#[derive(Debug)]
struct Idle;

impl Upstream for Idle {
    fn file(&self, _: FileAsked) -> BoxFuture<'_, Result<PulledFile, Refusal>> {
        Box::pin(std::future::ready(Err(Refusal::new(503, "it is idle"))))
    }

    fn pass(&self, _: PassAsked) -> BoxFuture<'_, Result<Passed, Refusal>> {
        Box::pin(std::future::ready(Err(Refusal::new(503, "it is idle"))))
    }

    fn counts(&self) -> UpstreamCounts {
        let mut counts = UpstreamCounts::default();
        (counts.disk, counts.tier) = (Some(DiskCounts::default()), Some(TierCounts::default()));
        counts
    }
}

fn metrics() -> Result<Option<String>> {
    let page = text("docs/operating.md")?;
    let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
    let words = page.split(|c| !is_part(c)).filter(|word| word.starts_with("hubstow_"));
    let named: BTreeSet<&str> = words.collect();
    ensure!(named.len() > 5, "only {named:?}");
    let folder = tempfile::tempdir()?;
    let upstream = Server::pulling(Arc::new(Idle), folder.path());
    let running = upstream.build().spawn_on_loopback()?;
    let mut stream = TcpStream::connect(running.address())?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")?;
    let mut told = String::new();
    stream.read_to_string(&mut told)?;
    for name in named {
        ensure!(told.contains(&format!("# TYPE {name} ")), "there is no metric {name}");
    }
    Ok(None)
}
