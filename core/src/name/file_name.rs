//! The name of a file inside a repo, and what the target filesystem can store of it.

use alloc::{borrow::ToOwned, string::String};
use core::fmt;

use super::{
    FILE_NAME_LIMIT_BYTES, FILE_NAME_LIMIT_PARTS, NameError, PART_LIMIT_BYTES, foreign, string_name,
};

/// Which names the filesystem below the cache root can store; a fact about the target, not about the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Naming {
    /// Every byte but `/` and NUL.
    Posix,
    /// The rules of Windows: no `<>:"|?*`, no device names, no part that ends with a dot or a space.
    Windows,
}

/// A file's `/`-separated name inside its repo: relative, with no empty, `.` or `..` part, no NUL or other control
/// character, no drive and no backslash.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use hubstow_core::name::{FileName, Naming};
///
/// let file = FileName::parse("data/train.csv")?;
/// assert_eq!((file.as_str(), file.base(), file.depth()), ("data/train.csv", "train.csv", 1));
/// assert!(file.parts().eq(["data", "train.csv"]) && !file.is_obeyed());
/// assert!(file.check(Naming::Windows).is_ok());
/// assert!(FileName::parse("../train.csv").is_err());
/// println!("{}, or {}", file.not_stored(), file.below_a_file());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);
string_name!(FileName);

impl FileName {
    /// Parses a file name.
    ///
    /// # Errors
    /// A name that is not relative and plain on every system, or too long to be stored.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        match Self::broken_rule(text) {
            None => Ok(Self(text.to_owned())),
            Some(rule) => Err(NameError::new("file name", text, rule)),
        }
    }

    fn broken_rule(text: &str) -> Option<&'static str> {
        if text.is_empty() {
            return Some("it is empty");
        }
        if text.len() > FILE_NAME_LIMIT_BYTES {
            return Some("it is longer than 1024 bytes");
        }
        if text.contains('\\') {
            return Some("it contains a backslash; parts are separated by `/`");
        }
        if text.chars().any(char::is_control) {
            return Some("it contains a control character");
        }
        if text.starts_with('/') {
            return Some("it is not relative to the repo");
        }
        if text.split('/').count() > FILE_NAME_LIMIT_PARTS {
            return Some("it has more than 64 parts");
        }
        for part in text.split('/') {
            match part {
                "" => return Some("it has an empty part"),
                "." | ".." => return Some("it has a `.` or `..` part"),
                _ if part.len() > PART_LIMIT_BYTES => {
                    return Some("it has a part that is longer than 255 bytes");
                }
                _ if has_drive(part) => return Some("it has a part that starts with a drive"),
                _ => {}
            }
        }
        None
    }

    /// Returns the parts between the slashes; there is always at least one.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Returns the last part.
    #[must_use]
    pub fn base(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Returns the number of folders above the file inside the repo.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.bytes().filter(|b| *b == b'/').count()
    }

    /// Tells whether a part of it is a folder that another program obeys, such as `.git`, or what some disk takes for one.
    #[must_use]
    pub fn is_obeyed(&self) -> bool {
        self.parts().any(foreign::is_obeyed)
    }

    /// Returns the error for a name that a filesystem refused, or stored as another one, when it was tried.
    #[must_use]
    pub fn not_stored(&self) -> NameError {
        NameError::new(
            "file name that can be stored here",
            &self.0,
            "this filesystem does not keep it as it is",
        )
    }

    /// Returns the error for a name below a file, as if that were a folder.
    #[must_use]
    pub fn below_a_file(&self) -> NameError {
        NameError::new("file name", &self.0, "a file is listed where one of its folders should be")
    }

    /// Checks that the target filesystem can store this name as it is.
    ///
    /// # Errors
    /// A part that the target would refuse, or store under another name.
    pub fn check(&self, naming: Naming) -> Result<(), NameError> {
        let rule = match naming {
            Naming::Posix => None,
            Naming::Windows => self.parts().find_map(broken_windows_rule),
        };
        rule.map_or(Ok(()), |rule| {
            Err(NameError::new("file name that can be stored here", &self.0, rule))
        })
    }
}

fn has_drive(part: &str) -> bool {
    let mut chars = part.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic()) && chars.next() == Some(':')
}

fn broken_windows_rule(part: &str) -> Option<&'static str> {
    if part.chars().any(|c| "<>:\"|?*".contains(c)) {
        return Some("this filesystem stores no <>:\"|?* in a name");
    }
    if part.ends_with(['.', ' ']) {
        return Some("this filesystem drops a dot or a space at the end of a name");
    }
    if is_device_name(part) {
        return Some("this filesystem keeps the name for a device");
    }
    None
}

/// Tells whether Windows takes the name, with any extension, for a device: `CON`, `nul.txt`, `COM¹` (CVE-2024-51745).
pub(super) fn is_device_name(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part).trim_end_matches(' ');
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
        .iter()
        .any(|d| stem.eq_ignore_ascii_case(d))
    {
        return true;
    }
    let mut chars = stem.chars();
    let Some(digit) = chars.next_back() else {
        return false;
    };
    let port = chars.as_str();
    (port.eq_ignore_ascii_case("COM") || port.eq_ignore_ascii_case("LPT"))
        && (digit.is_ascii_digit() || "¹²³".contains(digit))
}
