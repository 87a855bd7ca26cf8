//! What a refusal means: the closed set of reasons, and the rules that find one.
//!
//! Codes alone say little: 550 is an unknown user, a full mailbox, a blocklist or a missing SPF
//! record. The words of a reply say more, and those that one provider alone uses say most. So the
//! rules, which are data (`config/replies.toml`), decide in this order: the user's own; those of the
//! provider that answered; words that mean the same everywhere; the enhanced code; broad words
//! ("policy", "try again"); the basic code. Within each, the first in the file decides.
//!
//! Read on in `normal.rs` (what is looked at), `pattern.rs` (what is looked for), `dictionary.rs`
//! (where it stands), `rule.rs`, `load.rs` (the table and what is refused in it), `classifier.rs` (the
//! decision).

mod classifier;
mod dictionary;
mod familiar;
mod load;
mod memory;
mod normal;
mod pattern;
mod rule;
mod templates;

use crate::attempt::{NoReply, Phase, label};
use crate::provider::ProviderId;
use crate::smtp::{EnhancedStatusCode, ReplyCode};

pub use classifier::Classifier;
pub use templates::Template;

label! {
    /// Why mail was refused, deferred or not taken.
    Reason {
        /// No such mailbox at that domain.
        UserUnknown = "user_unknown",
        /// The mailbox exists or existed and is suspended, dormant, closed or moved.
        MailboxDisabled = "mailbox_disabled",
        /// The recipient's quota is used up.
        MailboxFull = "mailbox_full",
        /// This recipient, group or list takes no mail from this sender.
        RecipientRestricted = "recipient_restricted",
        /// The recipient's domain does not exist, has no route, or takes no mail (null MX).
        BadDomain = "bad_domain",
        /// The sender's address or its domain was refused.
        SenderRejected = "sender_rejected",
        /// SPF, DKIM, DMARC or ARC failed.
        AuthFailed = "auth_failed",
        /// The PTR record, its forward confirmation or the HELO name was refused.
        RdnsHelo = "rdns_helo",
        /// The receiver does not relay for this domain or client.
        RelayDenied = "relay_denied",
        /// SMTP AUTH is required, was refused or stalled.
        SmtpAuth = "smtp_auth",
        /// The connecting address or its network is on a blocklist or banned.
        IpBlocked = "ip_blocked",
        /// Poor reputation of the address or domain, or complaints.
        Reputation = "reputation",
        /// The content or a link was judged spam or phishing.
        SpamContent = "spam_content",
        /// A virus or a forbidden attachment.
        Malware = "malware",
        /// Another administrative rule.
        Policy = "policy",
        /// Too much mail in a time, from us or to that recipient.
        RateLimited = "rate_limited",
        /// Too many connections, messages in a session or recipients in a message.
        SessionLimit = "session_limit",
        /// First contact is put off.
        Greylisted = "greylisted",
        /// The message is larger than a limit.
        MessageTooLarge = "message_too_large",
        /// Headers, MIME, charset or RFC 5322 are broken.
        MessageMalformed = "message_malformed",
        /// A fault, overload or misconfiguration at the receiver.
        RemoteSystem = "remote_system",
        /// A DNS lookup, ours or theirs, failed for now.
        DnsError = "dns_error",
        /// Refused, unreachable, reset or dropped.
        ConnectionFailed = "connection_failed",
        /// No answer in time.
        Timeout = "timeout",
        /// STARTTLS, certificate, DANE, MTA-STS or REQUIRETLS.
        TlsFailed = "tls_failed",
        /// A loop or the hop limit.
        RoutingLoop = "routing_loop",
        /// The time in the queue was over.
        Expired = "expired",
        /// SMTP syntax or sequence.
        ProtocolError = "protocol_error",
        /// Our own delivery program or configuration.
        LocalError = "local_error",
        /// A refusal that no rule knows.
        Unclassified = "unclassified",
    }
}

label! {
    /// What a bounce says about the address and the sender.
    BounceKind {
        /// The address or message cannot succeed; stop sending to it.
        Hard = "hard",
        /// A later attempt could succeed.
        Soft = "soft",
        /// The sender is refused, not the address.
        Block = "block",
    }
}

impl Reason {
    /// The kind of bounce that this reason makes.
    pub const fn bounce_kind(self) -> BounceKind {
        match self {
            Self::UserUnknown
            | Self::MailboxDisabled
            | Self::BadDomain
            | Self::MessageTooLarge
            | Self::MessageMalformed
            | Self::RoutingLoop
            | Self::Expired
            | Self::ProtocolError
            | Self::Unclassified => BounceKind::Hard,
            Self::MailboxFull
            | Self::RateLimited
            | Self::SessionLimit
            | Self::Greylisted
            | Self::RemoteSystem
            | Self::DnsError
            | Self::ConnectionFailed
            | Self::Timeout
            | Self::TlsFailed
            | Self::LocalError => BounceKind::Soft,
            Self::RecipientRestricted
            | Self::SenderRejected
            | Self::AuthFailed
            | Self::RdnsHelo
            | Self::RelayDenied
            | Self::SmtpAuth
            | Self::IpBlocked
            | Self::Reputation
            | Self::SpamContent
            | Self::Malware
            | Self::Policy => BounceKind::Block,
        }
    }
}

/// A blocklist that replies name: an index into the closed set of [`Classifier::lists`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListId(pub(crate) u8);

impl ListId {
    /// How many lists there can be.
    pub const COUNT_MAX: usize = 64;

    /// The list at a place, if there can be that many.
    pub fn new(index: usize) -> Option<Self> {
        let index = u8::try_from(index).ok()?;
        (usize::from(index) < Self::COUNT_MAX).then_some(Self(index))
    }

    /// The place in [`Classifier::lists`].
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A rule that decided: an index into the tables in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleId(pub(crate) u16);

/// A refusal to be explained.
#[derive(Clone, Copy, Debug)]
pub struct Refusal<'a> {
    /// Who refused; [`ProviderId::OTHER`] where `inbound`.
    pub provider: ProviderId,
    /// Whether it was our own server that refused a client. No provider's rules apply then.
    pub inbound: bool,
    /// The basic code, if one came back.
    pub code: Option<ReplyCode>,
    /// The enhanced code, if one came back.
    pub enhanced: Option<EnhancedStatusCode>,
    /// Why no code came back, where none did.
    pub cause: Option<NoReply>,
    /// Where in the conversation.
    pub phase: Option<Phase>,
    /// What was said, as the log has it.
    pub text: &'a [u8],
}

/// What a refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Why.
    pub reason: Reason,
    /// The blocklist that the text names, where it is why.
    pub list: Option<ListId>,
    /// The rule that decided, `None` where nothing did or only the cause.
    pub rule: Option<RuleId>,
}
