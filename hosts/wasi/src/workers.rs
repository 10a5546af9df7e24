//! Where disk work is done in a sandbox, which has one thread: at once.

use hubstow_client::{Beside, Workers};

/// No threads.
pub(crate) struct InLine;

impl Workers for InLine {
    fn start(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }

    fn beside(&self) -> Beside {
        Beside::Nothing
    }
}
