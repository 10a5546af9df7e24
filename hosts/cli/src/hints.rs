//! What a user of this command can do about an error, with its flags and variables.
//!
//! The library says what is; [`hint`] is the only place that chooses what to say about it.

use hubstow_client::{
    CachedCopy, Detail, Distrust, Error, ErrorGroup, HubAnswer, Refused, Subject, TransportError,
    TransportErrorKind, causes,
};
use hubstow_core::{facts::Force, why::Refusal};

/// Returns the way out of an error: what was added to it, or else what its facts lead to.
pub(crate) fn way_out(error: &Error) -> Option<&str> {
    if let Some(added) = error.way_out() {
        return Some(added);
    }
    let Detail::Files(files) = error.detail() else {
        return of_transport(error).or_else(|| hint(error.detail(), error.hub_answer()));
    };
    let of_one = files.failures.iter().find_map(|failed| way_out(&failed.error));
    let others = (files.failures.len() < files.wanted)
        .then_some("the other files are in place; the same command goes on from there");
    of_one.or(others)
}

/// Says what to do about a certificate or a proxy, where one is the cause.
fn of_transport(error: &Error) -> Option<&'static str> {
    let cause = causes(error).find_map(|cause| cause.downcast_ref::<TransportError>())?;
    if cause.kind() == TransportErrorKind::ProxyLogin {
        return Some(
            "write them into the proxy's variable: HTTPS_PROXY=http://name:password@proxy:3128",
        );
    }
    if cause.kind() == TransportErrorKind::Tls {
        return Some(
            "check the port and the scheme of HF_ENDPOINT: a hub without TLS is asked by http://",
        );
    }
    let TransportErrorKind::Certificate(why) = cause.kind() else { return None };
    Some(match why {
        Distrust::UnknownIssuer => {
            "name the file of the authority that has signed it in SSL_CERT_FILE, or add it to those of the system"
        }
        Distrust::Expired | Distrust::NotYetValid => {
            "check the clock of this machine; if that is right, the server needs a new certificate"
        }
        Distrust::OtherName => {
            "check the host in HF_ENDPOINT, or a proxy on the way: the server must be asked by a name that its certificate has"
        }
        Distrust::OfAuthority => {
            "give the server a certificate of its own, signed by that authority, or one that is not marked as an authority (`basicConstraints=CA:FALSE`)"
        }
        Distrust::Revoked | Distrust::Other | _ => {
            "the server needs another certificate, or SSL_CERT_FILE the authority that has signed it"
        }
    })
}

/// Chooses the way out by what is known of an error, and by what the hub said.
fn hint(detail: &Detail, said: Option<&HubAnswer>) -> Option<&'static str> {
    Some(match detail {
        Detail::Refused(refused) => return of_refusal(refused, said),
        Detail::System(group) => return of_system(*group),
        Detail::Output => {
            "check who may write there and that it has room, or choose another place with --output"
        }
        Detail::OutOfReach if cfg!(target_family = "wasm") => {
            "open that folder, or one above it, for this program: `wasmtime run --dir FOLDER::PATH`, where PATH is what it is called here"
        }
        Detail::OutOfReach => "choose another directory with --cache-dir or --local-dir",
        Detail::NoFolder => {
            "move it away, or choose another directory: --cache-dir, --local-dir, HF_HOME or HF_HUB_CACHE"
        }
        Detail::FolderIsLink => {
            "remove the link; to keep a repo on another disk, link the whole repo folder"
        }
        Detail::Unsettled => "end the other programs that change this cache, and run it again",
        Detail::NameNotStored => "choose a cache directory on a filesystem that stores such names",
        Detail::NamesClash => {
            "leave one of them out with --exclude, or choose a directory on a filesystem that tells them apart"
        }
        Detail::NotAdmitted => {
            "leave it out with --exclude; without --local-dir it goes to the cache, where nobody obeys it"
        }
        Detail::UnusableEntry => "leave it out with --exclude; all else is in place",
        Detail::Homeless if cfg!(target_family = "wasm") => {
            "say where the cache is: `wasmtime run --dir FOLDER::/cache --env HF_HUB_CACHE=/cache`"
        }
        Detail::Homeless => "set HF_HOME or HF_HUB_CACHE, or pass --cache-dir",
        Detail::Kept => "what has arrived is kept; the same command goes on from there",
        // What is known may grow; where nothing is, nothing is said.
        Detail::Nothing | Detail::Files(_) | _ => return None,
    })
}

fn of_refusal(refused: &Refused, said: Option<&HubAnswer>) -> Option<&'static str> {
    let Refused { refusal, subject, copy, force, .. } = *refused;
    let denied =
        [Refusal::Unauthorized, Refusal::Forbidden, Refusal::RepoNotFound, Refusal::Throttled];
    // Who forces wants no cached copy.
    if (copy, force) == (CachedCopy::Here, Force::Off) && denied.contains(&refusal) {
        return Some(
            "a cached copy is here: --offline takes it, `--stale always` takes it whenever the hub refuses",
        );
    }
    Some(match refusal {
        Refusal::Unauthorized => "set HF_TOKEN, pass --token, or log in with the Python client",
        Refusal::Forbidden if said.is_some_and(HubAnswer::is_disabled) => {
            "the hub has disabled this repo for everybody; only its owner and the hub can change that"
        }
        Refusal::Forbidden => {
            "accept the repo's conditions on its page, and check what the token may read"
        }
        Refusal::RepoNotFound => "check the id and --repo-type; a private repo needs a token",
        Refusal::RevisionNotFound => {
            "check --revision: branches, tags, `refs/pr/1` and whole commits are revisions"
        }
        Refusal::EntryNotFound => match subject {
            Subject::Snapshot => {
                "patterns match the whole name, case-sensitively; `dir/` means everything below dir"
            }
            Subject::File => {
                "names are case-sensitive; `hubstow download REPO --dry-run` lists the files"
            }
        },
        Refusal::NotCached => "run it once without --offline (HF_HUB_OFFLINE)",
        Refusal::CacheDamaged => "run it once without --offline: what is damaged is fetched again",
        Refusal::ForceOffline => "leave out --force-download or --offline",
        Refusal::PointerIsDirectory | Refusal::BlobIsDirectory => {
            "move that directory away; nothing was changed"
        }
        Refusal::NameTaken => "use a cache directory on a filesystem that tells the names apart",
        Refusal::NoMethodLeft => {
            "choose another --placement; `compat` moves or copies where links are refused"
        }
        Refusal::HubUnreachable => {
            "check the network, the proxy variables, the certificates (SSL_CERT_FILE) and HF_ENDPOINT"
        }
        Refusal::Throttled => "wait, or use a token with a higher limit",
        Refusal::HubFailing
        | Refusal::AnswerIncomplete
        | Refusal::AnswerHostile
        | Refusal::OtherCommit
        | Refusal::AnswerUnexpected => return None,
    })
}

fn of_system(group: ErrorGroup) -> Option<&'static str> {
    Some(match group {
        ErrorGroup::NoSpace => "free some space, or choose another disk with --cache-dir",
        ErrorGroup::ReadOnly => {
            "the cache is read-only: what is cached can be used, new files need another --cache-dir"
        }
        ErrorGroup::Denied => {
            "check who owns the cache directory, or choose another one with --cache-dir"
        }
        ErrorGroup::NameTooLong | ErrorGroup::BadName => {
            "this filesystem can't store the name; choose another disk with --cache-dir"
        }
        ErrorGroup::Busy => "close whatever has it open, and run the same command again",
        ErrorGroup::TooManyOpen => {
            "raise the limit of open files (`ulimit -n`), or end what has so many open"
        }
        ErrorGroup::Unsupported
        | ErrorGroup::CrossDevice
        | ErrorGroup::TooManyLinks
        | ErrorGroup::Raced
        | ErrorGroup::Stale
        | ErrorGroup::Other => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hubstow_client::{ErrorKind, FailedFile, FailedFiles};

    /// A row: what is known, what the hub said, and words of the way out; none where there is none.
    type Row = (Detail, Option<HubAnswer>, Option<&'static str>);

    fn refused(refusal: Refusal, subject: Subject, copy: CachedCopy, force: Force) -> Detail {
        Detail::Refused(Refused::new(refusal, subject, copy, force))
    }

    fn said(code: Option<&str>, message: Option<&str>) -> Option<HubAnswer> {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(HubAnswer::new(403, owned(code), owned(message)))
    }

    #[track_caller]
    fn check(rows: impl IntoIterator<Item = Row>) {
        for (detail, said, expected) in rows {
            let found = hint(&detail, said.as_ref());
            match expected {
                Some(words) => assert!(
                    found.is_some_and(|found| found.contains(words)),
                    "{detail:?}, {said:?}: {found:?} instead of {words}"
                ),
                None => assert_eq!(found, None, "{detail:?}, {said:?}"),
            }
        }
    }

    #[test]
    fn every_refusal_has_the_way_out_that_fits_what_is_known() {
        use CachedCopy::{Here, Unknown};
        use Subject::{File, Snapshot};
        let disabled = || said(Some("DisabledRepo"), None);
        let disabled_in_words = said(None, Some("Access to this resource is disabled."));
        let rows = [
            (Refusal::Unauthorized, File, Unknown, Force::Off, None, Some("set HF_TOKEN")),
            (Refusal::Unauthorized, Snapshot, Unknown, Force::Off, None, Some("set HF_TOKEN")),
            (Refusal::Unauthorized, File, Here, Force::Off, None, Some("--stale always")),
            (Refusal::Unauthorized, File, Here, Force::On, None, Some("set HF_TOKEN")),
            (Refusal::Unauthorized, File, Unknown, Force::On, None, Some("set HF_TOKEN")),
            (Refusal::Forbidden, File, Here, Force::Off, None, Some("--offline takes it")),
            (Refusal::Forbidden, File, Here, Force::On, None, Some("conditions")),
            (Refusal::Forbidden, File, Unknown, Force::Off, None, Some("conditions")),
            (Refusal::Forbidden, File, Unknown, Force::Off, disabled(), Some("has disabled")),
            (Refusal::Forbidden, Snapshot, Unknown, Force::Off, disabled(), Some("has disabled")),
            (Refusal::Forbidden, File, Here, Force::On, disabled(), Some("has disabled")),
            (Refusal::Forbidden, File, Here, Force::Off, disabled(), Some("--offline takes it")),
            (Refusal::Forbidden, File, Unknown, Force::Off, disabled_in_words, Some("disabled")),
            (
                Refusal::Forbidden,
                File,
                Unknown,
                Force::Off,
                said(Some("GatedRepo"), Some("x")),
                Some("conditions"),
            ),
            (Refusal::RepoNotFound, File, Here, Force::Off, None, Some("--stale always")),
            (Refusal::RepoNotFound, File, Here, Force::On, None, Some("--repo-type")),
            (Refusal::RepoNotFound, Snapshot, Unknown, Force::Off, None, Some("--repo-type")),
            (Refusal::Throttled, File, Here, Force::Off, None, Some("--offline takes it")),
            (Refusal::Throttled, File, Unknown, Force::Off, None, Some("wait")),
            (Refusal::RevisionNotFound, File, Here, Force::Off, None, Some("--revision")),
            (Refusal::EntryNotFound, File, Here, Force::Off, None, Some("--dry-run")),
            (Refusal::EntryNotFound, Snapshot, Unknown, Force::Off, None, Some("patterns")),
            (Refusal::NotCached, File, Unknown, Force::Off, None, Some("without --offline")),
            (Refusal::CacheDamaged, File, Unknown, Force::Off, None, Some("fetched again")),
            (Refusal::ForceOffline, File, Here, Force::On, None, Some("--force-download or")),
            (Refusal::PointerIsDirectory, File, Unknown, Force::Off, None, Some("move that")),
            (Refusal::BlobIsDirectory, File, Unknown, Force::Off, None, Some("move that")),
            (Refusal::NameTaken, File, Unknown, Force::Off, None, Some("tells the names apart")),
            (Refusal::NoMethodLeft, File, Unknown, Force::Off, None, Some("--placement")),
            (Refusal::HubUnreachable, File, Here, Force::Off, None, Some("SSL_CERT_FILE")),
            (Refusal::HubFailing, File, Here, Force::Off, None, None),
            (Refusal::AnswerIncomplete, File, Unknown, Force::Off, None, None),
            (Refusal::AnswerHostile, File, Unknown, Force::Off, None, None),
            (Refusal::OtherCommit, File, Unknown, Force::Off, None, None),
            (Refusal::AnswerUnexpected, File, Unknown, Force::Off, None, None),
        ];
        check(rows.map(|(refusal, subject, copy, force, said, words)| {
            (refused(refusal, subject, copy, force), said, words)
        }));
    }

    #[test]
    fn everything_else_has_the_way_out_that_fits_it() {
        check([
            (Detail::Nothing, None, None),
            (Detail::Nothing, said(Some("DisabledRepo"), None), None),
            (Detail::System(ErrorGroup::NoSpace), None, Some("free some space")),
            (Detail::System(ErrorGroup::ReadOnly), None, Some("read-only")),
            (Detail::System(ErrorGroup::Denied), None, Some("who owns")),
            (Detail::System(ErrorGroup::NameTooLong), None, Some("can't store the name")),
            (Detail::System(ErrorGroup::BadName), None, Some("can't store the name")),
            (Detail::System(ErrorGroup::Busy), None, Some("close whatever")),
            (Detail::System(ErrorGroup::Unsupported), None, None),
            (Detail::System(ErrorGroup::CrossDevice), None, None),
            (Detail::System(ErrorGroup::TooManyLinks), None, None),
            (Detail::System(ErrorGroup::Raced), None, None),
            (Detail::System(ErrorGroup::Stale), None, None),
            (Detail::System(ErrorGroup::TooManyOpen), None, Some("ulimit -n")),
            (Detail::System(ErrorGroup::Other), None, None),
            (Detail::Output, None, Some("--output")),
            (Detail::OutOfReach, None, Some("--cache-dir")),
            (Detail::FolderIsLink, None, Some("remove the link")),
            (Detail::NoFolder, None, Some("move it away")),
            (Detail::Unsettled, None, Some("end the other programs")),
            (Detail::NameNotStored, None, Some("stores such names")),
            (Detail::NotAdmitted, None, Some("--exclude")),
            (Detail::UnusableEntry, None, Some("--exclude")),
            (Detail::Homeless, None, Some("HF_HOME")),
            (Detail::Kept, None, Some("goes on from there")),
        ]);
    }

    fn failed(detail: Detail) -> FailedFile {
        let error = Error::new(ErrorKind::Other, "it failed").with_detail(detail);
        FailedFile::new("a.txt", error)
    }

    #[test]
    fn many_files_have_the_way_out_of_one_of_them_or_the_news_of_the_others() {
        let full = || failed(Detail::System(ErrorGroup::NoSpace));
        let nothing = || failed(Detail::Nothing);
        for (failures, wanted, words) in [
            (vec![full(), nothing()], 2, Some("free some space")),
            (vec![nothing(), full()], 2, Some("free some space")),
            (vec![nothing(), nothing()], 2, None),
            (vec![nothing()], 2, Some("the other files are in place")),
            (vec![full()], 2, Some("free some space")),
        ] {
            let files = Detail::Files(FailedFiles::new(failures, wanted));
            let error = Error::new(ErrorKind::Other, "files failed").with_detail(files);
            let found = way_out(&error);
            assert_eq!(found.is_some(), words.is_some(), "{error:?}");
            assert!(found.unwrap_or_default().contains(words.unwrap_or_default()), "{error:?}");
        }
    }

    #[test]
    fn what_was_added_to_an_error_comes_first() {
        let error = Error::new(ErrorKind::Usage, "x").with_detail(Detail::Homeless).hint("own");
        assert_eq!(way_out(&error), Some("own"));
    }
}
