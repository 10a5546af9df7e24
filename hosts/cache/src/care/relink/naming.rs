//! Which etag a file has of which no listing tells: the hub's git keeps what its attributes say in LFS, by sha256, and all
//! else as it is, by git's sha1.

use hubstow_core::name::{Etag, FileName};

use crate::care::relink::digest::Digests;

/// What the hub writes into the attributes of a new repo, where a snapshot has none of its own.
const USUAL: &[&str] = &[
    "*.7z",
    "*.arrow",
    "*.bin",
    "*.bz2",
    "*.ckpt",
    "*.ftz",
    "*.gz",
    "*.h5",
    "*.joblib",
    "*.lfs.*",
    "*.mlmodel",
    "*.model",
    "*.msgpack",
    "*.npy",
    "*.npz",
    "*.onnx",
    "*.ot",
    "*.parquet",
    "*.pb",
    "*.pickle",
    "*.pkl",
    "*.pt",
    "*.pth",
    "*.rar",
    "*.safetensors",
    "saved_model/**/*",
    "*.tar.*",
    "*.tar",
    "*.tflite",
    "*.tgz",
    "*.wasm",
    "*.xz",
    "*.zip",
    "*.zst",
    "*tfevents*",
    "*.gguf",
];
/// What is larger the hub takes in LFS only.
const GIT_LIMIT_BYTES: u64 = 10 << 20;

/// What a snapshot's `.gitattributes` says of LFS: patterns, and whether what they match is in it; the last that matches
/// decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attributes(Vec<(String, bool)>);

impl Attributes {
    pub(super) fn parse(content: &[u8]) -> Self {
        let text = String::from_utf8_lossy(content);
        let rule = |line: &str| {
            let mut words = line.split_whitespace();
            let pattern = words.next().filter(|word| !word.starts_with('#'))?.to_owned();
            let mut filter = words.filter_map(|word| match word {
                "filter=lfs" => Some(true),
                "-filter" | "!filter" => Some(false),
                word => word.starts_with("filter=").then_some(false),
            });
            Some((pattern, filter.next_back()?))
        };
        Self(text.lines().filter_map(rule).collect())
    }

    fn usual() -> Self {
        Self(USUAL.iter().map(|pattern| ((*pattern).to_owned(), true)).collect())
    }

    fn is_lfs(&self, file: &FileName) -> bool {
        let last = self.0.iter().rev().find(|(pattern, _)| matches(pattern, file.as_str()));
        last.is_some_and(|(_, lfs)| *lfs)
    }
}

/// Returns the etag that the hub gives a file of this name.
pub(super) fn likely(
    attributes: Option<&Attributes>,
    file: &FileName,
    len_bytes: u64,
    digests: &Digests,
) -> Option<Etag> {
    let usual = Attributes::usual();
    let in_lfs = len_bytes > GIT_LIMIT_BYTES || attributes.unwrap_or(&usual).is_lfs(file);
    if in_lfs { digests.sha256.clone() } else { digests.git_sha1.clone() }
}

/// Tells whether a path matches a pattern of git: without a slash inside, its last part does, wherever it is.
fn matches(pattern: &str, path: &str) -> bool {
    let anchored = pattern.trim_end_matches('/').contains('/');
    let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
    let subject = if anchored { path } else { path.rsplit('/').next().unwrap_or(path) };
    glob(pattern.as_bytes(), subject.as_bytes())
}

/// A piece of a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Piece {
    Byte(u8),
    /// `?`: any byte of a part.
    One,
    /// `*`: any bytes of a part.
    Many,
    /// `**`: any bytes.
    All,
    /// `**/`: any whole parts. Two pieces: before a part, and in one.
    Parts,
    InParts,
}

fn pieces(pattern: &[u8]) -> Vec<Piece> {
    let (mut pieces, mut rest) = (Vec::new(), pattern);
    loop {
        rest = match rest {
            [] => return pieces,
            [b'*', b'*', b'/', rest @ ..] => {
                pieces.extend([Piece::Parts, Piece::InParts]);
                rest
            }
            [b'*', b'*', rest @ ..] => {
                pieces.push(Piece::All);
                rest
            }
            [b'*', rest @ ..] => {
                pieces.push(Piece::Many);
                rest
            }
            [b'?', rest @ ..] => {
                pieces.push(Piece::One);
                rest
            }
            [b'\\', byte, rest @ ..] | [byte, rest @ ..] => {
                pieces.push(Piece::Byte(*byte));
                rest
            }
        };
    }
}

/// Follows all ways at once, so that no pattern takes longer than its length times that of the text.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let pieces = pieces(pattern);
    let mut at = vec![false; pieces.len() + 1];
    let reach = |at: &mut Vec<bool>, place: usize| {
        let mut place = place;
        loop {
            if let Some(mark) = at.get_mut(place) {
                *mark = true;
            }
            match pieces.get(place) {
                Some(Piece::Many | Piece::All) => place += 1,
                Some(Piece::Parts) => place += 2,
                Some(Piece::Byte(_) | Piece::One | Piece::InParts) | None => return,
            }
        }
    };
    reach(&mut at, 0);
    for byte in text {
        let mut next = vec![false; at.len()];
        for (place, piece) in pieces.iter().enumerate() {
            if at.get(place) != Some(&true) {
                continue;
            }
            let in_part = *byte != b'/';
            match piece {
                Piece::Byte(own) if own == byte => reach(&mut next, place + 1),
                Piece::One if in_part => reach(&mut next, place + 1),
                Piece::Many if in_part => reach(&mut next, place),
                Piece::All => reach(&mut next, place),
                Piece::Parts if in_part => reach(&mut next, place + 1),
                Piece::InParts if in_part => reach(&mut next, place),
                Piece::InParts => reach(&mut next, place - 1),
                Piece::Byte(_) | Piece::One | Piece::Many | Piece::Parts => {}
            }
        }
        at = next;
    }
    at.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_in_lfs_where_the_last_pattern_that_matches_says_so() {
        let own = Attributes::parse(
            b"# a note\n*.bin filter=lfs diff=lfs merge=lfs -text\nsmall/*.bin !filter\n/top.txt filter=lfs\n\
              data/** filter=lfs\n*.txt text\n",
        );
        for (file, lfs) in [
            ("a.bin", true),
            ("deep/a.bin", true),
            ("small/a.bin", false),
            ("small/deep/a.bin", true),
            ("top.txt", true),
            ("deep/top.txt", false),
            ("data/x/y.json", true),
            ("config.json", false),
        ] {
            assert_eq!(own.is_lfs(&FileName::parse(file).unwrap()), lfs, "{file}");
        }
        let usual = Attributes::usual();
        for (file, lfs) in [
            ("model.safetensors", true),
            ("deep/model.onnx", true),
            ("saved_model/a/b", true),
            ("events.out.tfevents.1", true),
            ("saved_model/b", true),
            ("x/saved_model/b", false),
            ("config.json", false),
        ] {
            assert_eq!(usual.is_lfs(&FileName::parse(file).unwrap()), lfs, "{file}");
        }
    }

    #[test]
    fn what_is_too_large_for_git_is_in_lfs_whatever_its_name_is() {
        let of = |digit: &str, len: usize| Etag::parse(&digit.repeat(len)).ok();
        let digests = Digests { sha256: of("a", 64), git_sha1: of("b", 40) };
        let file = FileName::parse("notes.txt").unwrap();
        assert_eq!(likely(None, &file, 100, &digests), digests.git_sha1);
        assert_eq!(likely(None, &file, 11 << 20, &digests), digests.sha256);
    }
}
