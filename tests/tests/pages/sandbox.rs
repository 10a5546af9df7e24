//! The command inside a sandbox, by the runtimes that the pages name.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, ensure};

use crate::{
    build::{answer, build},
    hosts::transpile,
    page::{GUIDE, README, block, command},
    stage::{CONFIG, LAYERS, MODEL, Stage, javascript, python, runs, said},
};

const TARGET: &str = "wasm32-wasip2";
/// Where the pages say that the program is.
const PROGRAM: &str = "target/wasm32-wasip2/release/hubstow-wasi.wasm";

/// Returns the folder that has the command `wasmtime`, and the program, or what is missing.
fn wasmtime() -> Result<Result<(PathBuf, PathBuf), String>> {
    let beside = python("wasmtime_cli").ok().and_then(|python| Some(python.parent()?.to_owned()));
    let folder = beside.unwrap_or_else(|| "/usr/local/bin".into());
    if !runs(Command::new(folder.join("wasmtime")).arg("--version")) {
        return Ok(Err("the command wasmtime".to_owned()));
    }
    Ok(program()?.map(|program| (folder, program)))
}

fn program() -> Result<Result<PathBuf, String>> {
    let folder =
        answer(&mut Command::new("rustc"), &["--print", "target-libdir", "--target", TARGET])?;
    if !Path::new(folder.trim()).is_dir() {
        return Ok(Err(format!("the Rust target {TARGET}")));
    }
    build("hubstow-wasi", &["--package", "hubstow-wasi", "--release", "--target", TARGET]).map(Ok)
}

pub(crate) fn of_the_readme() -> Result<Option<String>> {
    works_where_no_cache_is(README)
}

pub(crate) fn of_the_guide() -> Result<Option<String>> {
    works_where_no_cache_is(GUIDE)
}

/// Runs the commands of a page that follow the build, in a home that has nothing. The hub on this machine is the one thing that
/// is added to them.
fn works_where_no_cache_is(page: &str) -> Result<Option<String>> {
    let (folder, program) = match wasmtime()? {
        Ok(here) => here,
        Err(missing) => return Ok(Some(missing)),
    };
    let stage = Stage::open()?;
    fs::create_dir(stage.path("home"))?;
    let [make, run] = ["mkdir", "wasmtime run"].map(|begin| command(page, begin, "wasmtime run"));
    let script = format!("set -e\n{}\n{}", make?, run?)
        .replace(PROGRAM, "\"$PROGRAM\"")
        .replace("wasmtime run", "\"$WASMTIME\" run --env HF_ENDPOINT");
    let mut shell = stage.command("sh");
    shell.env("WASMTIME", folder.join("wasmtime")).env("PROGRAM", program);
    let (output, stdout, _) = said(shell.args(["-c", &script]))?;
    ensure!(output.status.success(), "{}", output.status);
    is_there(&stage.path("home/.cache/huggingface/hub"), &stdout)?;
    Ok(None)
}

/// Looks at what was put into a folder that is called `/cache` inside.
fn is_there(folder: &Path, printed: &str) -> Result<()> {
    let inside = printed.lines().last().unwrap_or_default();
    let path = folder.join(inside.strip_prefix("/cache/").unwrap_or(inside));
    ensure!(fs::read(&path)? == LAYERS, "{} holds something else", path.display());
    Ok(())
}

pub(crate) fn closed() -> Result<Option<String>> {
    let (folder, program) = match wasmtime()? {
        Ok(here) => here,
        Err(missing) => return Ok(Some(missing)),
    };
    let stage = Stage::open()?;
    fs::create_dir(stage.path("open"))?;
    let run = |settings: &[&str], more: &[&str]| {
        let mut command = stage.command(folder.join("wasmtime"));
        command.args(["run", "-S", "http", "--env", "HF_ENDPOINT", "--env", "HF_TOKEN"]);
        command.args(settings).arg(&program).args(["download", MODEL, CONFIG]).args(more);
        said(&mut command)
    };
    let open = ["--dir", "open::/cache"];
    let flag = "`wasmtime run --dir FOLDER::PATH`";
    #[rustfmt::skip]
    let table: [(&[&str], &[&str], [&str; 3]); 5] = [
        (&[open[0], open[1], "--env", "HF_HUB_CACHE=/other"], &[], ["`/other` can't be reached", "only `/cache`", flag]),
        (&["--env", "HF_HUB_CACHE=/cache"], &[], ["`/cache` can't be reached", "none at all", flag]),
        (&[open[0], open[1], "--env", "HF_HUB_CACHE=/cache"], &["--local-dir", "/work"],
            ["`/work` can't be reached", "only `/cache`", flag]),
        (&open, &["--cache-dir", "/caches"], ["`/caches` can't be reached", "only `/cache`", flag]),
        (&open, &[], ["the home directory is not known", "say where the cache is", "--env HF_HUB_CACHE=/cache"]),
    ];
    for (settings, more, words) in table {
        let (output, _, stderr) = run(settings, more)?;
        ensure!(!output.status.success(), "{settings:?} {more:?} go on");
        for word in words {
            ensure!(stderr.contains(word), "{settings:?} {more:?}: no `{word}` in {stderr}");
        }
        ensure!(stage.hub.requests().is_empty(), "{settings:?} {more:?}: the hub was asked");
    }
    Ok(None)
}

pub(crate) fn on_node() -> Result<Option<String>> {
    let packages = match javascript() {
        Ok(packages) => packages,
        Err(missing) => return Ok(Some(missing)),
    };
    let program = match program()? {
        Ok(program) => program,
        Err(missing) => return Ok(Some(missing)),
    };
    let stage = Stage::open()?;
    fs::write(stage.path("run.mjs"), block(GUIDE, "// run.mjs")?)?;
    fs::create_dir(stage.path("open"))?;
    // Node looks for packages above the modules that ask for them.
    #[cfg(unix)]
    std::os::unix::fs::symlink(packages.join("node_modules"), stage.path("node_modules"))?;
    transpile(&program, "app", &stage.path("app"), &packages)?;
    let download = |file: &str| {
        let mut node = stage.command("node");
        said(node.args(["run.mjs", "open", "download", MODEL, file]))
    };
    let (output, stdout, _) = download(CONFIG)?;
    ensure!(output.status.success(), "{}", output.status);
    is_there(&stage.path("open"), &stdout)?;
    let (output, _, stderr) = download("no/such.file")?;
    ensure!(!output.status.success() && stderr.contains("has no file"), "{stderr}");
    Ok(None)
}
