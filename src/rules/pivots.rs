//! Which changes in behaviour are told, about whom, and how many false alarms that may bring.

use super::program::Program;
use crate::pivot::Kind;
use crate::pivot::settings::Settings;

/// A ruleset's `pivots`.
#[derive(Debug)]
pub struct PivotRule {
    pub settings: Settings,
    /// Those that are told, as bits by place in [`Kind::ALL`]; their ends with them.
    pub kinds: u16,
    /// Of whom; everybody where it is not said.
    pub of: Option<Program>,
}

/// A kind's bit in a set of them.
pub const fn bit(kind: Kind) -> u16 {
    1 << kind as u16
}
