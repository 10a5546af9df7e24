//! Rows about names: which values are accepted, and what becomes of them.

use hubstow_core::name::{ContentHash, Naming};
use serde::Deserialize;

use super::row::{Checked, Row, same};
use crate::subject;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Given {
    kind: NameKind,
    naming: Naming,
}

/// The kinds of names that are parsed at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum NameKind {
    RepoId,
    RepoKind,
    Revision,
    Commit,
    Etag,
    EtagHeader,
    RefFile,
    FileName,
    Nonce,
    Endpoint,
}

/// Why a text is no such name.
#[derive(Debug, PartialEq)]
pub(crate) struct Refused {
    pub(crate) what: String,
    pub(crate) rule: String,
    pub(crate) message: String,
}

impl From<Refused> for String {
    fn from(refused: Refused) -> Self {
        format!("  {}", refused.message)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
struct Expected {
    accepted: Vec<Value>,
    becomes: Option<String>,
    content_hash: Option<ContentHash>,
    refused: Vec<Value>,
    rule: Option<String>,
}

/// A value as it is, or one that would be too long to read.
#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Text(String),
    Repeated { repeat: String, times: usize, then: Option<String> },
}

impl Value {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Repeated { repeat, times, then } => {
                repeat.repeat(*times) + then.as_deref().unwrap_or("")
            }
        }
    }
}

/// One row of `names.toml`.
pub(crate) fn one_kind_of_name(row: &Row) -> Checked {
    let given: Given = row.given()?;
    let expected: Expected = row.expect()?;
    if expected.accepted.is_empty() && expected.refused.is_empty() {
        return Err("  the row has no values".to_owned());
    }
    for value in &expected.accepted {
        let text = value.text();
        let parsed = parse(&given, &text)?;
        let becomes = expected.becomes.as_ref().unwrap_or(&text);
        same(&format!("what {text:?} becomes"), becomes, &parsed)?;
        if let Some(hash) = expected.content_hash {
            same("how content is proved", &hash, &subject::content_hash_of(&parsed)?)?;
        }
    }
    for value in &expected.refused {
        let text = value.text();
        match (parse(&given, &text), &expected.rule) {
            (Ok(_), _) => return Err(format!("  accepted {text:?}")),
            (Err(came), Some(rule)) => {
                same(&format!("the rule that {text:?} breaks"), rule, &came.rule)?;
            }
            (Err(_), None) => {}
        }
    }
    Ok(())
}

/// Parses a value as this kind of name.
fn parse(given: &Given, text: &str) -> Result<String, Refused> {
    let name = subject::parse_name(given.kind, text)?;
    if given.kind == NameKind::FileName {
        subject::check_file_name(&name, given.naming)?;
    }
    Ok(name)
}
