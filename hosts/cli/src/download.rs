//! `hubstow download`: one file, several files, or a whole snapshot.

use std::{num::NonZeroU64, path::PathBuf, sync::Arc, time::Instant};

use clap::{Args, ValueEnum};
use hubstow_client::{
    Config, Durability, Error, ErrorKind, FileRequest, Hub, Patterns, SnapshotReport,
    SnapshotRequest,
};
use hubstow_core::{facts::Force, name::FileName, why::Reason};

use crate::{
    folder,
    global::{Format, Global},
    hub_args::{self, HubArgs, PartsOf},
    output,
    progress::Progress,
    rate::rate,
    repo_arg::{Place, RepoArgs, file_name, file_pattern},
    runtime,
    summary::{Run, Summary},
};

/// Download files into the cache, unless they are there, and print where they are
///
/// One FILE prints the path of that file; several, or none, print the snapshot folder. What is in the cache is not
/// downloaded again, and a commit that is complete in the cache costs no request.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  hubstow download openai-community/gpt2                      all of it; prints the snapshot folder
  hubstow download openai-community/gpt2 config.json          one file; prints its path
  hubstow download openai-community/gpt2 onnx/ '*.json'       a folder, and a pattern
  hubstow download hf://datasets/stanfordnlp/imdb@main/README.md
  hubstow download org/name --include '*.safetensors' --exclude 'fp16/*'
  hubstow download org/name --revision v1.0 --dry-run         what would be done; writes nothing
  hubstow download org/name --json | jq -r '.files[].path'
  model=$(hubstow download org/name -q)                       the bare path

Patterns are those of the Python client: they speak about the whole name, * and ? cross slashes,
[seq] and [!seq] are sets, a slash at the end means all that is below. Quote them, or the shell takes them.")]
pub(crate) struct DownloadArgs {
    #[command(flatten)]
    repo: RepoArgs,
    /// Files of the repo; `dir/` means all that is below, and * or ? make a pattern unless a file has that very name
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Download what matches; may be repeated
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    include: Vec<String>,
    /// Leave out what matches; may be repeated
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    exclude: Vec<String>,
    /// Put the files themselves into this folder, not into the cache; what the cache holds is copied
    #[arg(long, value_name = "DIR")]
    local_dir: Option<PathBuf>,
    /// Download again although it is in the cache
    #[arg(long)]
    force_download: bool,
    /// Say what would be done, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// How many large files are downloaded at once; of files up to 1 MiB eight times as many, and more while that helps
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    max_workers: u8,
    /// On how many connections large files are received at most, all together; each has one in any case [env:
    /// HF_XET_NUM_CONCURRENT_RANGE_GETS] [default: 16; 32 with HF_XET_HIGH_PERFORMANCE or HF_HUB_ENABLE_HF_TRANSFER]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=64))]
    max_connections: Option<u8>,
    /// Receive no faster than this: bytes a second, with K, M or G for 1024, 1024² or 1024³ of them
    #[arg(long, value_name = "RATE", value_parser = rate)]
    limit_rate: Option<NonZeroU64>,
    /// What a power cut may cost
    #[arg(long, value_enum, value_name = "HOW", default_value = "safe")]
    durability: DurabilityArg,
    #[command(flatten)]
    hub: HubArgs,
}

/// What a power cut may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DurabilityArg {
    /// Content is on the disk before its name is
    Safe,
    /// The system decides when; after a power cut a file may be empty
    Fast,
}

impl From<DurabilityArg> for Durability {
    fn from(durability: DurabilityArg) -> Self {
        match durability {
            DurabilityArg::Safe => Self::Safe,
            DurabilityArg::Fast => Self::Fast,
        }
    }
}

/// What of the repo is wanted.
#[derive(Debug)]
enum Wanted {
    File(FileName),
    Files {
        patterns: Patterns,
        /// What was typed, where it is the only thing: a single file, should there be one of that very name.
        only: Option<String>,
    },
}

/// Downloads, and prints where the files are.
pub(crate) fn run(args: &DownloadArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let config = args.config()?;
    let place = args.repo.place(&config.endpoint)?;
    let wanted = args.wanted(&place)?;
    let format = global.format();
    let progress = Arc::new(Progress::start(format, global.verbose));
    let hub = args.hub.hub(config, parts)?.on_event({
        let progress = Arc::clone(&progress);
        move |event| progress.show(event)
    });
    let started = Instant::now();
    let result = args.ask(&hub, place, wanted);
    progress.stop();
    let answer = result?;
    if args.run() == Run::Real {
        warn_of_refused_links(&hub, &answer, format);
    }
    let traffic = hub.traffic();
    let summary = Summary {
        run: args.run(),
        path: &answer.path,
        commit: &answer.commit,
        files: &answer.files,
        bytes_downloaded: traffic.bytes_downloaded,
        requests: traffic.requests,
    };
    match format {
        Format::Json => output::json(&summary),
        Format::Quiet => output::path(&answer.path),
        Format::Human => {
            output::line(summary.for_people(started.elapsed()))?;
            output::path(&answer.path)
        }
    }
}

impl DownloadArgs {
    fn config(&self) -> Result<Config, Error> {
        let mut config = self.hub.config()?;
        config.max_workers = usize::from(self.max_workers);
        config.max_connections = self.max_connections.map(usize::from).or(config.max_connections);
        config.limit_rate = self.limit_rate;
        config.durability = self.durability.into();
        let local = self.local_dir.as_deref().map(|dir| folder::named("--local-dir", dir));
        config.local_dir = local.transpose()?;
        Ok(config)
    }

    /// Understands which files are meant. A single plain name is that file; anything else is a snapshot, in which
    /// names and include patterns add up.
    fn wanted(&self, place: &Place) -> Result<Wanted, Error> {
        let names: Vec<&str> = match &place.path {
            Some(_) if !self.files.is_empty() => {
                return Err(Error::new(ErrorKind::Usage, "the address names a file already")
                    .hint("name all files after REPO, and none in the address"));
            }
            Some(path) => vec![path],
            None => self.files.iter().map(String::as_str).collect(),
        };
        let only = match names[..] {
            [name] if self.include.is_empty() && self.exclude.is_empty() => Some(name),
            _ => None,
        };
        if let Some(name) = only
            && !is_pattern(name)
        {
            return file_name(name).map(Wanted::File);
        }
        let include = (!self.include.is_empty()).then_some(&*self.include);
        let mut patterns = Patterns::new(include, &self.exclude)?;
        for name in &names {
            patterns = if is_pattern(name) {
                patterns.with_name_or_pattern(file_pattern(name)?)?
            } else {
                patterns.with_file(&file_name(name)?)
            };
        }
        Ok(Wanted::Files { patterns, only: only.map(str::to_owned) })
    }

    /// Asks the library. What the cache answers alone needs no runtime and no request.
    fn ask(&self, hub: &Hub, place: Place, wanted: Wanted) -> Result<SnapshotReport, Error> {
        let Place { repo, revision, .. } = place;
        let force = if self.force_download { Force::On } else { Force::Off };
        let file = match wanted {
            Wanted::File(file) => file,
            Wanted::Files { patterns, only } => {
                let mut request = SnapshotRequest::new(repo, revision).of(patterns);
                request.force = force;
                let report = self.ask_for_all(hub, &request)?;
                return Ok(match only {
                    Some(name) => by_file(report, &name),
                    None => report,
                });
            }
        };
        let mut one = FileRequest::new(repo, file)?.at(revision);
        one.force = force;
        let cached = match self.run() {
            Run::Real => hub.download_cached(&one)?,
            Run::Dry => hub.forecast_cached(&one)?,
        };
        let report = match (cached, self.run()) {
            (Some(report), _) => report,
            (None, Run::Real) => runtime::block_on(hub.download(&one))?,
            (None, Run::Dry) => {
                let patterns = Patterns::default().with_file(&one.file);
                let mut request = SnapshotRequest::new(one.repo, one.revision).of(patterns);
                request.force = force;
                let foretold = runtime::block_on(hub.forecast(&request))?;
                return Ok(by_file(foretold, one.file.as_str()));
            }
        };
        Ok(report.into())
    }

    fn ask_for_all(&self, hub: &Hub, request: &SnapshotRequest) -> Result<SnapshotReport, Error> {
        match self.run() {
            Run::Real => match hub.snapshot_cached(request)? {
                Some(report) => Ok(report),
                None => runtime::block_on(hub.snapshot(request)),
            },
            Run::Dry => runtime::block_on(hub.forecast(request)),
        }
    }

    fn run(&self) -> Run {
        if self.dry_run { Run::Dry } else { Run::Real }
    }
}

/// Lets the report of a snapshot be that of a file where it is of that file alone.
fn by_file(mut report: SnapshotReport, name: &str) -> SnapshotReport {
    match &report.files[..] {
        [file] if file.file.as_str() == name => report.path = file.path.clone(),
        _ => {}
    }
    report
}

fn is_pattern(name: &str) -> bool {
    name.ends_with('/') || name.contains(['*', '?'])
}

/// Says once a run that links are refused where the policy would have used them, and what that costs.
fn warn_of_refused_links(hub: &Hub, report: &SnapshotReport, format: Format) {
    let refused =
        |reason: Reason| matches!(reason, Reason::MovedLinksRefused | Reason::CopiedLinksRefused);
    if !report.files.iter().any(|file| refused(file.reason))
        || hub_args::is_set("HF_HUB_DISABLE_SYMLINKS_WARNING")
    {
        return;
    }
    output::say(output::warning(
        format,
        &format!(
            "symlinks are refused in {}: files are moved or copied to their places, and a file that several \
             revisions share takes its space once for each; see `hubstow env`",
            hub.config().cache_dir.display()
        ),
    ));
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use hubstow_core::hub::Endpoint;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: DownloadArgs,
    }

    fn wanted(words: &[&str]) -> Result<Wanted, Error> {
        let Line { args } = Line::try_parse_from(["download"].iter().chain(words)).unwrap();
        args.wanted(&args.repo.place(&Endpoint::parse(Endpoint::PUBLIC).unwrap())?)
    }

    #[track_caller]
    fn check_files(words: &[&str], wanted_names: &[&str], unwanted: &[&str]) {
        let Wanted::Files { patterns, .. } = wanted(words).unwrap() else { panic!("one file") };
        let wants = |name: &&str| patterns.wants(&FileName::parse(name).unwrap());
        assert!(wanted_names.iter().all(wants), "{words:?}");
        assert!(!unwanted.iter().any(wants), "{words:?}");
    }

    #[test]
    fn one_plain_name_is_one_file() {
        for words in [&["o/n", "a/b.txt"][..], &["hf://o/n/a/b.txt"]] {
            let Wanted::File(file) = wanted(words).unwrap() else { panic!("{words:?}") };
            assert_eq!(file.as_str(), "a/b.txt");
        }
    }

    #[test]
    fn anything_else_is_a_snapshot() {
        check_files(&["o/n"], &["a", "b/c"], &[]);
        check_files(&["o/n", "a", "b[1]"], &["a", "b[1]"], &["b1", "c"]);
        check_files(&["o/n", "dir/"], &["dir/a", "dir/b/c"], &["a", "dirt"]);
        check_files(&["hf://o/n/dir/"], &["dir/a"], &["a"]);
        check_files(&["o/n", "*.json"], &["a.json", "b/c.json"], &["a.txt"]);
        check_files(
            &["o/n", "a.txt", "--include", "*.json", "*.md"],
            &["a.txt", "b.md"],
            &["b.txt"],
        );
        check_files(&["o/n", "--exclude", "a", "--exclude", "b"], &["c"], &["a", "b"]);
        check_files(&["o/n", "a", "--exclude", "a"], &[], &["a", "b"]);
    }

    #[test]
    fn names_that_are_none_are_usage_errors() {
        for words in [&["o/n", "../x"][..], &["o/n", "a", "/x"], &["hf://o/n/f", "g"], &["o//n"]] {
            assert_eq!(wanted(words).unwrap_err().kind(), ErrorKind::Usage, "{words:?}");
        }
    }

    /// A FILE, and the rule that it breaks: with a `*`, a `?` or a slash at the end as without.
    const PATHS_OF_A_DISK: &[(&str, &str)] = &[
        ("/x/../y", "not relative"),
        ("/x/../*.txt", "not relative"),
        ("/x/../what?", "not relative"),
        ("/x/../d/", "not relative"),
        ("/*", "not relative"),
        ("/", "not relative"),
        ("../*.txt", "`..`"),
        ("d/../*", "`..`"),
        ("*/../x", "`..`"),
        ("d/../", "`..`"),
        ("./*.txt", "`.`"),
        ("./", "`.`"),
        (r"C:\a\..\b", "backslash"),
        (r"C:\a\..\*", "drive"),
        ("C:/a/../b", "drive"),
        ("C:/a/../*", "drive"),
        ("d/C:/*", "drive"),
        (r"\\?\C:\a\..\b", "not relative"),
        (r"\a\..\b?", "not relative"),
        (r"d\..\*", "`..`"),
        ("d//*", "empty part"),
    ];

    #[test]
    fn a_path_of_a_disk_is_no_pattern() {
        for (file, rule) in PATHS_OF_A_DISK {
            for words in [&["o/n", file][..], &["o/n", "a", file], &["o/n", file, "--exclude", "a"]]
            {
                let error = wanted(words).expect_err(file);
                assert_eq!(error.kind(), ErrorKind::Usage, "{file}");
                let text = error.to_string();
                assert!(text.contains(file) && text.contains(rule), "{file}: {text}");
            }
        }
        for file in ["*", "**", "d/", "d/*", r"d\*", "[a-c]*", "*.d/x", "..?", "?.", "a..b/*"] {
            assert!(wanted(&["o/n", file]).is_ok(), "{file}");
        }
    }
}
