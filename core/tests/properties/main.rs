//! What must hold of every text that can come from outside: nothing panics, nothing that is accepted leaves its place,
//! and what is written reads back.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

mod hub;
mod names;
mod odd;
