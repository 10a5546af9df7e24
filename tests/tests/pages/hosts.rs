//! The two hosts of the guide.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use hubstow_serve::RunningServer;
use hubstow_wasmtime::COMPONENT;

use crate::{
    page::{GUIDE, block},
    stage::{
        CONFIG, LAYERS, MODEL, Stage, TOKEN, WEIGHTS, WEIGHTS_BYTES, below, javascript, python,
        runs, said, weights,
    },
};

/// A program that puts a file where every tool looks for it: what runs it, and its words before those of the request.
struct Host {
    program: PathBuf,
    words: Vec<PathBuf>,
}

pub(crate) fn in_python() -> Result<Option<String>> {
    let python = match python("wasmtime.component") {
        Ok(python) => python,
        Err(missing) => return Ok(Some(missing)),
    };
    let folder = tempfile::tempdir()?;
    let [host, component] = ["host.py", "core.wasm"].map(|name| folder.path().join(name));
    fs::write(&host, block(GUIDE, "python host.py COMPONENT CACHE")?)?;
    fs::write(&component, COMPONENT)?;
    does_what_it_owes(&Host { program: python, words: vec![host, component] }).map(|()| None)
}

pub(crate) fn in_javascript() -> Result<Option<String>> {
    let packages = match javascript() {
        Ok(packages) => packages,
        Err(missing) => return Ok(Some(missing)),
    };
    let folder = tempfile::tempdir()?;
    let [host, component] = ["host.mjs", "core.wasm"].map(|name| folder.path().join(name));
    fs::write(&host, block(GUIDE, "node host.mjs CACHE")?)?;
    fs::write(&component, COMPONENT)?;
    transpile(&component, "core", &folder.path().join("core"), &packages)?;
    does_what_it_owes(&Host { program: "node".into(), words: vec![host] }).map(|()| None)
}

/// Makes modules of a component.
pub(crate) fn transpile(component: &Path, name: &str, into: &Path, packages: &Path) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("javascript/transpile.js");
    let mut node = Command::new("node");
    node.arg(script).arg(component).arg(name).arg(into).arg(packages);
    ensure!(said(&mut node)?.0.status.success(), "jco can't transpile it");
    Ok(())
}

impl Host {
    fn command(&self, stage: &Stage, cache: &str, revision: &str, file: &str) -> Command {
        let mut command = stage.command(&self.program);
        command.args(&self.words).arg(cache).args([MODEL, revision, file]);
        command
    }

    /// Puts a file in its place and returns the path that was printed; its content is looked at.
    fn places(&self, stage: &Stage, revision: &str, file: &str, holds: &[u8]) -> Result<PathBuf> {
        let (output, stdout, _) = said(&mut self.command(stage, "cache", revision, file))?;
        ensure!(output.status.success(), "{file} at {revision}: {}", output.status);
        let path = PathBuf::from(stdout);
        ensure!(fs::read(&path)? == holds, "{} holds something else", path.display());
        Ok(path)
    }

    /// Asks for what can't be had, and returns what was said.
    fn refuses(&self, mut command: Command) -> Result<String> {
        let (output, stdout, stderr) = said(&mut command)?;
        ensure!(!output.status.success() && stdout.is_empty(), "it goes on: {stdout}");
        Ok(stderr)
    }
}

fn does_what_it_owes(host: &Host) -> Result<()> {
    let stage = Stage::open()?;
    let repo = stage.path("cache").join(format!("models--{}", MODEL.replace('/', "--")));
    let model = weights();
    places_by_links(host, &stage, &model).context("with links")?;
    keeps_the_token(&stage)?;

    let blob = fs::canonicalize(host.places(&stage, "main", WEIGHTS, &model)?)?;
    fs::write(&blob, vec![0; WEIGHTS_BYTES])?;
    host.places(&stage, "main", WEIGHTS, &model).context("where the blob is damaged")?;
    ensure!(stage.gets() == 2, "a damaged blob is fetched again, by one redirect");

    let why = host.refuses(host.command(&stage, "cache", "main", "no/such.file"))?;
    ensure!(why.contains("entry-not-found"), "{why}");
    let commit = fs::read_to_string(repo.join("refs/main"))?;
    ensure!(repo.join(".no_exist").join(&commit).join("no/such.file").is_file(), "no marker");
    let why = host.refuses(host.command(&stage, "cache", "main", "../outside"))?;
    ensure!(why.contains("is not a file name"), "{why}");

    places_without_links(host, &stage, &model).context("without links")?;
    let mut nobody = host.command(&stage, "empty", "main", CONFIG);
    nobody.env_remove("HF_TOKEN");
    let why = host.refuses(nobody)?;
    ensure!(why.contains("refused: unauthorized"), "{why}");
    ensure!(!stage.path("empty").exists(), "something was stored");
    takes_nothing_wrong(host).context("where the store sends other bytes")
}

fn places_by_links(host: &Host, stage: &Stage, model: &[u8]) -> Result<()> {
    let config = host.places(stage, "main", CONFIG, LAYERS)?;
    let weights = host.places(stage, "main", WEIGHTS, model)?;
    for (pointer, up) in [(&config, "../../blobs/"), (&weights, "../../../blobs/")] {
        let text = fs::read_link(pointer)?;
        ensure!(text.to_string_lossy().starts_with(up), "a link to {}", text.display());
    }
    ensure!(
        stage.gets() == 3,
        "one GET for the small file; one, and a redirect, for the large one"
    );
    host.places(stage, "main", WEIGHTS, model)?;
    let other = host.places(stage, "v1", WEIGHTS, model)?;
    ensure!(other != weights, "one pointer for two revisions");
    ensure!(stage.gets() == 0, "what is here was fetched again");
    Ok(())
}

fn keeps_the_token(stage: &Stage) -> Result<()> {
    let told = stage.store.requests().iter().any(|request| request.authorized);
    ensure!(!told, "the token went to another origin");
    Ok(())
}

/// Where symlinks are refused, the file that was just downloaded is moved, and nothing of the attempt is left.
fn places_without_links(host: &Host, stage: &Stage, model: &[u8]) -> Result<()> {
    let refuse = env!("CARGO_BIN_EXE_refuse");
    let with = |words: &[&str]| runs(Command::new(refuse).args(words).args(["--", "true"]));
    if !with(&["symlink=EPERM"]) {
        println!("no system calls can be refused here");
        return Ok(());
    }
    let plain = host.command(stage, "moved", "main", WEIGHTS);
    let mut refused = stage.command(refuse);
    refused.args(["symlink=EPERM", "--"]).arg(plain.get_program()).args(plain.get_args());
    let (output, stdout, _) = said(&mut refused)?;
    ensure!(output.status.success(), "{}", output.status);
    let pointer = Path::new(&stdout);
    ensure!(fs::symlink_metadata(pointer)?.is_file(), "the pointer is a link");
    ensure!(fs::read(pointer)? == model, "it holds something else");
    let left: Vec<_> = below(&stage.path("moved"))?
        .into_iter()
        .filter(|path| path != pointer && path.is_file() && !path.ends_with("refs/main"))
        .collect();
    ensure!(left.is_empty(), "left over: {left:?}");
    Ok(())
}

/// Bytes of the right length and the wrong content become visible under no name.
fn takes_nothing_wrong(host: &Host) -> Result<()> {
    let wrong = Router::new().fallback(|| async { vec![7_u8; WEIGHTS_BYTES] });
    let stage = Stage::with_store(|_| RunningServer::start_on_loopback(wrong))?;
    let why = host.refuses(host.command(&stage, "cache", "main", WEIGHTS))?;
    ensure!(why.contains("is not what it has promised"), "{why}");
    let visible = below(&stage.path("cache"))?
        .into_iter()
        .filter(|path| path.is_file() && path.extension().is_none_or(|end| end != "incomplete"));
    ensure!(visible.count() == 0, "something is visible");
    ensure!(!stage.store.requests().iter().any(|one| one.authorized), "{TOKEN} was sent");
    Ok(())
}
