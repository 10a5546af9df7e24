//! A tier of hub content that many machines share, on any object store.
//!
//! Whole files lie under their hash, listings under their commit, refs under their revision. There is no database, no lock
//! and no process of its own: what must not go wrong hangs on conditional writes of the store alone. The format and its
//! rules are `docs/tier.md`; the rules as code are [`decide`].
//!
//! ```
//! # async fn example() -> Result<(), hubstow_tier::Error> {
//! use hubstow_tier::{Begin, Limits, ObjectId, Tier};
//!
//! let tier = Tier::open("memory:///", Limits::default())?;
//! tier.check().await?;
//! # let etag = hubstow_core::name::Etag::parse(&"a1".repeat(32)).unwrap();
//! # let (size_bytes, file) = (0, std::path::Path::new("x"));
//! let object = ObjectId::of(&etag).expect("an etag that is a hash");
//! match tier.begin(&object, std::time::Duration::from_secs(30)).await? {
//!     Begin::Here(_) => {
//!         if let Some(mut content) = tier.get(&object, None).await? {
//!             while let Some(bytes) = content.chunk().await? { /* hash them, hand them on */ }
//!         }
//!     }
//!     Begin::Fill(claim) => {
//!         // bring the file from upstream, prove it, then:
//!         tier.put(&object, size_bytes, file).await?;
//!         claim.release().await;
//!     }
//!     Begin::Waited => { /* bring it from upstream without waiting any longer */ }
//! }
//! # Ok(())
//! # }
//! ```

pub mod decide;

mod claims;
mod clock;
mod content;
mod error;
mod folder;
mod health;
mod limits;
mod name;
mod open;
mod pins;
mod put;
mod record;
mod refs;
#[cfg(feature = "s3")]
mod s3;
mod store;
mod sweep;
mod tier;
mod trees;
mod uploads;
#[cfg(feature = "http")]
mod web;

pub use claims::{Begin, Claim};
pub use content::{Content, Object, Proof};
pub use decide::Word;
pub use error::{Error, ErrorKind};
pub use health::State;
pub use limits::Limits;
pub use name::{Algorithm, ObjectId, Pin};
pub use put::Put;
pub use refs::{Confirmed, RefSeen};
pub use sweep::{Sweep, Swept};
pub use tier::Tier;
pub use trees::Tree;
pub use uploads::Cleared;
