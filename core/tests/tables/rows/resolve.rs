//! Rows about which content is meant.

use hubstow_core::facts::ResolveFacts;

use super::{
    row::{Checked, Row},
    said::Said,
};
use crate::subject;

/// One row of `resolve.toml`.
pub(crate) fn one_decision(row: &Row) -> Checked {
    let facts: ResolveFacts = row.given()?;
    let expected: Said = row.expect()?;
    expected.check(&subject::resolve(&facts).into())
}
