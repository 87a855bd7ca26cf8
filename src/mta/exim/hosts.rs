//! The host lines: `H=name [ip]: ...`, one for each host that failed.
//!
//! The delivering process writes one for every host that it could not use, also for the last. Then
//! the parent process logs each recipient: `==` or `**` repeats what the last host said, and
//! `=>` names the host that took the message. So a host line is held back until it is clear which
//! it was: where a recipient's line repeats it, that line counts and the host line does not; where
//! none does, the host was not the last, and its reply counts for itself.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::line::Line;
use super::message::{Said, read, recipient};
use crate::attempt::{Answer, HostReply, NoReply, Phase, Recipient, Relay};
use crate::mta::recent::{Bytes, Recent};
use crate::mta::text::cut;
use crate::mta::{Dialect, LineKind, Out, Reading};

/// How many messages are remembered that have a host line held back.
const MESSAGES_MAX: usize = 2_048;
/// How many host lines of one message are; the oldest counts for itself when it is too many.
const HELD_MAX: usize = 16;
/// How much of a host line's text is kept: what the classification of a reply looks at.
const TEXT_MAX: usize = 1_024;
/// For how many seconds a line that repeats a host line may come after another recipient's line.
/// The deliveries of one message to several domains run side by side, but each one's lines follow
/// its last host line at once.
const GRACE_SECONDS: u32 = 2;
/// How many messages may wait for that time to pass.
const PASSED_MAX: usize = 1_024;
const DAY_SECONDS: u32 = 86_400;

/// The host lines of which it is not yet known whether they will be repeated.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Hosts {
    held: Recent<Vec<Held>, MESSAGES_MAX>,
    /// Messages with lines that a recipient's line has passed by, and when.
    passed: VecDeque<(u32, Bytes)>,
}

/// One host line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Held {
    host: Bytes,
    ip: Bytes,
    text: Bytes,
    pid: Bytes,
    passed: Option<u32>,
}

impl Held {
    /// The host that it is about.
    pub(super) fn relay(&self) -> Relay<'_> {
        Relay { host: &self.host, ip: &self.ip }
    }

    /// What it says.
    fn answer(&self) -> (Answer<'_>, Option<Phase>) {
        match read(&self.text).0 {
            Said::Answer(answer, phase) => (answer, phase),
            Said::Suspended | Said::TooLong | Said::Other => {
                (Answer::NoReply { cause: NoReply::Local, text: &self.text }, None)
            }
        }
    }

    /// Whether a recipient's message repeats this line, word by word: only the words of the error
    /// number may be missing at its end.
    fn is(&self, message: &[u8]) -> bool {
        let message = message.get(..TEXT_MAX).unwrap_or(message);
        let rest = self.text.strip_prefix(message);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b": "))
    }

    /// Whether it tells of the same answer in other words.
    fn resembles(&self, answer: &Answer<'_>, message: &[u8]) -> bool {
        let same = match (self.answer().0, answer) {
            (Answer::Reply(ours), Answer::Reply(theirs)) => ours.code == theirs.code,
            (Answer::NoReply { cause: ours, .. }, Answer::NoReply { cause: theirs, .. }) => {
                ours == *theirs
            }
            (Answer::Reply(_), Answer::NoReply { .. })
            | (Answer::NoReply { .. }, Answer::Reply(_)) => false,
        };
        same && recipient(&self.text) == recipient(message)
    }

    fn count(&self, id: &[u8], out: &mut Out<'_>) {
        let (answer, phase) = self.answer();
        let domain = recipient(&self.text).map_or(&b""[..], |to| Recipient::parse(to).domain());
        let reply = HostReply {
            queue_id: id,
            recipient_domain: domain,
            relay: self.relay(),
            answer,
            phase,
        };
        out(Dialect::Exim, LineKind::HostReply, Reading::HostReply(reply));
    }
}

impl Hosts {
    /// Holds a host line back.
    pub(super) fn hold(
        &mut self,
        line: &Line<'_>,
        relay: Relay<'_>,
        text: &[u8],
        out: &mut Out<'_>,
    ) {
        let held = Held {
            host: relay.host.into(),
            ip: relay.ip.into(),
            text: text.get(..TEXT_MAX).unwrap_or(text).into(),
            pid: line.pid.into(),
            passed: None,
        };
        let Some(others) = self.held.get_mut(line.id) else {
            if let Some((id, forgotten)) = self.held.put(line.id, vec![held]) {
                count_all(&forgotten, &id, out);
            }
            return;
        };
        // A process that goes on to another host says that its previous one was not the last.
        let passed = |other: &Held| !line.pid.is_empty() && *other.pid == *line.pid;
        others.extract_if(.., |other| passed(other)).for_each(|held| held.count(line.id, out));
        if others.len() >= HELD_MAX {
            others.remove(0).count(line.id, out);
        }
        others.push(held);
    }

    /// Takes out the host line that this recipient's line repeats, if there is one.
    pub(super) fn repeated(
        &mut self,
        id: &[u8],
        relay: Option<Relay<'_>>,
        answer: &Answer<'_>,
        message: &[u8],
    ) -> Option<Held> {
        let held = self.held.get_mut(id)?;
        let here = |held: &Held| relay.is_none_or(|relay| *held.ip == *relay.ip);
        let at = held.iter().rposition(|held| here(held) && held.is(message)).or_else(|| {
            held.iter().rposition(|held| here(held) && held.resembles(answer, message))
        })?;
        let found = held.remove(at);
        if held.is_empty() {
            self.held.take(id);
        }
        Some(found)
    }

    /// A recipient's line was written. What is still held back for this message was not the last
    /// host of that recipient, and will count unless another recipient's line soon repeats it.
    pub(super) fn pass(&mut self, line: &Line<'_>, out: &mut Out<'_>) {
        let Some(held) = self.held.get_mut(line.id) else { return };
        let Some(second) = line.second else {
            self.complete(line.id, out);
            return;
        };
        let mut newly = false;
        for held in held.iter_mut().filter(|held| held.passed.is_none()) {
            held.passed = Some(second);
            newly = true;
        }
        if newly {
            self.passed.push_back((second, line.id.into()));
        }
        if self.passed.len() > PASSED_MAX {
            self.count_first(out);
        }
    }

    /// The message is done with: nothing will be repeated any more.
    pub(super) fn complete(&mut self, id: &[u8], out: &mut Out<'_>) {
        count_all(&self.held.take(id).unwrap_or_default(), id, out);
    }

    /// Time has passed.
    pub(super) fn wait(&mut self, line: &Line<'_>, out: &mut Out<'_>) {
        while let (Some((then, _)), Some(now)) = (self.passed.front(), line.second) {
            let age = (now + DAY_SECONDS - then) % DAY_SECONDS;
            // More than half a day means that the clock was set back.
            if !(GRACE_SECONDS..DAY_SECONDS / 2).contains(&age) {
                return;
            }
            self.count_first(out);
        }
    }

    /// The log has ended.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) {
        for (id, held) in self.held.drain() {
            count_all(&held, &id, out);
        }
        self.passed.clear();
    }

    fn count_first(&mut self, out: &mut Out<'_>) {
        let Some((then, id)) = self.passed.pop_front() else { return };
        let Some(held) = self.held.get_mut(&id) else { return };
        held.extract_if(.., |held| held.passed == Some(then)).for_each(|held| held.count(&id, out));
        if held.is_empty() {
            self.held.take(&id);
        }
    }

    /// How many messages had to be forgotten.
    pub(super) fn evicted(&self) -> u64 {
        self.held.evicted()
    }
}

fn count_all(held: &[Held], id: &[u8], out: &mut Out<'_>) {
    for held in held {
        held.count(id, out);
    }
}

/// The host and the text of a host line, which starts after `H=`; `None` if it is none.
///
/// `name [ip][:port]: text`, with the port `name [ip]:port text` for a refused recipient, and
/// `name [ip] words` for a bare error. What a client did has fields or `rejected` there.
pub(super) fn host_line(text: &[u8]) -> Option<(Relay<'_>, &[u8])> {
    let (host, rest) = cut(text, b" [")?;
    let (ip, rest) = cut(rest, b"]")?;
    if host.contains(&b' ')
        || !ip.iter().all(|byte| byte.is_ascii_hexdigit() || b".:%".contains(byte))
    {
        return None;
    }
    let rest = super::fields::after_host(rest);
    let text = rest.strip_prefix(b": ").or_else(|| {
        let words = rest.strip_prefix(b" ")?;
        // The TLS library's complaint comes beside the line that says what came of it.
        let is_error =
            !words.starts_with(b"TLS error") && matches!(read(words).0, Said::Answer(..));
        is_error.then_some(words)
    });
    Some((Relay { host, ip }, text?))
}
