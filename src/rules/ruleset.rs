//! The compiled ruleset.

use crate::yaml::Problem;

/// Everything that decides: features, labels, programmes, alerts, weights. Immutable once loaded.
#[derive(Debug)]
pub struct Ruleset {
    name: String,
}

impl Ruleset {
    /// Reads, checks and compiles a ruleset. `file` only names it in problems.
    ///
    /// # Errors
    /// Every problem at once, in file order.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Problem>> {
        let _ = (file, text);
        todo!("rules")
    }

    /// The name it gives itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Hash of its text, 32 hex digits: its identity.
    pub fn hash(&self) -> &str {
        ""
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        ""
    }
}
