//! `vipstream check`: rules, configuration and cluster, every problem at once.

mod cluster;
mod share;

use std::io::Write;
use std::path::{Path, PathBuf};

use super::Usage;
use super::source;
use super::topics::finding;
use crate::config::{Config, ConfigError};
use crate::rules::ruleset::Ruleset;
use crate::snapshot::depot::Depot;
use crate::topics::Finding;
use crate::yaml::{self, Problem};

/// Check rules, configuration and cluster: every problem at once, with place and remedy.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["rules", "config"]))]
pub(crate) struct Args {
    /// The ruleset
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// The configuration of `run`; the ruleset it names is checked with it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Compare the configuration with the cluster too, and reckon how many records will be handed over between tasks
    #[arg(long, requires = "config")]
    cluster: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Every problem: of the files ([`Usage`]), else of the cluster.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let files = files(args)?;
    let report = match &files.config {
        Some(config) if args.cluster => Some(cluster::look(config)?),
        _ => None,
    };
    let in_cluster = report.as_ref().map(cluster::Report::problems).unwrap_or_default();
    let count = files.problems.len() + in_cluster.len();
    let mut out = std::io::stdout().lock();
    let said = if args.json {
        let problems = files.problems.iter().map(json).chain(in_cluster.iter().map(finding));
        let problems: Vec<_> = problems.collect();
        let cluster = report.as_ref().map(cluster::Report::json);
        writeln!(
            out,
            "{}",
            serde_json::json!({ "ok": count == 0, "problems": problems, "note": files.unread, "cluster": cluster })
        )?;
        if count == 1 { "1 problem".to_owned() } else { format!("{count} problems") }
    } else {
        if files.problems.is_empty() {
            files.checked.iter().try_for_each(|line| writeln!(out, "ok  {line}"))?;
            files.unread.iter().try_for_each(|note| writeln!(out, "note: {note}"))?;
        }
        write!(out, "{}", report.as_ref().map(cluster::Report::text).unwrap_or_default())?;
        let files = files.problems.iter().map(ToString::to_string);
        let in_cluster = in_cluster.iter().map(|Finding { what, help, .. }| format!("{what}\n      {help}"));
        yaml::list(&files.chain(in_cluster).collect::<Vec<_>>())
    };
    out.flush()?;
    match (files.problems.is_empty(), in_cluster.is_empty()) {
        (true, true) => Ok(()),
        (true, false) => Err(anyhow::anyhow!(said)),
        (false, _) => Err(Usage(said).into()),
    }
}

/// What the files say.
struct Files {
    config: Option<Config>,
    /// A line for each that is in order.
    checked: Vec<String>,
    problems: Vec<Problem>,
    /// Which kinds of event the rules ask for in vain.
    unread: Option<String>,
}

impl Files {
    /// Whether snapshots have a place, as far as that shows without touching it.
    fn look_at_store(&mut self, path: &Path, config: &Config) {
        let Some(snapshots) = &config.snapshots else { return };
        let Err(error) = Depot::check(&snapshots.store) else {
            self.checked.push(format!("{}: snapshots in {}", path.display(), snapshots.store));
            return;
        };
        let said = error.to_string();
        let said = said.strip_prefix("snapshots.store: ").unwrap_or(&said);
        let (what, help) = said.split_once("; ").map_or((said, None), |(what, help)| (what, Some(help.to_owned())));
        let file = path.display().to_string();
        let (line, path, what) = (snapshots.line, "snapshots.store".to_owned(), what.to_owned());
        self.problems.push(Problem { file, line, path, what, help });
    }
}

fn files(args: &Args) -> anyhow::Result<Files> {
    let mut files = Files { config: None, checked: Vec::new(), problems: Vec::new(), unread: None };
    let mut rules_files: Vec<PathBuf> = args.rules.iter().cloned().collect();
    if let Some(path) = &args.config {
        match Config::load(path, std::env::vars()) {
            Ok(config) => {
                files.checked.push(format!("{}: app {}, {} tasks", path.display(), config.app, config.tasks));
                rules_files.push(config.rules.clone());
                files.look_at_store(path, &config);
                files.config = Some(config);
            }
            Err(ConfigError::Invalid(found)) => files.problems.extend(found),
            Err(error) => return Err(Usage(error.to_string()).into()),
        }
    }
    for path in rules_files {
        let name = path.display().to_string();
        let text = source::read(&path).map_err(|error| Usage(error.to_string()))?;
        match Ruleset::parse(&name, &text) {
            Ok(rules) => {
                files.checked.push(format!("{name}: {}", describe(&rules)));
                let config = files.config.as_ref().filter(|config| config.rules == path);
                files.unread = files.unread.or_else(|| config?.unread(&rules));
            }
            Err(found) => files.problems.extend(found),
        }
    }
    Ok(files)
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
