//! Names that belong to somebody else in a folder that users work in, by whatever spelling a disk takes for them.

/// The folders that a program obeys wherever it finds them: what stands in them makes it run commands.
const OBEYED: [&str; 4] = [".git", ".hg", ".svn", ".jj"];

/// How much of a name is in its short name, before the `~` and a number.
const SHORT_NAME_CHARS: usize = 6;
/// How much of it is where a hash of four digits follows.
const HASHED_NAME_CHARS: usize = 2;

/// Tells whether some disk takes this part of a file name for a folder that another program obeys.
pub(super) fn is_obeyed(part: &str) -> bool {
    OBEYED.iter().any(|own| is_taken_for(part, own))
}

/// Tells whether some disk takes `part` for `own`, which is in lower-case ASCII and begins with a dot where it has one.
///
/// HFS+ and others fold case and pass over what is not seen; Windows drops dots and spaces at the end and all behind a `:`,
/// and gives every name a short one (CVE-2014-9390, CVE-2019-1352).
pub(crate) fn is_taken_for(part: &str, own: &str) -> bool {
    let seen = part.split(':').next().unwrap_or(part).trim_end_matches(['.', ' ']);
    let folded = || seen.chars().filter(|c| !is_passed_over(*c)).map(folded);
    folded().eq(own.chars()) || is_short_name_of(seen, own)
}

/// Folds a character as disks do, as far as it may become a letter of ASCII.
fn folded(c: char) -> char {
    match c {
        // The long s and the Kelvin sign: the only other characters whose folding is a letter of ASCII.
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}

/// Tells whether a character is one that Unicode lets be passed over (`Default_Ignorable_Code_Point`).
fn is_passed_over(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Tells whether Windows may have given `own` this short name: `GIT~1`, or `GI7EB0~1` where others came first.
fn is_short_name_of(part: &str, own: &str) -> bool {
    let Some((stem, number)) = part.split_once('~') else { return false };
    if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
        return false;
    }
    let own = own.trim_start_matches('.');
    let begins = |chars: usize| own.get(..own.len().min(chars)).unwrap_or(own);
    let hash = stem.len().checked_sub(4).and_then(|at| stem.split_at_checked(at));
    let is_hashed = hash.is_some_and(|(start, hash)| {
        start.eq_ignore_ascii_case(begins(HASHED_NAME_CHARS))
            && hash.bytes().all(|digit| digit.is_ascii_hexdigit())
    });
    stem.eq_ignore_ascii_case(begins(SHORT_NAME_CHARS)) || is_hashed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_program_obeys_is_known_by_every_name_that_a_disk_takes_for_it() {
        for part in [
            ".git",
            ".hg",
            ".svn",
            ".jj",
            ".GIT",
            ".Git",
            ".git.",
            ".git ",
            ".git . .",
            ".git::$INDEX_ALLOCATION",
            ".git:x",
            "GIT~1",
            "git~2",
            "HG~1",
            "hg8b6c~1",
            "SVN~1",
            "JJ~10",
            "GI7EB0~1",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".gi\u{ad}t\u{e0001}",
            ".\u{17f}vn",
            ".h\u{2060}g",
        ] {
            assert!(is_obeyed(part), "{part:?}");
        }
        for part in [
            ".gitattributes",
            ".gitignore",
            ".github",
            ".gitmodules",
            ".gitkeep",
            ".hgignore",
            ".svnignore",
            "git",
            "..git",
            ".git~1",
            "git~",
            "git~a",
            "git~1.txt",
            "gitty~1",
            "digit~1",
            ".gıt",
            ".gït",
            "x.git",
            ".jjx",
        ] {
            assert!(!is_obeyed(part), "{part:?}");
        }
        assert!(is_taken_for("HUGGIN~1", "huggingface"));
        assert!(is_taken_for("CACHE~1", ".cache"));
    }
}
