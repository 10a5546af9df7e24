//! Every bound of a node, with its reason.

use std::time::Duration;

/// How long what upstream has allowed is taken for allowed. Who loses access has it for so long at most.
pub(crate) const ALLOWED_FOR: Duration = Duration::from_secs(60);
/// How long a branch is taken for where it was: long enough for the requests of one download to mean one commit.
pub(crate) const REVISION_FOR: Duration = Duration::from_secs(5);
/// How long what upstream has said of a file is believed. The address of its content may be signed for a limited time.
pub(crate) const FOUND_FOR: Duration = Duration::from_secs(60);
/// How long it counts what upstream has allowed or said, while upstream can't be reached.
pub(crate) const STALE_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How long upstream is not waited for after it could not be reached, where there is something to answer without it.
pub(crate) const AWAY_FOR: Duration = Duration::from_secs(5);
/// How long upstream may take to say something.
pub(crate) const LOOKUP_FOR: Duration = Duration::from_secs(10);

/// Files that are fetched whole before anything of them is sent: it takes little longer, and an error is an error then.
pub(crate) const SMALL_BYTES: u64 = 1 << 20;
/// How much of the end of a file is kept back until the whole is proved.
pub(crate) const WITHHELD_BYTES: u64 = 64 << 10;
/// Files up to this size are read in one go when they are here.
pub(crate) const READ_BYTES: u64 = 64 << 10;

/// The most files that are fetched at once.
pub(crate) const FILLS: usize = 64;
/// The most that wait for that. Whoever comes then is told to come again.
pub(crate) const WAITING_FILLS: usize = 1024;
/// How often somebody joins a fetch after another who began it was refused. Whoever is let in then begins one.
pub(crate) const JOINS: usize = 4;
/// How long a tier that does not answer keeps anybody waiting.
pub(crate) const ANSWER_FOR: Duration = Duration::from_secs(5);
/// The most files that are put into the tier or wait for that; one more is not put.
pub(crate) const WAITING_PUTS: usize = 1024;
/// How many commits the tier is told of at once, and how many may wait for that; of one more it is told when it is asked for again.
pub(crate) const ROOTS_AT_ONCE: usize = 4;
pub(crate) const ROOTS_WAITING: usize = 256;
/// How long the tier is taken to know what it was told.
pub(crate) const ROOTS_FOR: Duration = Duration::from_secs(60 * 60);
/// How long is waited for another node that was to put the same: longer than the claim of one that has died.
pub(crate) const PUT_TURN_FOR: Duration = Duration::from_secs(60);
/// When what could not be put because the tier was away is put again: for a minute and a half.
pub(crate) const PUT_AGAIN_AFTER: [Duration; 5] = [
    Duration::from_secs(3),
    Duration::from_secs(6),
    Duration::from_secs(12),
    Duration::from_secs(24),
    Duration::from_secs(45),
];
/// How long it may take to give up what is being put.
pub(crate) const PUTS_END_FOR: Duration = Duration::from_secs(2);
/// When somebody who was turned away may come again.
pub(crate) const COME_AGAIN: Duration = Duration::from_secs(5);
/// How long a file is fetched on that nobody reads any more.
pub(crate) const DESERTED_FOR: Duration = Duration::from_secs(600);

/// How long it is remembered that something else was sent under the name of a content: clients keep what they have begun, and go on
/// with it whenever they are started again.
pub(crate) const SPOILT_FOR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The most ranges that are remembered of what was sent of one content.
pub(crate) const SENT_RANGES: usize = 64;

/// The most of what is remembered of each kind.
pub(crate) const REMEMBERED: usize = 16 * 1024;
/// The most callers whose connections are kept, and for how long after their last request.
pub(crate) const CALLERS: usize = 256;
pub(crate) const CALLER_FOR: Duration = Duration::from_secs(60);

/// The most bytes of an answer in JSON.
pub(crate) const ANSWER_BYTES: usize = 64 << 20;
/// How long most answers are at most. A longer one is asked for twice.
pub(crate) const SHORT_ANSWER_BYTES: usize = 1 << 20;
/// The most bytes of all that are on their way, or kept, together.
pub(crate) const ANSWERS_BYTES: usize = 256 << 20;
/// How many long answers are rewritten at once: while that is done, each takes several times its length.
pub(crate) const REWRITTEN: usize = 2;
/// The most bytes of one answer that is remembered, and of all of them.
pub(crate) const KEPT_ANSWER_BYTES: usize = 8 << 20;
pub(crate) const KEPT_ANSWERS_BYTES: usize = 64 << 20;
