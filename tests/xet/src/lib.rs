//! A stage for downloads from a Xet store: the store that `xet-client` simulates, a line to it that can be listened to
//! and cut, and a hub that names it.

mod hub;
mod line;
mod store;

pub use hub::{Asked, File, Grant, Hub};
pub use line::Line;
pub use store::Store;

/// The commit that every revision means.
pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// The hub's token, which the store must never see.
pub const HUB_TOKEN: &str = "hf_canary_of_the_hub";
/// The store's own token.
pub const STORE_TOKEN: &str = "xet_canary_of_the_store";

/// Returns bytes that no compression makes shorter, the same for the same seed.
#[must_use]
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D)
    };
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&next().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Returns the sha256 of bytes, as the hub names it.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
