//! Identifiers. Short ones live inline (24 bytes), so that an id costs no allocation.

use compact_str::{CompactString, format_compact};
use serde::{Deserialize, Serialize};

/// Longest id accepted anywhere, in bytes; a longer one is a dead letter (`id_too_long`).
pub const MAX_ID_BYTES: usize = 256;

/// Whether an id from outside may be used: control characters are ours, to mark what an id is of. One that holds any is
/// a dead letter (`bad_id`).
pub fn is_fit(id: &str) -> bool {
    // Without a way out on the first: so the processor looks at many at once.
    !id.bytes().fold(false, |found, byte| found | byte.is_ascii_control())
}

/// The customer an event is about: what state is kept by, and the key of outputs.
///
/// Authors known by handle only and accounts have a state as well. Their ids begin with a mark that no id from outside
/// holds ([`is_fit`]), so that the three are told apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CustomerId(pub CompactString);

/// What an id is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityKind {
    Customer,
    /// An author, by platform and handle.
    Author,
    Account,
    /// What every task keeps for itself and all know alike.
    EveryTask,
    /// What decides on budgets.
    Settler,
    /// A task itself.
    Task,
}

const AUTHOR: char = '\u{1}';
const ACCOUNT: char = '\u{2}';
const EVERY_TASK: &str = "\u{3}";
const SETTLER: char = '\u{5}';
const TASK: char = '\u{6}';

impl CustomerId {
    /// Of whoever writes under a handle.
    pub fn author(platform: &str, handle: &str) -> Self {
        Self(format_compact!("{AUTHOR}{platform}:{handle}"))
    }

    /// Of an account.
    pub fn account(id: &str) -> Self {
        Self(format_compact!("{ACCOUNT}{id}"))
    }

    /// Of what every task keeps: whatever is done to it is done at each task.
    pub const fn every_task() -> Self {
        Self(CompactString::const_new(EVERY_TASK))
    }

    /// Of what decides on a ruleset's budgets.
    pub fn settler(ruleset: &str) -> Self {
        Self(format_compact!("{SETTLER}{ruleset}"))
    }

    /// Of a task.
    pub fn task(number: u32) -> Self {
        Self(format_compact!("{TASK}{number}"))
    }

    /// The id as state is kept by it, mark included.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What it is of.
    pub fn kind(&self) -> EntityKind {
        match self.0.as_bytes().first() {
            Some(1) => EntityKind::Author,
            Some(2) => EntityKind::Account,
            Some(3) => EntityKind::EveryTask,
            Some(5) => EntityKind::Settler,
            Some(6) => EntityKind::Task,
            _ => EntityKind::Customer,
        }
    }

    /// Without the mark: the customer's or account's id, an author's `platform:handle`. It decides where the entity is
    /// at home, and is the key of its outputs.
    pub fn text(&self) -> &str {
        match self.kind() {
            EntityKind::Customer => &self.0,
            _ => &self.0[1..],
        }
    }
}

impl From<&str> for CustomerId {
    fn from(id: &str) -> Self {
        Self(CompactString::new(id))
    }
}
