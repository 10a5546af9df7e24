//! What is served, and from what.

use std::{
    fs,
    io::{BufRead as _, BufReader},
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
    /// What is served: arguments of `hubstow serve`, of which paths are relative to the folder of the stage.
    arguments: &'static [&'static str],
}

/// All of them, as columns of the table.
pub(crate) const SOURCES: [Source; 2] = [
    Source { name: "folder", arguments: &["models"] },
    Source { name: "cache directory", arguments: &["hub"] },
];

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
        let serving = stage.serve(&SOURCES[0])?;
        for repo in ["acme/tiny", "datasets/acme/rows", "datasets/acme/table"] {
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
        let threshold = LFS_FROM.to_string();
        let mut command = self.hubstow(&["serve", "-q", "--lfs-threshold", &threshold]);
        let mut child = command.args(source.arguments).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("it is piped")?;
        let mut serving = Serving { child, url: String::new() };
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
