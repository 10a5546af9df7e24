//! Rates as people write them.

use std::num::NonZeroU64;

/// The slowest rate that can be asked for: below it a transfer counts as one that stands still.
const LEAST_RATE: u64 = 1 << 10;

/// Reads a rate as curl does.
pub(crate) fn rate(text: &str) -> Result<NonZeroU64, String> {
    let shift = match text.bytes().last().map(|last| last.to_ascii_uppercase()) {
        Some(b'K') => 10,
        Some(b'M') => 20,
        Some(b'G') => 30,
        Some(_) | None => 0,
    };
    let digits = if shift > 0 { text.get(..text.len() - 1) } else { Some(text) };
    let number = digits.filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let bytes = number.and_then(|number| number.parse::<u64>().ok()?.checked_mul(1 << shift));
    let bytes = bytes.ok_or("a rate is a whole number of bytes a second, such as 500K or 10M")?;
    NonZeroU64::new(bytes)
        .filter(|bytes| bytes.get() >= LEAST_RATE)
        .ok_or_else(|| "the slowest rate is 1K".to_owned())
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn rates_are_read_as_curl_reads_them() {
        for (text, expected) in [
            ("2000", Some(2000)),
            ("1K", Some(1024)),
            ("500k", Some(512_000)),
            ("10M", Some(10 << 20)),
            ("1g", Some(1 << 30)),
            ("0", None),
            ("1023", None),
            ("", None),
            ("M", None),
            ("1.5M", None),
            ("-1M", None),
            ("+1M", None),
            ("10 M", None),
            ("10MB", None),
            ("99999999999G", None),
            ("é", None),
        ] {
            assert_eq!(rate(text).ok().map(u64::from), expected, "{text}");
        }
    }
}
