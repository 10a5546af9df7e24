//! Which packages and features the tests are run with.

/// As words for cargo: what is built with others is built once more, from the bottom.
pub(crate) const TESTED: &str = "--workspace --features hubstow/wasmtime,hubstow-native/blocking";
