//! The limit on how fast content is received, over all transfers of a program.
//!
//! Every piece is paid for at the given rate; who has received one waits until that is paid, and the line fills up
//! behind it. Small savings are allowed, so that a timer's grain costs nothing.

use std::{
    num::NonZeroU64,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How much of the rate may be saved up.
const SAVINGS: Duration = Duration::from_millis(50);

/// The limit of one program.
#[derive(Debug)]
pub(crate) struct Pace {
    bytes_per_s: NonZeroU64,
    begin: Instant,
    /// When everything received so far is paid, after the beginning.
    paid: Mutex<Duration>,
}

impl Pace {
    pub(crate) fn new(bytes_per_s: NonZeroU64) -> Self {
        Self { bytes_per_s, begin: Instant::now(), paid: Mutex::default() }
    }

    /// Waits until so many bytes that were received are paid.
    pub(crate) async fn pay(&self, bytes: u64) {
        let until = {
            let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
            *paid = paid_until(*paid, self.begin.elapsed(), bytes, self.bytes_per_s);
            self.begin + *paid
        };
        tokio::time::sleep_until(until).await;
    }
}

/// Returns when bytes are paid that are received now, after what was paid until `paid`.
fn paid_until(paid: Duration, now: Duration, bytes: u64, bytes_per_s: NonZeroU64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_s.get());
    let price = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
    paid.max(now.saturating_sub(SAVINGS)).saturating_add(price)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_paid_at_the_rate_and_little_is_saved_up() {
        let ms = Duration::from_millis;
        for (paid, now, bytes, expected) in [
            (ms(0), ms(0), 1_000, ms(1)),
            (ms(700), ms(100), 50_000, ms(750)),
            (ms(100), ms(120), 10_000, ms(110)),
            (ms(100), ms(900), 100_000, ms(950)),
            (ms(5), ms(5), 0, ms(5)),
        ] {
            let rate = NonZeroU64::new(1_000_000).unwrap();
            assert_eq!(paid_until(paid, now, bytes, rate), expected, "{paid:?} {now:?} {bytes}");
        }
        let least = NonZeroU64::new(1).unwrap();
        assert!(paid_until(ms(0), ms(0), u64::MAX, least) > Duration::from_secs(1 << 30));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_receive_at_a_time_share_the_rate() {
        let pace = Pace::new(NonZeroU64::new(1_000_000).unwrap());
        let begin = Instant::now();
        let some = async || {
            for _ in 0..10 {
                pace.pay(20_000).await;
            }
        };
        tokio::join!(some(), some());
        let spent = begin.elapsed().as_millis();
        assert!((350..=410).contains(&spent), "400 kB at 1 MB/s in {spent} ms");
    }
}
