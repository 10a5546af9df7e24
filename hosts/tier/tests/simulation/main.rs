//! The protocol of the tier in every order in which its steps can follow each other, on a small store.
//!
//! What is decided is decided by the code that the tier runs ([`hubstow_tier::decide`]); the store and the nodes are small
//! values here, every request is one step, and after each step any node may be next. Between any two steps a node may die,
//! an answer may be lost, a claim may lapse. What must hold is asked of every state, and from every state an end must be
//! reachable. Each rule has a seeded fault that breaks it, which must be found.

#![expect(clippy::panic, reason = "a test says what is wrong by failing")]

mod explore;
mod filling;
mod refs;
mod sweeping;
