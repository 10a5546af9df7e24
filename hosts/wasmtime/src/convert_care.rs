//! The same for what the cache holds and for plans: its types are those of an interface of their own.

use hubstow_core::care;

use crate::wit_care as wit;

same_cases! {
    care::Role = Role {
        Repo Frame Ref Revision Folder Pointer Blob Staged Companion Payload Stranger
    }
    care::Hold = Hold { Free Pinned InUse Unsure }
    care::Why = Why { Asked Follows Detached Unused Surplus Oversize Orphan Dead Empty }
}

same_fields! {
    care::Content = Content { file len_bytes names }
    care::Step = Step { id role why over }
    care::Kept = Kept { id by }
}

impl From<wit::Stamp> for care::Stamp {
    fn from(wit::Stamp { high, low }: wit::Stamp) -> Self {
        Self(u128::from(high) << 64 | u128::from(low))
    }
}

impl From<care::Stamp> for wit::Stamp {
    fn from(care::Stamp(bits): care::Stamp) -> Self {
        // The halves, each whole.
        let [high, low] = [bits >> 64, bits].map(|half| half as u64);
        Self { high, low }
    }
}

/// Ties records together that hold lists or optional values, field by field.
macro_rules! same_lists {
    ($($core:ident { $($plain:ident)* $(? $optional:ident)* $([$list:ident])* })+) => { $(
        impl From<wit::$core> for care::$core {
            fn from(record: wit::$core) -> Self {
                Self {
                    $($plain: record.$plain.into(),)*
                    $($optional: record.$optional.map(Into::into),)*
                    $($list: record.$list.into_iter().map(Into::into).collect(),)*
                }
            }
        }
        impl From<care::$core> for wit::$core {
            fn from(record: care::$core) -> Self {
                Self {
                    $($plain: record.$plain.into(),)*
                    $($optional: record.$optional.map(Into::into),)*
                    $($list: record.$list.into_iter().map(Into::into).collect(),)*
                }
            }
        }
    )+ };
}

same_lists! {
    Entry { role used modified hold over ? within ? content [leads_to] }
    Plan { freed_bytes [steps] [kept] }
}

impl From<wit::Rules> for care::Rules {
    fn from(rules: wit::Rules) -> Self {
        let wit::Rules { unused_since, keep_last, max_bytes } = rules;
        let keep_last = keep_last.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
        Self { unused_since, keep_last, max_bytes }
    }
}

impl From<care::Rules> for wit::Rules {
    fn from(rules: care::Rules) -> Self {
        let care::Rules { unused_since, keep_last, max_bytes } = rules;
        let keep_last = keep_last.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        Self { unused_since, keep_last, max_bytes }
    }
}
