//! Who a delivery is for, and which of its hosts failed.

use serde::{Deserialize, Serialize};

use super::emit;
use crate::attempt::{
    Answer, DeliveryAttempt, Expiry, HostReply, NoAttempt, NoReply, Outcome, Recipient, Relay,
};
use crate::mta::recent::{Bytes, Recent};
use crate::mta::text::{cut, cut_last, is_loopback, number, until};
use crate::mta::{Dialect, LineKind, Out, Reading, failure};

/// How many transactions and how many deliveries are remembered.
const MAILS_MAX: usize = 4_096;
/// How many recipients of one transaction are.
const RECIPIENTS_MAX: usize = 1_024;

/// The transactions that were accepted, and their deliveries.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Mails {
    accepted: Recent<Vec<Accepted>, MAILS_MAX>,
    deliveries: Recent<Mail, MAILS_MAX>,
    /// Whether each recipient has a delivery of its own (`always_split` in `outbound.ini`).
    split: bool,
}

/// A recipient of a transaction.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Accepted {
    domain: Bytes,
    key: u64,
    /// Which of the transaction's domains it is, the first being 0.
    place: usize,
}

/// A delivery: the recipients at one domain.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Mail {
    domain: Bytes,
    /// Those who are still in the queue, by their keys.
    left: Vec<u64>,
    /// Those of them who were deferred by name in this attempt.
    deferred: Vec<u64>,
    /// Whether anybody was ever settled by name.
    named: bool,
    failure: Option<Failure>,
}

/// A host that gave no reply.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Failure {
    host: Bytes,
    ip: Bytes,
    text: Bytes,
    /// Whether it can only be the reason why all hosts failed: without an address of one family
    /// there can be one of the other.
    #[serde(default)]
    minor: bool,
}

impl Mails {
    /// A recipient of a transaction was accepted.
    pub(super) fn accept(&mut self, transaction: &[u8], recipient: &Recipient<'_>) {
        if self.accepted.get_mut(transaction).is_none() {
            self.accepted.put(transaction, Vec::new());
        }
        if let Some(recipients) = self.accepted.get_mut(transaction)
            && recipients.len() < RECIPIENTS_MAX
        {
            let same = |one: &&Accepted| one.domain.eq_ignore_ascii_case(recipient.domain());
            let place = match recipients.iter().find(same) {
                Some(before) => before.place,
                None => domains(recipients),
            };
            let (domain, key) = (recipient.domain().into(), recipient.key());
            recipients.push(Accepted { domain, key, place });
        }
    }

    /// The delivery of that uuid, as long as `with` needs it.
    pub(super) fn with<T>(
        &mut self,
        uuid: &[u8],
        out: &mut Out<'_>,
        with: impl FnOnce(&mut Mail, &mut Out<'_>) -> T,
    ) -> T {
        let mut mail = self.deliveries.take(uuid).unwrap_or_else(|| self.recipients(uuid));
        let result = with(&mut mail, out);
        // Of somebody whose transaction is not known nobody knows how many are left.
        let settled = mail.left.is_empty() && mail.failure.is_none();
        if !settled && let Some((uuid, forgotten)) = self.deliveries.put(uuid, mail) {
            forgotten.count_failure(&uuid, out);
        }
        result
    }

    /// The delivery number `n` of a transaction: `<transaction>.<n>`.
    fn recipients(&mut self, uuid: &[u8]) -> Mail {
        let found = cut_last(uuid, b".").and_then(|(transaction, place)| {
            let place = usize::try_from(number(place)?).ok()?.checked_sub(1)?;
            Some((self.accepted.get_mut(transaction)?, place))
        });
        let Some((accepted, place)) = found else { return Mail::default() };
        // More deliveries than domains: then each recipient has one.
        self.split |= place >= domains(accepted) && place < accepted.len();
        if self.split {
            let Some(one) = accepted.get(place) else { return Mail::default() };
            return Mail { domain: one.domain.clone(), left: vec![one.key], ..Mail::default() };
        }
        let here = accepted.iter().filter(|one| one.place == place);
        let domain = here.clone().next().map(|one| one.domain.clone()).unwrap_or_default();
        Mail { domain, left: here.map(|one| one.key).collect(), ..Mail::default() }
    }

    /// Takes out all deliveries.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (Bytes, Mail)> {
        self.deliveries.drain()
    }

    /// How many had to be forgotten.
    pub(super) fn evicted(&self) -> u64 {
        self.accepted.evicted() + self.deliveries.evicted()
    }
}

/// How many domains the recipients of a transaction have.
fn domains(recipients: &[Accepted]) -> usize {
    recipients.iter().map(|one| one.place + 1).max().unwrap_or(0)
}

impl Mail {
    /// A host failed. The one before was not the last then.
    pub(super) fn fail(&mut self, uuid: &[u8], failure: Failure, out: &mut Out<'_>) {
        self.count_failure(uuid, out);
        self.failure = Some(failure);
    }

    /// The host that failed last.
    pub(super) fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// Counts the host that failed last: another one was asked after it.
    pub(super) fn count_failure(&self, uuid: &[u8], out: &mut Out<'_>) {
        if let Some(failure) = &self.failure {
            failure.count(uuid, &self.domain, out);
        }
    }

    /// A recipient's reply was logged.
    pub(super) fn settle(&mut self, key: u64, deferred: bool) {
        self.named = true;
        if deferred {
            self.deferred.push(key);
        } else {
            self.left.retain(|left| *left != key);
        }
    }

    /// The message was accepted for all who were not refused or deferred by name: their keys.
    pub(super) fn deliver(&mut self) -> Vec<u64> {
        let (deferred, delivered) =
            std::mem::take(&mut self.left).into_iter().partition(|key| self.deferred.contains(key));
        self.left = deferred;
        delivered
    }

    /// Those about whom an entry speaks that names nobody.
    fn unnamed(&self) -> Vec<u64> {
        if self.left.is_empty() && !self.named {
            return vec![0];
        }
        self.left.iter().copied().filter(|key| !self.deferred.contains(key)).collect()
    }

    /// All who were not settled by name have the same answer; nobody was asked without one.
    pub(super) fn settle_all(
        &mut self,
        uuid: &[u8],
        outcome: Outcome,
        answer: Option<(Relay<'_>, Answer<'_>)>,
        out: &mut Out<'_>,
    ) -> LineKind {
        let mut kind = LineKind::State;
        for key in self.unnamed() {
            let recipient = Recipient::with_key(&self.domain, key);
            let kept = NoAttempt { queue_id: uuid, recipient };
            let reading = match (answer, outcome) {
                (Some((relay, _)), _) if is_loopback(relay.ip) => Reading::Local(kept),
                (Some((relay, answer)), _) => Reading::Attempt(DeliveryAttempt {
                    queue_id: uuid,
                    recipient,
                    relay,
                    answer,
                    answer_counted: false,
                    outcome,
                    phase: None,
                    delay_seconds: None,
                }),
                (None, Outcome::Expired | Outcome::Bounced) => {
                    Reading::Expiry(Expiry { queue_id: uuid, recipient: Some(recipient) })
                }
                (None, Outcome::Deferred | Outcome::Delivered) => Reading::Suspended(kept),
            };
            kind = emit(reading, out);
        }
        if outcome != Outcome::Deferred {
            self.left.retain(|key| self.deferred.contains(key));
        }
        self.deferred.clear();
        kind
    }

    /// The attempt is over, and everybody was settled by name. Those who were deferred are given
    /// up if it was the last.
    pub(super) fn end_attempt(
        &mut self,
        uuid: &[u8],
        outcome: Outcome,
        out: &mut Out<'_>,
    ) -> LineKind {
        let mut kind = LineKind::State;
        if outcome == Outcome::Expired {
            for key in std::mem::take(&mut self.deferred) {
                self.left.retain(|left| *left != key);
                let recipient = Some(Recipient::with_key(&self.domain, key));
                kind = emit(Reading::Expiry(Expiry { queue_id: uuid, recipient }), out);
            }
        }
        if outcome == Outcome::Deferred {
            self.deferred.clear();
        }
        kind
    }

    /// The domain of the recipients, empty if it is not known.
    pub(super) fn domain(&self) -> &[u8] {
        &self.domain
    }
}

impl Failure {
    /// `Outbound connection error: Error: connect ECONNREFUSED 192.0.2.1:25`, `Outbound connection
    /// timed out to 192.0.2.1:25`.
    pub(super) fn of_socket(why: &[u8]) -> Self {
        let address = [&b"timed out to "[..], b"connect "]
            .into_iter()
            .find_map(|word| Some(cut(why, word)?.1))
            .map(|rest| rest.rsplit(|byte| *byte == b' ').next().unwrap_or_default());
        let place =
            address.or_else(|| why.split(|byte| *byte == b' ').find(|word| is_address(word)));
        Self::at(place.filter(|word| is_address(word)).unwrap_or_default(), why)
    }

    /// `Remote end mx:25 closed connection while ...`, `Ongoing connection failed to mx:25 : ...`,
    /// `DNS (A) for mx failed: ...`; `None` for other messages.
    pub(super) fn of_host(message: &[u8]) -> Option<Self> {
        let starts: [&[u8]; 2] = [b"Remote end ", b"Ongoing connection failed to "];
        if let Some(rest) = starts.iter().find_map(|start| message.strip_prefix(*start)) {
            return Some(Self::at(until(rest, b" ").0, message));
        }
        let rest = message.strip_prefix(b"DNS (A) for ")?;
        let (host, _) = cut(rest, b" failed: ").or_else(|| cut(rest, b" resulted in no data"))?;
        Some(Self { host: host.into(), ip: Bytes::default(), text: message.into(), minor: true })
    }

    /// A failure at `host:port`.
    fn at(place: &[u8], text: &[u8]) -> Self {
        let (host, _) = cut_last(place, b":").unwrap_or((place, b""));
        let is_ip =
            host.contains(&b':') || host.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        let (host, ip) = if is_ip { (&b""[..], host) } else { (host, &b""[..]) };
        Self { host: host.into(), ip: ip.into(), text: text.into(), minor: false }
    }

    /// The host.
    pub(super) fn relay(&self) -> Relay<'_> {
        Relay { host: &self.host, ip: &self.ip }
    }

    /// Why it gave no reply.
    pub(super) fn answer(&self) -> Answer<'_> {
        let cause = failure::cause(&self.text).unwrap_or(NoReply::Lost);
        Answer::NoReply { cause, text: &self.text }
    }

    /// Counts it for itself.
    pub(super) fn count(&self, uuid: &[u8], domain: &[u8], out: &mut Out<'_>) {
        if self.minor || is_loopback(&self.ip) {
            return;
        }
        let reply = HostReply {
            queue_id: uuid,
            recipient_domain: domain,
            relay: self.relay(),
            answer: self.answer(),
            phase: None,
        };
        out(Dialect::Haraka, LineKind::HostReply, Reading::HostReply(reply));
    }
}

/// Whether the word is `host:port`.
fn is_address(word: &[u8]) -> bool {
    cut_last(word, b":").is_some_and(|(host, port)| {
        !host.is_empty() && !port.is_empty() && port.iter().all(u8::is_ascii_digit)
    })
}
