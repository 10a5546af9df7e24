//! Moments as the hub writes them.

use std::time::SystemTime;

/// Writes a moment as `2026-11-29T09:50:25.000Z`.
pub(crate) fn shown(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}
