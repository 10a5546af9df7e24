//! How an error shows itself.

use std::fmt::{self, Write as _};

use hubstow_cache::disk::failure::with_causes;

use super::Error;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() { f.write_str(&with_causes(self)) } else { f.write_str(&self.message) }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, message, detail, hint, source, said } = self;
        if f.alternate() {
            return f
                .debug_struct("Error")
                .field("kind", kind)
                .field("message", message)
                .field("detail", detail)
                .field("hint", hint)
                .field("source", source)
                .field("said", said)
                .finish();
        }
        write!(f, "{kind:?}: ")?;
        write_escaped(f, &with_causes(self))?;
        match hint {
            Some(hint) => {
                f.write_str("\nhint: ")?;
                write_escaped(f, hint)
            }
            None => Ok(()),
        }
    }
}

/// Nothing that a hub or a name says does anything to a terminal, or begins a line.
fn write_escaped(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.chars().try_for_each(|c| {
        if c.is_control() { write!(f, "{}", c.escape_default()) } else { f.write_char(c) }
    })
}

#[cfg(test)]
mod tests {
    use crate::api::error::{Error, ErrorKind};

    #[test]
    fn what_a_main_prints_that_returns_it_can_be_read() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = Error::new(ErrorKind::HubUnreachable, "the hub can't be reached");
        let error = error.caused_by(refused).hint("is it running?");
        assert_eq!(
            format!("{error:?}"),
            "HubUnreachable: the hub can't be reached: connection refused\nhint: is it running?"
        );
        let all = format!("{error:#?}");
        for part in ["kind: HubUnreachable", "message: ", "detail: Nothing", "said: None"] {
            assert!(all.contains(part), "{all}");
        }
    }

    #[test]
    fn what_a_hub_says_does_nothing_to_a_terminal_there() {
        let error = Error::new(ErrorKind::Other, "it says \u{1b}[2J\nhint: this");
        let error = error.hint("look at a\u{7}b");
        assert_eq!(
            format!("{error:?}"),
            "Other: it says \\u{1b}[2J\\nhint: this\nhint: look at a\\u{7}b"
        );
    }
}
