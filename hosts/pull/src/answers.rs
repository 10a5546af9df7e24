//! Room for the answers that are handed on: so many bytes of all together, from when they are asked for until their last byte
//! has been taken. How long an answer is shows only when it comes, so room is taken for a short one, and for the longest where
//! that was too little.

use std::sync::Arc;

use bytes::Bytes;
use hubstow_serve::Refusal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    limits::{ANSWER_BYTES, ANSWERS_BYTES, LOOKUP_FOR, SHORT_ANSWER_BYTES},
    refusals::come_again,
};

/// What one permit stands for.
const UNIT_BYTES: usize = 1 << 10;
/// The lengths that room is taken for, one after the other.
pub(crate) const LENGTHS: [usize; 2] = [SHORT_ANSWER_BYTES, ANSWER_BYTES];

/// The room of all answers.
#[derive(Debug)]
pub(crate) struct Answers(Arc<Semaphore>);

/// Room that was taken for an answer.
#[derive(Debug)]
pub(crate) struct AnswerRoom(OwnedSemaphorePermit);

impl Default for Answers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ANSWERS_BYTES / UNIT_BYTES)))
    }
}

impl Answers {
    /// Takes room for an answer, once there is some.
    ///
    /// # Errors
    /// There is none for as long as anybody waits here.
    pub(crate) async fn room(&self, len_bytes: usize) -> Result<AnswerRoom, Refusal> {
        let units = u32::try_from(len_bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        let taken = Arc::clone(&self.0).acquire_many_owned(units);
        match tokio::time::timeout(LOOKUP_FOR, taken).await {
            Ok(Ok(permit)) => Ok(AnswerRoom(permit)),
            Ok(Err(_)) | Err(_) => {
                Err(come_again(503, "Too much is being handed on; try again later"))
            }
        }
    }
}

impl AnswerRoom {
    /// Keeps what an answer takes for as long as it is held anywhere, and gives the rest back.
    pub(crate) fn hold(mut self, body: Bytes) -> Bytes {
        let permit = self.0.split(body.len().div_ceil(UNIT_BYTES)).unwrap_or(self.0);
        Bytes::from_owner(Held { body, _permit: permit })
    }
}

/// A body with its room.
struct Held {
    body: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::COME_AGAIN;

    #[tokio::test(start_paused = true)]
    async fn an_answer_takes_room_for_as_long_as_it_is_held_and_no_more_than_it_has() {
        let answers = Answers::default();
        let all = answers.0.available_permits();
        let room = answers.room(ANSWER_BYTES).await.unwrap();
        let body = room.hold(Bytes::from(vec![7; 3 * UNIT_BYTES + 1]));
        assert_eq!(answers.0.available_permits(), all - 4);
        let kept = body.slice(1..2);
        drop(body);
        assert_eq!(answers.0.available_permits(), all - 4, "some of it is held");
        assert_eq!(kept[..], [7]);
        drop(kept);
        assert_eq!(answers.0.available_permits(), all);
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_room_is_told_to_come_again() {
        let answers = Answers::default();
        let mut taken = Vec::new();
        for _ in 0..ANSWERS_BYTES / ANSWER_BYTES {
            taken.push(answers.room(ANSWER_BYTES).await.unwrap());
        }
        let refusal = answers.room(SHORT_ANSWER_BYTES).await.unwrap_err();
        assert_eq!((refusal.status, refusal.retry_after), (503, Some(COME_AGAIN)));
        taken.pop();
        assert!(answers.room(SHORT_ANSWER_BYTES).await.is_ok());
    }
}
