//! The hub's contract: whatever is sent, and however URLs are written.

use hubstow_core::{
    action::Lookup,
    facts::Answer,
    hub::{
        Backoff, Endpoint, Headers, Hop, Origin, REDIRECT_LIMIT, RETRY_AFTER_LIMIT_S, Redirect,
        Retry, quote, quote_path, read_head, redirect, refusal_of_status, retry, retry_after_s,
        same_content,
    },
    name::{FileName, Repo, RepoId, RepoKind, Revision},
    why::Refusal,
};
use proptest::{prelude::*, sample::select};
use url::Url;

use crate::odd::{config, header, odd_text, odd_url, plain_url};

const HUB: &str = "https://huggingface.co";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (hex, after) = after.split_at(2);
            bytes.push(u8::from_str_radix(core::str::from_utf8(hex).unwrap(), 16).unwrap());
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).unwrap()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_answer_is_read(
        status in prop_oneof![100_u16..600, select([200, 302, 304, 404].as_slice())],
        repo_commit in header(COMMIT),
        etag in header("\"abc\""),
        linked_etag in header("\"def\""),
        linked_size in header("12"),
        content_length in header("34"),
        error_code in header("EntryNotFound"),
        error_message in header("Access to this resource is disabled."),
        lookup in select(Lookup::ALL),
        asked in select(["main", COMMIT, "89abcdef0123456789abcdef0123456789abcdef"].as_slice()),
    ) {
        let headers = Headers {
            repo_commit: repo_commit.as_deref(),
            etag: etag.as_deref(),
            linked_etag: linked_etag.as_deref(),
            linked_size: linked_size.as_deref(),
            content_length: content_length.as_deref(),
            xet_hash: None,
            error_code: error_code.as_deref(),
            error_message: error_message.as_deref(),
        };
        let asked = Revision::parse(asked).unwrap();
        let reply = read_head(status, &headers, &asked, lookup);
        prop_assert_eq!(reply.metadata.is_some(), reply.answer == Answer::Found);
        prop_assert_eq!(reply.broken.is_some(), reply.answer == Answer::Hostile);
        let names_commit = [Answer::Found, Answer::NotModified, Answer::EntryMissing, Answer::OtherCommit];
        prop_assert!(reply.commit.is_some() || !names_commit.contains(&reply.answer));
        prop_assert!(![Answer::Pending, Answer::Unreachable].contains(&reply.answer));
        let answers_another = asked.as_commit().is_some_and(|pinned| {
            reply.commit.as_ref().is_some_and(|answered| *answered != pinned)
        });
        let speaks_of_it = [Answer::Found, Answer::NotModified, Answer::EntryMissing];
        prop_assert!(!answers_another || !speaks_of_it.contains(&reply.answer));
        if let Some(metadata) = reply.metadata {
            prop_assert!(same_content(&metadata, &headers), "an answer agrees with itself");
            prop_assert_eq!(Some(&metadata.commit), reply.commit.as_ref());
        }
        let local = [Refusal::NotCached, Refusal::CacheDamaged, Refusal::ForceOffline];
        prop_assert!(!local.contains(&refusal_of_status(status, &headers)));
        let passes = [Answer::Throttled, Answer::Failing].contains(&reply.answer);
        let coded = error_code.is_some() || error_message.is_some();
        prop_assert!(retry(status) == Retry::No || passes || coded || reply.broken.is_some());
    }

    #[test]
    fn no_wait_is_unbounded(after in header("7"), limit in header("\"api\";r=0;t=55"), tries in any::<u32>()) {
        let wait = retry_after_s(after.as_deref(), limit.as_deref());
        prop_assert!(wait.is_none_or(|seconds| seconds <= RETRY_AFTER_LIMIT_S));
        let wait = Backoff::DEFAULT.wait_ms(tries);
        prop_assert!(wait.is_none_or(|ms| ms <= Backoff::DEFAULT.limit_ms));
        prop_assert_eq!(wait.is_some(), tries < Backoff::DEFAULT.retries);
    }

    #[test]
    fn an_origin_is_what_the_url_library_makes_of_it(text in plain_url()) {
        let url = Url::parse(&text).unwrap();
        let user = if url.username().is_empty() { "" } else { "user@" };
        let (host, port) = (url.host_str().unwrap(), url.port_or_known_default().unwrap());
        let spelt_out = format!("{}://{user}{host}:{port}", url.scheme());
        let origin = Origin::of(&text);
        prop_assert!(origin.is_some());
        prop_assert_eq!(origin, Origin::of(&spelt_out));
    }

    #[test]
    fn the_token_goes_only_where_the_url_library_sees_the_endpoint(to in prop_oneof![odd_url(), plain_url()]) {
        let endpoint = Origin::of(HUB).unwrap();
        let hop = Hop { from: HUB, to: &to, endpoint: &endpoint, followed: 0 };
        if redirect(&hop) == Redirect::FollowWithToken && let Ok(url) = Url::parse(&to) {
            prop_assert_eq!(url.origin(), Url::parse(HUB).unwrap().origin());
        }
        let hop = Hop { followed: REDIRECT_LIMIT, ..hop };
        prop_assert_eq!(redirect(&hop), Redirect::TooMany);
    }

    #[test]
    fn no_secure_request_goes_on_in_the_clear(to in odd_url()) {
        let endpoint = Origin::of(HUB).unwrap();
        let followed = redirect(&Hop { from: HUB, to: &to, endpoint: &endpoint, followed: 0 });
        let follows = [Redirect::FollowWithToken, Redirect::FollowWithoutToken].contains(&followed);
        if follows && let Ok(url) = Url::parse(&to) {
            prop_assert_eq!(url.scheme(), "https");
        }
    }

    #[test]
    fn an_endpoint_that_is_accepted_holds_no_secret(text in odd_url()) {
        if let Ok(endpoint) = Endpoint::parse(&text) && let Ok(url) = Url::parse(endpoint.as_str()) {
            prop_assert_eq!((url.username(), url.password()), ("", None));
            prop_assert_eq!((url.query(), url.fragment()), (None, None));
        }
    }

    #[test]
    fn quoting_can_be_undone(text in any::<String>()) {
        let quoted = quote(&text);
        prop_assert!(quoted.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-~%".contains(&b)));
        prop_assert_eq!(decoded(&quoted), text.clone());
        prop_assert_eq!(decoded(&quote_path(&text)), text);
    }

    #[test]
    fn the_url_of_a_file_names_that_file(file in odd_text(), revision in odd_text()) {
        let (Ok(file), Ok(revision)) = (FileName::parse(&file), Revision::parse(&revision)) else {
            return Ok(());
        };
        let repo = Repo::new(RepoKind::Dataset, RepoId::parse("org/name").unwrap());
        let text = Endpoint::parse(HUB).unwrap().file(&repo, &revision, &file);
        let url = Url::parse(&text).unwrap();
        prop_assert_eq!(url.as_str(), &text, "the URL library changes nothing");
        let segments: Vec<_> = url.path_segments().unwrap().map(decoded).collect();
        let mut expected = vec!["datasets", "org", "name", "resolve", revision.as_str()];
        expected.extend(file.parts());
        prop_assert_eq!(segments, expected);
    }
}
