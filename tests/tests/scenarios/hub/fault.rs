//! The faults that a hub can have, as scenario files name them.

use anyhow::Result;
use serde::Deserialize;

/// A kind of request.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Asked {
    /// The HEAD of a file.
    Head,
    /// The GET of a file.
    #[default]
    Get,
    /// Anything else: revisions, listings.
    Api,
}

/// One fault. Those of bodies strike where content is sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Fault {
    /// The connection breaks after so many bytes of the body.
    CutBody { after: usize },
    /// One byte of the body is inverted.
    FlipByte { at: usize },
    /// The body is longer than the file, and its length says so.
    LongerBody { by: usize },
    /// The body is shorter than the file, and its length says so.
    ShorterBody { by: usize },
    /// The header promises more bytes than are sent.
    PromiseMore { by: usize },
    /// The body is sent in small pieces, with a wait before each.
    Drip { bytes: usize, every_ms: u64 },
    /// The rest of the body is never sent.
    Stall { after: usize },
    /// Each connection sends so many bytes a second.
    Throttle { bytes_per_s: u64 },
    /// The hub sends no more than so many bodies at a time, and is busy for everybody else.
    AtMost { bodies: usize, retry_after: Option<String> },
    /// The body is another file's.
    Swap { file: String },
    /// The body is said to be compressed.
    Gzip,
    /// Every request is answered with the whole file.
    IgnoreRange,
    /// A part is answered that starts too early, and its header says so; its length is right.
    ShiftRange { by: usize },
    /// An error page, with whatever the hub says about the error.
    Status {
        #[serde(default)]
        on: Asked,
        status: u16,
        code: Option<String>,
        message: Option<String>,
        retry_after: Option<String>,
        #[serde(default)]
        body: String,
    },
    /// The connection is closed without an answer.
    Drop {
        #[serde(default)]
        on: Asked,
    },
    /// A header has another value, or is missing.
    Header {
        #[serde(default)]
        on: Asked,
        name: String,
        value: Option<String>,
    },
    /// "Not modified", without saying which commit that is about.
    #[serde(rename = "bare-304")]
    Bare304,
    /// The answer points elsewhere: `other-origin`, `loop`, or any URL.
    Redirect {
        #[serde(default)]
        on: Asked,
        to: String,
    },
    /// A branch moves right after the HEAD was answered.
    MoveAfterHead { branch: String, to: String },
    /// A listing has one more file, with this name.
    ListAlso { path: String },
    /// A listing lacks something about a file, such as its `size`.
    ListWithout { path: String, field: String },
}

impl Fault {
    /// Returns the kind of request that this fault strikes.
    pub(crate) fn strikes(&self) -> Asked {
        match self {
            Self::CutBody { .. }
            | Self::FlipByte { .. }
            | Self::LongerBody { .. }
            | Self::ShorterBody { .. }
            | Self::PromiseMore { .. }
            | Self::Drip { .. }
            | Self::Stall { .. }
            | Self::Throttle { .. }
            | Self::AtMost { .. }
            | Self::Swap { .. }
            | Self::Gzip
            | Self::IgnoreRange
            | Self::ShiftRange { .. } => Asked::Get,
            Self::Bare304 | Self::MoveAfterHead { .. } => Asked::Head,
            Self::ListAlso { .. } | Self::ListWithout { .. } => Asked::Api,
            Self::Status { on, .. }
            | Self::Drop { on }
            | Self::Header { on, .. }
            | Self::Redirect { on, .. } => *on,
        }
    }

    /// Puts the meaning of the scenario's words into the texts that are sent.
    pub(crate) fn with_texts(mut self, meaning: impl Fn(&str) -> Result<String>) -> Result<Self> {
        if let Self::Header { value: Some(text), .. }
        | Self::Redirect { to: text, .. }
        | Self::ListAlso { path: text } = &mut self
        {
            *text = meaning(text)?;
        }
        Ok(self)
    }
}
