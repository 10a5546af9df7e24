//! Which requests are sent again, and after how long.

use crate::cases;

/// The longest wait a hub can ask for; longer ones are shortened to this, so that no wait is unbounded (I22).
pub const RETRY_AFTER_LIMIT_S: u64 = 300;

cases! {
    /// Whether a request may be sent again.
    pub enum Retry {
        /// It may: the failure is passing.
        Yes = "yes",
        /// It may not: the answer would be the same.
        No = "no",
    }
}

/// Tells whether an answer with this status may pass when the request is sent again.
#[must_use]
pub fn retry(status: u16) -> Retry {
    match status {
        408 | 429 | 500 | 502 | 503 | 504 => Retry::Yes,
        _ => Retry::No,
    }
}

/// Reads how many seconds the hub asks to wait: `RateLimit` with nothing left (`r=0;t=55`), else `Retry-After` in
/// seconds. A date in `Retry-After` is not read: it would need a clock.
#[must_use]
pub fn retry_after_s(retry_after: Option<&str>, rate_limit: Option<&str>) -> Option<u64> {
    let reset = rate_limit.and_then(|value| {
        let parameter = |key: &str| {
            value.split(';').find_map(|part| part.trim().strip_prefix(key)?.parse::<u64>().ok())
        };
        (parameter("r=")? == 0).then(|| parameter("t="))?.map(|s| s.saturating_add(1))
    });
    let asked = reset.or_else(|| retry_after?.trim().parse().ok())?;
    Some(asked.min(RETRY_AFTER_LIMIT_S))
}

/// Exponential back-off: each wait doubles, up to a limit; the host adds jitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first wait, in milliseconds.
    pub first_ms: u64,
    /// The longest wait, in milliseconds.
    pub limit_ms: u64,
    /// How many times a request is sent again.
    pub retries: u32,
}

impl Backoff {
    /// What the hub's own clients do, within a factor of two: 0.5, 1, 2, 4, 8 s.
    pub const DEFAULT: Self = Self { first_ms: 500, limit_ms: 8_000, retries: 5 };

    /// Returns the wait before the given retry (the first is 0), or `None` where there is none left.
    #[must_use]
    pub fn wait_ms(self, retry: u32) -> Option<u64> {
        let factor = 1_u64.checked_shl(retry).unwrap_or(u64::MAX);
        (retry < self.retries).then(|| self.first_ms.saturating_mul(factor).min(self.limit_ms))
    }
}
