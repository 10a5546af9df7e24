//! Installs what the tests need: Rust components and targets, Debian packages, the Python client.
//!
//! Nothing here can fail the run. What can't be had is said in one line, and the steps and tests that need it are
//! skipped by name; an installed thing is never installed again.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    plan::{COMPONENT, MACOS, Planned, WINDOWS},
    step::{self, End},
};

/// The C compiler for Windows, from Debian.
pub(crate) const MINGW_C_COMPILER: &str = "x86_64-w64-mingw32-gcc";
/// The Python client that the tests share a cache with.
const PYTHON_CLIENT: &str = "huggingface_hub==2.4.0";
/// Programs that tests run, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 7] = [
    (MINGW_C_COMPILER, "gcc-mingw-w64-x86-64"),
    ("mkfs.vfat", "dosfstools"),
    ("fusefat", "fusefat"),
    ("mkfs.exfat", "exfatprogs"),
    ("mount.exfat-fuse", "exfat-fuse"),
    ("fusermount", "fuse"),
    ("strace", "strace"),
];

/// The places that a run works in.
pub(crate) struct Workshop {
    /// The root of the workspace.
    root: PathBuf,
    /// Logs of this run.
    pub(crate) logs: PathBuf,
    /// The Python environment with the client.
    venv: PathBuf,
}

impl Workshop {
    /// Makes the folders, below cargo's target folder.
    pub(crate) fn open() -> io::Result<Self> {
        let package = env::var_os("CARGO_MANIFEST_DIR").map_or(env::current_dir()?, PathBuf::from);
        let root = package.parent().unwrap_or(&package).to_owned();
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(
            || root.join("target"),
            |given| env::current_dir().unwrap_or_default().join(given),
        );
        let shop =
            Self { root, logs: target.join("verify/logs"), venv: target.join("verify/python") };
        fs::create_dir_all(&shop.logs)?;
        Ok(shop)
    }

    /// Tells whether a program can be run.
    pub(crate) fn has(&self, program: &str) -> bool {
        find(program).is_some()
    }

    /// Names a target that is not installed.
    pub(crate) fn target_missing(&self, target: &str) -> Option<String> {
        let installed = answer(Command::new("rustup").args(["target", "list", "--installed"]));
        let here = installed.is_some_and(|list| list.lines().any(|line| line == target));
        (!here).then(|| format!("the Rust target {target}"))
    }

    /// Makes a cargo command in the workspace. Administrators' programs, which the disk tests run, are on its path.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.current_dir(&self.root).env("CARGO_TERM_COLOR", "never");
        if let Ok(path) = env::join_paths(program_folders()) {
            command.env("PATH", path);
        }
        if client_works(&self.python()) {
            command.env("HUBSTOW_PYTHON", self.python());
        }
        command
    }

    fn python(&self) -> PathBuf {
        self.venv.join("bin/python")
    }
}

/// Installs everything that the steps need and this machine lacks.
pub(crate) fn everything(shop: &Workshop, steps: &[Planned]) {
    rust_parts(shop);
    let tests = steps.iter().any(|step| step.runs_tests);
    if tests || steps.iter().any(|step| step.name.contains(WINDOWS)) {
        debian_packages(shop);
    }
    if tests {
        python_client(shop);
    }
}

fn rust_parts(shop: &Workshop) {
    let targets =
        [COMPONENT, WINDOWS, MACOS].map(|target| shop.target_missing(target).map(|_| target));
    if targets.iter().any(Option::is_some) {
        let mut command = Command::new("rustup");
        command.args(["target", "add"]).args(targets.iter().flatten());
        install("install: Rust targets", command, shop);
    }
    let runs = |part: &str| answer(shop.cargo().args([part, "--version"])).is_some();
    if !runs("fmt") || !runs("clippy") {
        let mut command = Command::new("rustup");
        command.args(["component", "add", "rustfmt", "clippy"]);
        install("install: Rust components", command, shop);
    }
}

fn debian_packages(shop: &Workshop) {
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !shop.has(program))
        .map(|(_, package)| *package)
        .collect();
    let root = answer(Command::new("id").arg("-u")).is_some_and(|uid| uid.trim() == "0");
    if missing.is_empty() || !root || !shop.has("apt-get") {
        return;
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        command
    };
    install("install: Debian package lists", apt(&["update", "-qq"]), shop);
    let all = ["install", "-qq", "-y", "--no-install-recommends"];
    install("install: Debian packages", apt(&[&all[..], &missing].concat()), shop);
}

fn python_client(shop: &Workshop) {
    if client_works(&shop.python()) {
        return;
    }
    let Some(python) = ["python3.11", "python3", "python"].into_iter().find_map(python_for_client)
    else {
        println!("{:<44} no Python 3.10 or newer", "install: Python client");
        return;
    };
    let mut environment = Command::new(python);
    environment.args(["-m", "venv", "--clear"]).arg(&shop.venv);
    install("install: Python environment", environment, shop);
    let mut client = Command::new(shop.python());
    client.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PYTHON_CLIENT]);
    install("install: Python client", client, shop);
}

fn install(name: &str, command: Command, shop: &Workshop) {
    let outcome = step::run(name, command, &shop.logs);
    match outcome.end {
        End::Ok => outcome.show(),
        End::Failed | End::Skipped(_) => {
            let last = outcome.output.lines().last().unwrap_or_default();
            println!("not possible: {last}");
        }
    }
}

fn client_works(python: &Path) -> bool {
    let script = "import huggingface_hub as h; print('huggingface_hub==' + h.__version__)";
    answer(Command::new(python).args(["-c", script])).is_some_and(|v| v.trim() == PYTHON_CLIENT)
}

fn python_for_client(name: &str) -> Option<PathBuf> {
    let python = find(name)?;
    let script = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))";
    answer(Command::new(&python).args(["-c", script])).map(|_| python)
}

/// Runs a command for its answer; `None` if it can't be run or fails.
fn answer(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The folders of `PATH`, and those where Debian keeps what only administrators run.
fn program_folders() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let administrators = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(administrators).collect()
}

fn find(program: &str) -> Option<PathBuf> {
    program_folders().into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}
