//! What can go wrong: a kind that programs match on, what has failed in words, what is known of it, and the cause.
//!
//! The words are facts. What a user of some program can do about it, with its flags and variables, that program says; it
//! chooses by the kind and the [`Detail`].

mod kind;
mod shown;

use std::{error::Error as StdError, io};

use hubstow_cache::{
    FsError,
    disk::failure::{ErrorGroup, group, io_error},
};
use hubstow_core::{decide::Undecided, name::NameError};

pub use self::kind::ErrorKind;
use crate::api::{
    detail::{HubAnswer, Refused},
    report::{AskedEndpoint, FileReport},
};

/// What went wrong, whatever it is.
pub(crate) type AnyError = Box<dyn StdError + Send + Sync>;

/// What is known of an [`Error`] beyond its kind.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// use hubstow_client::{Detail, Refused};
///
/// let error = hub.model("org/model").file("config.json").offline().await.unwrap_err();
/// let Detail::Refused(Refused { refusal, .. }) = error.detail() else { panic!("{error:#}") };
/// assert_eq!(refusal.code(), "not-cached");
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Detail {
    /// Nothing more.
    #[default]
    Nothing,
    /// The core refused, for what it knows or for what the hub answered.
    Refused(Refused),
    /// The system refused; what its error means.
    System(ErrorGroup),
    /// The system refused at the place outside of the cache that is written to.
    Output,
    /// This program can't reach a directory, whatever is there.
    OutOfReach,
    /// Something that is no folder stands where a directory is to be.
    NoFolder,
    /// A folder of the cache is a link to elsewhere.
    FolderIsLink,
    /// Others changed the cache at every turn.
    Unsettled,
    /// The filesystem does not store such a name.
    NameNotStored,
    /// The filesystem takes two of the wanted names for one.
    NamesClash,
    /// The name of a file belongs to another program where it would be written.
    NotAdmitted,
    /// What the hub lists can't be a file, or its content can't be named.
    UnusableEntry,
    /// Nothing says where the home directory is.
    Homeless,
    /// An answer has more bytes than it may have.
    TooLong,
    /// Something did not come to its end; what has arrived is kept, and the next run goes on from there.
    Kept,
    /// Some of many files failed.
    Files(FailedFiles),
}

/// The files of a snapshot that failed, each with its error.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// use hubstow_client::Detail;
///
/// let question = hub.model("org/model").snapshot();
/// if let Err(error) = question.await {
///     if let Detail::Files(files) = error.detail() {
///         println!("{} of {} files failed", files.failures.len(), files.wanted);
///     }
/// }
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedFiles {
    /// Which failed, and why; never empty.
    pub failures: Vec<FailedFile>,
    /// How many files were wanted.
    pub wanted: usize,
    /// What was done for the others.
    pub finished: Box<[FileReport]>,
}

impl FailedFiles {
    /// Makes them of failures among so many files.
    ///
    /// ```
    /// use hubstow_client::{Detail, Error, ErrorKind, FailedFile, FailedFiles};
    ///
    /// let failed = FailedFile::new("config.json", Error::new(ErrorKind::NoSpace, "no space"));
    /// let files = FailedFiles::new(vec![failed], 2);
    /// let error = Error::new(ErrorKind::NoSpace, "1 of 2 files failed").with_detail(Detail::Files(files));
    /// assert!(error.finished_files().is_empty());
    /// ```
    #[must_use]
    pub fn new(failures: Vec<FailedFile>, wanted: usize) -> Self {
        Self { failures, wanted, finished: Box::default() }
    }
}

/// A file that failed.
///
/// ```
/// use hubstow_client::{Error, ErrorKind, FailedFile};
///
/// let failed = FailedFile::new("config.json", Error::new(ErrorKind::NoSpace, "no space is left"));
/// assert_eq!(format!("{}: {}", failed.file, failed.error), "config.json: no space is left");
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct FailedFile {
    /// Its name. Of what can't be a file it is what the hub lists, shortened and without control characters.
    pub file: String,
    /// Why.
    pub error: Error,
}

impl FailedFile {
    /// Says of a file why it failed.
    #[must_use]
    pub fn new(file: impl Into<String>, error: Error) -> Self {
        Self { file: file.into(), error }
    }
}

/// An error of the library: a kind, what has failed, what is known of it, and the cause.
///
/// It shows itself without its cause, and with all causes on one line where it is written as `{:#}`. What a `main` that returns
/// it prints, which is `{:?}`, is its kind, all causes and the hint; `{:#?}` has every field.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// let error = hub.model("org/nothing").file("config.json").await.unwrap_err();
/// println!("{error:#}");
/// println!("{:?} {:?} {:?}", error.kind(), error.status(), error.request_id());
/// if let Some(said) = error.hub_answer() {
///     println!("the hub said {:?}", said.code);
/// }
/// assert!(!error.is_transient() && error.finished_files().is_empty());
/// assert_eq!(error.raw_os_error(), None);
/// println!("{:?}", error.detail());
/// # Ok(())
/// # });
/// ```
pub struct Error {
    kind: ErrorKind,
    message: Box<str>,
    detail: Detail,
    hint: Option<Box<str>>,
    source: Option<AnyError>,
    /// What the hub said, where that is why and is no cause that says more.
    said: Option<Box<HubAnswer>>,
}

impl Error {
    /// Makes an error.
    ///
    /// ```
    /// use hubstow_client::{Detail, Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Usage, "that is no model")
    ///     .hint("name one as `org/name`")
    ///     .with_detail(Detail::Nothing)
    ///     .caused_by(std::io::Error::other("it has no slash"));
    /// assert_eq!(error.way_out(), Some("name one as `org/name`"));
    /// assert_eq!(format!("{error:#}"), "that is no model: it has no slash");
    /// ```
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let (message, detail) = (message.into().into_boxed_str(), Detail::Nothing);
        Self { kind, message, detail, hint: None, source: None, said: None }
    }

    /// Adds a way out: what is true for any program, or a program's own words.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into().into_boxed_str());
        self
    }

    /// Adds what is known of it.
    #[must_use]
    pub fn with_detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Names the endpoints that were asked before, if there were any, with what went wrong there.
    pub(crate) fn asked_at(mut self, asked: &[AskedEndpoint]) -> Self {
        self.message = format!("{}{}", self.message, before(asked)).into_boxed_str();
        self
    }

    /// Adds what the hub said, where its words say no more than the error does.
    pub(crate) fn after(mut self, said: HubAnswer) -> Self {
        self.said = Some(Box::new(said));
        self
    }

    /// Tells all failures of a snapshot at once. The kind is the first one's, and a single one stands for itself.
    pub(crate) fn of_files(
        mut failures: Vec<FailedFile>,
        wanted: usize,
        finished: Vec<FileReport>,
    ) -> Self {
        if failures.len() == 1
            && wanted == 1
            && let Some(FailedFile { error, .. }) = failures.pop()
        {
            return error;
        }
        let finished = finished.into_boxed_slice();
        let kind = failures.first().map_or(ErrorKind::Other, |first| first.error.kind);
        let message = match failures.as_slice() {
            [only] => only.error.message.to_string(),
            _ => format!("{} of {wanted} files failed", failures.len()),
        };
        Self::new(kind, message).with_detail(Detail::Files(FailedFiles {
            failures,
            wanted,
            finished,
        }))
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns what is known of it beyond the kind.
    #[must_use]
    pub fn detail(&self) -> &Detail {
        &self.detail
    }

    /// Returns the way out that was added. The library adds only what is true for any program.
    #[must_use]
    pub fn way_out(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns the number of the system's error that it comes from, if it comes from one.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        io_error(self).and_then(io::Error::raw_os_error)
    }

    /// Returns what the hub said, where that is why.
    #[must_use]
    pub fn hub_answer(&self) -> Option<&HubAnswer> {
        HubAnswer::among(self).or(self.said.as_deref())
    }

    /// Returns the status of the hub's answer, where that is why.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.hub_answer().map(|said| said.status)
    }

    /// Returns by what the hub's people find the request that failed, where the hub said it.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        self.hub_answer()?.request_id.as_deref()
    }

    /// Returns the files of a snapshot that are in their places although others failed.
    #[must_use]
    pub fn finished_files(&self) -> &[FileReport] {
        if let Detail::Files(FailedFiles { finished, .. }) = &self.detail { finished } else { &[] }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match (&self.source, &self.detail) {
            (Some(source), _) => Some(&**source),
            // Of many failures the first one stands for all.
            (None, Detail::Files(FailedFiles { failures, .. })) => match failures.as_slice() {
                [] => None,
                [only] => only.error.source(),
                [first, ..] => Some(&first.error),
            },
            (None, _) => None,
        }
    }
}

impl From<Undecided> for Error {
    fn from(error: Undecided) -> Self {
        let made = Self::new(ErrorKind::Undecided, error.to_string());
        match error {
            Undecided::Failed { source, .. } => made.caused_by(source),
            Undecided::Impossible { .. } => made,
        }
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        Self::new(ErrorKind::Usage, error.to_string())
    }
}

/// Names the endpoints that were asked before the last one, if there were any.
pub(crate) fn before(asked: &[AskedEndpoint]) -> String {
    let left =
        asked.iter().filter_map(|at| Some(format!("{} ({})", at.endpoint, at.left.as_ref()?)));
    let left: Vec<String> = left.collect();
    let last = asked.last().map_or("", |at| &at.endpoint);
    match left.as_slice() {
        [] => String::new(),
        left => format!("; {last} was asked after {}", left.join(" and ")),
    }
}

/// Sorts an error of the disk into its kind.
pub(crate) fn from_io(what: &str, error: io::Error) -> Error {
    of_group(group(&error), what).caused_by(error)
}

/// Makes the error of something that the system refused.
fn of_group(group: ErrorGroup, what: impl Into<String>) -> Error {
    let kind = match group {
        ErrorGroup::NoSpace => ErrorKind::NoSpace,
        ErrorGroup::ReadOnly => ErrorKind::ReadOnly,
        ErrorGroup::Denied | ErrorGroup::Busy => ErrorKind::NotPermitted,
        ErrorGroup::NameTooLong
        | ErrorGroup::BadName
        | ErrorGroup::Unsupported
        | ErrorGroup::CrossDevice
        | ErrorGroup::TooManyLinks
        | ErrorGroup::Raced
        | ErrorGroup::Stale
        | ErrorGroup::TooManyOpen
        | ErrorGroup::Other => ErrorKind::Other,
    };
    Error::new(kind, what).with_detail(Detail::System(group))
}

impl From<FsError> for Error {
    fn from(error: FsError) -> Self {
        let (what, group) = (error.to_string(), error.group());
        match error {
            FsError::Io { source, .. }
            | FsError::Method { source, .. }
            | FsError::Closed { source, .. } => {
                of_group(group.unwrap_or(ErrorGroup::Other), what).caused_by(source)
            }
            FsError::Undecided(undecided) => undecided.into(),
            FsError::Refused { refusal } => Self::new(refusal.into(), what),
            FsError::FolderIsLink { .. } => {
                Self::new(ErrorKind::CacheObstructed, what).with_detail(Detail::FolderIsLink)
            }
            FsError::NoFolder { source, .. } => {
                let error = Self::new(ErrorKind::CacheObstructed, what).caused_by(source);
                error.with_detail(Detail::NoFolder)
            }
            FsError::NotAdmitted(_) => {
                Self::new(ErrorKind::CacheObstructed, what).with_detail(Detail::NotAdmitted)
            }
            FsError::Unsettled { .. } => {
                Self::new(ErrorKind::Other, what).with_detail(Detail::Unsettled)
            }
            FsError::ImpossibleAction { .. } => Self::new(ErrorKind::Undecided, what),
            FsError::Other { source, .. } => Self::new(ErrorKind::Other, what).caused_by(source),
            _ => Self::new(ErrorKind::Other, what),
        }
    }
}
