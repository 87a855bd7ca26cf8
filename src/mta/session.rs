//! SMTP sessions of a client, from logs that hold the conversation line by line.
//!
//! Replies come in the order of the commands (RFC 5321 §4.2, RFC 2920 for pipelined ones), so that
//! each reply answers the oldest command that waits for one.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::answer;
use super::recent::Bytes;
use super::{Reading, text};
use crate::attempt::{
    Answer, DeliveryAttempt, HostReply, NoAttempt, NoReply, Outcome, Phase, Recipient, Relay,
};
use crate::smtp::{CodeClass, Reply};

/// How many recipients and commands of one session are remembered, and how much of one reply.
const RECIPIENTS_MAX: usize = 1_000;
const COMMANDS_MAX: usize = 1_024;
const REPLY_MAX: usize = 4_096;

/// What is known of one session.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Session {
    /// The address of the server.
    ip: Bytes,
    greeted: bool,
    /// The commands that have no reply yet, the oldest first.
    waiting: VecDeque<Command>,
    /// The recipients that the server took and whose message it has not.
    accepted: Vec<Rcpt>,
    /// The lines of a reply that is not complete.
    reply: Bytes,
}

/// A command that waits for its reply.
#[derive(Debug, Serialize, Deserialize)]
enum Command {
    Helo,
    Starttls,
    Auth,
    Mail,
    Rcpt(Rcpt),
    Data,
    EndOfData,
    /// Its reply does not matter, or was given in advance: of recipients after a refused sender.
    Other,
}

/// A recipient.
#[derive(Debug, Serialize, Deserialize)]
struct Rcpt {
    domain: Bytes,
    key: u64,
}

impl Rcpt {
    fn parse(command: &[u8]) -> Self {
        let path = text::cut(command, b":").map_or(&b""[..], |(_, path)| path.trim_ascii());
        let address = text::angle(path).map_or(path, |(address, _)| address);
        let recipient = Recipient::parse(address);
        Self { domain: Bytes::from(recipient.domain()), key: recipient.key() }
    }

    fn recipient(&self) -> Recipient<'_> {
        Recipient::with_key(&self.domain, self.key)
    }
}

/// Takes readings.
pub(super) type Sink<'s> = dyn FnMut(Reading<'_>) + 's;

impl Session {
    /// A session with the server at that address.
    pub(super) fn with(ip: &[u8]) -> Self {
        Self { ip: Bytes::from(ip), ..Self::default() }
    }

    /// The client sent a line.
    pub(super) fn sent(&mut self, line: &[u8]) {
        // What follows a challenge is no command.
        if self.waiting.len() >= COMMANDS_MAX || matches!(self.waiting.front(), Some(Command::Auth))
        {
            return;
        }
        let command = match answer::phase(line) {
            Some(Phase::Helo) => Command::Helo,
            Some(Phase::Starttls) => Command::Starttls,
            Some(Phase::Auth) => Command::Auth,
            Some(Phase::Mail) => {
                self.accepted.clear();
                Command::Mail
            }
            Some(Phase::Rcpt) => Command::Rcpt(Rcpt::parse(line)),
            Some(Phase::Data) => Command::Data,
            // The dot ends what the reply to DATA has begun; the last BDAT ends it by itself.
            Some(Phase::EndOfData) if line.trim_ascii() == b"." => return,
            Some(Phase::EndOfData) => Command::EndOfData,
            Some(Phase::Connect) | None => {
                if line.get(..4).is_some_and(|word| word.eq_ignore_ascii_case(b"RSET")) {
                    self.accepted.clear();
                }
                Command::Other
            }
        };
        self.waiting.push_back(command);
    }

    /// The server sent a line of a reply.
    pub(super) fn received(&mut self, line: &[u8], sink: &mut Sink<'_>) {
        if !self.reply.is_empty() {
            self.reply.extend(b"\n");
        }
        if self.reply.len() < REPLY_MAX {
            self.reply.extend(line.get(..REPLY_MAX).unwrap_or(line));
        }
        if line.get(3) == Some(&b'-') && Reply::parse(line).is_some() {
            return;
        }
        let text = std::mem::take(&mut self.reply);
        // A reply of 1yz or 3yz has no class of its own and asks for more.
        let asks = text.first() == Some(&b'3');
        match Reply::parse(&text) {
            Some(reply) => self.replied(reply, asks, sink),
            None => self.failed(NoReply::Protocol, &text, sink),
        }
    }

    fn replied(&mut self, reply: Reply<'_>, asks: bool, sink: &mut Sink<'_>) {
        let refused = matches!(reply.code.class(), CodeClass::Transient | CodeClass::Permanent);
        let answer = Answer::Reply(reply);
        if !self.greeted {
            self.greeted = true;
            if refused {
                self.host_reply(answer, Some(Phase::Connect), sink);
            }
            return;
        }
        match self.waiting.pop_front() {
            Some(Command::Auth) if asks => self.waiting.push_front(Command::Auth),
            Some(Command::Data) if asks => self.waiting.push_front(Command::EndOfData),
            // A server without extensions is asked again with HELO.
            Some(Command::Helo) if refused && !matches!(reply.code.get(), 500 | 502) => {
                self.host_reply(answer, Some(Phase::Helo), sink);
            }
            Some(Command::Starttls) if refused => {
                self.host_reply(answer, Some(Phase::Starttls), sink);
            }
            Some(Command::Auth) if refused => self.host_reply(answer, Some(Phase::Auth), sink),
            Some(Command::Mail) if refused => self.sender_refused(answer, sink),
            Some(Command::Rcpt(rcpt)) if refused => {
                self.settle(&rcpt, answer, Phase::Rcpt, sink);
            }
            Some(Command::Rcpt(rcpt)) if self.accepted.len() < RECIPIENTS_MAX => {
                self.accepted.push(rcpt);
            }
            Some(Command::Data) => self.settle_all(answer, Phase::Data, refused, sink),
            Some(Command::EndOfData) => self.settle_all(answer, Phase::EndOfData, true, sink),
            // Nothing was asked: the server closes the connection.
            None if refused => self.settle_or_host_reply(answer, None, sink),
            Some(
                Command::Helo
                | Command::Starttls
                | Command::Auth
                | Command::Mail
                | Command::Rcpt(_)
                | Command::Other,
            )
            | None => {}
        }
    }

    /// The recipients that were sent along have their answer with the sender.
    fn sender_refused(&mut self, answer: Answer<'_>, sink: &mut Sink<'_>) {
        let mut some = false;
        for command in &mut self.waiting {
            if matches!(command, Command::Rcpt(_))
                && let Command::Rcpt(rcpt) = std::mem::replace(command, Command::Other)
            {
                some = true;
                sink(reading(&self.ip, &rcpt, answer, Some(Phase::Mail)));
            }
        }
        if !some {
            self.host_reply(answer, Some(Phase::Mail), sink);
        }
    }

    /// The connection failed, or no reply came, or what came was none.
    pub(super) fn failed(&mut self, cause: NoReply, text: &[u8], sink: &mut Sink<'_>) {
        let phase = match self.waiting.front() {
            _ if !self.greeted => Some(Phase::Connect),
            Some(Command::Helo) => Some(Phase::Helo),
            Some(Command::Starttls) => Some(Phase::Starttls),
            Some(Command::Auth) => Some(Phase::Auth),
            Some(Command::Mail) => Some(Phase::Mail),
            Some(Command::Rcpt(_)) => Some(Phase::Rcpt),
            Some(Command::Data) => Some(Phase::Data),
            Some(Command::EndOfData) => Some(Phase::EndOfData),
            Some(Command::Other) | None => None,
        };
        self.settle_or_host_reply(Answer::NoReply { cause, text }, phase, sink);
    }

    /// The connection is closed. Where a reply was still due, none came.
    pub(super) fn closed(mut self, sink: &mut Sink<'_>) {
        let due = self.waiting.iter().any(|command| !matches!(command, Command::Other));
        // With nothing on its way the client may have left by itself, but not in mid-message.
        if due || self.waiting.is_empty() && !self.accepted.is_empty() {
            self.failed(NoReply::Lost, b"", sink);
        }
    }

    /// Settles all recipients whose answer is due; without any it is a reply of the host.
    fn settle_or_host_reply(
        &mut self,
        answer: Answer<'_>,
        phase: Option<Phase>,
        sink: &mut Sink<'_>,
    ) {
        let mut due = std::mem::take(&mut self.accepted);
        for command in std::mem::take(&mut self.waiting) {
            if let Command::Rcpt(rcpt) = command {
                due.push(rcpt);
            }
        }
        for rcpt in &due {
            sink(reading(&self.ip, rcpt, answer, phase));
        }
        if due.is_empty() {
            self.host_reply(answer, phase, sink);
        }
    }

    fn settle_all(
        &mut self,
        answer: Answer<'_>,
        phase: Phase,
        final_answer: bool,
        sink: &mut Sink<'_>,
    ) {
        if !final_answer {
            return;
        }
        for rcpt in std::mem::take(&mut self.accepted) {
            self.settle(&rcpt, answer, phase, sink);
        }
    }

    fn settle(&self, rcpt: &Rcpt, answer: Answer<'_>, phase: Phase, sink: &mut Sink<'_>) {
        sink(reading(&self.ip, rcpt, answer, Some(phase)));
    }

    fn host_reply(&self, answer: Answer<'_>, phase: Option<Phase>, sink: &mut Sink<'_>) {
        if answer::is_here(&self.ip) {
            return;
        }
        sink(Reading::HostReply(HostReply {
            queue_id: b"",
            recipient_domain: self.accepted.first().map_or(b"", |rcpt| &rcpt.domain),
            relay: Relay { host: b"", ip: &self.ip },
            answer,
            phase,
        }));
    }
}

/// What an answer means for a recipient.
fn reading<'r>(
    ip: &'r [u8],
    rcpt: &'r Rcpt,
    answer: Answer<'r>,
    phase: Option<Phase>,
) -> Reading<'r> {
    let recipient = rcpt.recipient();
    if answer::is_here(ip) {
        return Reading::Local(NoAttempt { queue_id: b"", recipient });
    }
    let outcome = match answer.class() {
        CodeClass::Success => Outcome::Delivered,
        CodeClass::Permanent => Outcome::Bounced,
        CodeClass::Transient | CodeClass::None => Outcome::Deferred,
    };
    Reading::Attempt(DeliveryAttempt {
        queue_id: b"",
        recipient,
        relay: Relay { host: b"", ip },
        answer,
        answer_counted: false,
        outcome,
        phase: phase.filter(|_| outcome != Outcome::Delivered),
        delay_seconds: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a conversation comes to; lines start with `>` or `<`.
    fn read(conversation: &[&str]) -> Vec<String> {
        let mut session = Session::with(b"192.0.2.10");
        let mut found = Vec::new();
        let mut sink = |reading: Reading<'_>| {
            let (who, answer, phase) = match &reading {
                Reading::Attempt(attempt) => {
                    let domain = attempt.recipient.domain().escape_ascii();
                    (format!("{} {domain}", attempt.outcome), attempt.answer, attempt.phase)
                }
                Reading::HostReply(reply) => ("host".to_owned(), reply.answer, reply.phase),
                Reading::InboundReject(_)
                | Reading::Expiry(_)
                | Reading::Suspended(_)
                | Reading::Local(_) => panic!("{reading:?}"),
            };
            let code = match answer.reply() {
                Some(reply) => reply.code.to_string(),
                None => answer.cause().unwrap().to_string(),
            };
            let phase = phase.map_or(String::new(), |phase| format!(" {phase}"));
            found.push(format!("{who} {code}{phase}"));
        };
        for line in conversation {
            match line.split_at(1) {
                (">", line) => session.sent(line.as_bytes()),
                (_, line) => session.received(line.as_bytes(), &mut sink),
            }
        }
        session.closed(&mut sink);
        found
    }

    #[test]
    fn recipients_are_settled_where_their_answer_comes() {
        assert_eq!(
            read(&[
                "<220-mx",
                "<220 ready",
                ">EHLO h",
                "<250-mx",
                "<250 PIPELINING",
                ">MAIL FROM:<n@example.org>",
                ">RCPT TO:<a@example.com> NOTIFY=NEVER",
                ">RCPT TO:<\"b>\"@example.net>",
                "<250 ok",
                "<250 ok",
                "<550-5.1.1 no",
                "<550 5.1.1 user",
                ">DATA",
                "<354 go on",
                ">.",
                "<250 2.0.0 queued",
                ">QUIT",
                "<221 bye",
            ]),
            ["bounced example.net 550 rcpt", "delivered example.com 250"]
        );
    }

    #[test]
    fn a_refused_sender_answers_for_the_recipients_sent_along() {
        assert_eq!(
            read(&[
                "<220 ready",
                ">MAIL FROM:<n@example.org>",
                ">RCPT TO:<a@example.com>",
                ">DATA",
                "<421 4.7.0 rate",
                "<503 5.5.1 no sender",
                "<503 5.5.1 no recipient",
            ]),
            ["deferred example.com 421 mail"]
        );
        assert_eq!(
            read(&["<220 ready", ">MAIL FROM:<n@example.org>", "<550 no"]),
            ["host 550 mail"]
        );
    }

    #[test]
    fn refusals_before_any_recipient_are_the_hosts() {
        assert_eq!(read(&["<554 go away"]), ["host 554 connect"]);
        assert_eq!(
            read(&["<220 x", ">EHLO h", "<502 what", ">HELO h", "<250 ok"]),
            Vec::<String>::new()
        );
        assert_eq!(read(&["<220 x", ">EHLO h", "<421 busy"]), ["host 421 helo"]);
        assert_eq!(
            read(&["<220 x", ">AUTH LOGIN", "<334 x", ">dXNlcg==", "<334 y", ">x", "<535 no"]),
            ["host 535 auth"]
        );
    }

    #[test]
    fn chunks_end_with_the_last_one() {
        assert_eq!(
            read(&[
                "<220 x",
                ">MAIL FROM:<n@example.org>",
                "<250 ok",
                ">RCPT TO:<a@example.com>",
                "<250 ok",
                ">BDAT 10",
                "<250 ok",
                ">BDAT 10 LAST",
                "<452 full",
            ]),
            ["deferred example.com 452 end_of_data"]
        );
    }

    #[test]
    fn a_connection_that_closes_leaves_no_reply() {
        assert_eq!(
            read(&[
                "<220 x",
                ">MAIL FROM:<n@example.org>",
                "<250 ok",
                ">RCPT TO:<a@example.com>",
                "<250 ok",
                ">DATA",
                "<354 go",
            ]),
            ["deferred example.com lost end_of_data"]
        );
        assert_eq!(read(&["<220 x", ">QUIT"]), Vec::<String>::new());
    }
}
