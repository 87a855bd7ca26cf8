//! What a refusal means: the closed set of reasons, and the rules that find one.

use crate::attempt::{NoReply, Phase, label};
use crate::provider::{ProviderId, Providers};
use crate::smtp::{EnhancedStatusCode, ReplyCode};

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
    /// Who refused. [`ProviderId::OTHER`] for our own refusals of clients.
    pub provider: ProviderId,
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
    /// The blocklist that the text names.
    pub list: Option<ListId>,
    /// The rule that decided, `None` where nothing did or only the cause.
    pub rule: Option<RuleId>,
}

/// The rules in force, and a bounded memory of what they said.
#[derive(Debug)]
pub struct Classifier {
    lists: Vec<String>,
}

impl Classifier {
    /// The built-in rules.
    pub fn builtin(_providers: &Providers) -> Self {
        Self { lists: Vec::new() }
    }

    /// What this refusal means. Total, and linear in the length of the text.
    pub fn classify(&mut self, refusal: &Refusal<'_>) -> Verdict {
        let reason = match refusal.cause {
            Some(NoReply::Timeout) => Reason::Timeout,
            Some(NoReply::Refused | NoReply::Unreachable | NoReply::Lost) => {
                Reason::ConnectionFailed
            }
            Some(NoReply::Dns) => Reason::DnsError,
            Some(NoReply::Tls) => Reason::TlsFailed,
            Some(NoReply::Protocol) => Reason::ProtocolError,
            Some(NoReply::Local) => Reason::LocalError,
            None => Reason::Unclassified,
        };
        Verdict { reason, list: None, rule: None }
    }

    /// The names of the blocklists, in the order of [`ListId::index`].
    pub fn lists(&self) -> &[String] {
        &self.lists
    }

    /// The name of a rule, as its table has it.
    pub fn rule_name(&self, _rule: RuleId) -> &str {
        self.lists.first().map_or("", String::as_str)
    }
}
