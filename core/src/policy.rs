//! Methods of placing, and policies: the ladders of methods that may be used.
//!
//! A policy is an ordered list. The core takes the first method that the source allows and that nothing here has
//! refused; it never invents one.

use crate::cases;

cases! {
    /// How a pointer can be placed.
    ///
    /// ```
    /// use hubstow_core::policy::Method;
    ///
    /// assert_eq!(Method::from_code("hardlink"), Some(Method::Hardlink));
    /// assert_eq!(Method::Copy.code(), "copy");
    /// ```
    pub enum Method {
        /// A relative symlink from the pointer to the blob: no byte twice, and what peers expect.
        Symlink = "symlink",
        /// A second name of the blob's inode: no byte twice, and it survives peers that move or delete the blob.
        Hardlink = "hardlink",
        /// A copy that shares its blocks until one side changes.
        Reflink = "reflink",
        /// A staged file renamed to the pointer. Only private names are ever moved.
        Move = "move",
        /// A copy, byte for byte.
        Copy = "copy",
    }
}

cases! {
    /// What is known of a method in a cache directory. A bool could not say "not yet known".
    ///
    /// ```
    /// use hubstow_core::policy::{Method, Methods, Support};
    ///
    /// let known = Methods::UNTRIED.with(Method::Symlink, Support::Refused);
    /// assert_eq!(known.support(Method::Symlink).code(), "refused");
    /// assert_eq!(Support::from_code("works"), Some(Support::Works));
    /// ```
    pub enum Support {
        /// Nobody has tried yet.
        Untried = "untried",
        /// It was done and read through.
        Works = "works",
        /// It was refused, or made something that can't be read.
        Refused = "refused",
    }
}

/// What is known of each link method in one cache directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Methods {
    /// Symlinks.
    pub symlink: Support,
    /// Hard links.
    pub hardlink: Support,
    /// Reflinks.
    pub reflink: Support,
}

impl Methods {
    /// Nothing is known yet.
    pub const UNTRIED: Self =
        Self { symlink: Support::Untried, hardlink: Support::Untried, reflink: Support::Untried };

    /// Returns what is known of a method. Moving and copying need no support: where they fail, nothing would work.
    #[must_use]
    pub fn support(self, method: Method) -> Support {
        match method {
            Method::Symlink => self.symlink,
            Method::Hardlink => self.hardlink,
            Method::Reflink => self.reflink,
            Method::Move | Method::Copy => Support::Works,
        }
    }

    /// Returns the same knowledge with one method's support replaced.
    #[must_use]
    pub fn with(mut self, method: Method, support: Support) -> Self {
        match method {
            Method::Symlink => self.symlink = support,
            Method::Hardlink => self.hardlink = support,
            Method::Reflink => self.reflink = support,
            Method::Move | Method::Copy => {}
        }
        self
    }
}

impl Methods {
    /// Returns the same knowledge with what has changed between two others: what one file taught, while others were
    /// placed.
    #[must_use]
    pub fn updated(self, before: Self, after: Self) -> Self {
        [Method::Symlink, Method::Hardlink, Method::Reflink]
            .into_iter()
            .filter(|&method| before.support(method) != after.support(method))
            .fold(self, |known, method| known.with(method, after.support(method)))
    }
}

impl Default for Methods {
    fn default() -> Self {
        Self::UNTRIED
    }
}

cases! {
    /// An ordered ladder of the methods that are allowed.
    ///
    /// ```
    /// use hubstow_core::policy::{Method, Policy};
    ///
    /// assert_eq!(Policy::from_code("portable"), Some(Policy::Portable));
    /// assert_eq!(Policy::Portable.ladder(), [Method::Move, Method::Copy]);
    /// for policy in Policy::ALL {
    ///     println!("{}: {:?}", policy.code(), policy.ladder());
    /// }
    /// ```
    pub enum Policy {
        /// symlink › move › copy: the documented behaviour of the Python client and of hf-hub #172.
        Compat = "compat",
        /// symlink › hardlink › reflink › move › copy: no byte twice where symlinks are refused.
        Dedup = "dedup",
        /// hardlink › reflink › move › copy: never a symlink, for a cache shared between operating systems.
        Nas = "nas",
        /// move › copy: what can be carried to a disk without links.
        Portable = "portable",
        /// symlink: fail rather than use more disk.
        Strict = "strict",
    }
}

impl Policy {
    /// Returns the methods that are allowed, best first.
    #[must_use]
    pub fn ladder(self) -> &'static [Method] {
        match self {
            Self::Compat => &[Method::Symlink, Method::Move, Method::Copy],
            Self::Dedup => {
                &[Method::Symlink, Method::Hardlink, Method::Reflink, Method::Move, Method::Copy]
            }
            Self::Nas => &[Method::Hardlink, Method::Reflink, Method::Move, Method::Copy],
            Self::Portable => &[Method::Move, Method::Copy],
            Self::Strict => &[Method::Symlink],
        }
    }
}

#[expect(clippy::derivable_impls, reason = "the case list is made by a macro without #[default]")]
impl Default for Policy {
    fn default() -> Self {
        Self::Compat
    }
}
