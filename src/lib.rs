//! `vipstream`: decides from Kafka topics who is a VIP now, and why, by written rules.

#![warn(clippy::disallowed_macros, clippy::disallowed_methods, unreachable_pub)]
#![cfg_attr(not(test), warn(clippy::print_stdout, clippy::unwrap_used))]

// What tests share names this library from outside.
#[cfg(test)]
extern crate self as vipstream;

// -- pure: no Kafka, clock, disk, randomness, logging or metrics --
pub mod calibrate;
pub mod codec;
pub mod engine;
pub mod load;
pub mod merge;
pub mod model;
pub mod pivot;
pub mod proto;
pub mod replay;
pub mod rules;
pub mod yaml;

// -- shell: talks to Kafka, clocks, disks and people --
pub mod app;
pub mod broker;
pub mod cli;
mod clock;
pub mod config;
mod http;
mod metrics;
mod mutant;
pub mod snapshot;
pub mod task;
mod telemetry;
pub mod topics;

#[cfg(test)]
mod simulation;
#[cfg(test)]
#[expect(dead_code, unreachable_pub, reason = "other tests need the rest")]
#[path = "../tests/support"]
mod support {
    pub mod conformance;
    #[path = "generate/dice.rs"]
    pub mod dice;
    #[path = "chaos/events.rs"]
    pub mod events;
    #[path = "chaos/ledger.rs"]
    pub mod ledger;
    pub mod model;
}
