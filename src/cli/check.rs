//! `vipstream check`: rules and configuration, every problem at once.

use std::io::Write;
use std::path::PathBuf;

use super::Usage;
use crate::config::{Config, ConfigError};
use crate::rules::ruleset::Ruleset;
use crate::yaml::{self, Problem};

/// Check a ruleset, a configuration, or both: every problem at once, with place and remedy.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["rules", "config"]))]
pub(crate) struct Args {
    /// The ruleset
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// The configuration of `run`; the ruleset it names is checked with it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    let mut checked = Vec::new();
    let mut rules_files: Vec<PathBuf> = args.rules.iter().cloned().collect();
    if let Some(path) = &args.config {
        match Config::load(path, std::env::vars()) {
            Ok(config) => {
                checked.push(format!("{}: app {}, {} tasks", path.display(), config.app, config.tasks));
                rules_files.push(config.rules);
            }
            Err(ConfigError::Invalid(found)) => problems.extend(found),
            Err(error) => return Err(Usage(error.to_string()).into()),
        }
    }
    for path in rules_files {
        let name = path.display().to_string();
        let text =
            std::fs::read_to_string(&path).map_err(|error| Usage(format!("cannot read the rules {name}: {error}")))?;
        match Ruleset::parse(&name, &text) {
            Ok(rules) => checked.push(format!("{name}: {}", describe(&rules))),
            Err(found) => problems.extend(found),
        }
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        let list: Vec<_> = problems.iter().map(json).collect();
        writeln!(out, "{}", serde_json::json!({ "ok": problems.is_empty(), "problems": list }))?;
        return if problems.is_empty() { Ok(()) } else { Err(Usage(format!("{} problems", problems.len())).into()) };
    }
    if !problems.is_empty() {
        return Err(Usage(yaml::list(&problems)).into());
    }
    for line in checked {
        writeln!(out, "ok  {line}")?;
    }
    Ok(())
}

fn describe(rules: &Ruleset) -> String {
    let parts = rules.summary().map(|(what, names)| format!("{} {what}", names.len()));
    format!("ruleset {} ({}), hash {}", rules.name(), parts.join(", "), rules.hash())
}

fn json(problem: &Problem) -> serde_json::Value {
    serde_json::json!({
        "file": problem.file,
        "line": problem.line,
        "path": problem.path,
        "problem": problem.what,
        "help": problem.help,
    })
}
