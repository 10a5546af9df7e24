//! The tier over stores that fail, and over real servers.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what is wrong by failing"
)]

mod answers;
mod chance;
mod faulty;
mod filling;
mod folder;
#[cfg(unix)]
mod killed;
mod objects;
mod opening;
mod real;
mod refs;
mod servers;
mod stage;
mod sweeping;
