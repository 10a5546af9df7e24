//! Rows about which content is meant.

use hubstow_core::{facts::ResolveFacts, resolve::resolve};

use crate::{
    row::{Checked, Row},
    said::Said,
};

/// One row of `resolve.toml`.
pub(crate) fn one_decision(row: &Row) -> Checked {
    let facts: ResolveFacts = row.given()?;
    let expected: Said = row.expect()?;
    expected.check(&resolve(&facts).into())
}
