//! `vipstream replay`: history from files through the rules, to files.

mod explain;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use indicatif::HumanCount;

use super::past::{Past, bar};
use crate::engine::Stats;
use crate::model::output::{Change, Output, pivot};
use crate::replay::{EPOCH_RECORDS, Plan, Replayed};

/// Replay files through a ruleset: one file of JSON lines for each output topic.
///
/// Records are merged in time order, so the same input gives the same bytes every time. No Kafka is needed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    past: Past,
    /// Print each decision about this customer with its evidence
    #[arg(long, value_name = "ID")]
    explain: Option<String>,
    /// The folder for a file of each output topic: vip.events.jsonl, vip.alerts.jsonl, ...
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Print the summary as one JSON object
    #[arg(long)]
    json: bool,
}

/// The output topics, each a file.
const TOPICS: [&str; 7] =
    ["vip.events", "vip.alerts", "vip.status", "vip.audit", "vip.insights", "vip.pivots", "vip.dlq"];

/// Runs the command.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let rules = Arc::new(args.past.rules()?);
    let (inputs, bytes) = args.past.open()?;
    let plan = Plan {
        rules,
        until: args.past.until,
        names: args.past.inputs.iter().map(|(kind, path)| format!("{}={}", kind.name(), path.display())).collect(),
        epoch_records: EPOCH_RECORDS,
    };
    let bar = bar(bytes, "replaying");
    let replayed = plan.run(inputs, |read| bar.set_position(read)).context("cannot read the input")?;
    bar.finish_and_clear();
    std::fs::create_dir_all(&args.output)
        .with_context(|| format!("cannot make the folder {}", args.output.display()))?;
    for topic in TOPICS {
        write(&args.output, topic, &replayed)?;
    }
    let out = std::io::stdout().lock();
    if let Some(id) = &args.explain {
        explain::print(out, id, &replayed)?;
    } else if args.json {
        summary_json(out, args, &replayed)?;
    } else {
        summary(out, args, &replayed)?;
    }
    Ok(())
}

fn write(folder: &Path, topic: &str, replayed: &Replayed) -> anyhow::Result<()> {
    let path = folder.join(format!("{topic}.jsonl"));
    let lines = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(&path)?);
        for output in replayed.outputs.iter().filter(|output| output.topic() == topic) {
            file.write_all(&replayed.wire.json(output, None))?;
            file.write_all(b"\n")?;
        }
        file.flush()
    };
    lines().with_context(|| format!("cannot write {}", path.display()))
}

/// How many outputs there are of each kind, in the order of the contract.
fn counts(replayed: &Replayed) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = Vec::new();
    for output in &replayed.outputs {
        let name = match output {
            Output::Decision(decision) => match &decision.change {
                Change::Entered { .. } | Change::Left { .. } => decision.change.type_name().to_owned(),
                change => format!("{} {}", change.type_name(), change.name()),
            },
            Output::Alert(alert) => format!("alert {}", alert.name),
            Output::Status(_) => "status".to_owned(),
            Output::Audit(audit) => format!("decision {} {}", audit.decision, audit.programme),
            Output::Insight(insight) => format!("{} {}", insight.finding.type_name(), insight.finding.name()),
            Output::Pivot(found) => format!("{} {}", pivot::TYPE, found.pivot.kind),
            Output::DeadLetter(_, letter) => format!("dead letter {}", letter.code.name()),
        };
        match counts.iter_mut().find(|(other, _)| *other == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    counts.sort();
    counts
}

fn summary(mut out: impl Write, args: &Args, replayed: &Replayed) -> anyhow::Result<()> {
    let stats = &replayed.stats;
    writeln!(
        out,
        "{} records, {} customers",
        HumanCount(stats.events + stats.dead_letters),
        HumanCount(stats.customers)
    )?;
    for (name, count) in counts(replayed) {
        writeln!(out, "  {:>9}  {name}", HumanCount(count).to_string())?;
    }
    for (name, count) in counted(stats).into_iter().filter(|(_, count)| *count > 0) {
        writeln!(out, "  {:>9}  {name} (counted only)", HumanCount(count).to_string())?;
    }
    for (rule, count) in &replayed.rule_errors {
        writeln!(
            out,
            "  {:>9}  times {rule} was in error, such as a fact without value",
            HumanCount(*count).to_string()
        )?;
    }
    writeln!(out, "written to {}", args.output.display())?;
    Ok(())
}

/// What changed nothing, or less than it might have, and was counted instead.
const fn counted(stats: &Stats) -> [(&'static str, u64); 10] {
    [
        ("duplicates", stats.duplicates),
        ("expired", stats.expired),
        ("customers erased", stats.erasures),
        ("about customers erased before", stats.erased_events),
        ("test purchases", stats.tests),
        ("unpriced", stats.unpriced),
        ("refunds beyond their order", stats.clamped),
        ("refunds whose order never came", stats.unmatched),
        ("after a deadline they should precede", stats.reordered),
        ("unknown words in optional fields", stats.unknown_values),
    ]
}

fn summary_json(mut out: impl Write, args: &Args, replayed: &Replayed) -> anyhow::Result<()> {
    let stats = &replayed.stats;
    let outputs: serde_json::Map<_, _> =
        counts(replayed).into_iter().map(|(name, count)| (name, count.into())).collect();
    let summary = serde_json::json!({
        "records": stats.events + stats.dead_letters,
        "customers": stats.customers,
        "outputs": outputs,
        "counted": counted(stats).into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect::<serde_json::Map<_, _>>(),
        "rule_errors": replayed.rule_errors,
        "state_digest": format!("{:032x}", replayed.digest),
        "output": args.output,
    });
    writeln!(out, "{summary}")?;
    Ok(())
}
