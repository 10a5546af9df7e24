//! `hubstow explain`: what would be done for a file now, and why, as a chain of facts, decisions and reasons.

use std::fmt::Write as _;

use clap::Args;
use hubstow_client::{Error, ErrorKind, Explanation, ExplanationLink, FileRequest};
use hubstow_core::hub::Endpoint;

use crate::{
    global::{Format, Global},
    hub_args::{HubArgs, PartsOf},
    output::{self, FAINT, GOOD, NAME, TITLE, styled},
    repo_arg::{RepoArgs, file_name},
    runtime, summary,
};

/// Facts are wrapped at this column; it fits every terminal.
const WRAP_COLUMNS: usize = 80;

/// Say what would be done for a file now and why; changes nothing
///
/// The core is asked the same questions as in a download. Each is shown with the facts it was given, what it decided
/// and its reason.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  hubstow explain openai-community/gpt2 config.json
  hubstow explain hf://org/name@v1.0/model.safetensors --placement dedup
  hubstow explain org/name config.json --json | jq '.chain[].decision'")]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    repo: RepoArgs,
    /// The file; an hf:// address may name it as well
    #[arg(value_name = "FILE")]
    file: Option<String>,
    /// Explain a forced download
    #[arg(long)]
    force_download: bool,
    #[command(flatten)]
    hub: HubArgs,
}

/// Asks the core, and shows its answers.
pub(crate) fn run(args: &ExplainArgs, global: &Global, parts: PartsOf) -> Result<(), Error> {
    let config = args.hub.config()?;
    let request = args.request(&config.endpoint)?;
    let hub = args.hub.hub(config, parts)?;
    let explanation = runtime::block_on(hub.explain(&request))?;
    match global.format() {
        Format::Json => output::json(&explanation),
        Format::Quiet => match explanation.chain.last() {
            Some(link) => output::line(&link.decision),
            None => Ok(()),
        },
        Format::Human => output::line(for_people(&request, &explanation)),
    }
}

impl ExplainArgs {
    fn request(&self, endpoint: &Endpoint) -> Result<FileRequest, Error> {
        let place = self.repo.place(endpoint)?;
        let name = match (&self.file, &place.path) {
            (Some(name), None) | (None, Some(name)) => name,
            (Some(_), Some(_)) => {
                return Err(Error::new(ErrorKind::Usage, "the address names a file already")
                    .hint("leave FILE out"));
            }
            (None, None) => {
                return Err(Error::new(ErrorKind::Usage, "which file is to be explained?")
                    .hint("name it after REPO, or write hf://org/name/FILE"));
            }
        };
        let request = FileRequest::new(place.repo, file_name(name)?)?.at(place.revision);
        Ok(if self.force_download { request.forced() } else { request })
    }
}

fn for_people(request: &FileRequest, explanation: &Explanation) -> String {
    let mut text = format!(
        "{} of {} at {}",
        styled(NAME, &explanation.file),
        request.repo,
        styled(NAME, &explanation.revision)
    );
    let known = [
        ("commit", explanation.commit.as_ref().map(ToString::to_string)),
        ("etag", explanation.etag.as_ref().map(ToString::to_string)),
        ("size", explanation.size.map(|size| summary::size(Some(size)))),
        ("path", explanation.path.as_ref().map(|path| path.display().to_string())),
    ];
    for (name, value) in known {
        if let Some(value) = value {
            let _ = write!(text, "\n  {} {value}", styled(FAINT, format_args!("{name:<6}")));
        }
    }
    for asked in &explanation.endpoints {
        let why = asked.left.as_ref().map_or_else(String::new, |why| {
            styled(FAINT, format_args!(" (left: {})", output::plain(why)))
        });
        let _ = write!(text, "\n  {} {}{why}", styled(FAINT, "asked "), asked.endpoint);
    }
    let mut before: Option<&ExplanationLink> = None;
    for (number, link) in explanation.chain.iter().enumerate() {
        let _ = write!(text, "\n\n{}", link_for_people(number + 1, link, before));
        before = Some(link);
    }
    text
}

/// Tells one question and its answer. When the same question is put again, only the facts that have changed are told.
fn link_for_people(
    number: usize,
    link: &ExplanationLink,
    before: Option<&ExplanationLink>,
) -> String {
    let mut text = styled(TITLE, format_args!("{number}. {}", link.question));
    let known = before.filter(|before| before.question == link.question);
    let is_news = |fact: &&(String, String)| known.is_none_or(|known| !known.facts.contains(fact));
    let facts: Vec<_> = link.facts.iter().filter(is_news).collect();
    for line in wrapped(&facts) {
        let _ = write!(text, "\n   {line}");
    }
    let _ = write!(
        text,
        "\n {} {}\n   because {}",
        styled(GOOD, "→"),
        styled(GOOD, &link.decision),
        link.because
    );
    text
}

/// Sets the facts as `name value`, as many on a line as fit.
fn wrapped(facts: &[&(String, String)]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut columns = WRAP_COLUMNS;
    for (name, value) in facts {
        let width = name.chars().count() + value.chars().count() + 4;
        let fact = format!("{} {value}", styled(FAINT, name));
        match lines.last_mut() {
            Some(line) if columns + width <= WRAP_COLUMNS => {
                line.push_str("   ");
                line.push_str(&fact);
                columns += width;
            }
            Some(_) | None => {
                lines.push(fact);
                columns = width;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_wrapped_before_the_edge() {
        let facts: Vec<_> = (0..12).map(|i| (format!("fact-{i}"), "value".to_owned())).collect();
        let lines = wrapped(&facts.iter().collect::<Vec<_>>());
        let width = |line: &String| anstream::adapter::strip_str(line).to_string().len();
        assert!(lines.iter().all(|line| width(line) <= WRAP_COLUMNS));
        assert_eq!(lines.len(), 3);
    }
}
