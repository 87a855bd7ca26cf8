//! Made-up Postfix traffic: steady mail to eight providers, with an incident at two of them.
//!
//! The same for the same sequence of times. Scenario time is handed in; only stamps are of the day.

use std::collections::VecDeque;
use std::time::Duration;

/// The messages that come in each second of the scenario.
const MESSAGES_PER_SECOND: u64 = 12;
/// After how many messages a client is refused.
const REJECT_EVERY: u64 = 40;
/// When a deferred message is tried again. (Postfix waits minutes; the demo is shorter than that.)
const RETRY_AFTER: Duration = Duration::from_secs(12);
/// The most attempts for a message; then it is left alone, so that the queue stays short.
const ATTEMPTS_MAX: u32 = 5;

/// What happens, and from when on, in seconds of the scenario. After the last one it begins anew.
pub(super) const PHASES: [(u64, Phase); 5] = [
    (0, Phase::Steady),
    (20, Phase::Storm),
    (35, Phase::StormAndSpike),
    (60, Phase::Recovery),
    (80, Phase::Rotation),
];
/// How long the scenario is.
pub(super) const SCENARIO: Duration = Duration::from_secs(90);

/// A part of the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Steady,
    Storm,
    StormAndSpike,
    Recovery,
    Rotation,
}

impl Phase {
    /// What happens at this time.
    pub(super) fn at(time: Duration) -> Self {
        let second = time.as_secs() % SCENARIO.as_secs();
        let begun = PHASES.iter().rev().find(|(from, _)| *from <= second);
        begun.map_or(Self::Steady, |(_, phase)| *phase)
    }

    /// In words.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Steady => "steady mail to eight providers",
            Self::Storm => "yahoo defers nearly everything: 421",
            Self::StormAndSpike => "and gmx refuses our address: 554",
            Self::Recovery => "both take mail again",
            Self::Rotation => "the log was rotated",
        }
    }
}

/// A receiving provider. In its replies `{q}` stands for an id that the server makes up.
struct Provider {
    domain: &'static str,
    relay: &'static str,
    /// Its part of the mail, in hundredths.
    share: u64,
    accepts: &'static str,
    /// What it says to one message in twelve.
    refuses: Reply,
    /// What it says while the incident lasts.
    incident: Option<Reply>,
}

#[derive(Clone, Copy)]
struct Reply {
    status: &'static str,
    enhanced: &'static str,
    text: &'static str,
    command: &'static str,
}

const RCPT: &str = "RCPT TO command";
const MAIL: &str = "MAIL FROM command";
const END: &str = "end of DATA command";
const GREETING: &str = "initial greeting";
const BOUNCED: &str = "bounced";
const DEFERRED: &str = "deferred";

const fn bounced(enhanced: &'static str, text: &'static str, command: &'static str) -> Reply {
    Reply { status: BOUNCED, enhanced, text, command }
}

const fn deferred(enhanced: &'static str, text: &'static str, command: &'static str) -> Reply {
    Reply { status: DEFERRED, enhanced, text, command }
}

const PROVIDERS: [Provider; 8] = [
    Provider {
        domain: "gmail.com",
        relay: "gmail-smtp-in.l.google.com[192.0.2.27]:25",
        share: 34,
        accepts: "250 2.0.0 OK  {q} - gsmtp",
        refuses: bounced(
            "5.1.1",
            "550-5.1.1 The email account that you tried to reach does not exist. Please try \
             550-5.1.1 double-checking the recipient's email address for typos or 550-5.1.1 \
             unnecessary spaces. {q} - gsmtp",
            RCPT,
        ),
        incident: None,
    },
    Provider {
        domain: "outlook.com",
        relay: "outlook-com.olc.protection.outlook.com[192.0.2.41]:25",
        share: 18,
        accepts: "250 2.6.0 <{q}@mx1.example.net> [InternalId=1, Hostname=AM0.example] 14236 bytes \
                  in 0.212, 65.4 KB/sec Queued mail for delivery -> 250 2.1.5",
        refuses: bounced(
            "5.5.0",
            "550 5.5.0 Requested action not taken: mailbox unavailable",
            RCPT,
        ),
        incident: None,
    },
    Provider {
        domain: "example.com",
        relay: "example-com.mail.protection.outlook.com[192.0.2.44]:25",
        share: 14,
        accepts: "250 2.6.0 <{q}@mx1.example.net> [InternalId=2] Queued mail for delivery",
        refuses: bounced("5.4.1", "550 5.4.1 Recipient address rejected: Access denied. {q}", RCPT),
        incident: None,
    },
    Provider {
        domain: "yahoo.com",
        relay: "mta6.am0.yahoodns.net[192.0.2.94]:25",
        share: 12,
        accepts: "250 ok dirdel",
        refuses: bounced(
            "5.0.0",
            "554 delivery error: dd This user doesn't have a yahoo.com account (-9) {q}",
            END,
        ),
        incident: Some(deferred(
            "4.7.0",
            "421 4.7.0 [TSS04] Messages from 198.51.100.7 temporarily deferred due to unexpected \
             volume or user complaints - 4.16.55.1; see \
             https://postmaster.yahooinc.com/error-codes",
            MAIL,
        )),
    },
    Provider {
        domain: "icloud.com",
        relay: "mx01.mail.icloud.com[192.0.2.115]:25",
        share: 8,
        accepts: "250 2.0.0 Ok: queued as {q}",
        refuses: deferred(
            "4.2.2",
            "452 4.2.2 user is over quota, please direct the recipient to contact support",
            RCPT,
        ),
        incident: None,
    },
    Provider {
        domain: "gmx.de",
        relay: "mx00.gmx.net[192.0.2.9]:25",
        share: 7,
        accepts: "250 Requested mail action okay, completed: id={q}",
        refuses: bounced("5.0.0", "550 Requested action not taken: mailbox unavailable", RCPT),
        incident: Some(bounced(
            "5.0.0",
            "554-Transaction failed 554-Reject due to policy restrictions. 554 For explanation \
             visit https://postmaster.gmx.net/en/case?c=hi&i=ip&v=198.51.100.7&r={q}",
            END,
        )),
    },
    Provider {
        domain: "comcast.net",
        relay: "mx1a1.comcast.net[192.0.2.71]:25",
        share: 4,
        accepts: "250 2.0.0 {q} mail accepted for delivery",
        refuses: bounced("5.1.1", "550 5.1.1 Not our Customer", RCPT),
        incident: None,
    },
    Provider {
        domain: "orange.fr",
        relay: "smtp-in.orange.fr[192.0.2.80]:25",
        share: 3,
        accepts: "250 2.0.0 {q} mail accepted for delivery",
        refuses: deferred(
            "4.0.0",
            "421 mwinf5c04 ME Trop de connexions, veuillez verifier votre configuration. \
             Too many connections, slow down. OFR004_104 [104]",
            GREETING,
        ),
        incident: None,
    },
];

/// What was written: what has to be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub lines: u64,
    pub delivered: u64,
    pub deferred: u64,
    pub bounced: u64,
}

/// Writes the log of a mail server.
pub(super) struct Traffic {
    random: Random,
    messages: u64,
    retries: VecDeque<(Duration, Message)>,
    pub written: Written,
}

#[derive(Clone, Copy)]
struct Message {
    number: u64,
    provider: usize,
    attempts: u32,
}

impl Default for Traffic {
    fn default() -> Self {
        Self {
            random: Random(0x9e37_79b9_7f4a_7c15),
            messages: 0,
            retries: VecDeque::new(),
            written: Written::default(),
        }
    }
}

impl Traffic {
    /// Appends the lines of everything that happens until `time`, all with this stamp.
    pub(super) fn write_until(&mut self, time: Duration, stamp: &str, log: &mut String) {
        let mut log = Log { text: log, stamp, lines: 0 };
        let due = u64::try_from(time.as_millis()).unwrap_or(0) * MESSAGES_PER_SECOND / 1000;
        while self.messages < due {
            self.messages += 1;
            if self.messages.is_multiple_of(REJECT_EVERY) {
                self.reject_client(&mut log);
            }
            let message = self.take_in(&mut log);
            self.attempt(message, time, &mut log);
        }
        while self.retries.front().is_some_and(|(at, _)| *at <= time) {
            let Some((_, message)) = self.retries.pop_front() else { break };
            log.queued(&message);
            self.attempt(message, time, &mut log);
        }
        self.written.lines += log.lines;
    }

    /// A message comes in from the application.
    fn take_in(&mut self, log: &mut Log<'_>) -> Message {
        let message =
            Message { number: self.messages, provider: self.choose_provider(), attempts: 0 };
        let id = message.queue_id();
        let client = "app.example.net[203.0.113.10]";
        log.line("smtpd", &format!("connect from {client}"));
        log.line("smtpd", &format!("{id}: client={client}"));
        log.line("cleanup", &format!("{id}: message-id=<{}@app.example.net>", message.number));
        log.queued(&message);
        let commands = "ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5";
        log.line("smtpd", &format!("disconnect from {client} {commands}"));
        message
    }

    /// A host with a bad name comes along and is refused.
    fn reject_client(&mut self, log: &mut Log<'_>) {
        let client = format!("unknown[198.51.100.{}]", self.random.below(256));
        log.line(
            "smtpd",
            &format!(
                "NOQUEUE: reject: RCPT from {client}: 554 5.7.1 Service unavailable; Client host \
                 [198.51.100.9] blocked using zen.spamhaus.org; from=<win@example.org> \
                 to=<ann@example.net> proto=ESMTP helo=<localhost>"
            ),
        );
    }

    fn choose_provider(&mut self) -> usize {
        let mut point = self.random.below(PROVIDERS.iter().map(|one| one.share).sum());
        for (at, provider) in PROVIDERS.iter().enumerate() {
            if point < provider.share {
                return at;
            }
            point -= provider.share;
        }
        0
    }

    /// One attempt at a delivery, and what becomes of the message.
    fn attempt(&mut self, mut message: Message, time: Duration, log: &mut Log<'_>) {
        let Some(provider) = PROVIDERS.get(message.provider) else { return };
        message.attempts += 1;
        let id = message.queue_id();
        let seconds = 0.3 + f64::from(u32::try_from(self.random.below(400)).unwrap_or(0)) / 100.0;
        let waited = RETRY_AFTER * (message.attempts - 1);
        let to = format!(
            "{id}: to=<reader{}@{}>, relay={}, delay={:.1}, delays={:.1}/0.01/0.2/{:.2}",
            message.number % 5000,
            provider.domain,
            provider.relay,
            seconds + waited.as_secs_f64(),
            waited.as_secs_f64(),
            seconds - 0.2,
        );
        let made_up = format!("{:x}si{}", self.random.below(1 << 40), message.number);
        let Some(reply) = self.refusal(provider, Phase::at(time)) else {
            let accepts = provider.accepts.replace("{q}", &made_up);
            log.line("smtp", &format!("{to}, dsn=2.0.0, status=sent ({accepts})"));
            log.line("qmgr", &format!("{id}: removed"));
            self.written.delivered += 1;
            return;
        };
        let (host, _) = provider.relay.rsplit_once(':').unwrap_or_default();
        let text = reply.text.replace("{q}", &made_up);
        let said = if reply.command == GREETING {
            format!("host {host} refused to talk to me: {text}")
        } else {
            format!("host {host} said: {text} (in reply to {})", reply.command)
        };
        let (enhanced, status) = (reply.enhanced, reply.status);
        log.line("smtp", &format!("{to}, dsn={enhanced}, status={status} ({said})"));
        if status == BOUNCED {
            self.written.bounced += 1;
            log.line("bounce", &format!("{id}: sender non-delivery notification: {id}F"));
            log.line("qmgr", &format!("{id}: removed"));
        } else {
            self.written.deferred += 1;
            if message.attempts < ATTEMPTS_MAX {
                self.retries.push_back((time + RETRY_AFTER, message));
            }
        }
    }

    /// What the provider says against a message, if anything.
    fn refusal(&mut self, provider: &Provider, phase: Phase) -> Option<Reply> {
        let incident = provider.incident.filter(|incident| match phase {
            Phase::Storm => incident.status == DEFERRED,
            Phase::StormAndSpike => true,
            Phase::Steady | Phase::Recovery | Phase::Rotation => false,
        });
        match incident {
            Some(incident) => (self.random.below(10) > 0).then_some(incident),
            None => (self.random.below(12) == 0).then_some(provider.refuses),
        }
    }
}

impl Message {
    /// As Postfix makes them unless `enable_long_queue_ids` is set.
    fn queue_id(&self) -> String {
        format!("{:010X}", 0x3A_0000_0000_u64 + self.number * 0x9d)
    }
}

/// Lines of syslog as Debian's rsyslog writes them, with one stamp.
struct Log<'t> {
    text: &'t mut String,
    stamp: &'t str,
    lines: u64,
}

impl Log<'_> {
    fn line(&mut self, daemon: &str, message: &str) {
        self.lines += 1;
        self.text.extend([self.stamp, " mx1 postfix/", daemon, "[4711]: ", message, "\n"]);
    }

    fn queued(&mut self, message: &Message) {
        let id = message.queue_id();
        self.line(
            "qmgr",
            &format!("{id}: from=<news@example.net>, size=14236, nrcpt=1 (queue active)"),
        );
    }
}

/// Marsaglia's xorshift64: enough to spread messages, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound.max(1)
    }
}
