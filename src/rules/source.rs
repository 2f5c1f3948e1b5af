//! A ruleset's text, with that of the priors that it names behind it: both decide, so both are in its hash and in the journal.

use crate::yaml::{self, Problems, Section};

/// The text of rules, and of the priors that they name.
pub fn join(rules: &str, priors: &str) -> String {
    format!("{}{MARK}{priors}", rules.trim_end())
}

/// The rules, and the priors.
pub(super) fn parts(text: &str) -> (&str, Option<&str>) {
    text.split_once(MARK).map_or((text, None), |(rules, priors)| (rules, Some(priors)))
}

/// The file of priors that rules name.
pub fn priors_of(rules: &str) -> Option<String> {
    // Whoever compiles it says what is wrong with it.
    let mut problems = Problems::new("");
    let root = yaml::read(rules, &mut problems)?;
    let pivots = Section::open(&root, "", &mut problems)?.take("pivots")?;
    let name = Section::open(pivots, "pivots", &mut problems)?.text("priors", &mut problems)?;
    Some(name.to_owned())
}

/// Between the rules and the priors.
const MARK: &str = "\n--- # priors\n";
