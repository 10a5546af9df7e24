//! The decisions of hubstow, as pure functions.
//!
//! A hub file belongs in one cache that many tools share: a blob, and a pointer to it in a snapshot. This crate decides
//! which content is meant ([`resolve`]) and how it gets to its place ([`place`]): **link, move, copy or reuse**. It takes
//! facts and returns a decision; hosts look, ask, act on the one action they were given, and look again.
//!
//! What this crate does not do: it has no filesystem, no network, no clock, no randomness and no dependencies; it does
//! not even know a path type. Every function is total. Bytes never enter it.
//!
//! - [`name`]: names, parsed once at the edge
//! - [`layout`]: where everything is in the cache, as string work
//! - [`facts`]: what a host saw; [`policy`]: the ladder of methods that may be used
//! - [`resolve`], [`place`]: the two decision tables; [`why`]: the reasons they give
//! - [`learn`]: what a failed action says about this disk
//! - [`decide`]: who decides, and the guard before it
//! - [`care`]: what of a cache may go, and why, as plans
//! - [`model`]: an in-memory cache for forecasts and tests
//! - [`hub`]: the hub's HTTP contract: URLs, response headers, redirects, retries

#![no_std]

extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

pub mod action;
#[cfg(feature = "care")]
pub mod care;
pub mod decide;
pub mod facts;
pub mod hub;
pub mod layout;
pub mod learn;
pub mod model;
pub mod name;
pub mod place;
pub mod policy;
pub mod resolve;
pub mod why;

/// Defines a fieldless enum whose cases can be listed and have a stable kebab-case code.
macro_rules! cases {
    (
        $(#[$meta:meta])*
        pub enum $name:ident { $( $(#[$case_meta:meta])* $case:ident = $code:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub enum $name { $( $(#[$case_meta])* #[cfg_attr(feature = "serde", serde(rename = $code))] $case, )+ }

        impl $name {
            /// Every case, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$case),+];

            /// Returns the stable code of this case, as JSON, tables and logs show it.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Self::$case => $code),+ }
            }

            /// Finds the case with this code.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|case| case.code() == code)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}
pub(crate) use cases;

/// The example of the page beside this crate.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
