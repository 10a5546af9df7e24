//! Runs the WASI program in an embedded wasmtime, as any host would: it sees the folders that are named, the environment,
//! and the net by wasi:http. Nothing else is let in.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, anyhow};
use clap::Parser;
use wasmtime::{
    Config, Engine, Store,
    component::{Component, Linker, ResourceTable},
};
use wasmtime_wasi::{FsPerms, I32Exit, WasiCtx, WasiCtxView, WasiView, p2::bindings::Command};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView, p2};

/// Run a WASI program in a sandbox, or compile it beforehand
#[derive(Parser)]
struct Cli {
    /// A folder that the program sees, by the same name; it can be opened through nothing else
    #[arg(long = "dir", value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// Compile the program into this file, and run nothing
    #[arg(long, value_name = "FILE", conflicts_with = "folders")]
    compile_to: Option<PathBuf>,
    /// The program; what `--compile-to` has written, unless that is asked for
    program: PathBuf,
    /// The program's arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

struct Inside {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    table: ResourceTable,
}

impl WasiView for Inside {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Inside {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: Default::default() }
    }
}

fn main() -> Result<ExitCode> {
    let cli = Cli::parse();
    let engine = Engine::new(&Config::new()).map_err(told)?;
    if let Some(to) = &cli.compile_to {
        let compiled = engine.precompile_component(&fs::read(&cli.program)?).map_err(told)?;
        return write_whole(to, &compiled).map(|()| ExitCode::SUCCESS);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run(&cli, &engine))
}

async fn run(cli: &Cli, engine: &Engine) -> Result<ExitCode> {
    #[expect(unsafe_code, reason = "the tests' own artifact, written by this program")]
    // SAFETY: the tests name a file that `--compile-to` has written just before, in a folder of their own.
    let component = unsafe { Component::deserialize_file(engine, &cli.program) }.map_err(told)?;
    let mut linker = Linker::<Inside>::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker).map_err(told)?;
    p2::add_only_http_to_linker_async(&mut linker).map_err(told)?;
    let mut store = Store::new(engine, inside(cli)?);
    let command =
        Command::instantiate_async(&mut store, &component, &linker).await.map_err(told)?;
    match command.wasi_cli_run().call_run(&mut store).await {
        Ok(Ok(())) => Ok(ExitCode::SUCCESS),
        Ok(Err(())) => Ok(ExitCode::FAILURE),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => Ok(ExitCode::from(u8::try_from(exit.0)?)),
            None => Err(told(error)),
        },
    }
}

fn inside(cli: &Cli) -> Result<Inside> {
    let mut wasi = WasiCtx::builder();
    let program = cli.program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    wasi.arg(program).args(&cli.arguments).inherit_stdio();
    // Captured where folders are opened, so it comes first: without it each operation goes to another thread and back.
    wasi.allow_blocking_current_thread(true);
    for (name, value) in env::vars() {
        wasi.env(name, value);
    }
    for folder in &cli.folders {
        let name = folder.to_str().context("a folder's name is not Unicode")?;
        wasi.preopened_dir(folder, name, FsPerms::ReadWrite)
            .map_err(told)
            .with_context(|| folder.display().to_string())?;
    }
    Ok(Inside { wasi: wasi.build(), http: WasiHttpCtx::new(), table: ResourceTable::new() })
}

/// Writes beside and renames, since tests that run at the same time may read it.
fn write_whole(to: &Path, bytes: &[u8]) -> Result<()> {
    let beside = to.with_extension(format!("{}.new", std::process::id()));
    fs::write(&beside, bytes)?;
    Ok(fs::rename(beside, to)?)
}

fn told(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:#}")
}
