//! Written rules: YAML to a checked, compiled [`ruleset::Ruleset`].

pub mod budget;
pub mod calendar;
pub mod compile;
mod evidence;
pub mod fact;
pub mod fields;
pub(crate) mod parse;
pub mod percentile;
pub mod pivots;
pub mod program;
pub mod ruleset;
pub mod source;
pub mod value;
