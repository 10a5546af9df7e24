//! Reads what test programs print: the results they count, and the tests they name as ignored.

/// What a run of test programs counted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    /// The ignored tests, each with its reason where one was given.
    pub(crate) ignored: Vec<String>,
    /// What each failed test has printed, below its name.
    pub(crate) failures: Vec<String>,
}

/// Reads the output of any number of test programs. An ignored test is named in a line of its own; the number in the
/// summary line counts the same tests once more and is not read.
pub(crate) fn read(output: &str) -> Counts {
    let mut counts = Counts::default();
    let mut telling = false;
    for line in output.lines() {
        if let Some(test) = failed(line) {
            counts.failures.push(test.to_owned());
            telling = true;
        } else if line == "failures:" {
            telling = false;
        } else if let (true, Some(failure)) = (telling, counts.failures.last_mut()) {
            failure.push('\n');
            failure.push_str(line);
        } else if let Some(summary) = line.strip_prefix("test result: ") {
            counts.passed += number_before(summary, " passed");
            counts.failed += number_before(summary, " failed");
        } else if let Some((name, reason)) = ignored(line) {
            let reason = reason.trim_start_matches([',', ' ']);
            let in_brackets = reason.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
            let reason = in_brackets.unwrap_or(reason);
            counts.ignored.push(match reason {
                "" => name.to_owned(),
                _ => format!("{name}: {reason}"),
            });
        }
    }
    counts
}

/// Tells whether a line only says that a test passed, so that it need not be shown when others fail.
pub(crate) fn is_good_news(line: &str) -> bool {
    line.starts_with("test ") && line.trim_end().ends_with("... ok")
}

fn failed(line: &str) -> Option<&str> {
    let name = line.strip_prefix("---- ")?.strip_suffix("----")?.trim_end();
    Some(name.strip_suffix(" stdout").unwrap_or(name))
}

fn ignored(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("test ")?
        .split_once(" ... ignored")
        .map(|(name, reason)| (name.trim_end(), reason))
}

fn number_before(summary: &str, word: &str) -> usize {
    let before = summary.split(word).next().unwrap_or_default();
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Counts, is_good_news, read};

    #[test]
    fn results_of_all_programs_are_added_and_ignored_tests_are_named() {
        let output = "\
            running 3 tests\n\
            test name::a ... ok\n\
            test name::b ... ignored, needs a disk\n\
            test native/fat/c      ... ignored (no disk (here))\n\
            test d ... ignored\n\
            test result: ok. 12 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out\n\
            test result: FAILED. 3 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out\n";
        let ignored = ["name::b: needs a disk", "native/fat/c: no disk (here)", "d"];
        let ignored = ignored.map(str::to_owned).to_vec();
        let counts = Counts { passed: 15, failed: 4, ignored, ..Counts::default() };
        assert_eq!(read(output), counts);
    }

    #[test]
    fn a_failed_test_is_named_with_what_it_has_printed() {
        let output = "\
            test a ... FAILED\n\n\
            failures:\n\n\
            ---- name::a stdout ----\n\
            it was\n\
            test result: not this\n\
            ---- native/fat/b ----\n\
            wrong\n\
            failures:\n    name::a\n    native/fat/b\n\n\
            test result: FAILED. 0 passed; 2 failed; 0 ignored\n";
        let counts = read(output);
        assert_eq!(counts.failed, 2);
        let failures = ["name::a\nit was\ntest result: not this", "native/fat/b\nwrong"];
        assert_eq!(counts.failures, failures);
    }

    #[test]
    fn only_a_passed_test_is_good_news() {
        assert!(is_good_news("test name::a ... ok"));
        assert!(!is_good_news("test name::a ... FAILED"));
        assert!(!is_good_news("error: the test command is not ok"));
    }
}
