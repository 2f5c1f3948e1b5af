//! Written rules: YAML to a checked, compiled [`ruleset::Ruleset`].

pub mod ruleset;
