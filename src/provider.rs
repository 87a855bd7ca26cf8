//! Who answered.

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

/// The table of providers in force.
#[derive(Debug)]
pub struct Providers {
    names: Vec<String>,
    tracked: Vec<ProviderId>,
}

impl Providers {
    /// The built-in table.
    pub fn builtin() -> Self {
        Self { names: vec!["other".to_owned()], tracked: vec![ProviderId::OTHER] }
    }

    /// Who answered: by the relay host where the table knows it, else by the recipient's domain,
    /// else [`ProviderId::OTHER`].
    pub fn lookup(&self, _relay_host: &[u8], _recipient_domain: &[u8]) -> ProviderId {
        ProviderId::OTHER
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

    /// The providers whose series exist from the start; `other` is always one.
    pub fn tracked(&self) -> &[ProviderId] {
        &self.tracked
    }
}
