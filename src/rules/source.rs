//! A ruleset's text, with that of the priors that it names: both decide, so both are in its hash and in the journal.

use std::io;
use std::path::Path;

use crate::yaml::{self, Problems, Section};

/// Reads a ruleset and what it names, from beside it.
///
/// # Errors
/// A file that cannot be read: the error names it.
pub fn read(path: &Path) -> io::Result<String> {
    let text = read_named(path)?;
    let Some(priors) = priors_of(&text) else { return Ok(text) };
    let priors = read_named(&path.with_file_name(priors))?;
    Ok(format!("{}{MARK}{priors}", text.trim_end()))
}

fn read_named(path: &Path) -> io::Result<String> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()));
    std::fs::read_to_string(path).map_err(named)
}

/// The rules, and the priors.
pub(super) fn parts(text: &str) -> (&str, Option<&str>) {
    text.split_once(MARK).map_or((text, None), |(rules, priors)| (rules, Some(priors)))
}

/// The file of priors that rules name.
fn priors_of(text: &str) -> Option<String> {
    // Whoever compiles it says what is wrong with it.
    let mut problems = Problems::new("");
    let root = yaml::read(text, &mut problems)?;
    let pivots = Section::open(&root, "", &mut problems)?.take("pivots")?;
    let name = Section::open(pivots, "pivots", &mut problems)?.text("priors", &mut problems)?;
    Some(name.to_owned())
}

/// Between the rules and the priors.
const MARK: &str = "\n--- # priors\n";
