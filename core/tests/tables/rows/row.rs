//! Reads a table: rows that say only what differs from the defaults.

use core::fmt;
use std::{collections::BTreeSet, fs, path::Path};

use serde::{Deserialize, de::DeserializeOwned};
use toml::Value;

/// Nothing, or what is wrong with a row.
pub(crate) type Checked = Result<(), String>;

/// One file of rows.
pub(crate) struct Table {
    pub(crate) rows: Vec<Row>,
    not_decided: Vec<NotDecided>,
}

/// One story: what a user has, and what must happen.
pub(crate) struct Row {
    file: String,
    id: String,
    name: String,
    given: toml::Table,
    expect: toml::Table,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Text {
    defaults: toml::Table,
    #[serde(rename = "row")]
    rows: Vec<Written>,
    #[serde(default)]
    not_decided: Vec<NotDecided>,
    /// Expectations about what the component does not export.
    #[serde(default)]
    crate_only: Vec<String>,
    /// How other languages ask for the paths of `layout.toml`.
    #[serde(default, rename = "items")]
    _items: toml::Table,
}

#[derive(Deserialize)]
struct Written {
    id: String,
    name: String,
    story: String,
    expect: toml::Table,
    #[serde(flatten)]
    differs: toml::Table,
}

/// A row of the cache's description in which the core has no say, and where it is covered.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NotDecided {
    id: String,
    covered: String,
}

impl Table {
    #[track_caller]
    pub(crate) fn read(file: &str) -> Self {
        let text = fs::read_to_string(Path::new(crate::FOLDER).join(file)).unwrap();
        let text: Text = toml::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let mut ids = BTreeSet::new();
        let rows = text.rows.into_iter().map(|written| {
            assert!(ids.insert(written.id.clone()), "{file} has two rows `{}`", written.id);
            let told = !written.name.is_empty() && written.story.ends_with(['.', '!', '?']);
            assert!(told, "{file} {}: a row has a name and a story", written.id);
            let mut given = text.defaults.clone();
            merge(&mut given, written.differs)
                .unwrap_or_else(|key| panic!("{file} {}: no default for `{key}`", written.id));
            let mut expect = written.expect;
            if crate::EXPORTED_ONLY {
                expect.retain(|key, _| !text.crate_only.iter().any(|only| only == key));
            }
            Row { file: file.to_owned(), id: written.id, name: written.name, given, expect }
        });
        Self { rows: rows.collect(), not_decided: text.not_decided }
    }

    /// The ids of all stories, and of what is said not to be decided.
    pub(crate) fn story_ids(&self) -> impl Iterator<Item = &str> {
        let left_to_hosts = self.not_decided.iter().map(|row| {
            assert!(!row.covered.is_empty(), "{}: where is it covered?", row.id);
            row.id.as_str()
        });
        self.rows.iter().map(Row::story_id).chain(left_to_hosts)
    }
}

/// Lays what differs over the defaults; a key without a default is a slip of the pen.
fn merge(base: &mut toml::Table, differs: toml::Table) -> Result<(), String> {
    for (key, value) in differs {
        match (base.get_mut(&key), value) {
            (None, _) => return Err(key),
            (Some(Value::Table(inner)), Value::Table(value)) => merge(inner, value)?,
            (Some(slot), value) => *slot = value,
        }
    }
    Ok(())
}

impl Row {
    /// The id without the part after the slash, which tells rows of one story apart.
    pub(crate) fn story_id(&self) -> &str {
        self.id.split('/').next().unwrap_or(&self.id)
    }

    /// What is given, defaults filled in.
    pub(crate) fn given<T: DeserializeOwned>(&self) -> Result<T, String> {
        self.given.clone().try_into().map_err(|error| format!("  {error}"))
    }

    /// What must happen.
    pub(crate) fn expect<T: DeserializeOwned>(&self) -> Result<T, String> {
        self.expect.clone().try_into().map_err(|error| format!("  {error}"))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.file, self.id, self.name)
    }
}

/// Compares what was expected with what came.
pub(crate) fn same<T: PartialEq + fmt::Debug>(what: &str, expected: &T, came: &T) -> Checked {
    if expected == came {
        Ok(())
    } else {
        Err(format!("  {what}\n    expected {expected:?}\n    got      {came:?}"))
    }
}
