//! The same for what the cache holds and for plans: its types are those of an interface of their own.

use hubstow_core::care::{self, relink};

use crate::wit_care as wit;

same_cases! {
    care::Role = Role {
        Repo Frame Ref Revision Folder Pointer Blob Staged Companion Payload Stranger
    }
    care::Hold = Hold { Free Pinned InUse Unsure }
    care::Why = Why { Asked Follows Detached Unused Surplus Oversize Orphan Dead Empty }
    care::Ill = Ill {
        Content Unnamed Astray Untidy Void Listing Unlisted Closed Strange Litter
    }
    care::Cure = Cure { List Place Fetch Enlist Remove Point }
    care::Need = Need { Hub Right Hand Cleaning }
    relink::Act = Act { Clear Make Share Place Drop }
    relink::Why = ConversionWhy { Copied Alone Linked Dangling Elsewhere Useless Dead }
    relink::Because = Because { InUse Unsure Damaged Unproved NoMethod }
}

same_fields! {
    care::Content = Content { file len_bytes names }
    care::Step = Step { id role why over }
    care::Kept = Kept { id by }
    care::Unhealed = Unhealed { id need }
    relink::Known = Known { blob state }
    relink::Left = Left { id because }
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
    ($($core:path = $wit:ident { $($plain:ident)* $(? $optional:ident)* $([$list:ident])* })+) => { $(
        impl From<wit::$wit> for $core {
            fn from(record: wit::$wit) -> Self {
                Self {
                    $($plain: record.$plain.into(),)*
                    $($optional: record.$optional.map(Into::into),)*
                    $($list: record.$list.into_iter().map(Into::into).collect(),)*
                }
            }
        }
        impl From<$core> for wit::$wit {
            fn from(record: $core) -> Self {
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
    care::Entry = Entry { role used modified hold over ? within ? content [leads_to] }
    care::Plan = Plan { freed_bytes [steps] [kept] }
    care::Wound = Wound { id ill has_name ? wants ? through [good] }
    care::Heal = Heal { id role cure over ? from }
    care::Repair = Repair { [steps] [unhealed] }
    relink::Rules = ConversionRules { policy methods across [repos] [dead] }
    relink::Step = ConversionStep { act id role why over ? by ? from }
    relink::Plan = Conversion { freed_bytes [steps] [left] }
}

impl From<wit::State> for relink::State {
    fn from(state: wit::State) -> Self {
        match state {
            wit::State::Proved(same) => Self::Proved(same),
            wit::State::Damaged => Self::Damaged,
            wit::State::Unproved => Self::Unproved,
        }
    }
}

impl From<relink::State> for wit::State {
    fn from(state: relink::State) -> Self {
        match state {
            relink::State::Proved(same) => Self::Proved(same),
            relink::State::Damaged => Self::Damaged,
            relink::State::Unproved => Self::Unproved,
        }
    }
}

impl From<wit::Source> for relink::Source {
    fn from(source: wit::Source) -> Self {
        match source {
            wit::Source::Entry(wit::Seen { id, over }) => {
                Self::Entry { id: id.into(), over: over.into() }
            }
            wit::Source::Made(id) => Self::Made(id.into()),
        }
    }
}

impl From<relink::Source> for wit::Source {
    fn from(source: relink::Source) -> Self {
        match source {
            relink::Source::Entry { id, over } => {
                Self::Entry(wit::Seen { id: id.into(), over: over.into() })
            }
            relink::Source::Made(id) => Self::Made(id.into()),
        }
    }
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
