//! Texts that can come from outside: the component reads them as the crate does.

use hubstow_core::{
    action::Lookup,
    hub::Headers,
    name::{Commit, Naming, Nonce, Repo, RepoId, RepoKind, Revision},
};
use proptest::{prelude::*, sample::select};

use crate::{
    odd::{config, etag, file_name, header, odd_text, odd_url, plain_url},
    rows::{NameKind, Page, Place},
    subject, the_crate,
};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

const KINDS: [NameKind; 10] = [
    NameKind::RepoId,
    NameKind::RepoKind,
    NameKind::Revision,
    NameKind::Commit,
    NameKind::Etag,
    NameKind::EtagHeader,
    NameKind::RefFile,
    NameKind::FileName,
    NameKind::Nonce,
    NameKind::Endpoint,
];

/// Everything that has a path, by its word in the layout table.
const ITEMS: [&str; 22] = [
    "root",
    "cache-tag",
    "repo",
    "blobs",
    "blob",
    "staged",
    "snapshots",
    "folded-snapshots",
    "snapshot",
    "pointer",
    "ref-file",
    "no-exist",
    "listing",
    "lock",
    "private",
    "scratch",
    "link-scratch",
    "name-trial",
    "proof",
    "probe-folder",
    "probe-file",
    "local-metadata",
];

fn revision() -> impl Strategy<Value = Revision> {
    prop_oneof![Just("main".to_owned()), Just(COMMIT.to_owned()), odd_text()]
        .prop_filter_map("refused", |text| Revision::parse(&text).ok())
}

fn repo() -> impl Strategy<Value = Repo> {
    let id = prop_oneof!["[a-zA-Z0-9]{1,6}(/[a-z0-9._-]{1,9})?", odd_text()]
        .prop_filter_map("refused", |text| RepoId::parse(&text).ok());
    (select(RepoKind::ALL.as_slice()), id).prop_map(|(kind, id)| Repo::new(kind, id))
}

prop_compose! {
    fn a_place()(
        local in any::<bool>(),
        repo in repo(),
        revision in revision(),
        file in file_name(),
        etag in etag(),
        nonce in any::<u128>(),
        link in odd_text(),
        base in odd_text(),
    ) -> Place {
        let (commit, nonce) = (Commit::parse(COMMIT).unwrap(), Nonce::from_bits(nonce));
        Place { local, kind: repo.kind, repo: repo.id, revision, commit, file, etag, nonce, link, base }
    }
}

/// A question to the component takes a third of a millisecond without optimisation.
fn fewer() -> ProptestConfig {
    ProptestConfig { cases: 1_000, ..config() }
}

proptest! {
    #![proptest_config(fewer())]

    #[test]
    fn names_are_parsed_alike(text in odd_text(), kind in select(KINDS.as_slice())) {
        let parsed = the_crate::parse_name(kind, &text);
        prop_assert_eq!(subject::parse_name(kind, &text), parsed);
        for naming in [Naming::Posix, Naming::Windows] {
            let stored = the_crate::check_file_name(&text, naming);
            prop_assert_eq!(subject::check_file_name(&text, naming), stored);
        }
        prop_assert_eq!(subject::content_hash_of(&text), the_crate::content_hash_of(&text));
    }

    #[test]
    fn paths_are_built_alike(place in a_place(), what in select(ITEMS.as_slice())) {
        let path = the_crate::path(what, &place);
        prop_assert!(path.is_ok());
        prop_assert_eq!(subject::path(what, &place), path);
        prop_assert_eq!(subject::is_reserved(&place), the_crate::is_reserved(&place));
        prop_assert_eq!(subject::pointer_steps(&place), the_crate::pointer_steps(&place));
        let Place { file, etag, nonce, link, base, .. } = &place;
        let text = the_crate::link_text(file, etag);
        prop_assert_eq!(subject::link_text(file, etag), text.clone());
        for text in [&text, link] {
            let read = the_crate::etag_of_link(file, text);
            prop_assert_eq!(subject::etag_of_link(file, text), read);
        }
        for base in [base, &format!("{etag}.{nonce}.incomplete")] {
            prop_assert_eq!(subject::staged_of_base(base), the_crate::staged_of_base(base));
        }
    }

    #[test]
    fn answers_are_read_alike(
        status in prop_oneof![100_u16..600, select([200, 302, 304, 401, 403, 404].as_slice())],
        repo_commit in header(COMMIT),
        etag in header("\"abc\""),
        linked_etag in header("\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""),
        linked_size in header("17"),
        content_length in header("18446744073709551615"),
        xet_hash in header("xet"),
        error_code in header("EntryNotFound"),
        error_message in header("Access to this resource is disabled."),
        lookup in select(Lookup::ALL),
        asked in revision(),
    ) {
        let headers = Headers {
            repo_commit: repo_commit.as_deref(),
            etag: etag.as_deref(),
            linked_etag: linked_etag.as_deref(),
            linked_size: linked_size.as_deref(),
            content_length: content_length.as_deref(),
            xet_hash: xet_hash.as_deref(),
            error_code: error_code.as_deref(),
            error_message: error_message.as_deref(),
        };
        let read = the_crate::read_head(status, &headers, &asked, lookup);
        prop_assert_eq!(subject::read_head(status, &headers, &asked, lookup), read);
        let refusal = the_crate::refusal_of_status(status, &headers);
        prop_assert_eq!(subject::refusal_of_status(status, &headers), refusal);
        let commit = Commit::parse(COMMIT).unwrap();
        for promised in ["abc", "def"].map(|text| text.parse().unwrap()) {
            let same = the_crate::same_content(&commit, &promised, &headers);
            prop_assert_eq!(subject::same_content(&commit, &promised, &headers), same);
        }
    }

    #[test]
    fn redirects_are_judged_alike(
        endpoint in prop_oneof![Just("https://huggingface.co".to_owned()), plain_url(), odd_url()],
        from in prop_oneof![Just("https://huggingface.co/x".to_owned()), odd_url()],
        to in prop_oneof![plain_url(), odd_url()],
        followed in prop_oneof![0_u32..12, any::<u32>()],
    ) {
        let judged = the_crate::redirect(&endpoint, &from, &to, followed);
        prop_assert_eq!(subject::redirect(&endpoint, &from, &to, followed), judged);
    }

    #[test]
    fn urls_are_built_alike(
        endpoint in prop_oneof![Just("https://huggingface.co".to_owned()), plain_url(), odd_url()],
        repo in repo(),
        revision in revision(),
        file in file_name(),
        page in 0_usize..4,
    ) {
        let page = [Page::File(&file), Page::Revision, Page::Listing, Page::PathsInfo][page];
        let url = the_crate::url(&endpoint, &repo, &revision, page);
        prop_assert_eq!(subject::url(&endpoint, &repo, &revision, page), url);
    }

    #[test]
    fn waits_are_read_alike(
        after in header("7"),
        limit in header("\"api\";r=0;t=55"),
        tries in prop_oneof![0_u32..12, any::<u32>()],
        status in any::<u16>(),
    ) {
        let (after, limit) = (after.as_deref(), limit.as_deref());
        prop_assert_eq!(subject::retry_after_s(after, limit), the_crate::retry_after_s(after, limit));
        prop_assert_eq!(subject::backoff_ms(tries), the_crate::backoff_ms(tries));
        prop_assert_eq!(subject::retry(status), the_crate::retry(status));
    }
}
