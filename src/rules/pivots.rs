//! Which changes in behaviour are told, about whom, and how many false alarms that may bring.

use super::program::Program;
use crate::pivot::population::Population;
use crate::pivot::settings::Settings;
use crate::pivot::{Channel, Kind};

/// A ruleset's `pivots`.
#[derive(Debug)]
pub struct PivotRule {
    pub settings: Settings,
    /// Those that are told, as bits by place in [`Kind::ALL`]; their ends with them.
    pub kinds: u16,
    /// Of whom; everybody where it is not said.
    pub of: Option<Program>,
    /// What becomes of them while far more customers turn at once than usual; none where nobody asks.
    pub population: Option<Population>,
}

/// A kind's bit in a set of them.
pub const fn bit(kind: Kind) -> u16 {
    1 << kind as u16
}

/// The bit of what may stand at a time: somebody may have fallen silent in two channels.
pub const fn mark(kind: Kind, channel: Channel) -> u16 {
    match (kind, channel) {
        (Kind::Silence, Channel::Engagement) => 1 << Kind::ALL.len(),
        _ => bit(kind),
    }
}

/// Whose mark has a bit at a place.
pub fn kind_at(place: u8) -> Kind {
    Kind::ALL.get(usize::from(place)).copied().unwrap_or(Kind::Silence)
}
