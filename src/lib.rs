//! `vipstream`: decides from Kafka topics who is a VIP now, and why, by written rules.

// -- pure: no Kafka, clock, disk, randomness, logging or metrics --
pub mod codec;
pub mod engine;
pub mod merge;
pub mod model;
pub mod proto;
pub mod rules;
