//! Compares what a command reported with what the scenario expects, and with what is really there.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    host::Host,
    process::Ended,
    stage::Stage,
    step::{FileReport, Run},
    wine,
};

/// Compares.
pub(crate) fn compare(stage: &Stage, run: &Run, ended: &Ended) -> Result<()> {
    let what = run.run.as_ref().or(run.python.as_ref()).map_or("", String::as_str);
    compare_all(stage, run, ended).with_context(|| {
        format!(
            "`{what}` ended with {:?}\n  stdout: {}\n  stderr: {}",
            ended.code,
            ended.stdout.trim_end().replace('\n', "\n          "),
            ended.stderr.trim_end().replace('\n', "\n          ")
        )
    })
}

fn compare_all(stage: &Stage, run: &Run, ended: &Ended) -> Result<()> {
    let code = if run.run.is_some() { stage.host.exit_code(run.exit) } else { run.exit };
    ensure!(ended.code == Some(code), "expected the exit code {code}");
    for text in &run.says {
        let text = stage.names.text(text)?;
        let says = |told: &str| {
            told.contains(&text)
                || (stage.host == Host::Windows
                    && wine::with_slashes(told).contains(&wine::with_slashes(&text)))
        };
        let said = says(&ended.stdout) || says(&ended.stderr);
        ensure!(said, "expected it to say {text:?}");
    }
    if let Some(text) = &run.prints {
        let printed = match stage.host {
            Host::Windows => &wine::with_slashes(&ended.stdout),
            Host::Native | Host::Wasmtime | Host::Wasi => &ended.stdout,
        };
        ensure!(
            *printed == wine::with_slashes(&stage.names.text(text)?),
            "expected it to print {text:?}"
        );
    }
    if run.python.is_some() {
        return peer(stage, run, ended);
    }
    if run.exit != 0 {
        return error(run, ended);
    }
    match serde_json::from_str::<Value>(&ended.stdout) {
        Ok(report) if report.get("files").is_some() => download(stage, run, &report),
        Ok(_) | Err(_) => {
            ensure!(run.files.is_empty() && run.downloaded.is_none(), "expected a JSON report");
            Ok(())
        }
    }
}

/// The last line of stderr that is JSON tells the error.
fn error(run: &Run, ended: &Ended) -> Result<()> {
    let parsed = |line: &str| serde_json::from_str::<Value>(line).ok();
    // A report printed over several lines is one object from its first line to the end.
    let told = ended.stderr.lines().rev().find_map(parsed);
    let from_brace = || ended.stderr.find("{\"error\"").map(|at| ended.stderr.split_at(at).1);
    let told = told.or_else(|| parsed(from_brace()?)).context("expected a JSON error on stderr")?;
    let error = told.get("error").context("expected the key `error`")?;
    let field = |name: &str| error.get(name).cloned().unwrap_or_default();
    ensure!(field("code") == run.exit, "expected the exit code in the JSON error");
    ensure!(field("message").as_str().is_some_and(|text| !text.is_empty()), "expected a message");
    match &run.kind {
        Some(kind) => {
            ensure!(field("kind") == kind.as_str(), "expected the kind `{kind}`");
            Ok(())
        }
        None => Ok(()),
    }
}

fn download(stage: &Stage, run: &Run, report: &Value) -> Result<()> {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let commit = text(report, "commit").context("expected a commit in the report")?;
    let files = report.get("files").and_then(Value::as_array).context("expected files")?;
    let dry_run = run.run.as_deref().is_some_and(|line| line.contains("--dry-run"));
    for file in files {
        let name = text(file, "file").context("expected the name of the file")?;
        let path = text(file, "path").context("expected the path of the file")?;
        if !dry_run {
            holds(stage, &commit, &name, &wine::path_of(&path))?;
        }
    }
    for (name, expected) in &run.files {
        let named = |file: &&Value| text(file, "file").as_deref() == Some(name);
        let file = files.iter().find(named).with_context(|| format!("no report of {name}"))?;
        for (key, value) in fields(expected) {
            let found = text(file, key);
            ensure!(found.as_ref() == value, "{name}: expected {key} {value:?}, got {found:?}");
        }
        if let Some(expected) = &expected.commit {
            let called = stage.names.commit_called(&commit);
            ensure!(called == Some(expected), "expected commit {expected}, got {called:?}");
        }
    }
    if let Some(amount) = run.downloaded {
        let bytes = report.get("bytes_downloaded").and_then(Value::as_u64);
        ensure!(
            bytes.is_some_and(|bytes| amount.allows(bytes)),
            "expected {amount:?} bytes downloaded, got {bytes:?}"
        );
    }
    Ok(())
}

fn fields(expected: &FileReport) -> impl Iterator<Item = (&'static str, Option<&String>)> {
    let all = [("action", &expected.action), ("by", &expected.by), ("reason", &expected.reason)];
    // `by = "none"` is how TOML, which has no null, says that nothing was placed.
    all.into_iter().filter_map(|(key, value)| match value.as_deref() {
        None => None,
        Some("none") => Some((key, None)),
        Some(_) => Some((key, value.as_ref())),
    })
}

/// The Python client says which file it serves; it must be that commit's.
fn peer(stage: &Stage, run: &Run, ended: &Ended) -> Result<()> {
    if run.exit != 0 {
        return Ok(());
    }
    for line in ended.stdout.lines() {
        if let Ok(told) = serde_json::from_str::<Value>(line)
            && let (Some(file), Some(path)) = (told.get("file"), told.get("path"))
            && let (Some(file), Some(path)) = (file.as_str(), path.as_str())
        {
            let in_cache = Path::new(path).strip_prefix(stage.cache())?;
            let commit = in_cache.components().nth(2).context("a path in a snapshot")?;
            holds(stage, &commit.as_os_str().to_string_lossy(), file, Path::new(path))?;
        }
    }
    Ok(())
}

fn holds(stage: &Stage, commit: &str, file: &str, path: &Path) -> Result<()> {
    let expected = stage.names.file(commit, file);
    let expected = expected.with_context(|| format!("commit {commit} has no file {file}"))?;
    let bytes = fs::read(path).with_context(|| format!("{} can't be opened", path.display()))?;
    ensure!(bytes == expected.bytes, "{} does not hold what the hub holds", path.display());
    Ok(())
}
