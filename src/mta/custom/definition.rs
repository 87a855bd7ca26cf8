//! A dialect as it was typed.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::attempt::label;

/// One of `[[dialects]]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// What the dialect is called, in `dialect = "..."` of a source and in output.
    pub name: String,
    /// The syslog program whose lines are all of this dialect.
    #[serde(default)]
    pub program: Option<String>,
    /// Patterns; the first that matches takes the line apart.
    #[serde(default)]
    pub patterns: Vec<Pattern>,
    /// Where the fields of a JSON record stand: a path for each [`Field`](super::Field).
    #[serde(default)]
    pub json: BTreeMap<String, String>,
    /// Paths in a JSON record and what must stand there; other records are not of this dialect.
    #[serde(default)]
    pub when: BTreeMap<String, String>,
    /// What the words for an outcome mean, in any case.
    #[serde(default)]
    pub outcomes: BTreeMap<String, String>,
    /// What the words for a phase mean, in any case. SMTP commands need no translation.
    #[serde(default)]
    pub phases: BTreeMap<String, String>,
    /// Lines, and how they must be read.
    #[serde(default)]
    pub examples: Vec<Example>,
}

/// One of `[[dialects.patterns]]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// A regular expression with named groups, one for each [`Field`](super::Field) that it finds.
    pub pattern: String,
    /// What the lines that match it mean where no group says so.
    #[serde(default)]
    pub outcome: Option<String>,
}

/// One of `[[dialects.examples]]`. The keys are those of the output of `replay`; what is not given
/// is not looked at.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// A line of the log, with its syslog header if it has one.
    pub line: String,
    /// The kind of line: `delivery` unless given.
    #[serde(default)]
    pub kind: Option<String>,
    /// How many readings it has.
    #[serde(default)]
    pub readings: Option<u32>,
    /// The outcome of the first.
    #[serde(default)]
    pub outcome: Option<String>,
    /// Its reply code.
    #[serde(default)]
    pub code: Option<u16>,
    /// Its enhanced status code.
    #[serde(default)]
    pub enhanced: Option<String>,
    /// The text of the reply.
    #[serde(default)]
    pub text: Option<String>,
    /// Why there was no reply.
    #[serde(default)]
    pub cause: Option<String>,
    /// The domain of the recipient.
    #[serde(default)]
    pub recipient_domain: Option<String>,
    /// The name of the host that answered.
    #[serde(default)]
    pub relay_host: Option<String>,
    /// Its address.
    #[serde(default)]
    pub relay_ip: Option<String>,
    /// The queue id.
    #[serde(default)]
    pub queue_id: Option<String>,
    /// The phase of the conversation.
    #[serde(default)]
    pub phase: Option<String>,
    /// The delay from arrival to acceptance.
    #[serde(default)]
    pub delay_seconds: Option<f64>,
}

label! {
    /// What a line of a custom dialect can mean.
    Word {
        /// The remote took the message over.
        Delivered = "delivered",
        /// It is tried again.
        Deferred = "deferred",
        /// It was returned to the sender.
        Bounced = "bounced",
        /// Its time in the queue was over. The replies before were counted when they came.
        Expired = "expired",
        /// A host's reply on which no recipient's outcome hangs.
        HostReply = "host_reply",
        /// We refused a client.
        InboundReject = "inbound_reject",
        /// No attempt was made.
        Suspended = "suspended",
        /// It stayed on this machine.
        Local = "local",
        /// Nothing that is counted.
        Irrelevant = "irrelevant",
    }
}
