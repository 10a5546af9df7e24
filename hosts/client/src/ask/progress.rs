//! The events of one question as a stream.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_util::Stream;
use tokio::sync::mpsc;

use crate::api::event::Event;

/// The events of one question, in their order; the stream ends with the question. Events wait without limit for whoever
/// reads them: a program that stops reading drops the stream.
///
/// ```
/// # mod here { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/../native/examples/here/hub.rs")); }
/// # here::ask(async |hub| {
/// use futures_util::{StreamExt, future::join};
/// use hubstow_client::Event;
///
/// let (question, mut events) = hub.model("org/model").snapshot().with_events();
/// let shown = async {
///     while let Some(event) = events.next().await {
///         if let Event::Received { file, bytes } = event {
///             println!("{bytes} more bytes of {file}");
///         }
///     }
/// };
/// let (snapshot, ()) = join(question.download(), shown).await;
/// println!("{}", snapshot?.path.display());
/// # Ok(())
/// # });
/// ```
#[derive(Debug)]
pub struct Events(mpsc::UnboundedReceiver<Event>);

/// Makes a stream, and what feeds it.
pub(crate) fn events() -> (impl Fn(&Event) + Send + Sync + 'static, Events) {
    let (tell, told) = mpsc::unbounded_channel();
    // Nobody may read any more.
    (move |event: &Event| drop(tell.send(event.clone())), Events(told))
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(context)
    }
}
