//! The clients: how each is run, and what must come of it.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    stage::{MODEL, ROWS, Source, Stage, TABLE, check_same},
    tools::{Tools, here, runs, said},
};

/// A client that people have.
pub(crate) struct Client {
    pub(crate) name: &'static str,
    /// What it is tried with, for the table.
    pub(crate) does: &'static str,
    run: Run,
}

/// How it is run.
enum Run {
    /// A script with a Python, the version that must be there, and what it is asked for.
    Python {
        of: fn(&Tools) -> Option<&OsString>,
        script: &'static str,
        version: &'static str,
        asks: Asks,
    },
    /// The script for JavaScript, with a version.
    JavaScript(&'static str),
    /// A program on hf-hub.
    Rust(&'static str),
    /// The command itself.
    Hubstow,
    /// A command that takes addresses: what it is, what comes before the file it writes, and before the address.
    Fetch { program: &'static str, arguments: &'static [&'static str], into: &'static str },
}

/// What a script is asked for.
enum Asks {
    Files,
    Model,
    Datasets,
}

const FILES: &str = "snapshot, files, listing, existence, ranges";

/// All of them, as rows of the table.
pub(crate) const CLIENTS: [Client; 12] = [
    Client {
        name: "huggingface_hub 2.4.0",
        does: FILES,
        run: Run::Python {
            of: |at| at.python.as_ref(),
            script: "client_hub.py",
            version: "2.4.0",
            asks: Asks::Files,
        },
    },
    Client {
        name: "huggingface_hub 0.36.2",
        does: FILES,
        run: Run::Python {
            of: |at| at.python_of_old.as_ref(),
            script: "client_hub.py",
            version: "0.36.2",
            asks: Asks::Files,
        },
    },
    Client {
        name: "transformers 5.24.0",
        does: "`AutoConfig`, `AutoTokenizer`",
        run: Run::Python {
            of: |at| at.python_of_data.as_ref(),
            script: "client_transformers.py",
            version: "5.24.0",
            asks: Asks::Model,
        },
    },
    Client {
        name: "datasets 5.2.0",
        does: "CSV and Parquet, whole and streamed",
        run: Run::Python {
            of: |at| at.python_of_data.as_ref(),
            script: "client_datasets.py",
            version: "5.2.0",
            asks: Asks::Datasets,
        },
    },
    Client { name: "hf-hub 0.4.3", does: "`info`, files", run: Run::Rust("hf_hub_0_4") },
    Client { name: "hf-hub 0.5.0", does: "`info`, files", run: Run::Rust("hf_hub_0_5") },
    Client { name: "hf-hub 1.0.0", does: "snapshot, files, existence", run: Run::Rust("hf_hub_1") },
    Client {
        name: "@huggingface/hub 2.17.5",
        does: "files, listing, existence, its cache",
        run: Run::JavaScript("2.17.5"),
    },
    Client { name: "hubstow", does: "snapshot, files", run: Run::Hubstow },
    Client {
        name: "curl",
        does: "files, redirects followed",
        run: Run::Fetch { program: "curl", arguments: &["-sSfL", "--create-dirs"], into: "-o" },
    },
    Client {
        name: "wget",
        does: "files, continued",
        run: Run::Fetch { program: "wget", arguments: &["-q", "-c"], into: "-O" },
    },
    Client {
        name: "aria2c",
        does: "files, on four connections",
        run: Run::Fetch {
            program: "aria2c",
            arguments: &["-q", "-x4", "-s4", "-k1M", "-d."],
            into: "-o",
        },
    },
];

impl Client {
    /// Runs it before a source; returns what this machine lacks for that.
    pub(crate) fn meets(
        &self,
        source: &Source,
        stage: &Stage,
        tools: &Tools,
    ) -> Result<Option<String>> {
        let place = tempfile::tempdir()?;
        let place = place.path();
        if let Some(missing) = self.missing(tools) {
            return Ok(Some(missing));
        }
        let serving = stage.serve(source)?;
        let url = serving.url.as_str();
        let got = match &self.run {
            Run::Python { of, script, version, asks } => {
                let python = of(tools).context("it is there")?;
                let mut command = Command::new(python);
                command.arg(here("python").join(script)).arg(version);
                said(asks.of(&mut command, place, url))?
            }
            Run::JavaScript(version) => {
                let packages = tools.javascript.as_ref().context("it is there")?;
                let mut command = Command::new("node");
                command.arg(here("javascript/client.js")).arg(packages).args([version, url]);
                said(Asks::Files.of(command.arg(place), place, url))?
            }
            Run::Rust(program) => {
                said(Asks::Files.of(&mut Command::new(tools.rust.join(program)), place, url))?
            }
            Run::Hubstow => hubstow(tools, place, url)?,
            Run::Fetch { program, arguments, into } => {
                fetched(program, arguments, into, place, url)?
            }
        };
        let expected = match &self.run {
            Run::Python { asks: Asks::Model | Asks::Datasets, .. } => 0,
            Run::Python { asks: Asks::Files, .. }
            | Run::JavaScript(_)
            | Run::Rust(_)
            | Run::Hubstow
            | Run::Fetch { .. } => MODEL.1.len() + 1,
        };
        ensure!(got.lines().count() == expected, "not {expected} files: {got}");
        for line in got.lines() {
            let (name, path) = line.split_once('\t').with_context(|| got.clone())?;
            check_same(stage, name, Path::new(path))?;
        }
        serving.check()?;
        Ok(None)
    }

    fn missing(&self, tools: &Tools) -> Option<String> {
        let none = |what: &str| Some(format!("{what}; `cargo verify` installs it"));
        match &self.run {
            Run::Python { of, .. } if of(tools).is_none() => none("a Python for it"),
            Run::JavaScript(_) if tools.javascript.is_none() => none("its package"),
            Run::Fetch { program, .. } if !runs(program) => none(program),
            Run::Python { .. }
            | Run::JavaScript(_)
            | Run::Rust(_)
            | Run::Hubstow
            | Run::Fetch { .. } => None,
        }
    }
}

impl Asks {
    /// Adds to a command what it is asked for, and where.
    fn of<'a>(&self, command: &'a mut Command, place: &Path, url: &str) -> &'a mut Command {
        alone(command, place).env("HF_ENDPOINT", url).env("HF_HUB_DISABLE_PROGRESS_BARS", "1");
        match self {
            Self::Files => command.arg(MODEL.0).args(MODEL.1).args(["--", ROWS.0, ROWS.1]),
            Self::Model => command.arg(MODEL.0),
            Self::Datasets => command.args([ROWS.0, TABLE.0]),
        }
    }
}

/// Lets a command know nothing of this machine but its programs.
fn alone<'a>(command: &'a mut Command, place: &Path) -> &'a mut Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", place).env("HF_HOME", place.join("home"));
    command.current_dir(place)
}

fn hubstow(tools: &Tools, place: &Path, url: &str) -> Result<String> {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&tools.hubstow);
        said(alone(&mut command, place).env("HF_ENDPOINT", url).args(arguments).arg("-q"))
    };
    let folder = run(&["download", MODEL.0])?;
    let of_model = MODEL.1.iter().map(|name| {
        let path = Path::new(folder.trim()).join(name);
        format!("{name}\t{}\n", path.display())
    });
    let of_model: String = of_model.collect();
    let path = run(&["download", &format!("datasets/{}", ROWS.0), ROWS.1])?;
    Ok(format!("{of_model}{}\t{path}", ROWS.1))
}

fn fetched(
    program: &str,
    arguments: &[&str],
    into: &str,
    place: &Path,
    url: &str,
) -> Result<String> {
    let model =
        MODEL.1.iter().map(|file| (*file, format!("{url}/{}/resolve/main/{file}", MODEL.0)));
    let rows = (ROWS.1, format!("{url}/datasets/{}/resolve/main/{}", ROWS.0, ROWS.1));
    let mut got = String::new();
    for (file, address) in model.chain([rows]) {
        let name = file.replace('/', "-");
        let mut command = Command::new(program);
        alone(&mut command, place).args(arguments).args([OsStr::new(into), name.as_ref()]);
        said(command.arg(&address))?;
        got += &format!("{file}\t{}\n", place.join(name).display());
    }
    Ok(got)
}
