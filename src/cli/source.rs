//! A ruleset's file, and what it names.

use std::io;
use std::path::Path;

use crate::rules::source::{join, priors_of};

/// Reads a ruleset and the priors that it names, from beside it.
///
/// # Errors
/// A file that cannot be read: the error names it. Priors that are not there are for the ruleset's parser to name.
pub(super) fn read(path: &Path) -> io::Result<String> {
    let text = read_named(path)?;
    match priors_of(&text) {
        Some(priors) => match read_named(&path.with_file_name(priors)) {
            Ok(priors) => Ok(join(&text, &priors)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(text),
            Err(error) => Err(error),
        },
        None => Ok(text),
    }
}

fn read_named(path: &Path) -> io::Result<String> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: cannot read: {error}", path.display()));
    std::fs::read_to_string(path).map_err(named)
}
