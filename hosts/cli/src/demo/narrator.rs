//! How the demo is told: text for people, one object for programs, nothing for `--quiet`.

use std::path::Path;

use hubstow_client::{Done, Error, ErrorKind, SnapshotReport};
use hubstow_core::{policy::Method, why::Reason};
use serde_json::{Value, json};

use super::tree;
use crate::{
    global::Format,
    output::{self, FAINT, GOOD, NAME, TITLE, styled},
    summary::done,
};

/// Text, with its indent, fits a terminal of 80 columns.
const TEXT_COLUMNS: usize = 74;

/// What was done and why; files that share it are told together.
type Answer = (Done, Option<Method>, Reason);

/// Tells the demo.
pub(super) struct Narrator {
    format: Format,
    number: usize,
    steps: Vec<Value>,
}

impl Narrator {
    /// Starts to tell.
    pub(super) fn new(format: Format) -> Self {
        Self { format, number: 0, steps: Vec::new() }
    }

    /// Starts a step.
    pub(super) fn title(&mut self, title: &str) -> Result<(), Error> {
        let gap = if self.number == 0 { "" } else { "\n" };
        self.number += 1;
        self.steps.push(json!({ "step": title, "files": [] }));
        self.say(&format!("{gap}{} {}", styled(GOOD, self.number), styled(TITLE, title)))
    }

    /// Says something in words.
    pub(super) fn text(&self, text: &str) -> Result<(), Error> {
        self.block(&wrapped(text).join("\n"))
    }

    /// Draws a folder.
    pub(super) fn tree(&self, folder: &Path) -> Result<(), Error> {
        let drawn = tree::draw(folder).map_err(|error| {
            Error::new(ErrorKind::Other, "the cache can't be drawn").caused_by(error)
        })?;
        self.block(&drawn)
    }

    /// Says what was done to each file, and why, below a heading. Files with the same answer are told together.
    pub(super) fn reasons(&mut self, heading: &str, report: &SnapshotReport) -> Result<(), Error> {
        let told = self.steps.last_mut().and_then(|step| step.get_mut("files"));
        if let Some(told) = told.and_then(Value::as_array_mut) {
            told.extend(report.files.iter().map(|file| json!(file)));
        }
        let mut groups: Vec<(Answer, Vec<&str>)> = Vec::new();
        for file in &report.files {
            let answer = (file.action, file.by, file.reason);
            match groups.iter_mut().find(|(told, _)| *told == answer) {
                Some((_, names)) => names.push(file.file.as_str()),
                None => groups.push((answer, vec![file.file.as_str()])),
            }
        }
        let mut lines: Vec<String> = Vec::new();
        if !heading.is_empty() {
            lines.push(heading.to_owned());
        }
        for ((action, by, reason), names) in groups {
            let by = by.map_or_else(String::new, |by| format!(" by {by}"));
            let what = styled(GOOD, format_args!("{}{by}:", done(action)));
            lines.push(format!("{what} {}", names.join(", ")));
            let because = format!("because {}", reason.sentence());
            lines.extend(wrapped(&because).iter().map(|line| format!("  {}", styled(FAINT, line))));
        }
        self.block(&lines.join("\n"))
    }

    /// Shows a command as it would be typed, and the error that it ends with.
    pub(super) fn error(&self, command: &str, error: &str, exit_code: u8) -> Result<(), Error> {
        self.block(&format!(
            "{} {}\n{error}\n{}",
            styled(FAINT, "$"),
            styled(NAME, command),
            styled(FAINT, format_args!("exit code {exit_code}"))
        ))
    }

    /// Ends, when everything was as it was said.
    pub(super) fn end(&self) -> Result<(), Error> {
        if self.format == Format::Json {
            return output::json(&json!({ "ok": true, "steps": self.steps }));
        }
        self.say(&format!(
            "\n{} placements, requests and every byte; the temporary folder is gone.\n\n{}",
            styled(GOOD, "All checked:"),
            styled(TITLE, "Try next")
        ))?;
        for (command, what) in [
            ("hubstow env", "what your disk supports"),
            ("hubstow download openai-community/gpt2 config.json", "a file of the public hub"),
            ("hubstow explain openai-community/gpt2 config.json", "what would be done and why"),
            ("hubstow serve DIR", "a hub of your own"),
        ] {
            self.say(&format!(
                "  {}  {}",
                styled(NAME, format_args!("{command:<50}")),
                styled(FAINT, what)
            ))?;
        }
        Ok(())
    }

    /// Prints lines of their own, indented, after a blank one.
    fn block(&self, text: &str) -> Result<(), Error> {
        let lines: String = text.lines().map(|line| format!("\n  {line}")).collect();
        self.say(&lines)
    }

    fn say(&self, text: &str) -> Result<(), Error> {
        match self.format {
            Format::Human => output::line(text),
            Format::Json | Format::Quiet => Ok(()),
        }
    }
}

/// Breaks words into lines that fit.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= TEXT_COLUMNS => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}
