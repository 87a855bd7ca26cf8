//! Who answered: the table of receiving providers.
//!
//! The relay host decides where the table knows it. Where several providers share the host, and
//! where the log has only what the host's address resolves to, a recipient domain that the table
//! lists goes first. An unknown host, or the recipient's own domain in its place, leaves it to the
//! domain; an unknown domain is [`ProviderId::OTHER`].
//!
//! A log line cannot choose freely: only whole labels count, names are bounded by what DNS allows,
//! and no name ever becomes a label, only the row that it leads to.

mod file;
mod name;
mod recent;

use crate::attempt::label;
use crate::table::Error;
use name::{Names, Owner};

pub use recent::Recent;

/// The built-in table.
const BUILTIN: (&str, &str) = ("providers.toml", include_str!("../config/providers.toml"));

/// A provider: an index into the table in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderId(pub(crate) u16);

impl ProviderId {
    /// Everybody who is in no table.
    pub const OTHER: Self = Self(0);

    /// The place in the table's order.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

label! {
    /// What a provider is to the recipient.
    Kind {
        /// Mailboxes for everybody, under the provider's own domains.
        Mailbox = "mailbox",
        /// Mailboxes for the customers of an internet provider.
        Isp = "isp",
        /// Mailboxes under the customers' domains.
        Hosting = "hosting",
        /// A filter in front of somebody else's mailboxes.
        Gateway = "gateway",
        /// Hands mail on to mailboxes elsewhere.
        Forwarder = "forwarder",
        /// A sending service: its inbound hosts, and its relays where they are a smart host.
        Esp = "esp",
    }
}

/// What the table says about a provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The value of the label `provider`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it is to the recipient; `None` for `other`.
    pub kind: Option<Kind>,
    /// Its page for senders.
    pub postmaster: Option<String>,
    /// Its recipient domains, as the table writes them.
    pub domains: Vec<String>,
    /// Its relay hosts, alone, shared or by PTR name, as the table writes them.
    pub hosts: Vec<String>,
    /// What else is worth knowing.
    pub note: Option<String>,
}

/// The table of providers in force.
#[derive(Debug)]
pub struct Providers {
    rows: Vec<Provider>,
    names: Vec<String>,
    tracked: Vec<ProviderId>,
    hosts: Names,
    domains: Names,
}

/// Which tables are in force beside the user's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// The built-in table comes after the user's.
    Extended,
    /// There is no other than the user's.
    Replaced,
}

impl Providers {
    /// The built-in table.
    ///
    /// # Panics
    /// Never: a test reads the built-in table.
    pub fn builtin() -> Self {
        #[expect(clippy::expect_used, reason = "it is part of the program, and a test reads it")]
        Self::load(&[], Builtin::Extended, None).expect("the built-in table of providers")
    }

    /// The providers of these tables, each a file name and its text. The first goes first: what it
    /// claims, no later one gets; the built-in table is the last. `tracked` names the providers
    /// whose series exist from the start, in place of those that the tables mark.
    ///
    /// # Errors
    /// The first row that cannot be used, with its file and line.
    pub fn load(
        tables: &[(&str, &str)],
        builtin: Builtin,
        tracked: Option<&[String]>,
    ) -> Result<Self, Error> {
        let mut all = tables.to_vec();
        if builtin == Builtin::Extended {
            all.push(BUILTIN);
        }
        file::load(&all, tracked)
    }

    /// Who answered: by the relay host where the table knows it, else by the recipient's domain,
    /// else [`ProviderId::OTHER`]. Any case; a dot at the end of a name means nothing.
    pub fn lookup(&self, relay_host: &[u8], recipient_domain: &[u8]) -> ProviderId {
        self.find(relay_host, recipient_domain).0
    }

    /// The same, and whether the host alone tells.
    fn find(&self, relay_host: &[u8], recipient_domain: &[u8]) -> (ProviderId, bool) {
        let by_host = match self.hosts.find(relay_host) {
            Some(Owner::Alone(id)) => return (id, true),
            Some(Owner::Shared(id)) => Some(id),
            Some(Owner::Nobody) | None => None,
        };
        let provider = match self.domains.find(recipient_domain) {
            Some(Owner::Alone(id) | Owner::Shared(id)) => id,
            Some(Owner::Nobody) | None => by_host.unwrap_or(ProviderId::OTHER),
        };
        (provider, false)
    }

    /// The names, in the order of [`ProviderId::index`]; the first is `other`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The label value of a provider.
    pub fn name(&self, id: ProviderId) -> &str {
        self.names.get(id.index()).map_or("other", String::as_str)
    }

    /// The provider of that name.
    pub fn id(&self, name: &str) -> Option<ProviderId> {
        let index = self.names.iter().position(|known| known == name)?;
        u16::try_from(index).ok().map(ProviderId)
    }

    /// What the table says about a provider; `None` for one of another table.
    pub fn get(&self, id: ProviderId) -> Option<&Provider> {
        self.rows.get(id.index())
    }

    /// All of them, in the order of [`ProviderId::index`].
    pub fn iter(&self) -> impl Iterator<Item = (ProviderId, &Provider)> {
        (0..=u16::MAX).map(ProviderId).zip(&self.rows)
    }

    /// The providers whose series exist from the start; `other` is always one.
    pub fn tracked(&self) -> &[ProviderId] {
        &self.tracked
    }
}

#[cfg(test)]
mod tests;
