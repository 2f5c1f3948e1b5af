//! Identifiers. Short ones live inline (24 bytes), so that an id costs no allocation.

use compact_str::CompactString;

/// Longest id accepted anywhere, in bytes; a longer one is a dead letter (`id_too_long`).
pub const MAX_ID_BYTES: usize = 256;

/// The customer an event is about: what state is kept by, and the key of outputs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct CustomerId(pub CompactString);

impl CustomerId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for CustomerId {
    fn from(id: &str) -> Self {
        Self(CompactString::new(id))
    }
}
