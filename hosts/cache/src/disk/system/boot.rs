//! Telling one start of the system from the next.

use std::sync::LazyLock;

/// Names the time since the system was started; `None` where it does not tell.
pub(crate) fn boot() -> Option<String> {
    static BOOT: LazyLock<Option<String>> = LazyLock::new(|| plain(&asked()?));
    BOOT.clone()
}

/// A name that may stand in a line among others.
fn plain(name: &str) -> Option<String> {
    let name = name.trim();
    let is_plain = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && name.bytes().any(|byte| byte.is_ascii_alphanumeric());
    is_plain.then(|| name.to_owned())
}

#[cfg(target_os = "linux")]
fn asked() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()
}

#[cfg(not(target_os = "linux"))]
fn asked() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_word_is_a_name() {
        assert_eq!(plain("3f2c-11\n").as_deref(), Some("3f2c-11"));
        for text in ["", "-", "two words", "a\nb", "\u{e9}", &"x".repeat(65)] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_names_its_boot_and_keeps_to_it() {
        assert!(boot().is_some_and(|boot| boot.len() == 36));
        assert_eq!(boot(), boot());
    }
}
