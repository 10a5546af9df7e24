//! What is told of each request once its answer has been sent, to whoever keeps an access log.

use std::{fmt, net::IpAddr, time::Duration};

use crate::upstream::{Freshness, Via};

/// A request whose answer is done with.
///
/// It holds nothing secret: no header, and of the address only the path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered {
    /// The method, such as `GET`.
    pub method: String,
    /// The path without its query, percent-encoded as it was received.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// How many bytes of the body were sent, which are fewer than announced where the client went away.
    pub sent_bytes: u64,
    /// The time from the request to the end of the answer.
    pub elapsed: Duration,
    /// The address that the request came from; `None` where that is not known.
    pub client: Option<IpAddr>,
    /// How the answer was had, where there is an upstream that it may have come from.
    pub via: Option<Via>,
    /// Whether upstream could confirm it.
    pub freshness: Freshness,
}

type Tell = Box<dyn Fn(&Answered) + Send + Sync>;

/// Who hears of answered requests.
#[derive(Default)]
pub(crate) struct Listener(Option<Tell>);

impl Listener {
    pub(crate) fn to(tell: impl Fn(&Answered) + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(tell)))
    }

    pub(crate) fn tell(&self, answered: &Answered) {
        if let Some(tell) = &self.0 {
            tell(answered);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Listener").field(&self.0.is_some()).finish()
    }
}
