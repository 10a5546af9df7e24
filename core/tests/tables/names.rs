//! Rows about names: which values are accepted, and what becomes of them.

use hubstow_core::{
    hub::Endpoint,
    name::{
        Commit, ContentHash, Etag, FileName, NameError, Naming, Nonce, RepoId, RepoKind, Revision,
    },
};
use serde::Deserialize;

use crate::row::{Checked, Row, same};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Given {
    kind: String,
    naming: Naming,
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
        let parsed = parse(&given, &text)?.map_err(|rule| format!("  refused {text:?}: {rule}"))?;
        let becomes = expected.becomes.as_ref().unwrap_or(&text);
        same(&format!("what {text:?} becomes"), becomes, &parsed)?;
        if let Some(hash) = expected.content_hash {
            let etag = Etag::parse(&parsed).map_err(|error| error.to_string())?;
            same("how content is proved", &hash, &etag.content_hash())?;
        }
    }
    for value in &expected.refused {
        let text = value.text();
        match (parse(&given, &text)?, &expected.rule) {
            (Ok(_), _) => return Err(format!("  accepted {text:?}")),
            (Err(came), Some(rule)) => {
                same(&format!("the rule that {text:?} breaks"), rule, &came)?
            }
            (Err(_), None) => {}
        }
    }
    Ok(())
}

/// Parses a value as this kind of name: its text, or the rule that it breaks.
fn parse(given: &Given, text: &str) -> Result<Result<String, String>, String> {
    let parsed: Result<String, NameError> = match given.kind.as_str() {
        "commit" => Commit::parse(text).map(|name| name.to_string()),
        "ref-file" => return Ok(ref_file(text)),
        "revision" => Revision::parse(text).map(|name| name.to_string()),
        "etag" => Etag::parse(text).map(|name| name.to_string()),
        "etag-header" => Etag::from_header(text).map(|name| name.to_string()),
        "file-name" => FileName::parse(text)
            .and_then(|name| name.check(given.naming).map(|()| name.to_string())),
        "repo-id" => RepoId::parse(text).map(|name| name.to_string()),
        "repo-kind" => RepoKind::parse(text).map(|name| name.to_string()),
        "nonce" => Nonce::parse(text).map(|name| name.to_string()),
        "endpoint" => Endpoint::parse(text).map(|name| name.as_str().to_owned()),
        other => return Err(format!("  no kind of name: {other}")),
    };
    Ok(parsed.map_err(|error| error.rule().to_owned()))
}

fn ref_file(content: &str) -> Result<String, String> {
    Commit::from_ref_file(content.as_bytes())
        .map(|commit| commit.to_string())
        .ok_or_else(|| "it holds no commit".to_owned())
}
