//! What is never to make room, as a file says it: one repo or revision a line.

use std::collections::BTreeMap;

use hubstow_cache::care::pins::Pins;
use hubstow_core::name::{Repo, RepoId, RepoKind, Revision};

use crate::api::error::{Error, ErrorKind};

const HINT: &str =
    "a line is `model/org/name`, or `dataset/org/name@REVISION`; `#` begins a comment";

/// Repos and revisions that stay whatever room is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PinList(BTreeMap<Repo, Pins>);

impl PinList {
    /// Reads a list: one `type/org/name` or `type/org/name@revision` a line, where `org/name` is a model; `#` begins a comment.
    ///
    /// # Errors
    /// The first line that is none of it, by its number.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut list = Self::default();
        for (at, line) in text.lines().enumerate() {
            let said = line.split('#').next().unwrap_or_default().trim();
            if said.is_empty() {
                continue;
            }
            list.add(said).map_err(|error| {
                let what = format!("line {} of the pins can't be used", at + 1);
                Error::new(ErrorKind::Usage, what).hint(HINT).caused_by(error)
            })?;
        }
        Ok(list)
    }

    /// Pins one more, as a line of a list says it.
    ///
    /// # Errors
    /// What is no name of a repo, or no revision.
    pub fn add(&mut self, said: &str) -> Result<(), Error> {
        let (name, revision) = match said.split_once('@') {
            Some((name, revision)) => (name, Some(Revision::parse(revision)?)),
            None => (said, None),
        };
        let kind = name.split_once('/').and_then(|(word, rest)| {
            let kind = RepoKind::parse(word).ok()?;
            // `space/name` is the model of somebody called `space`.
            rest.contains('/').then_some((kind, rest))
        });
        let (kind, id) = kind.unwrap_or((RepoKind::Model, name));
        let repo = Repo::new(kind, RepoId::parse(id)?);
        self.0.entry(repo).or_default().pin(revision.as_ref());
        Ok(())
    }

    /// Returns what is pinned, by repo.
    pub fn iter(&self) -> impl Iterator<Item = (&Repo, &Pins)> {
        self.0.iter()
    }

    /// Returns what is pinned of a repo.
    #[must_use]
    pub fn of(&self, repo: &Repo) -> Option<&Pins> {
        self.0.get(repo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_pins_what_its_lines_say_and_names_the_line_that_says_nothing() {
        let text = "# the team's\n\nmodel/org/name\ndatasets/org/rows@v1  # of May\norg/name@main\n\
                    gpt2\nspace/name\n";
        let list = PinList::parse(text).unwrap();
        let shown: Vec<_> = list
            .iter()
            .map(|(repo, pins)| format!("{repo} {} {:?}", pins.whole, pins.revisions))
            .collect();
        assert_eq!(
            shown,
            [
                "model gpt2 true {}",
                "model org/name true {\"main\"}",
                "model space/name true {}",
                "dataset org/rows false {\"v1\"}",
            ]
        );
        for (text, line) in [("\norg//name", 2), ("a/b@", 1), ("# x\n\nmodel/a/b c", 3)] {
            let error = PinList::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(&format!("line {line} ")), "{error:#}");
        }
    }
}
