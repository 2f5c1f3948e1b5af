//! Trouble for a fleet of processes: kills, freezes, broker crashes, at moments that a seed chooses.

pub(crate) mod events;
pub(crate) mod fleet;
pub(crate) mod ledger;
pub(crate) mod reading;
pub(crate) mod traffic;
