//! Where the hub keeps the content of small files, learned from where it redirects them to.
//!
//! A hub may answer each small file of a commit with a redirect to an address of its own that follows from the file's name
//! and etag. Once several redirects have agreed on that, the next files are asked for there, which saves a request each.
//! Nothing is known that way: what comes is taken by its hash, and an address that brings anything else is given up.
//!
//! Redirects to other origins must not be told to it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hubstow_core::name::{ContentHash, Etag, FileName};

use super::shape::Shape;

/// How many redirects of different files have to agree.
const AGREEING: usize = 3;
/// How many addresses in a row may bring nothing.
const MISSES: usize = 3;
/// How often it is learned: a hub that changes its ways again and again is asked the ordinary way.
const LESSONS: usize = 3;
/// How many shapes are kept of which one may be confirmed: a name that is part of the rest makes a wrong one.
const GUESSES: usize = 8;

/// Which file's address is meant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfFile<'a> {
    pub(crate) file: &'a FileName,
    pub(crate) etag: &'a Etag,
}

/// What the redirects of one commit's files have shown.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    /// A hub has files in git elsewhere than those that are named by their sha256.
    git: Mutex<Lessons>,
    sha256: Mutex<Lessons>,
}

/// Where to ask for a file, and of which lesson that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Direct {
    /// From the path on.
    pub(crate) address: String,
    hash: ContentHash,
    lesson: usize,
}

impl Directory {
    /// Takes note of where the hub has redirected a file to under its own origin, from the path on.
    pub(crate) fn redirected(&self, of: OfFile<'_>, address: &str) {
        if let Some(mut lessons) = self.lessons(of.etag.content_hash()) {
            lessons.redirected(of, address);
        }
    }

    /// Returns where a file's content must be, where that is known.
    pub(crate) fn direct(&self, of: OfFile<'_>) -> Option<Direct> {
        let hash = of.etag.content_hash();
        let lessons = self.lessons(hash)?;
        let address = lessons.learned.as_ref()?.address(of.file.as_str(), of.etag.as_str())?;
        Some(Direct { address, hash, lesson: lessons.ended })
    }

    /// The right content was there.
    pub(crate) fn hit(&self, direct: &Direct) {
        if let Some(mut lessons) = self.lessons(direct.hash) {
            lessons.hit(direct.lesson);
        }
    }

    /// The right content was not there.
    pub(crate) fn missed(&self, direct: &Direct) {
        if let Some(mut lessons) = self.lessons(direct.hash) {
            lessons.missed(direct.lesson);
        }
    }

    /// Where no hash tells what came, nothing is learned.
    fn lessons(&self, hash: ContentHash) -> Option<MutexGuard<'_, Lessons>> {
        let lessons = match hash {
            ContentHash::GitBlobSha1 => &self.git,
            ContentHash::Sha256 => &self.sha256,
            ContentHash::Opaque => return None,
        };
        Some(lessons.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[derive(Debug, Default)]
struct Lessons {
    guesses: Vec<Guess>,
    learned: Option<Shape>,
    /// How many addresses in a row have brought nothing.
    misses: usize,
    /// How many lessons have turned out to be wrong.
    ended: usize,
}

#[derive(Debug)]
struct Guess {
    shape: Shape,
    agreeing: usize,
}

impl Lessons {
    fn redirected(&mut self, of: OfFile<'_>, address: &str) {
        if self.ended >= LESSONS {
            return;
        }
        let (name, etag) = (of.file.as_str(), of.etag.as_str());
        if let Some(learned) = &mut self.learned {
            match agreed(learned, of, address) {
                Some(shape) => *learned = shape,
                // A name with something new in it says nothing against the rest.
                None if learned.address(name, etag).is_none() => {}
                None => self.missed(self.ended),
            }
            return;
        }
        for guess in &mut self.guesses {
            let Some(shape) = agreed(&guess.shape, of, address) else { continue };
            guess.agreeing += 1;
            if guess.agreeing < AGREEING {
                guess.shape = shape;
            } else {
                self.learned = Some(shape);
                self.guesses.clear();
                self.misses = 0;
            }
            return;
        }
        let Some(shape) = Shape::of(address, name, etag) else { return };
        if self.guesses.len() >= GUESSES {
            self.guesses.sort_by_key(|guess| std::cmp::Reverse(guess.agreeing));
            self.guesses.pop();
        }
        self.guesses.push(Guess { shape, agreeing: 1 });
    }

    fn hit(&mut self, lesson: usize) {
        if lesson == self.ended {
            self.misses = 0;
        }
    }

    fn missed(&mut self, lesson: usize) {
        if lesson != self.ended || self.learned.is_none() {
            return;
        }
        self.misses += 1;
        if self.misses >= MISSES {
            self.learned = None;
            self.ended += 1;
        }
    }
}

/// Returns the shape with what an address adds to it, if it gives exactly that address.
fn agreed(shape: &Shape, of: OfFile<'_>, address: &str) -> Option<Shape> {
    let (name, etag) = (of.file.as_str(), of.etag.as_str());
    match shape.address(name, etag) {
        Some(known) => (known == address).then(|| shape.clone()),
        None => {
            let merged = shape.merged(&Shape::of(address, name, etag)?)?;
            (merged.address(name, etag)? == address).then_some(merged)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file, by its name and a number.
    struct File(FileName, Etag);

    impl File {
        fn new(name: &str, number: u32) -> Self {
            Self(FileName::parse(name).unwrap(), Etag::parse(&format!("{number:040x}")).unwrap())
        }

        fn of(&self) -> OfFile<'_> {
            OfFile { file: &self.0, etag: &self.1 }
        }

        fn address(&self, at: &str) -> String {
            format!("/{at}/{}?etag={}", hubstow_core::hub::quote_path(self.0.as_str()), self.1)
        }
    }

    /// Lets files be redirected to a place.
    fn redirect(directory: &Directory, names: &[&str], at: &str) {
        for (number, name) in (100..).zip(names) {
            let file = File::new(name, number);
            directory.redirected(file.of(), &file.address(at));
        }
    }

    fn knows(directory: &Directory, name: &str, at: &str) -> bool {
        let file = File::new(name, 7);
        directory.direct(file.of()).is_some_and(|direct| direct.address == file.address(at))
    }

    #[test]
    fn three_different_files_have_to_agree() {
        for (names, known) in [
            (&["a.txt", "b.txt"][..], false),
            (&["a.txt", "b.txt", "c.txt"], true),
            // Names that are part of the rest teach nothing, and spoil nothing.
            (&["etag", "x", "t", "a.txt", "b.txt", "c.txt"], true),
            (&["a.txt", "x", "b.txt", "etag", "c.txt"], true),
            (&["x", "x.txt", "b.txt"], false),
        ] {
            let directory = Directory::default();
            redirect(&directory, names, "x");
            assert_eq!(knows(&directory, "y.txt", "x"), known, "{names:?}");
        }
    }

    #[test]
    fn a_name_that_no_address_has_explained_goes_the_ordinary_way() {
        let directory = Directory::default();
        redirect(&directory, &["a.txt", "b.txt", "c.txt"], "x");
        assert!(!knows(&directory, "with space", "x"));
        redirect(&directory, &["other space"], "x");
        assert!(knows(&directory, "with space", "x"), "the hub has shown how it is written");
        assert!(knows(&directory, "y.txt", "x"));
    }

    #[test]
    fn addresses_that_differ_otherwise_teach_nothing() {
        let directory = Directory::default();
        for number in 0..100_u32 {
            let file = File::new(&format!("file-{number}.txt"), number + 1000);
            let signed = format!("{}&signature={}", file.address("x"), number.wrapping_mul(77_773));
            directory.redirected(file.of(), &signed);
        }
        assert!(directory.direct(File::new("y.txt", 7).of()).is_none());
    }

    #[test]
    fn what_no_hash_confirms_is_not_asked_for_directly() {
        let (directory, file) = (Directory::default(), FileName::parse("a.txt").unwrap());
        let etag = Etag::parse("opaque").unwrap();
        for name in ["a.txt", "b.txt", "c.txt", "d.txt"] {
            let file = FileName::parse(name).unwrap();
            let address = format!("/x/{name}?{etag}");
            directory.redirected(OfFile { file: &file, etag: &etag }, &address);
        }
        assert!(directory.direct(OfFile { file: &file, etag: &etag }).is_none());
    }

    #[test]
    fn misses_in_a_row_end_a_lesson_and_few_lessons_are_taken() {
        let directory = Directory::default();
        for lesson in 0..LESSONS {
            let at = format!("x{lesson}");
            redirect(&directory, &["a.txt", "b.txt", "c.txt"], &at);
            assert!(knows(&directory, "y.txt", &at), "lesson {lesson}");
            let direct = directory.direct(File::new("y.txt", 7).of()).unwrap();
            for _ in 0..MISSES {
                directory.missed(&direct);
                directory.hit(&direct);
            }
            assert!(knows(&directory, "y.txt", &at), "not in a row");
            (0..MISSES).for_each(|_| directory.missed(&direct));
            assert!(!knows(&directory, "y.txt", &at), "lesson {lesson}");
            // What was on its way since then belongs to what is over.
            redirect(&directory, &["a.txt", "b.txt", "c.txt"], "later");
            (0..MISSES).for_each(|_| directory.missed(&direct));
            assert_eq!(knows(&directory, "y.txt", "later"), lesson + 1 < LESSONS);
            if let Some(direct) = directory.direct(File::new("y.txt", 7).of()) {
                // The test ends this one too, without counting it.
                (0..MISSES).for_each(|_| directory.missed(&direct));
                directory.git.lock().unwrap().ended = lesson + 1;
            }
        }
    }

    #[test]
    fn a_hub_that_changes_its_ways_is_noticed_by_its_redirects() {
        let directory = Directory::default();
        redirect(&directory, &["a.txt", "b.txt", "c.txt"], "x");
        redirect(&directory, &["d.txt", "e.txt", "f.txt"], "y");
        assert!(!knows(&directory, "z.txt", "x"));
        redirect(&directory, &["g.txt", "h.txt", "i.txt"], "y");
        assert!(knows(&directory, "z.txt", "y"));
    }
}
