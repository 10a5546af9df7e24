//! How one try to receive content ended, with its cause as it was.

use std::{io, time::Duration};

use http::StatusCode;
use hubstow_cache::{disk::failure::with_causes, staged::Mismatch};
use hubstow_core::{hub::Retry, name::FileName, why::Refusal};

use crate::{
    api::{
        detail::HubAnswer,
        error::{Detail, Error, ErrorKind, from_io},
    },
    http::{address::NoAnswer, endpoints::Outage, xet::StoreFailure},
    lookup::complete::Doubt,
};

/// How one try ended.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// All that was asked for has come; whether it is right, verifying tells.
    Received,
    /// What has come is right.
    Verified,
    /// No connection was to be had, or it broke, stood still or hardly moved.
    Broke(Cause),
    /// No connection is to be had until somebody changes something.
    Unreachable(Cause),
    /// The hub fails for now, and may ask to be left alone for so long.
    Failing { cause: Cause, wait: Option<Duration> },
    /// What is here can't be continued.
    NoRange(Cause),
    /// The hub gives no ranges ahead of what is here.
    NotSplit(Cause),
    /// Several connections have failed too often.
    Crowded { cause: Cause, wait: Option<Duration> },
    /// It is not what was promised.
    Wrong(Mismatch),
    /// The address is not good any more.
    Expired(Cause),
    /// The hub does not know any more what it has just told of.
    Gone(Cause),
    /// The hub promises one content and sends another.
    OtherContent,
    /// The hub sends something that can't be used.
    Unusable(Cause),
    /// The disk does not take it.
    Disk(io::Error),
    /// Nobody could say, or not truly, whether a redirect may be followed.
    Undecided(NoAnswer),
    /// The Xet store brought nothing, or not all.
    Store(StoreFailure),
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cause {
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    #[error("the hub answered {0}")]
    Status(StatusCode),
    #[error("{said}")]
    Refused { refusal: Refusal, said: Box<HubAnswer> },
    #[error("nothing came for {0} s")]
    Silent(u64),
    #[error("less than {bytes} bytes came in {span_s} s")]
    Slow { bytes: u64, span_s: u64 },
    #[error("the transfer ended after {received} of {expected} bytes")]
    Short { received: u64, expected: u64 },
    #[error("a range ended too early")]
    ShortRange,
    #[error("the hub refuses the range")]
    RangeRefused,
    #[error("the hub sent another range")]
    OtherRange,
    #[error("the hub sent a range of another length")]
    OtherLength,
    #[error("the hub sent all where a range was asked")]
    All,
    #[error("nothing tells whether the rest belongs to what is here")]
    Unproven,
    #[error("the content is encoded as {0}, although it was asked for as it is")]
    Encoded(String),
    #[error("no connection is left")]
    NoConnection,
}

impl Cause {
    fn outage(&self) -> Option<Outage> {
        match self {
            Self::NoAnswer(error) => Outage::of(error),
            Self::Status(status) => Outage::of_status(*status),
            Self::Silent(_) | Self::Short { .. } => Some(Outage::Failing),
            Self::Refused { .. }
            | Self::Slow { .. }
            | Self::ShortRange
            | Self::RangeRefused
            | Self::OtherRange
            | Self::OtherLength
            | Self::All
            | Self::Unproven
            | Self::Encoded(_)
            | Self::NoConnection => None,
        }
    }
}

impl Verdict {
    /// Says it as the error that a user gets when nothing more can be done.
    pub(crate) fn into_error(self, file: &FileName) -> Error {
        match self {
            Self::Broke(cause) | Self::Unreachable(cause) => {
                not_fetched(ErrorKind::HubUnreachable, file, cause).with_detail(Detail::Kept)
            }
            Self::Failing { cause: cause @ Cause::Status(StatusCode::TOO_MANY_REQUESTS), wait }
            | Self::Crowded { cause: cause @ Cause::Status(StatusCode::TOO_MANY_REQUESTS), wait } => {
                not_fetched(ErrorKind::Throttled { retry_after: wait }, file, cause)
                    .with_detail(Detail::Kept)
            }
            Self::Failing { cause, .. }
            | Self::NoRange(cause)
            | Self::NotSplit(cause)
            | Self::Crowded { cause, .. } => {
                not_fetched(ErrorKind::HubFailing, file, cause).with_detail(Detail::Kept)
            }
            Self::Store(cause) => {
                not_fetched(ErrorKind::HubUnreachable, file, cause).with_detail(Detail::Kept)
            }
            Self::Expired(cause) | Self::Gone(cause) | Self::Unusable(cause) => {
                if let Cause::Refused { refusal, said } = cause {
                    not_fetched(ErrorKind::of(refusal, Some(&said)), file, *said)
                } else {
                    not_fetched(ErrorKind::HubFailing, file, cause)
                }
            }
            Self::Wrong(mismatch) => {
                let what = format!("`{file}` is not what the hub promised");
                let hint = "nothing was stored; the hub, a proxy or the line changes the content";
                Error::new(ErrorKind::ContentMismatch, what).hint(hint).caused_by(mismatch)
            }
            Self::OtherContent => {
                let what = format!("the hub promises one content of `{file}` and sends another");
                Error::new(ErrorKind::ContentMismatch, what).hint("nothing was stored")
            }
            Self::Disk(error) => from_io(&format!("`{file}` could not be written"), error),
            Self::Undecided(error) => error.into(),
            Self::Received | Self::Verified => {
                Error::new(ErrorKind::Other, format!("`{file}` has come, and was not taken"))
            }
        }
    }

    /// Says what it says of the endpoint, where another may do better.
    pub(crate) fn outage(&self) -> Option<Outage> {
        match self {
            Self::Broke(cause)
            | Self::Unreachable(cause)
            | Self::Failing { cause, .. }
            | Self::Crowded { cause, .. } => cause.outage(),
            Self::Received
            | Self::Verified
            | Self::NoRange(_)
            | Self::NotSplit(_)
            | Self::Wrong(_)
            | Self::Expired(_)
            | Self::Gone(_)
            | Self::OtherContent
            | Self::Unusable(_)
            | Self::Disk(_)
            | Self::Undecided(_)
            | Self::Store(_) => None,
        }
    }

    /// Says what it throws on the content that was promised.
    pub(crate) fn doubt(&self) -> Doubt {
        match self {
            Self::Wrong(_) => Doubt::Unfit,
            Self::OtherContent => Doubt::Contradicted,
            Self::Received
            | Self::Verified
            | Self::Broke(_)
            | Self::Unreachable(_)
            | Self::Failing { .. }
            | Self::NoRange(_)
            | Self::NotSplit(_)
            | Self::Crowded { .. }
            | Self::Expired(_)
            | Self::Gone(_)
            | Self::Unusable(_)
            | Self::Disk(_)
            | Self::Undecided(_)
            | Self::Store(_) => Doubt::Gone,
        }
    }

    /// Says what went wrong, as an event tells it.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::Broke(cause)
            | Self::Unreachable(cause)
            | Self::Failing { cause, .. }
            | Self::NoRange(cause)
            | Self::NotSplit(cause)
            | Self::Crowded { cause, .. }
            | Self::Expired(cause)
            | Self::Gone(cause)
            | Self::Unusable(cause) => with_causes(cause),
            Self::Wrong(mismatch) => mismatch.to_string(),
            Self::Disk(error) => with_causes(error),
            Self::Undecided(error) => with_causes(error),
            Self::Store(failure) => format!("the Xet store failed: {}", with_causes(failure)),
            Self::OtherContent => "the hub sent other content than it had promised".to_owned(),
            Self::Received | Self::Verified => String::new(),
        }
    }
}

fn not_fetched(
    kind: ErrorKind,
    file: &FileName,
    cause: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::new(kind, format!("`{file}` could not be fetched")).caused_by(cause)
}

impl From<NoAnswer> for Verdict {
    fn from(error: NoAnswer) -> Self {
        match error {
            NoAnswer::Transport { .. } => match error.retry() {
                Retry::Yes => Self::Broke(error.into()),
                Retry::No => Self::Unreachable(error.into()),
            },
            NoAnswer::Redirected { .. } => Self::Expired(error.into()),
            NoAnswer::Unset(_) | NoAnswer::Undecided { .. } => Self::Undecided(error),
        }
    }
}

/// A staged file puts a mismatch into its error where more comes than was promised.
impl From<io::Error> for Verdict {
    fn from(error: io::Error) -> Self {
        let mismatch = error.get_ref().and_then(|inner| inner.downcast_ref::<Mismatch>());
        match mismatch.cloned() {
            Some(mismatch) => Self::Wrong(mismatch),
            None => Self::Disk(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn an_error_has_the_kind_of_its_verdict_and_leads_to_the_cause() {
        let file = FileName::parse("config.json").unwrap();
        let not_found = |refusal, code: &str| Cause::Refused {
            refusal,
            said: Box::new(HubAnswer::new(404, Some(code.to_owned()), None)),
        };
        let (wait, minute) = (None, Some(Duration::from_secs(60)));
        for (verdict, kind, words) in [
            (
                Verdict::Failing {
                    cause: Cause::Status(StatusCode::TOO_MANY_REQUESTS),
                    wait: minute,
                },
                ErrorKind::Throttled { retry_after: minute },
                "429",
            ),
            (Verdict::Broke(Cause::Silent(10)), ErrorKind::HubUnreachable, "nothing came for 10 s"),
            (
                Verdict::Failing { cause: Cause::Status(StatusCode::BAD_GATEWAY), wait },
                ErrorKind::HubFailing,
                "502",
            ),
            (Verdict::NoRange(Cause::RangeRefused), ErrorKind::HubFailing, "refuses the range"),
            (Verdict::NotSplit(Cause::All), ErrorKind::HubFailing, "sent all"),
            (
                Verdict::Crowded { cause: Cause::ShortRange, wait },
                ErrorKind::HubFailing,
                "too early",
            ),
            (Verdict::Unusable(Cause::Encoded("br".into())), ErrorKind::HubFailing, "as br"),
            (Verdict::Store(StoreFailure::Slow), ErrorKind::HubUnreachable, "too slow"),
            (
                Verdict::Wrong(Mismatch::Size { expected: 2, received: 1 }),
                ErrorKind::ContentMismatch,
                "1 bytes were received where 2 were promised",
            ),
        ] {
            let error = verdict.into_error(&file);
            assert_eq!(error.kind(), kind, "{error}");
            let cause = error.source().unwrap().to_string();
            assert!(cause.contains(words), "{cause}");
        }
        for (refusal, code, kind) in [
            (Refusal::EntryNotFound, "EntryNotFound", ErrorKind::EntryNotFound),
            (Refusal::Forbidden, "GatedRepo", ErrorKind::Gated),
        ] {
            let error = Verdict::Gone(not_found(refusal, code)).into_error(&file);
            assert_eq!(error.kind(), kind);
            let expected =
                format!("`config.json` could not be fetched: the hub answered 404: {code}");
            assert_eq!(format!("{error:#}"), expected);
            assert_eq!(error.status(), Some(404));
        }
    }

    #[test]
    fn an_error_of_writing_is_wrong_content_or_the_disk_with_its_errno() {
        let mismatch = Mismatch::Size { expected: 2, received: 3 };
        let too_much = io::Error::new(io::ErrorKind::InvalidData, mismatch.clone());
        let verdict = Verdict::from(too_much);
        assert!(matches!(&verdict, Verdict::Wrong(found) if *found == mismatch), "{verdict:?}");
        let verdict = Verdict::from(io::Error::from_raw_os_error(28));
        let Verdict::Disk(error) = verdict else { panic!("{verdict:?}") };
        assert_eq!(error.raw_os_error(), Some(28));
    }
}
