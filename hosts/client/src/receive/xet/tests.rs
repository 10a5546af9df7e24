use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use hubstow_core::facts::Staged;

use crate::{
    http::{
        transport::BoxFuture,
        xet::{XetAsked, XetStore, XetStoreError, XetStream},
    },
    receive::stage::{Reply, Stage},
};

const CONTENT: &[u8] = b"what lies in the store";
const STORE_TOKEN: &str = "token_of_the_store";

/// What the store does when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Brings,
    /// It ends after so many bytes, and says nothing.
    Ends(usize),
    /// It breaks after so many bytes.
    Breaks(usize),
    /// It can't be opened, for now or at all.
    Fails,
    HasNothing,
    BringsOther,
}

/// A store that does one thing after the other.
struct Scripted {
    does: Mutex<VecDeque<Does>>,
    opened: Mutex<Vec<String>>,
}

struct Pieces(VecDeque<Result<Bytes, XetStoreError>>);

impl XetStream for Pieces {
    fn piece(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, XetStoreError>> {
        Box::pin(std::future::ready(self.0.pop_front().transpose()))
    }
}

impl XetStore for Scripted {
    fn open<'a>(
        &'a self,
        asked: XetAsked<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn XetStream>, XetStoreError>> {
        assert_eq!(asked.grant.reveal_token(), STORE_TOKEN);
        assert_eq!(asked.grant.url(), "https://store.test");
        self.opened.lock().unwrap().push(format!("{}-{}", asked.range.start, asked.range.end));
        let from = asked.range.start as usize;
        let piece = |to| Ok(Bytes::copy_from_slice(&CONTENT[from..to]));
        let broken = || XetStoreError::Passing("the store is down".into());
        let pieces = match self.does.lock().unwrap().pop_front() {
            Some(Does::Brings) => Ok(vec![piece(CONTENT.len())]),
            Some(Does::Ends(to)) => Ok(vec![piece(to)]),
            Some(Does::Breaks(to)) => Ok(vec![piece(to), Err(broken())]),
            Some(Does::BringsOther) => Ok(vec![Ok(Bytes::from(vec![0; CONTENT.len()]))]),
            Some(Does::HasNothing) => Err(XetStoreError::Lasting("it is not there".into())),
            Some(Does::Fails) | None => Err(broken()),
        };
        let stream = pieces.map(|pieces| Box::new(Pieces(pieces.into())) as Box<dyn XetStream>);
        Box::pin(std::future::ready(stream))
    }
}

/// How the hub answers when it is asked for a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grant {
    Given,
    /// Its time is over when it comes.
    Expired,
    Refused(u16),
}

fn grant(how: Grant) -> Reply {
    let expires_s = match how {
        Grant::Given => u64::MAX.to_string(),
        Grant::Expired => "1".to_owned(),
        Grant::Refused(status) => return Reply::status(status),
    };
    Reply::status(200)
        .with("x-xet-cas-url", "https://store.test/")
        .with("x-xet-access-token", STORE_TOKEN)
        .with("x-xet-token-expiration", expires_s)
}

#[tokio::test]
async fn the_store_is_asked_first_and_the_hub_brings_what_it_does_not() {
    use Does::*;
    let (given, all) = (Grant::Given, "0-22");
    assert_eq!(all, format!("0-{}", CONTENT.len()));
    // What the store does, how often it and the hub are asked for the first file, and for the second.
    type Row =
        (&'static str, Grant, Vec<Does>, [(&'static [&'static str], &'static [&'static str]); 2]);
    let rows: Vec<Row> = vec![
        ("it brings all", given, vec![Brings, Brings], [(&["grant"], &["0-22"]), (&[], &["0-22"])]),
        (
            "each token is good for one file",
            Grant::Expired,
            vec![Brings, Brings],
            [(&["grant"], &["0-22"]), (&["grant"], &["0-22"])],
        ),
        (
            "it fails once",
            given,
            vec![Fails, Brings, Brings],
            [(&["grant", "grant"], &["0-22", "0-22"]), (&[], &["0-22"])],
        ),
        (
            "it fails twice and is left alone",
            given,
            vec![Fails, Fails, Brings],
            [(&["grant", "grant", "named"], &["0-22", "0-22"]), (&["named"], &[])],
        ),
        (
            "it ends early, twice",
            given,
            vec![Ends(5), Ends(8)],
            [(&["grant", "grant", "named 8-"], &["0-22", "5-22"]), (&["named"], &[])],
        ),
        (
            "it breaks, twice",
            given,
            vec![Breaks(5), Breaks(5)],
            [(&["grant", "grant", "named 5-"], &["0-22", "5-22"]), (&["named"], &[])],
        ),
        (
            "it has nothing",
            given,
            vec![HasNothing, Brings],
            [(&["grant", "named"], &["0-22"]), (&[], &["0-22"])],
        ),
        (
            "it has something else",
            given,
            vec![BringsOther, Brings],
            [(&["grant", "pinned"], &["0-22"]), (&[], &["0-22"])],
        ),
        (
            "no token is given",
            Grant::Refused(403),
            vec![],
            [(&["grant", "named"], &[]), (&["named"], &[])],
        ),
        (
            "no token is given for now",
            Grant::Refused(503),
            vec![],
            [(&["grant", "grant", "named"], &[]), (&["named"], &[])],
        ),
    ];
    for (what, how, does, files) in rows {
        let does = Mutex::new(does.into());
        let store = Arc::new(Scripted { does, opened: Mutex::default() });
        let stage = Stage::with_store(CONTENT, 1, Some(store.clone()), move |asked| {
            let from = asked
                .split_once(' ')
                .map_or(0, |(_, range)| range.trim_end_matches('-').parse().unwrap());
            Ok(match asked {
                "grant" => grant(how),
                _ if from > 0 => Reply::range(CONTENT, from, CONTENT.len()),
                _ => Reply::whole(CONTENT),
            })
        });
        for (at, (asked, opened)) in files.into_iter().enumerate() {
            let ended = stage.receive(stage.staged(0)).await;
            assert!(ended.result.is_ok(), "{what}, file {at}: {:?}", ended.result);
            assert_eq!(ended.staged.state(), Staged::Complete, "{what}, file {at}");
            assert_eq!(ended.asked, asked, "{what}, file {at}");
            let theirs = std::mem::take(&mut *store.opened.lock().unwrap());
            assert_eq!(theirs, opened, "{what}, file {at}");
        }
    }
}

#[tokio::test]
async fn without_a_hash_the_store_is_not_asked() {
    let store = Arc::new(Scripted { does: Mutex::default(), opened: Mutex::default() });
    let stage =
        Stage::with_store(CONTENT, 1, Some(store.clone()), |_| Ok(Reply::whole(CONTENT))).opaque();
    let ended = stage.receive(stage.staged(0)).await;
    assert!(ended.result.is_ok(), "{:?}", ended.result);
    assert_eq!(ended.asked, ["named"]);
    assert!(store.opened.lock().unwrap().is_empty());
}
