//! Texts that can come from outside, most of them nearly right.

use hubstow_core::name::{Etag, FileName};
use proptest::{collection::vec, prelude::*, sample::select};

/// Few cases find little in texts this odd; nothing is written beside the tests.
pub(crate) fn config() -> ProptestConfig {
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
pub(crate) fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(select(NAME_PIECES), 0..8).prop_map(|pieces| pieces.concat()),
        "[a-z0-9._/-]{0,30}",
        "[a-zA-Z0-9]{1,8}([._-][a-z0-9]{1,4}){0,3}",
        any::<String>(),
    ]
}

/// A header that is absent, odd, or as it should be.
pub(crate) fn header(good: &'static str) -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        Just(None),
        Just(Some(good.to_owned())),
        Just(Some(good.to_owned())),
        odd_text().prop_map(Some),
    ]
}

/// What URLs are made of, and what they stumble over.
const URL_PIECES: &[&str] = &[
    "https://",
    "http://",
    "HTTPS://",
    "https:",
    "//",
    "/",
    "\\",
    "huggingface.co",
    "HuggingFace.co",
    "evil.example",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "@",
    ":",
    ":443",
    ":80",
    ":8443",
    ":+443",
    ":0443",
    ":99999",
    "user",
    "?",
    "#",
    ".",
    "%2e",
    "%40",
    "\t",
    "\n",
    " ",
    "ä",
    "\0",
];

/// Texts made of the pieces of URLs, in any order.
pub(crate) fn odd_url() -> impl Strategy<Value = String> {
    let pieces = vec(select(URL_PIECES), 0..7).prop_map(|pieces| pieces.concat());
    let start = select(["", "https://", "https://huggingface.co"].as_slice());
    (start, pieces).prop_map(|(start, rest)| format!("{start}{rest}"))
}

/// URLs as people and hubs write them.
pub(crate) fn plain_url() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        "[a-z]{1,8}(\\.[a-z]{2,5}){0,2}",
        "[A-Z]{3}\\.EXAMPLE",
        Just("[::1]".to_owned())
    ];
    let user = prop_oneof![Just(String::new()), "[a-z]{1,4}(:[a-z0-9]{1,4})?@"];
    let port = prop_oneof![Just(String::new()), (1_u16..).prop_map(|port| format!(":{port}"))];
    let rest = prop_oneof![Just(String::new()), "[/?#][a-z@:/?#]{0,8}"];
    let scheme = select(["http", "https", "HTTP", "Https"].as_slice());
    (scheme, user, host, port, rest)
        .prop_map(|(scheme, user, host, port, rest)| format!("{scheme}://{user}{host}{port}{rest}"))
}

/// File names that are accepted, most of them plain and some odd.
pub(crate) fn file_name() -> impl Strategy<Value = FileName> {
    prop_oneof!["[a-z.]{1,4}(/[a-z]{1,3}){0,3}", odd_text()]
        .prop_filter_map("refused", |text| FileName::parse(&text).ok())
}

pub(crate) fn etag() -> impl Strategy<Value = Etag> {
    prop_oneof!["[0-9a-f]{40}", "[0-9a-f]{64}", "[A-Za-z0-9][A-Za-z0-9._-]{0,20}", odd_text()]
        .prop_filter_map("refused", |text| Etag::parse(&text).ok())
}
