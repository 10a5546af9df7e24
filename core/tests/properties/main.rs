//! What must hold of every text that can come from outside: nothing panics, nothing that is accepted leaves its place,
//! and what is written reads back.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod hub;
mod names;

use proptest::{collection::vec, prelude::*, sample::select};

/// Few cases find little in texts this odd; nothing is written beside the tests.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() }
}

/// What names stumble over.
const NAME_PIECES: &[&str] = &[
    "a",
    "b",
    "Z",
    "0",
    "9",
    "f",
    "-",
    "--",
    "_",
    ".",
    "..",
    "/",
    "//",
    "\\",
    ":",
    "@",
    "@{",
    "%2e",
    "%2f",
    " ",
    "~",
    "^",
    "*",
    "?",
    "#",
    "<",
    "|",
    "\"",
    "\0",
    "\n",
    "\r",
    "\t",
    "\u{85}",
    "\u{202e}",
    "é",
    "e\u{301}",
    "模",
    "¹",
    "CON",
    "nul",
    "COM1",
    "C:",
    ".lock",
    ".incomplete",
    ".tmp",
    ".git",
    "W/",
    "main",
    "refs",
    "blobs",
    "0123456789abcdef0123456789abcdef01234567",
];

/// Texts made of what names and URLs stumble over.
fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(select(NAME_PIECES), 0..8).prop_map(|pieces| pieces.concat()),
        "[a-z0-9._/-]{0,30}",
        "[a-zA-Z0-9]{1,8}([._-][a-z0-9]{1,4}){0,3}",
        any::<String>(),
    ]
}
