//! `vipstream topics`: the topics that an app needs, as they should be and as they are; makes those that are missing.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::anyhow;
use serde_json::{Value, json};

use super::Usage;
use crate::broker::cluster::Cluster;
use crate::config::Config;
use crate::topics::{self, Fault, Finding, Grade, Needed, Role, Setting, Status};

/// Show the topics that an app needs, and make those that are missing
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The configuration of `run`; variables VIPSTREAM_... win over it
    #[arg(long, value_name = "FILE", default_value = "vipstream.yaml")]
    config: PathBuf,
    /// Make the topics that are missing, inputs too
    #[arg(long)]
    create: bool,
    /// Partitions of the inputs that are made; as many as there are tasks if left out
    #[arg(long, value_name = "N", requires = "create", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    input_partitions: Option<u32>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// Topics that are missing or not as they should be.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let config = Config::load(&args.config, std::env::vars()).map_err(|error| Usage(error.to_string()))?;
    let cluster = Cluster::connect(&config.kafka, &config.app, PATIENCE)?;
    let needed = topics::needed(&config, args.input_partitions.unwrap_or(config.tasks));
    let mut found = topics::survey(&config, &cluster, needed.clone())?;
    let mut made = Vec::new();
    let mut refused = Vec::new();
    if args.create {
        for Status { needed, .. } in found.iter().filter(|status| status.is_missing()) {
            match topics::create(&cluster, needed) {
                Ok(()) => made.push(needed.topic.clone()),
                Err(error) => refused.push(error.to_string()),
            }
        }
        found = topics::survey(&config, &cluster, needed)?;
    }
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", report(&found, &made, &refused))?;
    } else {
        write!(out, "{}", table(&found, &made))?;
        for Finding { what, help, .. } in found.iter().flat_map(|status| &status.findings).filter(|it| is_told(it)) {
            writeln!(out, "\n{what}\n    {help}")?;
        }
        for refusal in &refused {
            writeln!(out, "\n{refusal}")?;
        }
    }
    out.flush()?;
    verdict(&found)
}

fn verdict(found: &[Status]) -> anyhow::Result<()> {
    let missing = found.iter().filter(|status| status.is_missing()).count();
    let wrong = found.iter().filter(|status| !status.is_missing() && status.is_wrong()).count();
    match (missing, wrong) {
        (0, 0) => Ok(()),
        (0, wrong) => Err(anyhow!("{wrong} of {} topics are not as they should be", found.len())),
        (missing, 0) => Err(anyhow!("{missing} of {} topics are missing: --create makes them", found.len())),
        (missing, wrong) => Err(anyhow!(
            "of {} topics {missing} are missing (--create makes them) and {wrong} are not as they should be",
            found.len()
        )),
    }
}

fn is_bad(status: &Status) -> bool {
    status.is_missing() || status.is_wrong()
}

/// Whether the table does not say it already.
fn is_told(finding: &Finding) -> bool {
    finding.grade > Grade::Note || finding.fault == Fault::Denied
}

/// One word for how a topic is.
fn word(status: &Status, made: &[String]) -> &'static str {
    let is_hidden = status.findings.iter().any(|finding| finding.fault == Fault::Denied);
    match &status.found {
        None if status.is_missing() => "missing",
        None if is_hidden => "hidden",
        _ if status.is_wrong() => "differs",
        _ if made.contains(&status.needed.topic) => "created",
        _ => "ok",
    }
}

/// A line a topic, columns as wide as they must be.
fn table(found: &[Status], made: &[String]) -> String {
    let head = ["TOPIC", "ROLE", "PARTITIONS", "STATUS", "SETTINGS"].map(str::to_owned);
    let rows = found.iter().map(|status| {
        let Needed { topic, role, .. } = &status.needed;
        [topic.clone(), role.to_string(), partitions(status), word(status, made).to_owned(), settings(status)]
    });
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..4).map(width).collect();
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}  "));
        format!("{}{}", cells.collect::<String>(), row[4]).trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn partitions(status: &Status) -> String {
    let Needed { role, partitions: wanted, .. } = status.needed;
    match status.found.as_ref().map(|found| found.layout.partitions) {
        None => format!("wants {wanted}"),
        Some(count) if role.is_of_tasks() && count != wanted => format!("{count}, wants {wanted}"),
        Some(count) => count.to_string(),
    }
}

fn settings(status: &Status) -> String {
    let pairs = pairs(status).into_iter().map(|Pair { name, wanted, found, is_met }| match (wanted, found) {
        (Some(wanted), None) => format!("{name}: wants {wanted}"),
        (Some(wanted), Some(found)) if !is_met => format!("{name}={found}, wants {wanted}"),
        (_, found) => format!("{name}={}", found.unwrap_or_default()),
    });
    pairs.collect::<Vec<_>>().join("; ")
}

/// A setting as it should be and as it is.
struct Pair {
    name: &'static str,
    wanted: Option<String>,
    found: Option<String>,
    is_met: bool,
}

/// The settings that matter: for topics of ours those they must have, for inputs what says how long records stay.
fn pairs(status: &Status) -> Vec<Pair> {
    let found = |name: &str| status.found.as_ref()?.settings.as_ref()?.get(name).cloned();
    if let Role::Input(_) = status.needed.role {
        let known = INPUT_SETTINGS.iter().filter_map(|name| Some((*name, found(name)?)));
        return known.map(|(name, found)| Pair { name, wanted: None, found: Some(found), is_met: true }).collect();
    }
    let pair = |setting: &Setting| {
        let found = found(setting.name);
        let is_met = found.as_deref().is_some_and(|found| setting.is_met(found));
        let more = if setting.or_more { " or more" } else { "" };
        Pair { name: setting.name, wanted: Some(format!("{}{more}", setting.value)), found, is_met }
    };
    status.needed.settings.iter().map(pair).collect()
}

fn report(found: &[Status], made: &[String], refused: &[String]) -> Value {
    let topics: Vec<Value> = found.iter().map(|status| topic(status, made)).collect();
    json!({ "ok": !found.iter().any(is_bad), "topics": topics, "refused": refused })
}

fn topic(status: &Status, made: &[String]) -> Value {
    let Needed { topic, role, partitions, .. } = &status.needed;
    let layout = status.found.as_ref().map(|found| found.layout);
    let settings = pairs(status)
        .into_iter()
        .map(|Pair { name, wanted, found, .. }| json!({ "name": name, "wanted": wanted, "found": found }));
    json!({
        "topic": topic,
        "role": role.to_string(),
        "status": word(status, made),
        "partitions": {
            "wanted": (layout.is_none() || role.is_of_tasks()).then_some(partitions),
            "found": layout.map(|layout| layout.partitions),
        },
        "replication": layout.map(|layout| layout.replication),
        "id": status.found.as_ref().and_then(|found| found.id.clone()),
        "settings": settings.collect::<Vec<_>>(),
        "findings": status.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

/// A finding as the commands print it in JSON.
pub(super) fn finding(finding: &Finding) -> Value {
    let Finding { topic, grade, what, help, .. } = finding;
    json!({ "topic": topic, "grade": grade.name(), "problem": what, "help": help })
}

const INPUT_SETTINGS: [&str; 4] = ["cleanup.policy", "retention.ms", "retention.bytes", "min.compaction.lag.ms"];

/// How long an unreachable broker is waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
