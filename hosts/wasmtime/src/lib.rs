//! The core of hubstow as a WebAssembly component, deciding inside bounds.
//!
//! A program that already embeds wasmtime, or that wants to replace the decisions without being rebuilt, gives a
//! [`ComponentCore`] to `hubstow_native::Hub` where otherwise the linked core decides. Everything else stays the same:
//! the same disk code, the same requests, the same reasons.
//!
//! ```no_run
//! use std::sync::Arc;
//! use hubstow_wasmtime::ComponentCore;
//!
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let core = Arc::new(ComponentCore::embedded()?);
//! # Ok(())
//! # }
//! ```
//!
//! A component is hostile until proven otherwise. It imports nothing, so it can touch nothing; every call runs in a store
//! of its own with bounded fuel, time, memory, stack and answer ([`Bounds`]); every name it returns is parsed again, and
//! every decision is compared with the facts it was made of before anything follows from it. What goes wrong is a
//! [`CoreError`], and the cache is untouched.
//!
//! What of a cache may go, it says as well: [`ComponentCore::plan_prune`] and [`ComponentCore::plan_remove`] take what a host
//! holds, and check the plan that comes back.
//!
//! What this crate does not do: it has no filesystem and no network of its own, and gives none to the component.

mod bounds;
mod care;
mod component;
#[macro_use]
mod convert;
mod convert_care;
mod decider;
mod engine;
mod error;
mod names;
mod remembered;
mod watch;

#[expect(missing_docs, reason = "generated; the interface's own file has the documentation")]
mod generated {
    wasmtime::component::bindgen!({ path: "component", world: "core" });
}
pub use generated::exports::hubstow::placement::{care as wit_care, decisions as wit};

pub use bounds::{Bounds, Limits};
pub use component::{ComponentCore, Options, Pool};
pub use error::CoreError;

/// The component itself, as it was built with this crate: for other engines and other languages.
pub const COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/core.wasm"));

/// The example of the page beside this crate.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
