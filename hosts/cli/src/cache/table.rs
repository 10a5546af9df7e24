//! Columns for people.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::output::{self, TITLE, styled};

/// Returns the present time, in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Says how long ago something was.
pub(super) fn ago(at: u64, now: u64) -> String {
    const UNITS: [(&str, u64); 5] = [
        ("year", 365 * 24 * 3600),
        ("month", 30 * 24 * 3600),
        ("day", 24 * 3600),
        ("hour", 3600),
        ("minute", 60),
    ];
    let past = now.saturating_sub(at);
    for (unit, seconds) in UNITS {
        match past / seconds {
            0 => {}
            1 => return format!("1 {unit} ago"),
            count => return format!("{count} {unit}s ago"),
        }
    }
    "just now".to_owned()
}

/// Sets rows under a heading, each column as wide as it needs. The second is of numbers, and ends alike.
pub(super) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| output::name(cell)).collect()).collect();
    let wide = |text: &str| text.chars().count();
    let widths: Vec<usize> = (0..heading.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| wide(cell));
            cells.chain(heading.get(column).map(|it| wide(it))).max().unwrap_or(0)
        })
        .collect();
    let line = |cells: &[&str], numbers_at: Option<&str>| {
        let cells = cells.iter().zip(&widths).zip(heading).map(|((cell, width), name)| {
            if Some(*name) == numbers_at {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text = styled(TITLE, line(heading, Some("SIZE")));
    for row in &rows {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        text.push('\n');
        text.push_str(&line(&cells, Some("SIZE")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_their_largest_unit() {
        for (past, expected) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (7200, "2 hours ago"),
            (400 * 24 * 3600, "1 year ago"),
        ] {
            assert_eq!(ago(1_000_000_000 - past, 1_000_000_000), expected);
        }
    }

    #[test]
    fn columns_are_as_wide_as_what_is_in_them_and_sizes_end_alike() {
        let rows = [["a/b", "1 B", "x"], ["c", "10 kB", ""]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let text = anstream::adapter::strip_str(&table(&["ID", "SIZE", "REFS"], &rows)).to_string();
        assert_eq!(text, "ID    SIZE  REFS\na/b    1 B  x\nc    10 kB");
    }
}
