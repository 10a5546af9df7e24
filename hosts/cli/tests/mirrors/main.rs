//! The command before mirrors that speak for themselves: with etags of their own, without commits, without half of the
//! hub's ways. What the listing knows by its hash comes, under its true etag; what nobody can prove, or is wrong, is never seen.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a helper that panics fails the test that called it"
)]

mod mirror;
mod peer;
mod stage;

use self::{
    mirror::{SHORT, Way},
    stage::{CONFIG, MODEL, Stage},
};

/// Every way by itself in which a mirror can serve all that is asked for.
const SERVING: [&[Way]; 33] = [
    &[],
    &[Way::EtagMd5],
    &[Way::EtagSha1],
    &[Way::EtagArtifact],
    &[Way::EtagTimeAndSize],
    &[Way::EtagSha256],
    &[Way::NoEtag],
    &[Way::EtagSalted],
    &[Way::EtagOfGet],
    &[Way::NoCommit],
    &[Way::NoHead],
    &[Way::NoTree],
    &[Way::NoPaths],
    &[Way::LinkElsewhere],
    &[Way::Prefix],
    &[Way::PartWithoutRange],
    &[Way::RedirectRelative],
    &[Way::RedirectAbsolute],
    &[Way::RedirectOutside],
    &[Way::HeadOfNothing],
    &[Way::HeadTooLong],
    &[Way::Gzip],
    &[Way::SaysGzip],
    // What is common together.
    &[Way::NoCommit, Way::NoHead, Way::NoEtag],
    &[Way::NoCommit, Way::EtagMd5, Way::NoPaths, Way::HeadOfNothing],
    &[Way::NoTree, Way::NoPaths, Way::NoCommit],
    &[Way::NoTree, Way::NoPaths, Way::NoCommit, Way::EtagMd5],
    &[Way::Prefix, Way::RedirectOutside, Way::NoPaths],
    &[Way::Prefix, Way::RedirectAbsolute, Way::LinkElsewhere, Way::EtagSha1],
    &[Way::Prefix, Way::RedirectRelative, Way::NoTree, Way::NoHead],
    // Only a HEAD tells what a file is.
    &[Way::NoTree, Way::NamesOnly],
    &[Way::NoTree, Way::NoPaths, Way::NamesOnly],
    &[Way::NoTree, Way::NoPaths, Way::NamesOnly, Way::NoCommit, Way::Prefix],
];

#[test]
fn a_file_comes_under_its_true_etag() {
    for ways in SERVING {
        for file in [CONFIG, MODEL] {
            let stage = Stage::new(ways);
            stage.run(&["download", "acme/mirrored", file]).serves(&stage, "main", &[file]);
        }
    }
}

#[test]
fn files_and_the_whole_of_a_commit_come_by_all_its_digits_and_by_a_few() {
    for ways in SERVING {
        for is_short in [false, true] {
            let stage = Stage::new(ways);
            let commit = stage.commit("main");
            let digits = if is_short { SHORT } else { commit.len() };
            let by = ["download", "acme/mirrored", "--revision", &commit[..digits]];
            for file in [CONFIG, MODEL] {
                let args = [&by[..], &[file]].concat();
                stage.run(&args).serves(&stage, "main", &[file]);
            }
            let whole = stage.run(&by);
            whole.serves(&stage, "main", &stage.files("main"));
            assert_eq!(whole.contents_of(MODEL), 0, "{ways:?}: it is here");
        }
    }
}

#[test]
fn a_snapshot_comes_and_costs_nothing_again() {
    for ways in SERVING {
        let stage = Stage::new(ways);
        let files = stage.files("main");
        stage.run(&["download", "acme/mirrored"]).serves(&stage, "main", &files);
        let again = stage.run(&["download", "acme/mirrored"]);
        again.serves(&stage, "main", &files);
        assert_eq!(again.contents(), 0, "{ways:?}: nothing has changed");
    }
}

#[test]
fn where_names_are_all_that_is_listed_a_head_tells_of_each_file() {
    let stage = Stage::new(&[Way::NoTree, Way::NoPaths, Way::NamesOnly]);
    let files = stage.files("main");
    // What a commit holds never changes, so nothing is asked twice.
    for asked in [1, 0] {
        let run = stage.run(&["download", "acme/mirrored"]);
        run.serves(&stage, "main", &files);
        for file in &files {
            assert_eq!(run.heads_of(file), asked, "{file}");
            assert!(run.contents_of(file) <= asked, "{file}");
        }
    }
}

#[test]
fn a_second_revision_fetches_what_is_new() {
    for ways in SERVING {
        let stage = Stage::new(ways);
        stage.run(&["download", "acme/mirrored"]).serves(&stage, "main", &stage.files("main"));
        let next = stage.run(&["download", "acme/mirrored", "--revision", "next"]);
        next.serves(&stage, "next", &stage.files("next"));
        assert_eq!(next.contents_of(MODEL), 0, "{ways:?}: it is the same as before");
        // By itself too, and whatever the header says.
        let model = stage.run(&["download", "acme/mirrored", MODEL]);
        model.serves(&stage, "main", &[MODEL]);
        assert_eq!(model.contents_of(MODEL), 0, "{ways:?}: it is here");
    }
}

#[test]
fn what_broke_off_goes_on() {
    for ways in SERVING {
        let ways = [ways, &[Way::Breaking]].concat();
        let stage = Stage::new(&ways);
        let run = stage.run(&["download", "acme/mirrored"]);
        run.serves(&stage, "main", &stage.files("main"));
        assert_eq!(run.contents_of(MODEL), 2, "{ways:?}: a half, and the other half");
    }
}

#[test]
fn what_is_wrong_is_never_seen() {
    for (ways, code) in [
        (&[Way::Html][..], 8),
        (&[Way::Garbled], 6),
        (&[Way::Garbled, Way::EtagMd5, Way::NoHead], 6),
        // The first half is right.
        (&[Way::Breaking, Way::GarbledRest], 6),
        (&[Way::Breaking, Way::GarbledRest, Way::EtagSalted], 6),
        (&[Way::Breaking, Way::GarbledRest, Way::PartWithoutRange], 6),
        (&[Way::Breaking, Way::GarbledRest, Way::NoTree, Way::NoPaths, Way::NamesOnly], 6),
        (&[Way::NoTree, Way::NoSiblings], 8),
        (&[Way::NoHead, Way::NoTree, Way::NoPaths, Way::NoSiblings], 8),
    ] {
        for args in [&["download", "acme/mirrored", MODEL][..], &["download", "acme/mirrored"]] {
            let stage = Stage::new(ways);
            let run = stage.run(args);
            if args.len() == 3 && ways == [Way::NoTree, Way::NoSiblings] {
                run.serves(&stage, "main", &[MODEL]);
                continue;
            }
            let told = run.fails(code);
            assert!(!told.contains("knows no"), "{ways:?}: {told}");
            stage.shows_nothing_wrong();
        }
    }
}

#[test]
fn wrong_bytes_are_never_taken_whatever_else_a_mirror_does() {
    for ways in SERVING {
        let ways = [ways, &[Way::Garbled]].concat();
        for args in [&["download", "acme/mirrored", MODEL][..], &["download", "acme/mirrored"]] {
            let stage = Stage::new(&ways);
            stage.run(args).fails(6);
            stage.shows_nothing_wrong();
        }
    }
}
