//! Whether the present runtime has what requests need: timers, and a reactor for sockets. Tokio tells nobody but by a panic,
//! which is caught here, before anything has begun.

use std::{
    net::{Ipv4Addr, UdpSocket},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hubstow_client::{Error, ErrorKind};
use tokio::runtime::{self, Handle};

/// The runtime that was found fit last.
#[derive(Default)]
pub(crate) struct Fit(Mutex<Option<runtime::Id>>);

impl Fit {
    /// Makes sure that requests can be waited for here.
    ///
    /// # Errors
    /// No runtime, or one that lacks something.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Ok(handle) = Handle::try_current() else {
            return Err(Error::new(ErrorKind::Usage, "no tokio runtime runs here")
                .hint("ask from inside one, or without async (the feature `blocking`)"));
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == Some(handle.id()) {
            return Ok(());
        }
        for (what, remedy, is_there) in [
            ("no timers", "enable_time", has_timers as fn() -> bool),
            ("no reactor for sockets", "enable_io", has_reactor),
        ] {
            if !is_there() {
                let what = format!("the tokio runtime here has {what}");
                let hint = format!("build it with `{remedy}()` or `enable_all()`");
                return Err(Error::new(ErrorKind::Usage, what).hint(hint));
            }
        }
        *known = Some(handle.id());
        Ok(())
    }
}

fn has_timers() -> bool {
    catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok()
}

/// Where the system gives no socket for trying it, requests will say so themselves.
fn has_reactor() -> bool {
    let Ok(socket) = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)) else { return true };
    if socket.set_nonblocking(true).is_err() {
        return true;
    }
    catch_unwind(AssertUnwindSafe(|| drop(tokio::net::UdpSocket::from_std(socket)))).is_ok()
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    #[test]
    fn what_a_runtime_lacks_is_named() {
        let missing = |error: Result<(), Error>| error.map_err(|error| error.to_string());
        assert_eq!(missing(Fit::default().check()), Err("no tokio runtime runs here".to_owned()));
        for (mut builder, expected) in [
            (Builder::new_current_thread(), Some("the tokio runtime here has no timers")),
            (with(|it| it.enable_io()), Some("the tokio runtime here has no timers")),
            (
                with(|it| it.enable_time()),
                Some("the tokio runtime here has no reactor for sockets"),
            ),
            (with(|it| it.enable_all()), None),
        ] {
            let runtime = builder.build().unwrap();
            let found = runtime.block_on(async { missing(Fit::default().check()) });
            assert_eq!(found.err().as_deref(), expected);
        }
    }

    fn with(change: impl FnOnce(&mut Builder) -> &mut Builder) -> Builder {
        let mut builder = Builder::new_current_thread();
        change(&mut builder);
        builder
    }
}
