//! What every dialect must produce: who was asked, what was answered, what the MTA then did.
//!
//! The types borrow from the log line. None of them hands the local part of an address any further:
//! a recipient shows its domain, and of its address a hash alone.

use std::fmt;

use crate::scan;
use crate::smtp::{CodeClass, Reply};

/// One recipient's outcome in one attempt, as the MTA logged it.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryAttempt<'a> {
    /// The queue id, empty where the log has none. It joins lines and is never a label.
    pub queue_id: &'a [u8],
    /// The recipient.
    pub recipient: Recipient<'a>,
    /// The host that was talked to.
    pub relay: Relay<'a>,
    /// What it said.
    pub answer: Answer<'a>,
    /// Whether an earlier line was already read as a [`HostReply`] with this very answer: some MTAs
    /// log a failure when it happens and again when it decides a recipient. One event is counted
    /// once.
    pub answer_counted: bool,
    /// What the MTA then did.
    pub outcome: Outcome,
    /// Where in the SMTP conversation the answer came, if the log tells.
    pub phase: Option<Phase>,
    /// Seconds from the message's arrival at this MTA to the end of the attempt, if logged.
    pub delay_seconds: Option<f64>,
}

/// A reply (or its absence) from a host of which no recipient's outcome hangs: an MX that was not
/// the last one tried.
#[derive(Clone, Copy, Debug)]
pub struct HostReply<'a> {
    /// The queue id, empty where the log has none.
    pub queue_id: &'a [u8],
    /// The recipient's domain where the line tells; mostly it does not.
    pub recipient_domain: &'a [u8],
    /// The host that was talked to.
    pub relay: Relay<'a>,
    /// What it said.
    pub answer: Answer<'a>,
    /// Where in the SMTP conversation the answer came, if the log tells.
    pub phase: Option<Phase>,
}

/// A reply that our own MTA gave to a client. Never counted with the replies of others.
#[derive(Clone, Copy, Debug)]
pub struct InboundReject<'a> {
    /// The queue id, empty where the client had not come that far.
    pub queue_id: &'a [u8],
    /// The class of our reply. Some MTAs log no code but tell temporary from permanent.
    pub class: CodeClass,
    /// Our reply, where the log has its code.
    pub reply: Option<Reply<'a>>,
    /// The text of the refusal, with or without codes.
    pub text: &'a [u8],
    /// The command that was refused, if the log tells.
    pub phase: Option<Phase>,
}

/// The MTA gave a message up: its time in the queue is over.
///
/// The replies that led here were counted when they came. Some MTAs name no recipient on this line;
/// then everyone still waiting under the queue id has expired.
#[derive(Clone, Copy, Debug)]
pub struct Expiry<'a> {
    /// The queue id that the earlier deferrals carried.
    pub queue_id: &'a [u8],
    /// The recipient, where the line names one.
    pub recipient: Option<Recipient<'a>>,
}

/// A line about a recipient that is no attempt to hand mail to a remote server: the delivery was
/// suspended (such a line repeats an old reply, which is nobody's new answer), only probed, or
/// stayed on this machine.
#[derive(Clone, Copy, Debug)]
pub struct NoAttempt<'a> {
    /// The queue id.
    pub queue_id: &'a [u8],
    /// The recipient.
    pub recipient: Recipient<'a>,
}

/// A recipient, whose local part is shown to nobody.
#[derive(Clone, Copy)]
pub struct Recipient<'a>(Who<'a>);

/// What a [`Recipient`] is made of. Mostly neither domain nor key is ever asked for.
#[derive(Clone, Copy)]
enum Who<'a> {
    Address(&'a [u8]),
    Known { domain: &'a [u8], key: u64 },
}

impl Default for Recipient<'_> {
    fn default() -> Self {
        Self::with_key(b"", 0)
    }
}

impl fmt::Debug for Recipient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recipient").field(&self.domain().escape_ascii().to_string()).finish()
    }
}

impl<'a> Recipient<'a> {
    /// The recipient of an address without angle brackets.
    #[inline]
    pub fn parse(address: &'a [u8]) -> Self {
        Self(Who::Address(address))
    }

    /// The recipient of that domain, whose key is known from before.
    pub fn with_key(domain: &'a [u8], key: u64) -> Self {
        Self(Who::Known { domain, key })
    }

    /// What follows the last `@` of the address, as the log wrote it, in any case; empty if there is
    /// none.
    #[inline]
    pub fn domain(&self) -> &'a [u8] {
        match self.0 {
            Who::Address(address) => {
                let at = scan::find_last(address, b'@');
                at.and_then(|at| address.get(at + 1..)).unwrap_or_default()
            }
            Who::Known { domain, .. } => domain,
        }
    }

    /// A hash of the whole address with ASCII letters folded to lower case, to tell recipients of
    /// one message apart.
    pub fn key(&self) -> u64 {
        match self.0 {
            Who::Address(address) => folded_hash(address),
            Who::Known { key, .. } => key,
        }
    }
}

/// A hash of the bytes that does not tell upper from lower case, nor a few other bytes from each
/// other. The key only has to tell the recipients of one message apart.
fn folded_hash(bytes: &[u8]) -> u64 {
    const FOLD: u64 = u64::from_le_bytes([0x20; 8]);
    let step = |hash: u64, word: [u8; 8]| {
        let word = u64::from_le_bytes(word) | FOLD;
        (hash.rotate_left(23) ^ word).wrapping_mul(scan::SPREAD)
    };
    let (words, rest) = bytes.as_chunks();
    let hash = words.iter().fold(bytes.len() as u64, |hash, word| step(hash, *word));
    // The last bytes of a long address are taken with some that were taken before.
    let last = bytes.last_chunk().copied().unwrap_or_else(|| {
        let mut last = [0; 8];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        last
    });
    let hash = step(hash, last);
    hash ^ hash >> 32
}

/// The host at the other end. Empty fields are unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Relay<'a> {
    /// Its name as the log wrote it: the MX name, with OpenSMTPD the PTR name.
    pub host: &'a [u8],
    /// Its address, without brackets.
    pub ip: &'a [u8],
}

/// What the remote said, or that it said nothing. What the MTA made up is never a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// The remote's own reply.
    Reply(Reply<'a>),
    /// No code came back; `text` is the MTA's description.
    NoReply {
        /// Why there is none.
        cause: NoReply,
        /// The MTA's own words.
        text: &'a [u8],
    },
}

impl<'a> Answer<'a> {
    /// The class of the reply, [`CodeClass::None`] without one.
    pub fn class(&self) -> CodeClass {
        match self {
            Self::Reply(reply) => reply.code.class(),
            Self::NoReply { .. } => CodeClass::None,
        }
    }

    /// The reply, if there is one.
    pub fn reply(&self) -> Option<&Reply<'a>> {
        match self {
            Self::Reply(reply) => Some(reply),
            Self::NoReply { .. } => None,
        }
    }

    /// Why there is no reply, if there is none.
    pub fn cause(&self) -> Option<NoReply> {
        match self {
            Self::Reply(_) => None,
            Self::NoReply { cause, .. } => Some(*cause),
        }
    }

    /// What was said, by the remote or about it.
    pub fn text(&self) -> &'a [u8] {
        match self {
            Self::Reply(reply) => reply.text,
            Self::NoReply { text, .. } => text,
        }
    }
}

/// Declares a closed set of label values: the enum, `ALL`, `as_str` and `parse`.
macro_rules! label {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $value:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of declaration, which is the order of their indices.
            pub const ALL: [Self; [$($value),+].len()] = [$(Self::$variant),+];

            /// The label value.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $value,)+ }
            }

            /// The value with that label.
            pub fn parse(label: &str) -> Option<Self> {
                match label { $($value => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use label;

label! {
    /// Why no reply came back.
    NoReply {
        /// Nothing came in time: connect, greeting or a later command.
        Timeout = "timeout",
        /// The host refused the connection.
        Refused = "refused",
        /// No route to the host or its network.
        Unreachable = "unreachable",
        /// The connection was open and was closed or reset without a reply.
        Lost = "lost",
        /// The name could not be resolved, or it resolves to nothing that takes mail.
        Dns = "dns",
        /// TLS could not be agreed, or the certificate or its policy failed.
        Tls = "tls",
        /// Something came back that is no SMTP reply.
        Protocol = "protocol",
        /// Our own side refused before asking anybody: a size limit, a configuration, a full disk.
        Local = "local",
    }
}

impl NoReply {
    /// Whether it is a failed connection: the cause is a value of
    /// `mta_connection_failures_total`.
    pub const fn is_connection_failure(self) -> bool {
        match self {
            Self::Timeout
            | Self::Refused
            | Self::Unreachable
            | Self::Lost
            | Self::Dns
            | Self::Tls => true,
            Self::Protocol | Self::Local => false,
        }
    }
}

label! {
    /// What the MTA did after the attempt. Not the same as the reply's class: a 5yz reply may be
    /// deferred (soft bounce, a refused greeting), a 4yz one given up (expiry).
    Outcome {
        /// The remote took the message over.
        Delivered = "delivered",
        /// It stays in the queue and is tried again.
        Deferred = "deferred",
        /// It was returned to the sender.
        Bounced = "bounced",
        /// It was returned because its time in the queue was over.
        Expired = "expired",
    }
}

label! {
    /// Where in the SMTP conversation an answer came.
    Phase {
        /// The greeting.
        Connect = "connect",
        /// EHLO, HELO or LHLO.
        Helo = "helo",
        /// STARTTLS and the handshake.
        Starttls = "starttls",
        /// AUTH.
        Auth = "auth",
        /// MAIL FROM.
        Mail = "mail",
        /// RCPT TO.
        Rcpt = "rcpt",
        /// DATA or BDAT, before the last byte of the message.
        Data = "data",
        /// The final dot or the last chunk.
        EndOfData = "end_of_data",
    }
}
