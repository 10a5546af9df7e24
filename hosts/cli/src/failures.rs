//! Many failures in few words: those that have one cause are told once.

use std::fmt::{Display, Write as _};

use hubstow_client::{FailedFile, with_causes};

/// How many causes are told.
const CAUSES: usize = 20;
/// How many of the files that one cause has struck are named.
const NAMES: usize = 3;

/// Files that failed for one cause.
struct Group<'a> {
    /// The words of the cause, without what is quoted in them.
    key: String,
    /// The words of the first failure.
    words: String,
    files: Vec<&'a str>,
}

/// Tells failures, each cause on a line of its own with the files that it has struck; in the order in which they came.
pub(crate) fn by_cause(failures: &[FailedFile]) -> String {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for FailedFile { file, error, .. } in failures {
        let words = with_causes(error);
        let key = without_quoted(&words);
        match groups.iter_mut().find(|group| group.key == key) {
            Some(group) => group.files.push(file),
            None => groups.push(Group { key, words, files: vec![file] }),
        }
    }
    let mut text = String::new();
    for Group { words, files, .. } in groups.iter().take(CAUSES) {
        let _ = write!(text, "\n  {}: {words}", some_of(files));
    }
    let rest: usize = groups.iter().skip(CAUSES).map(|group| group.files.len()).sum();
    if rest > 0 {
        let _ = write!(text, "\n  … and {rest} more");
    }
    text
}

/// Names some of many files, and says how many more there are.
pub(crate) fn some_of(files: &[impl Display]) -> String {
    let named: Vec<_> = files.iter().take(NAMES).map(ToString::to_string).collect();
    match (named.as_slice(), files.len() - named.len()) {
        ([], _) => String::new(),
        ([only], 0) => only.clone(),
        ([others @ .., last], 0) => format!("{} and {last}", others.join(", ")),
        (named, more) => format!("{} and {more} more", named.join(", ")),
    }
}

/// Takes what stands between backquotes out of a text: names and paths differ where the cause is the same.
fn without_quoted(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use hubstow_client::{Error, ErrorKind};

    use super::*;

    fn failed(file: &str, what: &str) -> FailedFile {
        let error = Error::new(ErrorKind::NoSpace, what).caused_by(std::io::Error::other("full"));
        FailedFile::new(file, error)
    }

    #[test]
    fn one_cause_is_told_once_with_three_names() {
        let of = |count: usize| {
            let one = |at: usize| failed(&format!("{at}.txt"), &format!("can't write `{at}`"));
            by_cause(&(0..count).map(one).collect::<Vec<_>>())
        };
        assert_eq!(of(1), "\n  0.txt: can't write `0`: full");
        assert_eq!(of(2), "\n  0.txt and 1.txt: can't write `0`: full");
        assert_eq!(of(3), "\n  0.txt, 1.txt and 2.txt: can't write `0`: full");
        assert_eq!(of(2000), "\n  0.txt, 1.txt, 2.txt and 1997 more: can't write `0`: full");
    }

    #[test]
    fn other_causes_have_lines_of_their_own() {
        let failures = [failed("a", "x `1`"), failed("b", "y `1`"), failed("c", "x `2`")];
        assert_eq!(by_cause(&failures), "\n  a and c: x `1`: full\n  b: y `1`: full");
        let many: Vec<_> = (0..25).map(|at| failed("f", &format!("cause {at}"))).collect();
        assert_eq!(by_cause(&many).lines().count(), 22);
        assert!(by_cause(&many).ends_with("\n  … and 5 more"));
    }
}
