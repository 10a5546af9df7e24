//! What is served, and from what.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::tools::{Tools, said};

/// The files of the model: a small one, an empty one, and one that is large enough to be an LFS file.
pub(crate) const MODEL: (&str, [&str; 3]) =
    ("acme/tiny", ["config.json", "empty.txt", "deep/weights.bin"]);
/// The datasets: of text, and of Parquet where there is a Python that writes it.
pub(crate) const ROWS: (&str, &str) = ("acme/rows", "train.csv");
pub(crate) const TABLE: (&str, &str) = ("acme/table", "train.parquet");
const LFS_FROM: usize = 1024 * 1024;

const CONFIG: &str = r#"{"model_type": "bert", "architectures": ["BertModel"], "hidden_size": 8,
"num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 3}"#;
const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
"normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
"model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "hello": 1, "hub": 2}, "unk_token": "[UNK]"}}"#;
const TOKENIZER_CONFIG: &str =
    r#"{"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}"#;
const WRITES_PARQUET: &str = "import pyarrow, pyarrow.parquet, sys; \
     pyarrow.parquet.write_table(pyarrow.table({'a': [1, 3], 'b': [2, 4]}), sys.argv[1])";

/// Where the command serves from.
pub(crate) struct Source {
    pub(crate) name: &'static str,
    of: Of,
}

/// What is served.
#[derive(Clone, Copy)]
enum Of {
    /// What is in this folder of the stage.
    Folder(&'static str),
    /// What another server has that serves plain folders.
    Upstream(Disk),
}

/// The disk of a pull-through before a client comes.
#[derive(Clone, Copy)]
enum Disk {
    Cold,
    Warm,
}

const FOLDERS: Source = Source { name: "folder", of: Of::Folder("models") };

/// All of them, as columns of the table.
pub(crate) const SOURCES: [Source; 4] = [
    FOLDERS,
    Source { name: "cache directory", of: Of::Folder("hub") },
    Source { name: "pull-through, cold", of: Of::Upstream(Disk::Cold) },
    Source { name: "pull-through, warm", of: Of::Upstream(Disk::Warm) },
];

/// All repos, as they are named to the command.
const REPOS: [&str; 3] = ["acme/tiny", "datasets/acme/rows", "datasets/acme/table"];

/// A folder with plain folders and, filled from those, a cache directory.
pub(crate) struct Stage {
    folder: TempDir,
    hubstow: PathBuf,
}

impl Stage {
    pub(crate) fn new(tools: &Tools) -> Result<Self> {
        let stage = Self { folder: tempfile::tempdir()?, hubstow: tools.hubstow.clone() };
        let weights: Vec<u8> = (0..3 * LFS_FROM).map(|at| (at * at / 7 % 251) as u8).collect();
        for (name, content) in [
            ("models/acme/tiny/config.json", CONFIG.as_bytes()),
            ("models/acme/tiny/tokenizer.json", TOKENIZER.as_bytes()),
            ("models/acme/tiny/tokenizer_config.json", TOKENIZER_CONFIG.as_bytes()),
            ("models/acme/tiny/empty.txt", b""),
            ("models/acme/tiny/deep/weights.bin", &weights),
            ("models/datasets/acme/rows/train.csv", b"a,b\n1,2\n3,4\n"),
            ("models/datasets/acme/table/README.md", b"# A table\n"),
        ] {
            let path = stage.path(name);
            fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
            fs::write(path, content)?;
        }
        if let Some(python) = &tools.python_of_data {
            let path = stage.path("models/datasets/acme/table/train.parquet");
            said(Command::new(python).args(["-c", WRITES_PARQUET]).arg(path))?;
        }
        let serving = stage.serve(&FOLDERS)?;
        for repo in REPOS {
            let mut download = stage.hubstow(&["download", repo, "-q", "--endpoint", &serving.url]);
            said(download.env("HF_HUB_CACHE", stage.path("hub")))?;
        }
        Ok(stage)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns what a file holds, by its name in the model or in a dataset.
    pub(crate) fn truth(&self, name: &str) -> Result<Vec<u8>> {
        let folders =
            ["models/acme/tiny", "models/datasets/acme/rows", "models/datasets/acme/table"];
        let found = folders.iter().find_map(|at| fs::read(self.path(at).join(name)).ok());
        found.with_context(|| format!("there is no {name}"))
    }

    fn hubstow(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.hubstow);
        command.env_clear().env("HOME", self.folder.path()).current_dir(self.folder.path());
        command.args(arguments);
        command
    }

    /// Serves from a source until the returned value is dropped.
    pub(crate) fn serve(&self, source: &Source) -> Result<Serving> {
        let disk = match source.of {
            Of::Folder(folder) => return self.run(source, &[folder], None),
            Of::Upstream(disk) => disk,
        };
        let upstream = self.run(&FOLDERS, &["models"], None)?;
        let folder = tempfile::tempdir()?;
        let path = folder.path().display().to_string();
        if let Disk::Warm = disk {
            let mut warm = self.hubstow(&["serve", "warm", "-q", "--disk", &path]);
            said(warm.args(REPOS).args(["--endpoint", &upstream.url]))?;
        }
        let arguments = ["--upstream", &upstream.url.clone(), "--disk", &path];
        self.run(
            source,
            &arguments,
            Some(Behind { disk, upstream: Box::new(upstream), _folder: folder }),
        )
    }

    fn run(&self, source: &Source, arguments: &[&str], behind: Option<Behind>) -> Result<Serving> {
        let threshold = LFS_FROM.to_string();
        let mut command = self.hubstow(&["serve", "-q", "--lfs-threshold", &threshold]);
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("it is piped")?;
        let mut serving = Serving { child, url: String::new(), behind };
        BufReader::new(stdout).read_line(&mut serving.url)?;
        serving.url = serving.url.trim().to_owned();
        ensure!(serving.url.starts_with("http://"), "{} is not served", source.name);
        Ok(serving)
    }
}

/// The command while it serves.
pub(crate) struct Serving {
    child: Child,
    pub(crate) url: String,
    behind: Option<Behind>,
}

/// What a pull-through has behind it.
struct Behind {
    disk: Disk,
    upstream: Box<Serving>,
    _folder: TempDir,
}

impl Serving {
    /// Fails where a pull-through has not done what its disk makes it do: fetch from upstream, or nothing.
    pub(crate) fn check(&self) -> Result<()> {
        let Some(Behind { disk, upstream, .. }) = &self.behind else { return Ok(()) };
        let fetched = self.count("hubstow_pull_fills_total")?;
        match disk {
            Disk::Cold => ensure!(fetched > 0, "nothing was fetched from {}", upstream.url),
            Disk::Warm => {
                ensure!(fetched == 0, "{fetched} files were fetched although they are here")
            }
        }
        Ok(())
    }

    /// Reads what is counted.
    fn count(&self, name: &str) -> Result<u64> {
        let address = self.url.strip_prefix("http://").context("it is no address")?;
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let mut lines = answer.lines();
        let count = lines.find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
        count.with_context(|| format!("no {name} in {answer}"))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Fails where a file does not hold what was served.
pub(crate) fn check_same(stage: &Stage, name: &str, path: &Path) -> Result<()> {
    let found = fs::read(path).with_context(|| path.display().to_string())?;
    let is_same = found == stage.truth(name)?;
    ensure!(is_same, "{} of {} bytes is not {name}", path.display(), found.len());
    Ok(())
}
