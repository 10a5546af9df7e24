//! `hubstow cache report`: its numbers, and its page in a real browser.

use std::{
    fs::{self, File},
    io::BufReader,
    os::unix::fs::{MetadataExt as _, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::stage::{COMMIT, OTHER, Stage};

const BROWSER: &str = "chromium";
/// A name that a page must not take at its word.
const HOSTILE: &str = "models--<img src=x onerror=document.title='taken'>--a\"b&c";

/// Adds up numbers of a list.
fn sum(list: &Value, key: &str) -> u64 {
    list.as_array().unwrap().iter().map(|one| one[key].as_u64().unwrap()).sum()
}

#[test]
fn a_report_counts_every_byte_once() {
    let stage = Stage::by_hand();
    let tiny = stage.cache().join("models--acme--tiny");
    // Another name of a blob, in another repo as well, is no byte more.
    fs::hard_link(tiny.join("blobs/aaaa"), tiny.join("snapshots").join(COMMIT).join("same.bin"))
        .unwrap();
    let rows = stage.cache().join("datasets--acme--rows/snapshots").join("f".repeat(40));
    fs::hard_link(tiny.join("blobs/bbbb"), rows.join("same.bin")).unwrap();
    fs::write(tiny.join("blobs/x.0123abcd.incomplete"), [0; 70]).unwrap();
    let report = stage.json(&["report"]);
    assert_eq!(report["bytes"], stage.bytes());
    let needs = &report["by_need"];
    for (need, bytes) in [
        ("one_revision", 50 + 30),
        ("revisions", 100),
        ("repos", 200),
        ("nobody", 400),
        ("unfinished", 70),
        ("upkeep", 3 * 40),
    ] {
        assert_eq!(needs[need], bytes, "{need}: {needs}");
    }
    assert_eq!(sum(&report["repos"], "bytes"), stage.bytes());
    assert_eq!(sum(&report["by_type"], "bytes"), stage.bytes());
    assert_eq!(report["repos"][0]["id"], "model/acme/tiny", "the largest comes first");
    let pruned = stage.json(&["prune", "--dry-run"]);
    assert_eq!(report["savings"][0]["frees"], pruned["freed"]);
    let copies = report["savings"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&copies["command"], &copies["frees"]),
        (&json!("hubstow cache relink --placement compat"), &json!(0))
    );
    fs::write(tiny.join("snapshots").join(OTHER).join("copy.bin"), [7; 400]).unwrap();
    let report = stage.json(&["report"]);
    assert_eq!(report["savings"].as_array().unwrap().last().unwrap()["frees"], 400);
    assert_eq!(stage.succeed(&["report", "-q"]), format!("{}\n", stage.bytes()));
    let people = stage.succeed(&["report"]);
    for word in ["model/acme/tiny", "400 B orphaned", "hubstow cache prune", "NEEDED BY"] {
        assert!(people.contains(word), "{people}");
    }
}

#[test]
fn a_page_is_written_whole_or_not_at_all() {
    let stage = Stage::by_hand();
    let before = stage.bytes();
    let file = stage.folder().join("page.html");
    let told = stage.succeed(&["report", "--html", file.to_str().unwrap()]);
    assert_eq!(told.trim_end(), file.to_str().unwrap());
    let page = fs::read_to_string(&file).unwrap();
    assert_eq!(page, stage.succeed(&["report", "--html", "-"]), "twice the same");
    assert!(page.ends_with("</html>\n") || page.ends_with("</html>"), "{page}");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o400, 0o400);
    let nowhere = stage.folder().join("none/page.html");
    for place in [nowhere.as_path(), stage.folder()] {
        let error = stage.fail(&["report", "--html", place.to_str().unwrap()], 1);
        assert!(error["message"].as_str().unwrap().contains(place.to_str().unwrap()), "{error}");
    }
    let left: Vec<_> = fs::read_dir(stage.folder()).unwrap().map(|it| it.unwrap().path()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert_eq!(stage.bytes(), before);
}

#[test]
fn a_cache_with_nothing_in_it_has_a_report_too() {
    let stage = Stage::empty();
    fs::create_dir(stage.cache()).unwrap();
    let report = stage.json(&["report"]);
    assert_eq!((&report["bytes"], &report["repos"]), (&json!(0), &json!([])));
    assert!(stage.succeed(&["report", "--html", "-"]).contains("nothing in this cache"));
}

/// A real browser and a page.
struct Browser {
    page: PathBuf,
    folder: PathBuf,
}

impl Browser {
    fn open(stage: &Stage) -> Option<Self> {
        if Command::new(BROWSER).arg("--version").output().is_err() {
            println!("skipped: there is no {BROWSER}");
            return None;
        }
        let page = stage.folder().join("page.html");
        stage.succeed(&["report", "--html", page.to_str().unwrap()]);
        Some(Self { page, folder: stage.folder().to_owned() })
    }

    #[track_caller]
    fn run(&self, args: &[String]) -> Output {
        let mut command = Command::new(BROWSER);
        command
            .env("HOME", &self.folder)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--enable-logging=stderr", "--window-size=1280,1000"])
            .arg(format!("--user-data-dir={}", self.folder.join("profile").display()))
            .args(args)
            .arg(format!("file://{}", self.page.display()));
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        assert!(!told.contains(":CONSOLE"), "the page complains: {told}");
        output
    }

    /// Returns the color of the page's corner where the user likes it so.
    fn corner(&self, scheme: u8) -> [u8; 3] {
        let picture = self.folder.join(format!("{scheme}.png"));
        self.run(&[
            format!("--blink-settings=preferredColorScheme={scheme}"),
            format!("--screenshot={}", picture.display()),
        ]);
        first_pixel(&picture)
    }
}

fn first_pixel(picture: &Path) -> [u8; 3] {
    let decoder = png::Decoder::new(BufReader::new(File::open(picture).unwrap()));
    let mut reader = decoder.read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    [pixels[0], pixels[1], pixels[2]]
}

#[test]
fn a_real_browser_shows_the_page_light_and_dark_and_takes_no_name_at_its_word() {
    let stage = Stage::by_hand();
    let hostile = stage.cache().join(HOSTILE).join("snapshots").join(COMMIT);
    fs::create_dir_all(&hostile).unwrap();
    fs::write(hostile.join("a.bin"), [1; 500]).unwrap();
    symlink("../../blobs/none", hostile.join("<b>gone.bin")).unwrap();
    let Some(browser) = Browser::open(&stage) else { return };
    let dom = String::from_utf8(browser.run(&["--dump-dom".to_owned()]).stdout).unwrap();
    assert!(dom.contains("<title>Cache report:"), "{dom}");
    assert!(!dom.contains("<img") && !dom.contains("<b>gone"), "{dom}");
    assert!(dom.contains("onerror=document.title='taken'&gt;"), "it is text: {dom}");
    assert!(!dom.contains("data-at=\"0\"></time>"), "its script has run: {dom}");
    for shown in ["acme/tiny", "hubstow cache prune", "leads to nothing", "dataset/acme/rows"] {
        assert!(dom.contains(shown), "{shown}: {dom}");
    }
    let (dark, light) = (browser.corner(0), browser.corner(1));
    assert!(dark.iter().all(|part| *part < 60), "{dark:?}");
    assert!(light.iter().all(|part| *part > 200), "{light:?}");
}

#[test]
fn a_thousand_repos_are_drawn_and_printed() {
    let stage = Stage::empty();
    for number in 0..1000_u32 {
        let kind = ["models", "datasets", "spaces"][number as usize % 3];
        let repo = stage.cache().join(format!("{kind}--acme--number-{number}"));
        let snapshot = repo.join("snapshots").join(format!("{number:040x}"));
        fs::create_dir_all(&snapshot).unwrap();
        let file = File::create(snapshot.join("model.bin")).unwrap();
        // Nothing is written: the sizes are all that counts.
        file.set_len(1000 + u64::from(number).pow(3)).unwrap();
    }
    let Some(browser) = Browser::open(&stage) else { return };
    let pdf = stage.folder().join("page.pdf");
    browser.run(&[format!("--print-to-pdf={}", pdf.display())]);
    let printed = String::from_utf8_lossy(&fs::read(&pdf).unwrap()).into_owned();
    let pages = printed.matches("/Type /Page\n").count();
    assert!((20..80).contains(&pages), "{pages} pages");
    let dom = String::from_utf8(browser.run(&["--dump-dom".to_owned()]).stdout).unwrap();
    assert_eq!(dom.matches("<tr id=\"repo").count(), 1000);
    assert!(dom.matches("<rect class=\"model\"").count() > 250, "small ones are drawn as well");
}
