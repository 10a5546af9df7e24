//! How an error shows itself.

use std::fmt;

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
        write!(f, "{kind:?}: {}", with_causes(self))?;
        hint.as_ref().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
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
}
