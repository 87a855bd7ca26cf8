//! From a record to readings: the dialects of the mail transfer agents.
//!
//! Every dialect is one file. It gets a [`Record`] and hands out [`Reading`]s, none, one or several
//! for one line, and says what kind of line it was. Reading is total: what cannot be understood is
//! [`LineKind::Unreadable`] with a cause, never an error.

mod answer;
mod courier;
mod csv;
pub mod custom;
mod dma;
mod esp;
mod exchange;
mod exim;
mod failure;
mod halon;
mod haraka;
mod hmailserver;
mod json;
mod kumomta;
mod maddy;
mod manual;
mod momentum;
mod msmtp;
mod nullmailer;
mod opensmtpd;
mod postfix;
mod powermta;
mod qmail;
mod recent;
mod recognise;
mod seen;
mod sendmail;
mod session;
mod stalwart;
mod stamp;
mod text;
mod zonemta;

use std::sync::Arc;

use crate::attempt::{DeliveryAttempt, Expiry, HostReply, InboundReject, NoAttempt, label};
use crate::envelope::{Record, Skim};
use custom::CustomDialects;

pub use failure::cause as named_cause;
pub use manual::{manual, manual_of_services};
pub use recognise::{Evidence, Recognised};

/// What a line says about the mail that we sent or refused.
#[derive(Clone, Copy, Debug)]
pub enum Reading<'a> {
    /// One recipient's outcome in one attempt: a delivery and a reply.
    Attempt(DeliveryAttempt<'a>),
    /// A reply without a delivery.
    HostReply(HostReply<'a>),
    /// What our own MTA answered a client.
    InboundReject(InboundReject<'a>),
    /// The MTA gave up on a message.
    Expiry(Expiry<'a>),
    /// No attempt was made: an old failure still stands, or the address was only probed.
    Suspended(NoAttempt<'a>),
    /// The delivery stayed on this machine.
    Local(NoAttempt<'a>),
}

impl Reading<'_> {
    /// The kind of a line that says this and nothing else.
    pub fn kind(&self) -> LineKind {
        match self {
            Self::Attempt(_) | Self::Expiry(_) => LineKind::Delivery,
            Self::HostReply(_) => LineKind::HostReply,
            Self::InboundReject(_) => LineKind::InboundReject,
            Self::Suspended(_) => LineKind::Suspended,
            Self::Local(_) => LineKind::Local,
        }
    }
}

/// What kind of line it was. Every line that is read is of exactly one kind, so that the lines of a
/// source are the sum over its kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineKind {
    /// It settles or defers at least one recipient.
    Delivery,
    /// A reply of a host on which no recipient's outcome hangs.
    HostReply,
    /// Our own refusal of a client.
    InboundReject,
    /// Not an attempt: an earlier failure is repeated, or an address was only probed.
    Suspended,
    /// A delivery that never left: mailbox, pipe, alias, content filter on the loopback.
    Local,
    /// Needed to understand other lines, counted with them.
    State,
    /// Nothing that this program counts.
    Irrelevant,
    /// It should have been understood and was not.
    Unreadable(Why),
    /// Longer than the limit on a line; skipped.
    Overlong,
}

impl LineKind {
    /// How many kinds there are.
    pub const COUNT: usize = 9;

    /// The label values of `kind`, in the order of [`LineKind::index`].
    pub const LABELS: [&'static str; Self::COUNT] = [
        "delivery",
        "host_reply",
        "inbound_reject",
        "suspended",
        "local",
        "state",
        "irrelevant",
        "unreadable",
        "overlong",
    ];

    /// The place of this kind in [`LineKind::LABELS`].
    pub const fn index(self) -> usize {
        match self {
            Self::Delivery => 0,
            Self::HostReply => 1,
            Self::InboundReject => 2,
            Self::Suspended => 3,
            Self::Local => 4,
            Self::State => 5,
            Self::Irrelevant => 6,
            Self::Unreadable(_) => 7,
            Self::Overlong => 8,
        }
    }

    /// The kind of a line that holds several records, of which one is of this kind and one of the
    /// other: what was counted matters more than what was not, and what was not understood more
    /// than what does not matter.
    fn with(self, other: Self) -> Self {
        let rank = |kind: Self| match kind {
            Self::Unreadable(_) => 2 * Self::Local.index() + 1,
            Self::Delivery
            | Self::HostReply
            | Self::InboundReject
            | Self::Suspended
            | Self::Local
            | Self::State
            | Self::Irrelevant
            | Self::Overlong => 2 * kind.index(),
        };
        if rank(other) < rank(self) { other } else { self }
    }

    /// The value of the label `kind`.
    pub fn as_str(self) -> &'static str {
        Self::LABELS.get(self.index()).copied().unwrap_or_default()
    }
}

label! {
    /// Why a line could not be understood.
    Why {
        /// A delivery line without its result.
        NoStatus = "no status",
        /// A result that this dialect does not know.
        UnknownStatus = "unknown status",
        /// The fields before the result do not follow the grammar.
        Malformed = "malformed fields",
        /// The line ends before the result.
        Truncated = "truncated",
        /// A record whose framing (JSON, CSV) is broken.
        BrokenRecord = "broken record",
    }
}

/// Declares the dialects: the labels of those that are built in, and those that are defined.
macro_rules! dialects {
    ($($(#[$doc:meta])* $variant:ident = $label:literal,)+) => {
        /// The log formats that can be read.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Dialect {
            $($(#[$doc])* $variant,)+
            /// One that the configuration defines.
            Custom(custom::Name),
        }

        impl Dialect {
            /// Those that are built in.
            pub const ALL: [Self; [$($label),+].len()] = [$(Self::$variant),+];

            /// The name, in the configuration and in output.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $label,)+
                    Self::Custom(name) => name.as_str(),
                }
            }

            /// The built-in dialect of that name.
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($label => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for Dialect {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

dialects! {
    /// Postfix 2.x and 3.x.
    Postfix = "postfix",
    /// Exim 4.
    Exim = "exim",
    /// Sendmail 8.
    Sendmail = "sendmail",
    /// OpenSMTPD.
    OpenSmtpd = "opensmtpd",
    /// qmail, netqmail, notqmail, s/qmail.
    Qmail = "qmail",
    /// Courier.
    Courier = "courier",
    /// Haraka.
    Haraka = "haraka",
    /// KumoMTA.
    KumoMta = "kumomta",
    /// PowerMTA's accounting files.
    PowerMta = "powermta",
    /// ZoneMTA.
    ZoneMta = "zonemta",
    /// Momentum's main log.
    Momentum = "momentum",
    /// What Halon's hooks write.
    Halon = "halon",
    /// Stalwart.
    Stalwart = "stalwart",
    /// maddy.
    Maddy = "maddy",
    /// Microsoft Exchange's message tracking and protocol logs.
    Exchange = "exchange",
    /// hMailServer.
    HMailServer = "hmailserver",
    /// dma.
    Dma = "dma",
    /// msmtp.
    Msmtp = "msmtp",
    /// nullmailer.
    Nullmailer = "nullmailer",
    /// Events of Amazon SES.
    AmazonSes = "amazon_ses",
    /// Events of SendGrid.
    SendGrid = "sendgrid",
    /// Events of Mailgun.
    Mailgun = "mailgun",
    /// Events of Postmark.
    Postmark = "postmark",
    /// Events of SparkPost, and of Momentum's webhooks.
    SparkPost = "sparkpost",
    /// Events of Mandrill.
    Mandrill = "mandrill",
    /// Events of Brevo.
    Brevo = "brevo",
}

/// Somebody who takes the readings of lines.
pub(crate) trait Take {
    /// Takes one: the dialect that understood the line, the kind of the line, the reading.
    fn take(&mut self, dialect: Dialect, kind: LineKind, reading: Reading<'_>);
}

impl<F: FnMut(Dialect, LineKind, Reading<'_>) + ?Sized> Take for F {
    fn take(&mut self, dialect: Dialect, kind: LineKind, reading: Reading<'_>) {
        self(dialect, kind, reading);
    }
}

/// Whoever takes the readings of a line.
pub type Out<'o> = dyn FnMut(Dialect, LineKind, Reading<'_>) + 'o;

/// What says at a glance that a line of this program is never counted, where there is such.
pub fn skims(program: &[u8]) -> Option<&'static Skim> {
    postfix::Daemon::of(program).and_then(postfix::Daemon::skim)
}

/// The dialects of one stream of lines, with what they remember from one line to the next. What
/// must outlive the process is what serde writes.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Dialects {
    #[serde(skip)]
    forced: Option<Dialect>,
    #[serde(skip)]
    shaped: Option<Dialect>,
    #[serde(skip)]
    custom: Arc<CustomDialects>,
    custom_events: custom::Events,
    renamed: recognise::Renamed,
    postfix: postfix::Postfix,
    exim: exim::Exim,
    sendmail: sendmail::Sendmail,
    opensmtpd: opensmtpd::OpenSmtpd,
    qmail: qmail::Qmail,
    courier: courier::Courier,
    haraka: haraka::Haraka,
    powermta: powermta::PowerMta,
    stalwart: stalwart::Stalwart,
    maddy: maddy::Maddy,
    exchange: exchange::Exchange,
    hmailserver: hmailserver::HMailServer,
    dma: dma::Dma,
    nullmailer: nullmailer::Nullmailer,
    esp: esp::Esp,
}

impl Dialects {
    /// All dialects, told apart by each line, or one that is taken for granted.
    pub fn new(forced: Option<Dialect>) -> Self {
        Self { forced, ..Self::default() }
    }

    /// Knows these dialects and no others that a configuration defined before. Cheap where they are
    /// the same.
    pub fn adopt(&mut self, custom: &Arc<CustomDialects>) {
        if !Arc::ptr_eq(&self.custom, custom) {
            self.custom = Arc::clone(custom);
        }
    }

    /// Takes over what an earlier run remembered; the settings stay.
    pub fn restore(&mut self, saved: Self) {
        let Self { forced, shaped, custom, .. } = std::mem::take(self);
        *self = Self { forced, shaped, custom, ..saved };
    }

    /// Reads one record: calls `out` for each reading, and returns the dialect that understood it,
    /// if any, and the kind of the line.
    pub fn read(&mut self, record: &Record<'_>, out: &mut Out<'_>) -> (Option<Dialect>, LineKind) {
        self.hand_to(record, out)
    }

    /// The same, made anew for each kind of taker.
    #[expect(clippy::inline_always, reason = "nearly every reply comes here")]
    #[inline(always)]
    pub(crate) fn hand_to(
        &mut self,
        record: &Record<'_>,
        out: &mut (impl Take + ?Sized),
    ) -> (Option<Dialect>, LineKind) {
        // Postfix writes most of the lines that are read, so it is asked first, and alone.
        if self.forced.is_none()
            && let Some(daemon) = postfix::Daemon::of(record.program)
        {
            return (Some(Dialect::Postfix), self.postfix.read(daemon, record, out));
        }
        self.read_other(record, &mut |by, kind, reading| out.take(by, kind, reading))
    }

    #[inline(never)]
    fn read_other(
        &mut self,
        record: &Record<'_>,
        out: &mut Out<'_>,
    ) -> (Option<Dialect>, LineKind) {
        let dialect = self
            .forced
            .or_else(|| self.custom.of_program(record.program))
            .or_else(|| self.recognise_other(record).map(|(dialect, _)| dialect));
        let kind = match dialect {
            Some(Dialect::Postfix) => {
                let daemon = postfix::Daemon::of(record.program);
                self.read_postfix(daemon.unwrap_or(postfix::Daemon::Unnamed), record, out)
            }
            Some(Dialect::Exim) => self.exim.read(record, out),
            Some(Dialect::Sendmail) => self.sendmail.read(record, out),
            Some(Dialect::OpenSmtpd) => self.opensmtpd.read(record, out),
            Some(Dialect::Qmail) => self.qmail.read(record, out),
            Some(Dialect::Courier) => self.courier.read(record, out),
            Some(Dialect::Haraka) => self.haraka.read(record, out),
            Some(Dialect::KumoMta) => kumomta::read(record, out),
            Some(Dialect::PowerMta) => self.powermta.read(record, out),
            Some(Dialect::ZoneMta) => zonemta::read(record, out),
            Some(Dialect::Momentum) => momentum::read(record, out),
            Some(Dialect::Halon) => halon::read(record, out),
            Some(Dialect::Stalwart) => self.stalwart.read(record, out),
            Some(Dialect::Maddy) => self.maddy.read(record, out),
            Some(Dialect::Exchange) => self.exchange.read(record, out),
            Some(Dialect::HMailServer) => self.hmailserver.read(record, out),
            Some(Dialect::Dma) => self.dma.read(record, out),
            Some(Dialect::Msmtp) => msmtp::read(record, out),
            Some(Dialect::Nullmailer) => self.nullmailer.read(record, out),
            Some(
                dialect @ (Dialect::AmazonSes
                | Dialect::SendGrid
                | Dialect::Mailgun
                | Dialect::Postmark
                | Dialect::SparkPost
                | Dialect::Mandrill
                | Dialect::Brevo),
            ) => self.esp.read(dialect, record, out),
            Some(Dialect::Custom(name)) => {
                self.custom.read(name, &mut self.custom_events, record, out)
            }
            None => {
                let read = self.custom.read_any(&mut self.custom_events, record, out);
                return read
                    .map_or((None, LineKind::Irrelevant), |(dialect, kind)| (Some(dialect), kind));
            }
        };
        (dialect, kind)
    }

    #[inline(never)]
    fn read_postfix(
        &mut self,
        daemon: postfix::Daemon,
        record: &Record<'_>,
        out: &mut Out<'_>,
    ) -> LineKind {
        self.postfix.read(daemon, record, out)
    }

    /// Hands out what was still waiting for another line: a finished log has none any more.
    pub fn finish(&mut self, out: &mut Out<'_>) {
        self.exim.finish(out);
        self.sendmail.finish(out);
        self.opensmtpd.finish(out);
        self.courier.finish(out);
        self.haraka.finish(out);
        self.stalwart.finish(out);
    }

    /// How many things had to be forgotten, because the memory for them is bounded, before the
    /// lines came that would have asked for them.
    pub fn evicted(&self) -> u64 {
        self.esp.evicted()
            + self.exim.evicted()
            + self.sendmail.evicted()
            + self.opensmtpd.evicted()
            + self.qmail.evicted()
            + self.courier.evicted()
            + self.haraka.evicted()
            + self.stalwart.evicted()
            + self.maddy.evicted()
            + self.exchange.evicted()
            + self.hmailserver.evicted()
            + self.dma.evicted()
            + self.custom_events.evicted()
    }
}
