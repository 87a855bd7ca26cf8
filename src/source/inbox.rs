//! The way from a thread of its own to the reader, for inputs that cannot be polled.
//!
//! The way is narrow: where the reader is behind, the thread waits, and so does the one who writes,
//! as far as the input has a way to make it wait.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use super::cutter::{Cut, Cutter};
use super::{Note, Progress, Sink, Status};

/// How many pieces may be under way.
const PIECES_MAX: usize = 16;
/// How many bytes one step hands over at most, give or take a piece.
const STEP_BYTES: usize = 1 << 20;
/// A wake-up is a hint; the timer looks anyway.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// An input that says nothing for so long has nothing more to catch up with: what it was to reach
/// is gone.
const CATCH_UP_SILENCE: Duration = Duration::from_secs(30);

/// Tells the reader that there is something to poll for.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// What is under way.
#[derive(Debug)]
pub(super) enum Item {
    /// Complete lines, and the cursor behind them where the input has one.
    Lines(Vec<u8>, Option<String>),
    /// Something that is counted.
    Note(Note),
    /// Whether the input can be read.
    Up(bool),
    /// Everything that was there at the start has been sent.
    CaughtUp,
}

/// The reader's end.
pub(super) struct Inbox {
    items: Receiver<Item>,
    stop: Arc<AtomicBool>,
    queued: Arc<AtomicU64>,
    rung: Arc<AtomicBool>,
    cursor: Option<String>,
    up: bool,
    catching_up: bool,
    polled_at: Duration,
    heard_at: Option<Duration>,
}

/// The thread's end.
#[derive(Clone)]
pub(super) struct Outbox {
    items: SyncSender<Item>,
    stop: Arc<AtomicBool>,
    queued: Arc<AtomicU64>,
    /// Whether the reader was woken and has not looked yet.
    rung: Arc<AtomicBool>,
    wake: Wake,
}

/// Both ends. `catching_up` says that there is something to be read before the first scrape;
/// [`Item::CaughtUp`] ends it.
pub(super) fn inbox(wake: &Wake, cursor: Option<String>, catching_up: bool) -> (Inbox, Outbox) {
    let (sender, receiver) = sync_channel(PIECES_MAX);
    let (stop, rung) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let queued = Arc::new(AtomicU64::new(0));
    let inbox = Inbox {
        items: receiver,
        stop: Arc::clone(&stop),
        queued: Arc::clone(&queued),
        rung: Arc::clone(&rung),
        cursor,
        up: false,
        catching_up,
        polled_at: Duration::ZERO,
        heard_at: None,
    };
    (inbox, Outbox { items: sender, stop, queued, rung, wake: wake.clone() })
}

impl Inbox {
    /// Hands over what has come.
    pub(super) fn poll(&mut self, monotonic: Duration, sink: &mut dyn Sink) -> Progress {
        self.polled_at = monotonic;
        self.rung.store(false, Ordering::Release);
        let heard_at = *self.heard_at.get_or_insert(monotonic);
        let mut bytes = 0;
        while bytes < STEP_BYTES {
            let item = self.items.try_recv();
            if item.is_ok() {
                self.heard_at = Some(monotonic);
            }
            match item {
                Ok(Item::Lines(lines, cursor)) => {
                    bytes += lines.len();
                    self.queued.fetch_sub(lines.len() as u64, Ordering::Relaxed);
                    sink.lines(&lines);
                    self.cursor = cursor.or_else(|| self.cursor.take());
                }
                Ok(Item::Note(note)) => sink.note(note),
                Ok(Item::Up(up)) => {
                    if self.up && !up {
                        sink.note(Note::ReadError);
                    }
                    self.up = up;
                }
                Ok(Item::CaughtUp) => self.catching_up = false,
                Err(TryRecvError::Empty) => {
                    self.catching_up &= monotonic < heard_at + CATCH_UP_SILENCE;
                    return Progress::Idle;
                }
                Err(TryRecvError::Disconnected) => {
                    (self.up, self.catching_up) = (false, false);
                    return Progress::Idle;
                }
            }
        }
        Progress::More
    }

    pub(super) fn due(&self) -> Duration {
        self.polled_at + LOOK_EVERY
    }

    /// The cursor behind everything that was handed over.
    pub(super) fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    pub(super) fn status(&self) -> Status {
        let queued = self.queued.load(Ordering::Relaxed);
        let left = if self.catching_up { queued.max(1) } else { 0 };
        Status { up: self.up, lag_bytes: queued, catching_up_bytes: left }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Outbox {
    /// Sends, and waits while the reader is behind. `false` when the source is not wanted any more.
    pub(super) fn send(&self, item: Item) -> bool {
        if let Item::Lines(lines, _) = &item {
            self.queued.fetch_add(lines.len() as u64, Ordering::Relaxed);
        }
        // First the item, then the bell: who hears it finds the item. Where the way is full, the
        // bell rang for what fills it.
        let sent = self.items.send(item).is_ok();
        if !self.rung.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
        sent && !self.stopped()
    }

    /// Sends what a piece of a stream completes.
    pub(super) fn send_piece(&self, cutter: &mut Cutter, piece: &[u8]) -> bool {
        self.send_cuts(cutter.push(piece))
    }

    /// Sends the last line of a stream that has ended.
    pub(super) fn send_rest(&self, cutter: &mut Cutter) -> bool {
        self.send_cuts(cutter.finish())
    }

    fn send_cuts(&self, cuts: Vec<Cut>) -> bool {
        cuts.into_iter().all(|cut| {
            self.send(match cut {
                Cut::Lines(lines) => Item::Lines(lines, None),
                Cut::Note(note) => Item::Note(note),
            })
        })
    }

    /// Whether the source is not wanted any more.
    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("up", &self.up).finish_non_exhaustive()
    }
}
