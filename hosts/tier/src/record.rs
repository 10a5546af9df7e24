//! The bodies of small things, as JSON. What can't be read is told by the reader, and never half believed.

use bytes::Bytes;
use hubstow_core::name::Commit;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    decide::Word,
    error::{Error, ErrorKind},
};

/// The only version of the format that there is.
const FORMAT: u32 = 1;
/// The most bytes of a record.
pub(crate) const RECORD_LIMIT_BYTES: u64 = 16 << 10;

/// What is at a ref.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefRecord {
    format: u32,
    pub(crate) sequence: u64,
    pub(crate) writer: String,
    /// `None` says that upstream has no such revision.
    commit: Option<Commit>,
}

impl RefRecord {
    pub(crate) fn new(sequence: u64, writer: String, word: &Word) -> Self {
        let commit = match word {
            Word::At(commit) => Some(commit.clone()),
            Word::Gone => None,
        };
        Self { format: FORMAT, sequence, writer, commit }
    }

    pub(crate) fn word(&self) -> Word {
        self.commit.clone().map_or(Word::Gone, Word::At)
    }
}

/// What is at a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClaimRecord {
    format: u32,
    pub(crate) sequence: u64,
    pub(crate) holder: String,
    pub(crate) lives_ms: u64,
}

impl ClaimRecord {
    pub(crate) fn new(sequence: u64, holder: String, lives_ms: u64) -> Self {
        Self { format: FORMAT, sequence, holder, lives_ms }
    }
}

pub(crate) trait Record: Serialize + DeserializeOwned {
    fn format(&self) -> u32;
}

impl Record for RefRecord {
    fn format(&self) -> u32 {
        self.format
    }
}

impl Record for ClaimRecord {
    fn format(&self) -> u32 {
        self.format
    }
}

pub(crate) fn write<R: Record>(record: &R) -> Bytes {
    // A record is text and numbers, which JSON always has room for.
    Bytes::from(serde_json::to_vec(record).unwrap_or_default())
}

/// Reads a record; `None` stands for more than a record has.
pub(crate) fn read<R: Record>(
    key: &impl std::fmt::Display,
    bytes: Option<&[u8]>,
) -> Result<R, Error> {
    let corrupt = |why: String| {
        Error::new(ErrorKind::Corrupt, format!("`{key}` in the tier is no record"), why)
    };
    let Some(bytes) = bytes else {
        return Err(corrupt(format!("it is larger than {RECORD_LIMIT_BYTES} bytes")));
    };
    let record: R = serde_json::from_slice(bytes).map_err(|error| corrupt(error.to_string()))?;
    if record.format() == FORMAT {
        return Ok(record);
    }
    Err(corrupt(format!("it has format {}, this program knows format {FORMAT}", record.format())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_what_the_format_says() {
        let commit = Commit::parse(&"c3".repeat(20)).unwrap();
        let at = RefRecord::new(7, "ab".repeat(16), &Word::At(commit.clone()));
        let text = format!(
            r#"{{"format":1,"sequence":7,"writer":"{}","commit":"{commit}"}}"#,
            "ab".repeat(16)
        );
        assert_eq!(write(&at), text);
        assert_eq!(read::<RefRecord>(&"x", Some(text.as_bytes())).unwrap(), at);
        let gone = RefRecord::new(1, "w".to_owned(), &Word::Gone);
        assert_eq!(write(&gone), r#"{"format":1,"sequence":1,"writer":"w","commit":null}"#);
        let claim = ClaimRecord::new(2, "h".to_owned(), 30_000);
        assert_eq!(write(&claim), r#"{"format":1,"sequence":2,"holder":"h","lives_ms":30000}"#);
    }

    #[test]
    fn what_is_no_record_is_none() {
        for text in [
            "",
            "{}",
            "[]",
            "{\"format\":2,\"sequence\":1,\"writer\":\"w\",\"commit\":null}",
            "{\"format\":1,\"sequence\":1,\"writer\":\"w\",\"commit\":\"../x\"}",
        ] {
            let error = read::<RefRecord>(&"refs/x", Some(text.as_bytes())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{text}");
            assert!(error.to_string().contains("refs/x"), "{error}");
        }
    }
}
