//! Between the types of the interface and those of the core: the same cases by the same names, in both directions.
//!
//! The component and the wasmtime host each generate the interface's types for themselves; both include this file, with
//! the generated types as `crate::wit`. Every match names every case, so a case that only one side knows does not build.

use hubstow_core::{action, facts, hub, learn, model, name, policy, resolve, why};

use crate::wit;

/// Ties fieldless enums of both sides together, case by case.
macro_rules! same_cases {
    ($($core:path = $wit:ident { $($case:ident)+ })+) => { $(
        impl From<wit::$wit> for $core {
            fn from(case: wit::$wit) -> Self {
                match case { $(wit::$wit::$case => Self::$case),+ }
            }
        }
        impl From<$core> for wit::$wit {
            fn from(case: $core) -> Self {
                match case { $(<$core>::$case => Self::$case),+ }
            }
        }
    )+ };
}

same_cases! {
    facts::Pointer = Pointer { Absent Linked Stray Holds Torn Directory Alias }
    facts::Blob = Blob { Absent Existing Borrowed Torn Directory }
    facts::Staged = Staged { Absent Partial Complete Elsewhere }
    facts::Twin = Twin { Absent Present }
    facts::Demand = Demand { Any Fresh FreshPointer }
    facts::RefFile = RefFile { Unwanted Current Behind Unwritable }
    policy::Method = Method { Symlink Hardlink Reflink Move Copy }
    policy::Support = Support { Untried Works Refused }
    policy::Policy = Policy { Compat Dedup Nas Portable Strict }
    facts::RevisionKind = RevisionKind { Commit Name }
    facts::Reach = Reach { Online Offline }
    facts::Force = Force { Off On }
    facts::Stale = Stale { Never Unreachable Always }
    facts::Cached = Cached { Absent Linked Holds Damaged Directory Alias }
    facts::Marker = Marker { Absent Present }
    facts::Answer = Answer {
        Pending Found NotModified NotModifiedBare Incomplete Hostile OtherCommit EntryMissing EntryMissingBare
        RevisionMissing RepoMissing Unauthorized Forbidden Throttled Failing Unreachable Unexpected
    }
    action::Lookup = Lookup { Conditional Plain }
    action::Source = Source { Blob Staged Twin }
    why::Reason = Reason {
        PointerLinked PointerHolds RefBehind MethodUntried NothingHere PartHere Forced MethodWorks MethodTried
        MovedLinksRefused MovedByPolicy CopiedLinksRefused CopiedBorrowed CopiedByPolicy CopiedAcross TwinHere BlobTorn Pinned
        Offline StaleAllowed ContentKnown RevisionUnknown AnswerBare AnswerFound EntryMissing
    }
    why::Refusal = Refusal {
        PointerIsDirectory BlobIsDirectory NameTaken NoMethodLeft ForceOffline NotCached CacheDamaged EntryNotFound
        RevisionNotFound RepoNotFound Unauthorized Forbidden Throttled HubFailing HubUnreachable AnswerIncomplete
        AnswerHostile OtherCommit AnswerUnexpected
    }
    resolve::Served = Served { Pinned Offline Stale }
    learn::Failure = Failure { Unsupported Raced Fatal }
    model::Answers = Answers { Yes No OnlyProbe }
    name::Naming = Naming { Posix Windows }
    name::ContentHash = ContentHash { Sha256 GitBlobSha1 Opaque }
    name::RepoKind = RepoKind { Model Dataset Space Kernel }
    hub::Redirect = RedirectRule { FollowWithToken FollowWithoutToken WrongScheme Downgrade TooMany }
    hub::Retry = RetryRule { Yes No }
}

/// Ties records of both sides together, field by field.
macro_rules! same_fields {
    ($($core:path = $wit:ident { $($field:ident)+ })+) => { $(
        impl From<wit::$wit> for $core {
            fn from(record: wit::$wit) -> Self {
                Self { $($field: record.$field.into()),+ }
            }
        }
        impl From<$core> for wit::$wit {
            fn from(record: $core) -> Self {
                Self { $($field: record.$field.into()),+ }
            }
        }
    )+ };
}

same_fields! {
    policy::Methods = Methods { symlink hardlink reflink }
    facts::PlaceFacts = PlaceFacts { policy demand pointer blob staged twin methods ref_file }
    facts::ResolveFacts = ResolveFacts { revision reach force stale cached marker answer }
    model::DiskKind = DiskKind { symlink hardlink reflink }
    model::Round = Round { action reason }
}

impl From<wit::Action> for action::Action {
    fn from(action: wit::Action) -> Self {
        match action {
            wit::Action::Lookup(lookup) => Self::Lookup(lookup.into()),
            wit::Action::Mark => Self::Mark,
            wit::Action::Probe(method) => Self::Probe(method.into()),
            wit::Action::Fetch => Self::Fetch,
            wit::Action::Seal(wit::SealAction { from, over }) => {
                Self::Seal { from: from.into(), over: over.into() }
            }
            wit::Action::Place(wit::PlaceAction { by, from, over }) => {
                Self::Place { by: by.into(), from: from.into(), over: over.into() }
            }
            wit::Action::Point => Self::Point,
        }
    }
}

impl From<action::Action> for wit::Action {
    fn from(action: action::Action) -> Self {
        match action {
            action::Action::Lookup(lookup) => Self::Lookup(lookup.into()),
            action::Action::Mark => Self::Mark,
            action::Action::Probe(method) => Self::Probe(method.into()),
            action::Action::Fetch => Self::Fetch,
            action::Action::Seal { from, over } => {
                Self::Seal(wit::SealAction { from: from.into(), over: over.into() })
            }
            action::Action::Place { by, from, over } => Self::Place(wit::PlaceAction {
                by: by.into(),
                from: from.into(),
                over: over.into(),
            }),
            action::Action::Point => Self::Point,
        }
    }
}

/// Ties the headers of both sides together, field by field.
macro_rules! same_headers {
    ($($header:ident)+) => {
        impl<'a> From<&'a wit::Headers> for hub::Headers<'a> {
            fn from(headers: &'a wit::Headers) -> Self {
                Self { $($header: headers.$header.as_deref()),+ }
            }
        }
        impl From<&hub::Headers<'_>> for wit::Headers {
            fn from(headers: &hub::Headers<'_>) -> Self {
                Self { $($header: headers.$header.map(str::to_owned)),+ }
            }
        }
    };
}

same_headers! {
    repo_commit etag linked_etag linked_size content_length xet_hash error_code error_message
}

/// Ties variants whose cases carry one or two values together.
macro_rules! same_variants {
    ($($module:ident::$wit:ident { $($case:ident $(($value:ident))? $(/($first:ident, $second:ident))?),+ })+) => { $(
        impl From<wit::$wit> for $module::$wit {
            fn from(case: wit::$wit) -> Self {
                match case {
                    $(wit::$wit::$case $(($value))? $((($first, $second)))?
                        => Self::$case $(($value.into()))? $(($first.into(), $second.into()))?),+
                }
            }
        }
        impl From<$module::$wit> for wit::$wit {
            fn from(case: $module::$wit) -> Self {
                match case {
                    $($module::$wit::$case $(($value))? $(($first, $second))?
                        => Self::$case $(($value.into()))? $((($first.into(), $second.into())))?),+
                }
            }
        }
    )+ };
}

same_variants! {
    action::Decision { Reuse(reason), Act/(action, reason), Refuse(refusal) }
    resolve::Resolution { Serve/(served, reason), Act/(action, reason), Proceed(reason), Refuse(refusal) }
    learn::Lesson { Again(methods), GiveUp }
    model::End { Reuse(reason), Refuse(refusal), Unfinished }
}
